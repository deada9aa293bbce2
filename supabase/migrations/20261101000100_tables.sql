-- The tables of the schema monitoring: the original five, upgraded where they exist, and what the auditor adds.
-- Plain SQL that may be applied any number of times, by psql, the Supabase CLI or `auditor migrate`.

create schema if not exists monitoring;

create table if not exists monitoring.cache_auditor_migrations (
    version text primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);

create table if not exists monitoring.cache_metrics (
    id uuid primary key default gen_random_uuid(),
    cache_key text not null,
    operation_type text not null,
    implementation_type text not null,
    response_time_ms double precision,
    cache_size bigint,
    error_type text,
    error_message text,
    metadata jsonb,
    "timestamp" timestamptz not null default now()
);

create table if not exists monitoring.cache_metrics_1min (
    id uuid primary key default gen_random_uuid(),
    minute_window timestamptz not null,
    implementation_type text not null,
    total_operations bigint not null default 0,
    hits bigint not null default 0,
    misses bigint not null default 0,
    sets bigint not null default 0,
    evictions bigint not null default 0,
    errors bigint not null default 0,
    avg_response_time_ms double precision,
    p50_response_time_ms double precision,
    p95_response_time_ms double precision,
    p99_response_time_ms double precision,
    max_response_time_ms double precision,
    avg_cache_size double precision,
    max_cache_size bigint,
    hit_rate double precision,
    created_at timestamptz not null default now()
);

create table if not exists monitoring.cache_metrics_1hour (
    id uuid primary key default gen_random_uuid(),
    hour_window timestamptz not null,
    implementation_type text not null,
    total_operations bigint not null default 0,
    hits bigint not null default 0,
    misses bigint not null default 0,
    sets bigint not null default 0,
    evictions bigint not null default 0,
    errors bigint not null default 0,
    avg_response_time_ms double precision,
    p50_response_time_ms double precision,
    p95_response_time_ms double precision,
    p99_response_time_ms double precision,
    max_response_time_ms double precision,
    avg_cache_size double precision,
    max_cache_size bigint,
    hit_rate double precision,
    created_at timestamptz not null default now()
);

create table if not exists monitoring.cache_baseline_metrics (
    id uuid primary key default gen_random_uuid(),
    implementation_type text not null,
    baseline_period_start timestamptz not null,
    baseline_period_end timestamptz not null,
    baseline_hit_rate double precision,
    baseline_avg_response_time_ms double precision,
    baseline_p95_response_time_ms double precision,
    baseline_error_rate double precision,
    hit_rate_stddev double precision,
    response_time_stddev double precision,
    sample_size bigint,
    created_at timestamptz not null default now(),
    is_active boolean not null default true
);

create table if not exists monitoring.cache_auditor_observations (
    id uuid primary key default gen_random_uuid(),
    severity text not null,
    category text not null,
    title text not null,
    description text not null,
    recommendation text,
    implementation_type text,
    metric_name text,
    metric_value double precision,
    baseline_value double precision,
    deviation_percentage double precision,
    metadata jsonb,
    "timestamp" timestamptz not null default now(),
    acknowledged boolean not null default false,
    acknowledged_at timestamptz,
    acknowledged_by text
);

-- Columns that are too narrow for what they hold, and columns that are not there yet.
do $$
declare
    narrow record;
    check_name record;
begin
    for narrow in
        select wanted.tab, wanted.col, wanted.type
        from (values
            ('cache_metrics', 'response_time_ms', 'double precision'),
            ('cache_metrics', 'cache_size', 'bigint'),
            ('cache_metrics', 'cache_key', 'text'),
            ('cache_metrics', 'operation_type', 'text'),
            ('cache_metrics', 'implementation_type', 'text'),
            ('cache_metrics', 'error_type', 'text'),
            ('cache_metrics', 'error_message', 'text'),
            ('cache_metrics_1min', 'implementation_type', 'text'),
            ('cache_metrics_1hour', 'implementation_type', 'text'),
            ('cache_baseline_metrics', 'implementation_type', 'text'),
            ('cache_auditor_observations', 'implementation_type', 'text'),
            ('cache_auditor_observations', 'severity', 'text'),
            ('cache_auditor_observations', 'category', 'text'),
            ('cache_auditor_observations', 'title', 'text'),
            ('cache_auditor_observations', 'description', 'text'),
            ('cache_auditor_observations', 'recommendation', 'text'),
            ('cache_auditor_observations', 'metric_name', 'text'),
            ('cache_auditor_observations', 'acknowledged_by', 'text'),
            ('cache_auditor_observations', 'metric_value', 'double precision'),
            ('cache_auditor_observations', 'baseline_value', 'double precision'),
            ('cache_auditor_observations', 'deviation_percentage', 'double precision'),
            ('cache_baseline_metrics', 'baseline_hit_rate', 'double precision'),
            ('cache_baseline_metrics', 'baseline_avg_response_time_ms', 'double precision'),
            ('cache_baseline_metrics', 'baseline_p95_response_time_ms', 'double precision'),
            ('cache_baseline_metrics', 'baseline_error_rate', 'double precision'),
            ('cache_baseline_metrics', 'hit_rate_stddev', 'double precision'),
            ('cache_baseline_metrics', 'response_time_stddev', 'double precision'),
            ('cache_baseline_metrics', 'sample_size', 'bigint')
        ) as wanted (tab, col, type)
        union all
        select minutes_or_hours.tab, columns_of.col, columns_of.type
        from (values ('cache_metrics_1min'), ('cache_metrics_1hour')) as minutes_or_hours (tab)
        cross join (values
            ('total_operations', 'bigint'), ('hits', 'bigint'), ('misses', 'bigint'), ('sets', 'bigint'),
            ('evictions', 'bigint'), ('errors', 'bigint'), ('max_cache_size', 'bigint'),
            ('avg_response_time_ms', 'double precision'), ('p50_response_time_ms', 'double precision'),
            ('p95_response_time_ms', 'double precision'), ('p99_response_time_ms', 'double precision'),
            ('max_response_time_ms', 'double precision'), ('avg_cache_size', 'double precision'),
            ('hit_rate', 'double precision')
        ) as columns_of (col, type)
    loop
        execute format('alter table monitoring.%I add column if not exists %I %s', narrow.tab, narrow.col, narrow.type);
        if (select format_type(a.atttypid, a.atttypmod) <> narrow.type from pg_catalog.pg_attribute a
            where a.attrelid = format('monitoring.%I', narrow.tab)::regclass and a.attname = narrow.col) then
            execute format('alter table monitoring.%I alter column %I type %s', narrow.tab, narrow.col, narrow.type);
        end if;
        if narrow.type = 'double precision' then
            execute format('alter table monitoring.%I alter column %I drop not null', narrow.tab, narrow.col);
        end if;
    end loop;

    -- checks on the cache's name from when there were two caches, and on anything else that is redefined below
    for check_name in
        select c.conrelid::regclass as tab, c.conname
        from pg_catalog.pg_constraint c
        join pg_catalog.pg_class t on t.oid = c.conrelid
        join pg_catalog.pg_namespace n on n.oid = t.relnamespace
        where n.nspname = 'monitoring' and c.contype = 'c'
            and t.relname in ('cache_metrics', 'cache_metrics_1min', 'cache_metrics_1hour', 'cache_baseline_metrics',
                              'cache_auditor_observations')
            and pg_get_constraintdef(c.oid) ~ 'implementation_type'
    loop
        execute format('alter table %s drop constraint %I', check_name.tab, check_name.conname);
    end loop;
    alter table monitoring.cache_auditor_observations alter column implementation_type drop not null;
end
$$;

-- A cache's name is 1 to 64 printable characters; rows from before the rule are left as they are.
do $$
declare
    named text;
begin
    foreach named in array array['cache_metrics', 'cache_metrics_1min', 'cache_metrics_1hour', 'cache_baseline_metrics',
                                 'cache_auditor_observations'] loop
        execute format('alter table monitoring.%I drop constraint if exists %I', named, named || '_cache_name');
        execute format(
            'alter table monitoring.%I add constraint %I check (implementation_type ~ ''^[^[:cntrl:]]{1,64}$'') not valid',
            named, named || '_cache_name');
    end loop;
    if not exists (select from pg_catalog.pg_constraint where conrelid = 'monitoring.cache_metrics'::regclass
            and contype = 'c' and pg_get_constraintdef(oid) ~ 'operation_type') then
        alter table monitoring.cache_metrics add constraint cache_metrics_operation_type_known
            check (operation_type in ('hit', 'miss', 'set', 'evict', 'error')) not valid;
    end if;
    if not exists (select from pg_catalog.pg_constraint where conrelid = 'monitoring.cache_auditor_observations'::regclass
            and contype = 'c' and pg_get_constraintdef(oid) ~ 'severity') then
        alter table monitoring.cache_auditor_observations add constraint cache_auditor_observations_severity_known
            check (severity in ('info', 'warning', 'critical')) not valid;
    end if;
    if not exists (select from pg_catalog.pg_constraint where conrelid = 'monitoring.cache_auditor_observations'::regclass
            and contype = 'c' and pg_get_constraintdef(oid) ~ 'category') then
        alter table monitoring.cache_auditor_observations add constraint cache_auditor_observations_category_known
            check (category in ('performance', 'reliability', 'capacity', 'anomaly')) not valid;
    end if;
end
$$;

-- What this project adds to windows. Sums and counts are exact, so that averages merge exactly; the histogram is sparse:
-- ascending bucket numbers and how many latencies each holds (see the histogram functions).
do $$
declare
    named text;
begin
    foreach named in array array['cache_metrics_1min', 'cache_metrics_1hour'] loop
        execute format($add$
            alter table monitoring.%I
                add column if not exists latency_buckets integer[],
                add column if not exists latency_counts bigint[],
                add column if not exists latency_count bigint,
                add column if not exists latency_sum_ms double precision,
                add column if not exists min_response_time_ms double precision,
                add column if not exists hit_latency_count bigint,
                add column if not exists hit_latency_sum_ms double precision,
                add column if not exists miss_latency_count bigint,
                add column if not exists miss_latency_sum_ms double precision,
                add column if not exists avg_hit_response_time_ms double precision,
                add column if not exists avg_miss_response_time_ms double precision,
                add column if not exists cache_size_count bigint,
                add column if not exists cache_size_sum double precision,
                add column if not exists revision xid8 not null default '0'::xid8
        $add$, named);
    end loop;
end
$$;

alter table monitoring.cache_baseline_metrics
    add column if not exists profile jsonb,
    add column if not exists reason text,
    add column if not exists activated_at timestamptz;

-- Only one baseline of a cache may be active: of several, the newest stays.
update monitoring.cache_baseline_metrics older
set is_active = false
where older.is_active and exists (
    select from monitoring.cache_baseline_metrics newer
    where newer.implementation_type = older.implementation_type and newer.is_active
        and (newer.created_at, newer.id::text) > (older.created_at, older.id::text)
);

alter table monitoring.cache_auditor_observations
    add column if not exists fingerprint text,
    add column if not exists incident_id text,
    add column if not exists window_start timestamptz,
    add column if not exists window_end timestamptz,
    add column if not exists status text not null default 'open' check (status in ('open', 'resolved')),
    add column if not exists evidence jsonb,
    add column if not exists explanation jsonb,
    add column if not exists verdict text check (verdict in ('incident', 'new_normal', 'ignore')),
    add column if not exists verdict_at timestamptz,
    add column if not exists verdict_by text;

-- What has been audited: one row for each cache and minute. The first verdict stays; a late or revised window's stands beside it.
create table if not exists monitoring.cache_auditor_ledger (
    implementation_type text not null,
    minute_window timestamptz not null,
    verdict text not null check (verdict in ('normal', 'anomalous', 'learning', 'no_data', 'unjudged')),
    mode text not null check (mode in ('live', 'backfilled')),
    scores jsonb not null,
    revision xid8,
    config_hash text not null,
    audited_at timestamptz not null default clock_timestamp(),
    late_verdict text,
    late_scores jsonb,
    late_revision xid8,
    late_audited_at timestamptz,
    primary key (implementation_type, minute_window)
);

-- Where each cache's audit stands. `state` changes with every window and is small; `history` once an hour.
create table if not exists monitoring.cache_auditor_checkpoint (
    implementation_type text primary key,
    cursor_minute timestamptz,
    state jsonb,
    history jsonb,
    state_version bigint not null default 0,
    watermark xid8,
    lease_holder text,
    lease_expires_at timestamptz,
    fencing_token bigint not null default 0,
    last_commit text,
    updated_at timestamptz not null default clock_timestamp()
);

-- The auditors that are alive, so that they share the caches fairly.
create table if not exists monitoring.cache_auditor_worker (
    worker text primary key,
    seen_at timestamptz not null
);

-- What the hourly work has seen already.
create table if not exists monitoring.cache_auditor_maintenance (
    task text primary key,
    watermark xid8 not null,
    ran_at timestamptz not null
);
