-- Reading history, rolling it up, and forgetting what has expired.

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

-- One cache over the last `hours`: counts, rates in percent, latencies from the merged histogram.
create or replace function monitoring.get_cache_performance_summary(implementation_type text, hours integer default 24)
returns table (
    total_operations bigint, hits bigint, misses bigint, sets bigint, evictions bigint, errors bigint, hit_rate double precision,
    error_rate double precision, avg_response_time_ms double precision, p50_response_time_ms double precision,
    p95_response_time_ms double precision, p99_response_time_ms double precision, max_response_time_ms double precision,
    windows bigint
)
language sql stable
as $$
    with chosen as materialized (
        select w.* from monitoring.cache_metrics_1min w
        where w.implementation_type = get_cache_performance_summary.implementation_type
            and w.minute_window >= date_trunc('minute', now() - make_interval(hours => hours))
    ), bucket as (
        select b.bucket, sum(b.number)::bigint as number
        from chosen, unnest(chosen.latency_buckets, chosen.latency_counts) as b (bucket, number) group by b.bucket
    ), total as (
        select sum(c.total_operations)::bigint as operations, sum(c.hits)::bigint as hits, sum(c.misses)::bigint as misses,
            sum(c.sets)::bigint as sets, sum(c.evictions)::bigint as evictions, sum(c.errors)::bigint as errors,
            sum(c.latency_sum_ms) / nullif(sum(c.latency_count), 0) as average, max(c.max_response_time_ms) as most,
            min(c.min_response_time_ms) as least, count(*) as windows
        from chosen c
    )
    select t.operations, t.hits, t.misses, t.sets, t.evictions, t.errors, 100.0 * t.hits / nullif(t.hits + t.misses, 0),
        100.0 * t.errors / nullif(t.operations, 0), t.average, p.at[1], p.at[2], p.at[3], t.most, t.windows
    from total t, lateral (
        select monitoring.histogram_percentiles(
            (select array_agg(b.bucket order by b.bucket) from bucket b), (select array_agg(b.number order by b.bucket) from bucket b),
            array[0.5, 0.95, 0.99], t.least, t.most) as at
    ) as p
$$;

-- Rolls finished minutes up into hours, again for every hour of which a minute was written since the last time. Answers how many hours.
-- Percentiles come from merged histograms; an hour of which a minute has none has no percentiles.
create or replace function monitoring.rollup_cache_metrics_1hour() returns bigint
language plpgsql
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
            sum(m.avg_response_time_ms * (m.hits + m.misses)) / nullif(sum(m.hits + m.misses)
                filter (where m.avg_response_time_ms is not null), 0) as average, avg(m.avg_cache_size) as size_average
        from minute m group by 1, 2
    )
    insert into monitoring.cache_metrics_1hour as h (hour_window, implementation_type, total_operations, hits, misses, sets,
        evictions, errors, latency_buckets, latency_counts, latency_count, latency_sum_ms, min_response_time_ms,
        max_response_time_ms, hit_latency_count, hit_latency_sum_ms, miss_latency_count, miss_latency_sum_ms, cache_size_count,
        cache_size_sum, max_cache_size, avg_response_time_ms, avg_cache_size, hit_rate)
    select t.hour_window, t.implementation_type, t.operations, t.hits, t.misses, t.sets, t.evictions, t.errors,
        case when t.complete then g.buckets end, case when t.complete then g.counts end, case when t.complete then t.timed end,
        case when t.complete then t.time_sum end, case when t.complete then t.least end, t.most,
        case when t.complete then t.hit_timed end, case when t.complete then t.hit_sum end,
        case when t.complete then t.miss_timed end, case when t.complete then t.miss_sum end,
        case when t.complete then t.sized end, case when t.complete then t.size_sum end, t.size_most, t.average, t.size_average,
        100.0 * t.hits / nullif(t.hits + t.misses, 0)
    from total t left join histogram g using (implementation_type, hour_window)
    order by t.implementation_type, t.hour_window
    on conflict (hour_window, implementation_type) do update set
        (total_operations, hits, misses, sets, evictions, errors, latency_buckets, latency_counts, latency_count, latency_sum_ms,
         min_response_time_ms, max_response_time_ms, hit_latency_count, hit_latency_sum_ms, miss_latency_count,
         miss_latency_sum_ms, cache_size_count, cache_size_sum, max_cache_size, avg_response_time_ms, avg_cache_size, hit_rate) =
        (excluded.total_operations, excluded.hits, excluded.misses, excluded.sets, excluded.evictions, excluded.errors,
         excluded.latency_buckets, excluded.latency_counts, excluded.latency_count, excluded.latency_sum_ms,
         excluded.min_response_time_ms, excluded.max_response_time_ms, excluded.hit_latency_count, excluded.hit_latency_sum_ms,
         excluded.miss_latency_count, excluded.miss_latency_sum_ms, excluded.cache_size_count, excluded.cache_size_sum,
         excluded.max_cache_size, excluded.avg_response_time_ms, excluded.avg_cache_size, excluded.hit_rate);
    get diagnostics written = row_count;
    insert into monitoring.cache_auditor_maintenance as m (task, watermark, ran_at) values ('rollup', here, clock_timestamp())
        on conflict (task) do update set watermark = excluded.watermark, ran_at = excluded.ran_at;
    return written;
end
$$;

-- Deletes what has been kept long enough. Answers how many rows of each table.
create or replace function monitoring.purge_expired_cache_metrics(
    events_days integer default 7, minutes_days integer default 30, hours_days integer default 365
) returns jsonb
language plpgsql
as $$
declare
    events bigint; minutes bigint; ledger bigint; hours bigint;
begin
    delete from monitoring.cache_metrics where "timestamp" < now() - make_interval(days => events_days);
    get diagnostics events = row_count;
    delete from monitoring.cache_metrics_1min where minute_window < now() - make_interval(days => minutes_days);
    get diagnostics minutes = row_count;
    delete from monitoring.cache_auditor_ledger where minute_window < now() - make_interval(days => minutes_days);
    get diagnostics ledger = row_count;
    delete from monitoring.cache_metrics_1hour where hour_window < now() - make_interval(days => hours_days);
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
language plpgsql
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

do $$
begin
    if exists (select from pg_catalog.pg_extension where extname = 'pg_cron') then
        perform cron.schedule('cache-auditor-rollup', '5 * * * *', 'select monitoring.rollup_cache_metrics_1hour()');
        perform cron.schedule('cache-auditor-purge', '20 3 * * *', 'select monitoring.purge_expired_cache_metrics()');
    end if;
end
$$;
