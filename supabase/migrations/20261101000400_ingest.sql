-- Events in, windows out: the one way in which operations reach the windows.

-- Minutes in JSON are whole minutes since 1970-01-01 UTC.
create or replace function monitoring.minute_at(minute bigint) returns timestamptz
language sql immutable parallel safe
as $$ select to_timestamp(minute * 60.0) $$;

create or replace function monitoring.minute_of(at timestamptz) returns bigint
language sql immutable parallel safe
as $$ select floor(extract(epoch from at) / 60)::bigint $$;

-- Why an event cannot be stored, or null. Times are judged by the database's clock: an event from more than five minutes ahead
-- (`newest`) is a wrong clock, one older than the raw events are kept (`oldest`) could not be told from a repeated one.
create or replace function monitoring.event_fault(
    cache_key text, operation_type text, implementation_type text, response_time_ms double precision, cache_size bigint,
    error_type text, error_message text, happened_at timestamptz, oldest timestamptz, newest timestamptz
) returns text
language sql immutable parallel safe
as $$
    select case
        when operation_type is null then 'operation_type is missing'
        when operation_type not in ('hit', 'miss', 'set', 'evict', 'error')
            then 'operation_type must be hit, miss, set, evict or error'
        when implementation_type is null then 'implementation_type is missing'
        when not monitoring.is_cache_name(implementation_type) then 'implementation_type must be 1 to 64 printable characters'
        when cache_key is null then 'cache_key is missing'
        when length(cache_key) > 1024 then 'cache_key is longer than 1024 characters'
        when length(error_type) > 256 then 'error_type is longer than 256 characters'
        when length(error_message) > 4096 then 'error_message is longer than 4096 characters'
        when response_time_ms < 0 then 'response_time_ms is negative'
        when response_time_ms in ('NaN', 'Infinity') then 'response_time_ms is not a finite number'
        when response_time_ms > 86400000 then 'response_time_ms is longer than a day'
        when cache_size < 0 then 'cache_size is negative'
        when happened_at > newest then 'timestamp is more than 5 minutes in the future'
        when happened_at < oldest then 'timestamp is older than raw events are kept'
    end
$$;

-- The events of a batch, typed. Raises where any of them cannot be; then `typed_events_carefully` says which.
create or replace function monitoring.typed_events(metrics jsonb) returns table (
    "index" bigint, id uuid, cache_key text, operation_type text, implementation_type text,
    response_time_ms double precision, cache_size bigint, error_type text, error_message text, metadata jsonb,
    happened_at timestamptz, fault text
)
language sql stable
as $$
    select event.ordinality - 1, event.id, event.cache_key, event.operation_type, event.implementation_type,
        event.response_time_ms, event.cache_size, event.error_type, event.error_message, event.metadata,
        event."timestamp", null::text
    from rows from (jsonb_to_recordset(metrics) as (
        id uuid, cache_key text, operation_type text, implementation_type text, response_time_ms double precision,
        cache_size bigint, error_type text, error_message text, metadata jsonb, "timestamp" timestamptz
    )) with ordinality as event
$$;

-- The same one by one, with the reason beside those that cannot be typed.
create or replace function monitoring.typed_events_carefully(metrics jsonb) returns table (
    "index" bigint, id uuid, cache_key text, operation_type text, implementation_type text,
    response_time_ms double precision, cache_size bigint, error_type text, error_message text, metadata jsonb,
    happened_at timestamptz, fault text
)
language plpgsql stable set search_path = ''
as $$
declare
    event jsonb;
    field text;
begin
    "index" := -1;
    for event in select element from jsonb_array_elements(metrics) as element loop
        "index" := "index" + 1;
        fault := null; id := null; response_time_ms := null; cache_size := null; happened_at := null; metadata := null;
        cache_key := null; operation_type := null; implementation_type := null; error_type := null; error_message := null;
        if jsonb_typeof(event) <> 'object' then
            fault := 'the event is not an object';
            return next;
            continue;
        end if;
        begin
            field := 'id is not a uuid'; id := (event ->> 'id')::uuid;
            field := 'response_time_ms is not a number'; response_time_ms := (event ->> 'response_time_ms')::double precision;
            field := 'cache_size is not a whole number'; cache_size := (event ->> 'cache_size')::bigint;
            field := 'timestamp is not a time'; happened_at := (event ->> 'timestamp')::timestamptz;
        exception when data_exception then
            fault := field;
        end;
        cache_key := event ->> 'cache_key';
        operation_type := event ->> 'operation_type';
        implementation_type := event ->> 'implementation_type';
        error_type := event ->> 'error_type';
        error_message := event ->> 'error_message';
        metadata := event -> 'metadata';
        return next;
    end loop;
end
$$;

-- Stores a batch of events and merges them into the minutes they happened in.
--
-- metrics: array of {id?, cache_key, operation_type, implementation_type, response_time_ms?, cache_size?, error_type?,
--   error_message?, metadata?, timestamp?}. An event without an id gets one (and cannot be recognised again); one without a
--   timestamp happened now; a timestamp without a zone is in UTC.
-- Answers {accepted, duplicates, rejected: [{index, id, reason}], windows}. Good events are stored whatever the others are like;
-- ids that are stored already count as duplicates and for nothing else, so that a batch may be sent again.
-- Concurrent calls: events go in by order of id and windows by order of cache and minute, so that no two calls wait for each other.
create or replace function monitoring.ingest_cache_metrics(metrics jsonb) returns jsonb
language plpgsql set search_path = '' set timezone = 'UTC'
as $$
declare
    answer jsonb;
begin
    if jsonb_typeof(metrics) is distinct from 'array' then
        raise exception 'metrics must be an array of events, not %', coalesce(jsonb_typeof(metrics), 'nothing')
            using errcode = 'invalid_parameter_value';
    end if;
    begin
        answer := monitoring.ingest_typed_metrics(metrics, false);
    exception when data_exception then
        answer := monitoring.ingest_typed_metrics(metrics, true);
    end;
    if (answer ->> 'windows')::int > 0 then
        -- {minutes: the newest hundred that were written, caches: how many}
        perform pg_notify('cache_metrics', (answer -> 'hint')::text);
        if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null then
            execute 'select realtime.send($1, ''cache-update'', ''cache-metrics'', false)' using answer -> 'hint';
        end if;
    end if;
    return answer - 'hint';
end
$$;

create or replace function monitoring.ingest_typed_metrics(metrics jsonb, carefully boolean) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    stamp constant timestamptz := now();
    newest constant timestamptz := stamp + interval '5 minutes';
    oldest constant timestamptz := stamp - make_interval(days => coalesce((
        select m.events_days from monitoring.cache_auditor_maintenance m where m.task = 'purge'), 7));
    answer jsonb;
begin
    with typed as (
        select * from monitoring.typed_events(metrics) where not carefully
        union all
        select * from monitoring.typed_events_carefully(metrics) where carefully
    ), event as materialized (
        select "index", id, cache_key, operation_type, implementation_type, response_time_ms, cache_size, error_type,
            error_message, metadata, coalesce(happened_at, stamp) as happened_at,
            coalesce(fault, monitoring.event_fault(cache_key, operation_type, implementation_type, response_time_ms,
                cache_size, error_type, error_message, happened_at, oldest, newest)) as fault
        from typed
    ), stored as (
        insert into monitoring.cache_metrics (id, cache_key, operation_type, implementation_type, response_time_ms, cache_size,
            error_type, error_message, metadata, "timestamp")
        select distinct on (good.id) good.id, cache_key, operation_type, implementation_type, response_time_ms, cache_size,
            error_type, error_message, metadata, happened_at
        from (select coalesce(event.id, gen_random_uuid()) as id, cache_key, operation_type, implementation_type,
                response_time_ms, cache_size, error_type, error_message, metadata, happened_at, "index"
            from event where fault is null) as good
        order by good.id, good."index"
        on conflict (id) do nothing
        -- the latency as an exact decimal, once for all the sums
        returning implementation_type, date_trunc('minute', "timestamp") as minute_window, operation_type,
            response_time_ms::double precision as response_time_ms, round(response_time_ms::numeric, 12) as ms, cache_size
    ), bucketed as (
        select implementation_type, minute_window, monitoring.latency_bucket(response_time_ms) as bucket,
            count(*) as total,
            count(*) filter (where operation_type = 'hit') as hits,
            count(*) filter (where operation_type = 'miss') as misses,
            count(*) filter (where operation_type = 'set') as sets,
            count(*) filter (where operation_type = 'evict') as evictions,
            count(*) filter (where operation_type = 'error') as errors,
            count(ms) as timed, sum(ms) as time_sum, min(response_time_ms) as least, max(response_time_ms) as most,
            count(ms) filter (where operation_type = 'hit') as hit_timed,
            sum(ms) filter (where operation_type = 'hit') as hit_sum,
            count(ms) filter (where operation_type = 'miss') as miss_timed,
            sum(ms) filter (where operation_type = 'miss') as miss_sum,
            count(cache_size) as sized, sum(cache_size) as size_sum, max(cache_size) as size_most
        from stored group by 1, 2, 3
    ), merged as (
        insert into monitoring.cache_metrics_1min as w (minute_window, implementation_type, total_operations, hits, misses,
            sets, evictions, errors, latency_buckets, latency_counts, latency_count, latency_sum_ms, min_response_time_ms,
            max_response_time_ms, hit_latency_count, hit_latency_sum_ms, miss_latency_count, miss_latency_sum_ms,
            cache_size_count, cache_size_sum, max_cache_size)
        select minute_window, implementation_type, sum(total), sum(hits), sum(misses), sum(sets), sum(evictions), sum(errors),
            array_agg(bucket order by bucket) filter (where bucket is not null),
            array_agg(timed order by bucket) filter (where bucket is not null),
            sum(timed), coalesce(sum(time_sum), 0), min(least), max(most), sum(hit_timed), coalesce(sum(hit_sum), 0),
            sum(miss_timed), coalesce(sum(miss_sum), 0), sum(sized), coalesce(sum(size_sum), 0), max(size_most)
        from bucketed group by 1, 2
        order by implementation_type, minute_window
        on conflict (minute_window, implementation_type) do update set
            -- the trigger settles what becomes of a window that had counts but no histogram
            total_operations = coalesce(w.total_operations, 0) + excluded.total_operations,
            hits = coalesce(w.hits, 0) + excluded.hits,
            misses = coalesce(w.misses, 0) + excluded.misses,
            sets = coalesce(w.sets, 0) + excluded.sets,
            evictions = coalesce(w.evictions, 0) + excluded.evictions,
            errors = coalesce(w.errors, 0) + excluded.errors,
            (latency_buckets, latency_counts) = (
                select h.merged_buckets, h.merged_counts
                from monitoring.merge_histograms(w.latency_buckets, w.latency_counts, excluded.latency_buckets,
                    excluded.latency_counts) as h),
            latency_count = coalesce(w.latency_count, 0) + excluded.latency_count,
            latency_sum_ms = coalesce(w.latency_sum_ms, 0) + excluded.latency_sum_ms,
            min_response_time_ms = least(w.min_response_time_ms, excluded.min_response_time_ms),
            max_response_time_ms = greatest(w.max_response_time_ms, excluded.max_response_time_ms),
            hit_latency_count = coalesce(w.hit_latency_count, 0) + excluded.hit_latency_count,
            hit_latency_sum_ms = coalesce(w.hit_latency_sum_ms, 0) + excluded.hit_latency_sum_ms,
            miss_latency_count = coalesce(w.miss_latency_count, 0) + excluded.miss_latency_count,
            miss_latency_sum_ms = coalesce(w.miss_latency_sum_ms, 0) + excluded.miss_latency_sum_ms,
            cache_size_count = coalesce(w.cache_size_count, 0) + excluded.cache_size_count,
            cache_size_sum = coalesce(w.cache_size_sum, 0) + excluded.cache_size_sum,
            max_cache_size = greatest(w.max_cache_size, excluded.max_cache_size)
        returning minute_window, implementation_type
    )
    select jsonb_build_object(
        'accepted', (select count(*) from stored),
        'duplicates', (select count(*) from event where fault is null) - (select count(*) from stored),
        'rejected', coalesce((
            select jsonb_agg(jsonb_build_object('index', "index", 'id', metrics -> "index"::int ->> 'id', 'reason', fault)
                order by "index")
            from event where fault is not null), '[]'::jsonb),
        'windows', (select count(*) from merged),
        'hint', jsonb_build_object('caches', (select count(distinct implementation_type) from merged), 'minutes', (
            select jsonb_agg(minute order by minute) from (
                select distinct monitoring.minute_of(minute_window) as minute from merged order by minute desc limit 100
            ) as newest_minutes)))
    into answer;
    return answer;
end
$$;
