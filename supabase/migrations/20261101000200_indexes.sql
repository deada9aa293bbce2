-- Every index with the query it is there for.

-- cache_metrics: purging by age; a cache's recent errors by type
create index if not exists cache_metrics_timestamp on monitoring.cache_metrics ("timestamp");
create index if not exists cache_metrics_cache_errors on monitoring.cache_metrics (implementation_type, "timestamp")
    where operation_type = 'error';

-- cache_metrics_1min: merging into a minute, and purging by age (that one is made below); the windows of a cache in time order;
-- late windows of a cache; what the rollup has not seen
create index if not exists cache_metrics_1min_cache_window on monitoring.cache_metrics_1min (implementation_type, minute_window);
create index if not exists cache_metrics_1min_cache_revision on monitoring.cache_metrics_1min (implementation_type, revision);
create index if not exists cache_metrics_1min_revision on monitoring.cache_metrics_1min (revision);

-- cache_metrics_1hour: merging into an hour, and purging by age (below); the hours of a cache in time order
create index if not exists cache_metrics_1hour_cache_window on monitoring.cache_metrics_1hour (implementation_type, hour_window);

-- cache_baseline_metrics: the one that is active; a cache's history of them
create unique index if not exists cache_baseline_metrics_active on monitoring.cache_baseline_metrics (implementation_type)
    where is_active;
create index if not exists cache_baseline_metrics_history on monitoring.cache_baseline_metrics (implementation_type, created_at desc);

-- cache_auditor_observations: writing a finding again; the newest; a cache's newest; by severity; what is open;
-- what nobody has acknowledged
create unique index if not exists cache_auditor_observations_fingerprint on monitoring.cache_auditor_observations (fingerprint);
create index if not exists cache_auditor_observations_newest on monitoring.cache_auditor_observations ("timestamp" desc);
create index if not exists cache_auditor_observations_cache on monitoring.cache_auditor_observations (implementation_type, "timestamp" desc);
create index if not exists cache_auditor_observations_severity on monitoring.cache_auditor_observations (severity, "timestamp" desc);
create index if not exists cache_auditor_observations_open on monitoring.cache_auditor_observations ("timestamp" desc)
    where status = 'open';
create index if not exists cache_auditor_observations_unacknowledged on monitoring.cache_auditor_observations ("timestamp" desc)
    where not acknowledged;

-- cache_auditor_ledger: purging by age; the anomalous minutes of a cache
create index if not exists cache_auditor_ledger_window on monitoring.cache_auditor_ledger (minute_window);
create index if not exists cache_auditor_ledger_anomalous on monitoring.cache_auditor_ledger (implementation_type, minute_window)
    where verdict = 'anomalous';

-- cache_auditor_checkpoint: what a worker holds; what is free
create index if not exists cache_auditor_checkpoint_holder on monitoring.cache_auditor_checkpoint (lease_holder);
create index if not exists cache_auditor_checkpoint_expiry on monitoring.cache_auditor_checkpoint (lease_expires_at);

-- cache_auditor_worker: who is alive
create index if not exists cache_auditor_worker_seen on monitoring.cache_auditor_worker (seen_at);

-- one row for each window of a cache, unless the original has said so already
do $$
declare
    wanted record;
begin
    for wanted in
        select * from (values ('cache_metrics_1min', 'minute_window'), ('cache_metrics_1hour', 'hour_window')) as windows (tab, col)
    loop
        if not exists (
            select from pg_catalog.pg_index i
            where i.indrelid = format('monitoring.%I', wanted.tab)::regclass and i.indisunique and i.indpred is null
                and pg_get_indexdef(i.indexrelid, 1, false) = wanted.col
                and pg_get_indexdef(i.indexrelid, 2, false) = 'implementation_type' and i.indnatts = 2
        ) then
            execute format('create unique index %I on monitoring.%I (%I, implementation_type)', wanted.tab || '_window', wanted.tab,
                wanted.col);
        end if;
    end loop;
end
$$;
