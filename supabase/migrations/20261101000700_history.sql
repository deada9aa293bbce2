-- Reading history, rolling it up, and forgetting what has expired.

-- Functions of these names that the original had, with other arguments or answers, give way to those below, which carry a comment.
do $$
declare
    original record;
begin
    for original in
        select p.oid::regprocedure as signature from pg_catalog.pg_proc p
        where p.pronamespace = 'monitoring'::regnamespace
            and p.proname in ('calculate_hit_rate', 'get_cache_performance_summary', 'rollup_cache_metrics_1hour',
                'purge_expired_cache_metrics')
            and coalesce(obj_description(p.oid, 'pg_proc'), '') not like 'Cache Auditor: %'
    loop
        execute format('drop function %s', original.signature);
    end loop;
end
$$;

-- The windows of a span of time (start inclusive, end exclusive), cache by cache in time order; of all caches, or of those named.
create or replace function monitoring.windows_between(from_time timestamptz, to_time timestamptz, caches text[] default null)
returns setof monitoring.cache_metrics_1min
language sql stable
as $$
    select w.* from monitoring.cache_metrics_1min w
    where w.minute_window >= from_time and w.minute_window < to_time
        and (caches is null or w.implementation_type = any (caches))
    order by w.implementation_type, w.minute_window
$$;

-- The hit rate in percent of one cache over the last `time_window`, of all its gets; null where there were none.
create or replace function monitoring.calculate_hit_rate(implementation_type text, time_window interval default '1 hour')
returns double precision
language sql stable
as $$
    select 100.0 * sum(w.hits) / nullif(sum(w.hits + w.misses), 0)
    from monitoring.cache_metrics_1min w
    where w.implementation_type = calculate_hit_rate.implementation_type
        and w.minute_window >= date_trunc('minute', now() - time_window)
$$;

-- One cache over the last `hours`: counts, rates in percent, latencies from the merged histogram (percentiles are null where a window
-- has none), errors by their type where the raw events are still kept, and how many minutes the auditor found anomalous. What is older
-- than the kept minutes comes from the hours.
create or replace function monitoring.get_cache_performance_summary(implementation_type text, hours integer default 24)
returns table (
    total_operations bigint, hits bigint, misses bigint, sets bigint, evictions bigint, errors bigint, hit_rate double precision,
    error_rate double precision, avg_response_time_ms double precision, p50_response_time_ms double precision,
    p95_response_time_ms double precision, p99_response_time_ms double precision, max_response_time_ms double precision,
    windows bigint, errors_by_type jsonb, anomalous_windows bigint
)
language plpgsql stable set search_path = ''
as $$
#variable_conflict use_column
declare
    cache constant text := get_cache_performance_summary.implementation_type;
    since constant timestamptz := date_trunc('minute', now() - make_interval(hours => get_cache_performance_summary.hours));
    minutes_since constant timestamptz := (
        select w.minute_window from monitoring.cache_metrics_1min w where w.implementation_type = cache
        order by w.minute_window limit 1);
begin
    return query
    with chosen as materialized (
        select w.total_operations, w.hits, w.misses, w.sets, w.evictions, w.errors, w.latency_count, w.latency_sum_ms,
            w.latency_buckets, w.latency_counts, w.min_response_time_ms, w.max_response_time_ms,
            w.avg_response_time_ms::double precision as average, coalesce(w.latency_count, w.total_operations) as weight
        from monitoring.cache_metrics_1min w
        where w.implementation_type = cache and w.minute_window >= since
        union all
        select h.total_operations, h.hits, h.misses, h.sets, h.evictions, h.errors, h.latency_count, h.latency_sum_ms,
            h.latency_buckets, h.latency_counts, h.min_response_time_ms, h.max_response_time_ms,
            h.avg_response_time_ms::double precision, coalesce(h.latency_count, h.total_operations)
        from monitoring.cache_metrics_1hour h
        where h.implementation_type = cache and h.hour_window >= since
            and h.hour_window < date_trunc('hour', coalesce(minutes_since, 'infinity'), 'UTC')
    ), bucket as (
        select b.bucket, sum(b.number)::bigint as number
        from chosen, unnest(chosen.latency_buckets, chosen.latency_counts) as b (bucket, number) group by b.bucket
    ), total as (
        select sum(c.total_operations)::bigint as operations, sum(c.hits)::bigint as hits, sum(c.misses)::bigint as misses,
            sum(c.sets)::bigint as sets, sum(c.evictions)::bigint as evictions, sum(c.errors)::bigint as errors,
            case when bool_and(c.latency_count is not null) then sum(c.latency_sum_ms) / nullif(sum(c.latency_count), 0)
                else sum(c.average * c.weight) / nullif(sum(c.weight) filter (where c.average is not null), 0) end as average,
            bool_and(c.latency_count is not null) as complete,
            max(c.max_response_time_ms) as most, min(c.min_response_time_ms) as least, count(*) as windows
        from chosen c
    )
    select t.operations, t.hits, t.misses, t.sets, t.evictions, t.errors,
        (100.0 * t.hits / nullif(t.hits + t.misses, 0))::double precision,
        (100.0 * t.errors / nullif(t.operations, 0))::double precision,
        t.average::double precision, p.at[1], p.at[2], p.at[3], t.most::double precision, t.windows,
        (select jsonb_object_agg(e.error_type, e.number) from (
            select coalesce(m.error_type, 'unknown') as error_type, count(*) as number from monitoring.cache_metrics m
            where m.implementation_type = cache and m.operation_type = 'error' and m."timestamp" >= since group by 1) as e),
        (select count(*) from monitoring.cache_auditor_ledger l
            where l.implementation_type = cache and l.verdict = 'anomalous' and l.minute_window >= since)
    from total t left join lateral (
        select monitoring.histogram_percentiles(
            (select array_agg(b.bucket order by b.bucket) from bucket b), (select array_agg(b.number order by b.bucket) from bucket b),
            array[0.5, 0.95, 0.99], t.least, t.most) as at
    ) as p on t.complete;
end
$$;

-- Rolls finished minutes up into hours, again for every hour of which a minute was written since the last time. Answers how many hours.
-- Percentiles come from merged histograms; an hour of which a minute has none has no percentiles. Minutes from before the upgrade
-- (revision 0) make an hour only where there is none, for the original had its own.
create or replace function monitoring.rollup_cache_metrics_1hour() returns bigint
language plpgsql set search_path = ''
as $$
declare
    here constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    since xid8;
    written bigint;
begin
    select least(m.watermark, here) into since from monitoring.cache_auditor_maintenance m where m.task = 'rollup';
    with touched as (
        select distinct w.implementation_type, date_trunc('hour', w.minute_window, 'UTC') as hour_window
        from monitoring.cache_metrics_1min w
        where w.revision >= coalesce(since, '0'::xid8) and w.minute_window < date_trunc('hour', now(), 'UTC')
            and (w.revision <> '0'::xid8 or not exists (
                select from monitoring.cache_metrics_1hour h
                where h.implementation_type = w.implementation_type
                    and h.hour_window = date_trunc('hour', w.minute_window, 'UTC')))
    ), minute as (
        select t.hour_window, w.* from touched t
        join monitoring.cache_metrics_1min w on w.implementation_type = t.implementation_type
            and w.minute_window >= t.hour_window and w.minute_window < t.hour_window + interval '1 hour'
    ), bucket as (
        select m.implementation_type, m.hour_window, b.bucket, sum(b.number)::bigint as number
        from minute m, unnest(m.latency_buckets, m.latency_counts) as b (bucket, number) group by 1, 2, 3
    ), histogram as (
        select implementation_type, hour_window, array_agg(bucket order by bucket) as buckets, array_agg(number order by bucket) as counts
        from bucket group by 1, 2
    ), total as (
        select m.implementation_type, m.hour_window, sum(m.total_operations) as operations, sum(m.hits) as hits,
            sum(m.misses) as misses, sum(m.sets) as sets, sum(m.evictions) as evictions, sum(m.errors) as errors,
            bool_and(m.latency_count is not null) as complete,
            sum(m.latency_count) as timed, sum(m.latency_sum_ms) as time_sum, min(m.min_response_time_ms) as least,
            max(m.max_response_time_ms) as most, sum(m.hit_latency_count) as hit_timed, sum(m.hit_latency_sum_ms) as hit_sum,
            sum(m.miss_latency_count) as miss_timed, sum(m.miss_latency_sum_ms) as miss_sum, sum(m.cache_size_count) as sized,
            sum(m.cache_size_sum) as size_sum, max(m.max_cache_size) as size_most,
            sum(m.avg_response_time_ms * coalesce(m.latency_count, m.total_operations)) / nullif(
                sum(coalesce(m.latency_count, m.total_operations)) filter (where m.avg_response_time_ms is not null), 0) as average,
            avg(m.avg_cache_size) as size_average
        from minute m group by 1, 2
    )
    insert into monitoring.cache_metrics_1hour as h (hour_window, implementation_type, total_operations, hits, misses, sets,
        evictions, errors, latency_buckets, latency_counts, latency_count, latency_sum_ms, min_response_time_ms,
        max_response_time_ms, hit_latency_count, hit_latency_sum_ms, miss_latency_count, miss_latency_sum_ms, cache_size_count,
        cache_size_sum, max_cache_size, avg_response_time_ms, avg_cache_size, hit_rate)
    select t.hour_window, t.implementation_type, t.operations, t.hits, t.misses, t.sets, t.evictions, t.errors,
        case when t.complete then g.buckets end, case when t.complete then g.counts end, case when t.complete then t.timed end,
        case when t.complete then t.time_sum end, t.least, t.most,
        case when t.complete then t.hit_timed end, case when t.complete then t.hit_sum end,
        case when t.complete then t.miss_timed end, case when t.complete then t.miss_sum end,
        case when t.complete then t.sized end, case when t.complete then t.size_sum end, t.size_most, t.average, t.size_average,
        100.0 * t.hits / nullif(t.hits + t.misses, 0)
    from total t left join histogram g using (implementation_type, hour_window)
    order by t.implementation_type, t.hour_window
    on conflict (hour_window, implementation_type) do update set
        (total_operations, hits, misses, sets, evictions, errors, latency_buckets, latency_counts, latency_count, latency_sum_ms,
         min_response_time_ms, max_response_time_ms, hit_latency_count, hit_latency_sum_ms, miss_latency_count,
         miss_latency_sum_ms, cache_size_count, cache_size_sum, max_cache_size, avg_response_time_ms, avg_cache_size, hit_rate,
         avg_hit_response_time_ms, avg_miss_response_time_ms, p50_response_time_ms, p95_response_time_ms, p99_response_time_ms) =
        (excluded.total_operations, excluded.hits, excluded.misses, excluded.sets, excluded.evictions, excluded.errors,
         excluded.latency_buckets, excluded.latency_counts, excluded.latency_count, excluded.latency_sum_ms,
         excluded.min_response_time_ms, excluded.max_response_time_ms, excluded.hit_latency_count, excluded.hit_latency_sum_ms,
         excluded.miss_latency_count, excluded.miss_latency_sum_ms, excluded.cache_size_count, excluded.cache_size_sum,
         excluded.max_cache_size, excluded.avg_response_time_ms, excluded.avg_cache_size, excluded.hit_rate,
         excluded.avg_hit_response_time_ms, excluded.avg_miss_response_time_ms, excluded.p50_response_time_ms,
         excluded.p95_response_time_ms, excluded.p99_response_time_ms);
    get diagnostics written = row_count;
    insert into monitoring.cache_auditor_maintenance as m (task, watermark, ran_at) values ('rollup', here, clock_timestamp())
        on conflict (task) do update set watermark = excluded.watermark, ran_at = excluded.ran_at;
    return written;
end
$$;

-- Deletes what has been kept long enough: after the given days, else after those of the call before (so that a schedule keeps what an
-- auditor was told to), else after 7, 30 and 365. Answers how many rows of each table. Ingest takes no events older than the days that
-- raw events are kept.
create or replace function monitoring.purge_expired_cache_metrics(
    events_days integer default null, minutes_days integer default null, hours_days integer default null
) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    events bigint; minutes bigint; ledger bigint; hours bigint;
    kept monitoring.cache_auditor_maintenance;
begin
    insert into monitoring.cache_auditor_maintenance as m (task, events_days, minutes_days, hours_days, ran_at)
        values ('purge', coalesce(events_days, 7), coalesce(minutes_days, 30), coalesce(hours_days, 365), clock_timestamp())
        on conflict on constraint cache_auditor_maintenance_pkey do update set
            events_days = coalesce(purge_expired_cache_metrics.events_days, m.events_days),
            minutes_days = coalesce(purge_expired_cache_metrics.minutes_days, m.minutes_days),
            hours_days = coalesce(purge_expired_cache_metrics.hours_days, m.hours_days),
            ran_at = excluded.ran_at
        returning * into kept;
    delete from monitoring.cache_metrics e where e."timestamp" < now() - make_interval(days => kept.events_days);
    get diagnostics events = row_count;
    delete from monitoring.cache_metrics_1min w where w.minute_window < now() - make_interval(days => kept.minutes_days);
    get diagnostics minutes = row_count;
    delete from monitoring.cache_auditor_ledger l where l.minute_window < now() - make_interval(days => kept.minutes_days);
    get diagnostics ledger = row_count;
    delete from monitoring.cache_metrics_1hour h where h.hour_window < now() - make_interval(days => kept.hours_days);
    get diagnostics hours = row_count;
    -- a cache that has no windows left is not audited any more
    delete from monitoring.cache_auditor_checkpoint c where not exists (
        select from monitoring.cache_metrics_1min w where w.implementation_type = c.implementation_type);
    return jsonb_build_object('cache_metrics', events, 'cache_metrics_1min', minutes, 'cache_auditor_ledger', ledger,
        'cache_metrics_1hour', hours);
end
$$;

-- The hourly work, by one auditor at a time: null where another is at it.
create or replace function monitoring.auditor_maintain(events_days integer, minutes_days integer, hours_days integer) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    hours bigint;
begin
    if not pg_try_advisory_xact_lock(hashtextextended('monitoring.auditor_maintain', 0)) then
        return null;
    end if;
    hours := monitoring.rollup_cache_metrics_1hour();
    return jsonb_build_object('hours_rolled_up', hours,
        'purged', monitoring.purge_expired_cache_metrics(events_days, minutes_days, hours_days));
end
$$;

comment on function monitoring.calculate_hit_rate(text, interval) is 'Cache Auditor: the hit rate of a cache in percent';
comment on function monitoring.get_cache_performance_summary(text, integer) is 'Cache Auditor: a cache over its last hours';
comment on function monitoring.rollup_cache_metrics_1hour() is 'Cache Auditor: minutes into hours';
comment on function monitoring.purge_expired_cache_metrics(integer, integer, integer) is 'Cache Auditor: retention';

-- Where there is pg_cron, the hourly work is done although no auditor runs; with one it finds nothing left to do.
do $$
begin
    if to_regprocedure('cron.schedule(text, text, text)') is not null then
        perform cron.schedule('cache-auditor-rollup', '5 * * * *', 'select monitoring.rollup_cache_metrics_1hour()');
        perform cron.schedule('cache-auditor-purge', '20 3 * * *', 'select monitoring.purge_expired_cache_metrics()');
    end if;
end
$$;
