-- Mergeable latency histograms: buckets whose bounds grow by 2 %, so that a percentile is read to within 1 % of a value that was
-- there (DDSketch: Masson, Rim and Lee, 2019, VLDB 12:2195). A histogram is two arrays: ascending bucket numbers, and counts.

-- The bucket of a latency: b holds [1.02^b, 1.02^(b+1)) milliseconds; a latency below a nanosecond counts as one.
create or replace function monitoring.latency_bucket(latency_ms double precision) returns integer
language sql immutable parallel safe
as $$ select floor(ln(greatest(latency_ms, 1e-6)) / ln(1.02::double precision))::integer $$;

-- One histogram out of two; null is an empty one.
create or replace function monitoring.merge_histograms(
    buckets integer[], counts bigint[], other_buckets integer[], other_counts bigint[],
    out merged_buckets integer[], out merged_counts bigint[]
)
language sql immutable parallel safe
as $$
    select array_agg(bucket order by bucket), array_agg(number order by bucket)
    from (
        select bucket, sum(number)::bigint as number
        from (
            select * from unnest(buckets, counts) as one (bucket, number)
            union all
            select * from unnest(other_buckets, other_counts) as other (bucket, number)
        ) as both_of_them
        group by bucket
    ) as summed
$$;

-- Percentiles (fractions, ascending) as percentile_cont would give them of the buckets' middles, within the exact extremes.
create or replace function monitoring.histogram_percentiles(
    buckets integer[], counts bigint[], fractions double precision[], least_ms double precision, most_ms double precision
) returns double precision[]
language plpgsql immutable parallel safe set search_path = ''
as $$
declare
    total bigint := 0;
    upto bigint := 0;
    position double precision;
    low_value double precision;
    high_value double precision;
    at integer := 1;
    wanted integer;
    answer double precision[] := '{}';
begin
    if coalesce(cardinality(buckets), 0) = 0 then
        return array_fill(null::double precision, array[cardinality(fractions)]);
    end if;
    select sum(number) into total from unnest(counts) as number;
    upto := counts[1];
    for wanted in 1 .. cardinality(fractions) loop
        position := fractions[wanted] * (total - 1);
        while upto <= floor(position) loop
            at := at + 1;
            upto := upto + counts[at];
        end loop;
        low_value := least(greatest(power(1.02::double precision, buckets[at] + 0.5), least_ms), most_ms);
        high_value := low_value;
        if upto <= ceil(position) then
            high_value := least(greatest(power(1.02::double precision, buckets[at + 1] + 0.5), least_ms), most_ms);
        end if;
        answer := answer || (low_value + (position - floor(position)) * (high_value - low_value));
    end loop;
    return answer;
end
$$;

-- What a window derives from its sums, and the transaction that wrote it. A window without a histogram (imported, or written before there
-- were any) keeps what it says of itself; where events come to such a window, its average is weighted by operations, and its percentiles
-- are unknown from then on.
create or replace function monitoring.complete_window() returns trigger
language plpgsql set search_path = ''
as $$
declare
    percentiles double precision[];
begin
    new.revision := pg_current_xact_id();
    if new.latency_count is null then
        return new;
    end if;
    new.hit_rate := 100.0 * new.hits / nullif(new.hits + new.misses, 0);
    if tg_table_name = 'cache_metrics_1min' and tg_op = 'UPDATE' and old.latency_count is null and old.total_operations > 0 then
        new.avg_response_time_ms := case when old.avg_response_time_ms is null then null else
            (old.avg_response_time_ms * old.total_operations + new.latency_sum_ms) / (old.total_operations + new.latency_count) end;
        new.avg_hit_response_time_ms := null;
        new.avg_miss_response_time_ms := null;
        new.latency_buckets := null; new.latency_counts := null; new.latency_count := null; new.latency_sum_ms := null;
        new.hit_latency_count := null; new.hit_latency_sum_ms := null;
        new.miss_latency_count := null; new.miss_latency_sum_ms := null;
        new.cache_size_count := null; new.cache_size_sum := null;
    else
        new.avg_response_time_ms := new.latency_sum_ms / nullif(new.latency_count, 0);
        new.avg_hit_response_time_ms := new.hit_latency_sum_ms / nullif(new.hit_latency_count, 0);
        new.avg_miss_response_time_ms := new.miss_latency_sum_ms / nullif(new.miss_latency_count, 0);
        new.avg_cache_size := new.cache_size_sum / nullif(new.cache_size_count, 0);
        percentiles := monitoring.histogram_percentiles(
            new.latency_buckets, new.latency_counts, array[0.5, 0.95, 0.99], new.min_response_time_ms, new.max_response_time_ms);
    end if;
    new.p50_response_time_ms := percentiles[1];
    new.p95_response_time_ms := percentiles[2];
    new.p99_response_time_ms := percentiles[3];
    return new;
end
$$;

create or replace trigger complete_window before insert or update on monitoring.cache_metrics_1min
    for each row execute function monitoring.complete_window();
create or replace trigger complete_window before insert or update on monitoring.cache_metrics_1hour
    for each row execute function monitoring.complete_window();
