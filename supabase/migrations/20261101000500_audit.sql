-- What the auditor asks of the database: leases, the pull of what is settled, and the commit of what was judged.
-- Minutes in JSON are whole minutes since 1970-01-01 UTC; transaction numbers (xid8) travel as text.

-- Renews the worker's leases, gives up what is more than its fair share, takes what is free up to it, and says what it holds.
-- A lease that ran out is taken anew, with a new fencing token, by whoever comes first; so what was judged under the old one is refused.
create or replace function monitoring.auditor_lease(worker text, lease_seconds integer, max_caches integer) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    share integer;
    own integer;
begin
    insert into monitoring.cache_auditor_worker (worker, seen_at) values (worker, moment)
        on conflict on constraint cache_auditor_worker_pkey do update set seen_at = excluded.seen_at;
    delete from monitoring.cache_auditor_worker w where w.seen_at < moment - interval '1 day';

    -- caches are found by skipping from name to name along the index
    with recursive named (implementation_type) as (
        (select w.implementation_type from monitoring.cache_metrics_1min w order by w.implementation_type limit 1)
        union all
        select (select w.implementation_type from monitoring.cache_metrics_1min w
                where w.implementation_type > n.implementation_type order by w.implementation_type limit 1)
        from named n where n.implementation_type is not null
    )
    insert into monitoring.cache_auditor_checkpoint (implementation_type)
    select n.implementation_type from named n where n.implementation_type is not null
        and n.implementation_type not like 'auditor-doctor-%' -- the doctor's canary is no cache to be audited
        and not exists (select from monitoring.cache_auditor_checkpoint c where c.implementation_type = n.implementation_type)
    order by 1
    on conflict do nothing;

    select least(max_caches, ceil(count(*)::numeric / greatest(1, (
            select count(*) from monitoring.cache_auditor_worker w
            where w.seen_at >= moment - make_interval(secs => lease_seconds))))::integer)
        into share from monitoring.cache_auditor_checkpoint c;

    -- rows are locked in the order of the names, here as in a commit
    perform from monitoring.cache_auditor_checkpoint c where c.lease_holder = worker order by c.implementation_type for update;
    update monitoring.cache_auditor_checkpoint c set lease_holder = null, lease_expires_at = null
        where c.implementation_type in (
            select mine.implementation_type from monitoring.cache_auditor_checkpoint mine
            where mine.lease_holder = worker order by mine.implementation_type offset share);
    update monitoring.cache_auditor_checkpoint c
        set lease_expires_at = moment + make_interval(secs => lease_seconds),
            fencing_token = case when c.lease_expires_at > moment then c.fencing_token else c.fencing_token + 1 end
        where c.lease_holder = worker;
    get diagnostics own = row_count;
    update monitoring.cache_auditor_checkpoint c
        set lease_holder = worker, lease_expires_at = moment + make_interval(secs => lease_seconds),
            fencing_token = c.fencing_token + 1
        where c.implementation_type in (
            select free.implementation_type from monitoring.cache_auditor_checkpoint free
            where free.lease_holder is null or free.lease_expires_at <= moment
            order by free.implementation_type limit greatest(0, share - own) for update skip locked);

    return jsonb_build_object('held', coalesce((
        select jsonb_agg(c.implementation_type order by c.implementation_type)
        from monitoring.cache_auditor_checkpoint c where c.lease_holder = worker), '[]'::jsonb));
end
$$;

create or replace function monitoring.auditor_release(worker text) returns void
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
begin
    update monitoring.cache_auditor_checkpoint c set lease_holder = null, lease_expires_at = null
        where c.implementation_type in (
            select mine.implementation_type from monitoring.cache_auditor_checkpoint mine
            where mine.lease_holder = worker order by mine.implementation_type for update);
    delete from monitoring.cache_auditor_worker w where w.worker = worker;
end
$$;

-- Windows of one cache as one array for each column, in time order.
create or replace function monitoring.columnar(windows monitoring.cache_metrics_1min[]) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'minute', jsonb_agg(monitoring.minute_of(w.minute_window)),
        'revision', jsonb_agg(w.revision::text),
        'total_operations', jsonb_agg(w.total_operations), 'hits', jsonb_agg(w.hits), 'misses', jsonb_agg(w.misses),
        'sets', jsonb_agg(w.sets), 'evictions', jsonb_agg(w.evictions), 'errors', jsonb_agg(w.errors),
        'avg_response_time_ms', jsonb_agg(w.avg_response_time_ms), 'p50_response_time_ms', jsonb_agg(w.p50_response_time_ms),
        'p95_response_time_ms', jsonb_agg(w.p95_response_time_ms), 'p99_response_time_ms', jsonb_agg(w.p99_response_time_ms),
        'max_response_time_ms', jsonb_agg(w.max_response_time_ms), 'avg_cache_size', jsonb_agg(w.avg_cache_size),
        'max_cache_size', jsonb_agg(w.max_cache_size), 'hit_rate', jsonb_agg(w.hit_rate),
        'avg_hit_response_time_ms', jsonb_agg(w.avg_hit_response_time_ms),
        'avg_miss_response_time_ms', jsonb_agg(w.avg_miss_response_time_ms))
    from unnest(windows) as w
$$;

-- The windows at or before a cache's cursor that are new or changed since they were audited, among those written by the transactions
-- from `seen` to before `below`; where `seen` is from before a restore, among all.
create or replace function monitoring.late_windows(cache text, cursor_at bigint, seen xid8, below xid8)
returns setof monitoring.cache_metrics_1min
language sql stable
as $$
    select w.*
    from monitoring.cache_metrics_1min w
    left join monitoring.cache_auditor_ledger l on l.implementation_type = w.implementation_type and l.minute_window = w.minute_window
    where w.implementation_type = cache and w.minute_window <= monitoring.minute_at(cursor_at)
        and w.revision >= case when seen > pg_snapshot_xmax(pg_current_snapshot()) then '0'::xid8 else coalesce(seen, '0'::xid8) end
        and (w.revision < below or seen > pg_snapshot_xmax(pg_current_snapshot()))
        and w.revision is distinct from coalesce(l.late_revision, l.revision)
$$;

-- For each cache that the worker holds: (a) the settled minutes after its last audited one, and (b) windows at or before it
-- that are new or changed since they were audited.
--
-- request: {settle_seconds, max_windows_per_cache, max_windows, known: {cache: state_version}, horizon_minute?}.
-- Answers {watermark, horizon_minute, more, caches: [{implementation_type, fencing_token, cursor, state_version, state (null
-- where the caller knows this version), first_minute, last_minute, columns, late}]}; caches with nothing to do are left out.
-- (b) goes by the number of the writing transaction: everything that was not visible at the last committed pull has one at or
-- above that pull's xmin, whenever it commits; numbers that this server has not given out yet come from before a restore. A
-- watermark among those means that it was restored since: then all kept windows are compared with the ledger. Late windows come
-- oldest transaction first, and where the limits cut them, the commit leaves the watermark where it was. Reads only; locks nothing.
create or replace function monitoring.auditor_pull(worker text, request jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    watermark constant xid8 := pg_snapshot_xmin(pg_current_snapshot());
    next_xid constant xid8 := pg_snapshot_xmax(pg_current_snapshot());
    moment constant timestamptz := clock_timestamp();
    per_cache constant bigint := (request ->> 'max_windows_per_cache')::bigint;
    at_most constant bigint := (request ->> 'max_windows')::bigint;
    known constant jsonb := coalesce(request -> 'known', '{}'::jsonb);
    horizon bigint;
    answer jsonb;
begin
    horizon := floor((extract(epoch from moment) - (request ->> 'settle_seconds')::numeric) / 60)::bigint - 1;
    horizon := least(horizon, (request ->> 'horizon_minute')::bigint);
    with held as (
        select c.implementation_type, c.fencing_token, c.state_version, c.watermark as seen,
            monitoring.minute_of(c.cursor_minute) as cursor_at,
            coalesce(monitoring.minute_of(c.cursor_minute) + 1, (
                select monitoring.minute_of(w.minute_window) from monitoring.cache_metrics_1min w
                where w.implementation_type = c.implementation_type order by w.minute_window limit 1)) as first_at
        from monitoring.cache_auditor_checkpoint c
        where c.lease_holder = worker and c.lease_expires_at > moment
    ), due as (
        select held.*, least(horizon, first_at + per_cache - 1) as last_at,
            (sum(greatest(0, least(horizon, first_at + per_cache - 1) - first_at + 1))
                over (order by first_at, implementation_type))::bigint as upto
        from held where first_at is not null
    ), share as (
        select due.*, due.last_at < horizon or due.upto > at_most as cut,
            greatest(1, least(per_cache, at_most / count(*) over ())) as late_at_most,
            case when due.upto - greatest(0, due.last_at - due.first_at + 1) >= at_most then due.first_at - 1
                else least(due.last_at, due.first_at + at_most - (due.upto - greatest(0, due.last_at - due.first_at + 1)) - 1)
            end as until_at
        from due
    ), found as (
        select share.*,
            case when share.until_at >= share.first_at then (
                select array_agg(w order by w.minute_window) from monitoring.cache_metrics_1min w
                where w.implementation_type = share.implementation_type
                    and w.minute_window between monitoring.minute_at(share.first_at) and monitoring.minute_at(share.until_at)
            ) end as windows,
            case when share.cursor_at is not null then (
                select array_agg(l.late order by (l.late).minute_window)
                from (
                    select w as late from monitoring.late_windows(share.implementation_type, share.cursor_at, share.seen, next_xid) as w
                    order by w.revision, w.minute_window limit share.late_at_most
                ) as l
            ) end as late
        from share
    )
    select jsonb_build_object(
        'watermark', watermark::text,
        'horizon_minute', horizon,
        'more', coalesce(bool_or(found.cut and found.last_at >= found.first_at or cardinality(found.late) >= found.late_at_most), false),
        'caches', coalesce(jsonb_agg(jsonb_build_object(
            'implementation_type', found.implementation_type,
            'fencing_token', found.fencing_token,
            'cursor', found.cursor_at,
            'state_version', found.state_version,
            'state', case when (known ->> found.implementation_type)::bigint is distinct from found.state_version then (
                select c.state || jsonb_build_object('history', c.history) from monitoring.cache_auditor_checkpoint c
                where c.implementation_type = found.implementation_type) end,
            'first_minute', found.first_at,
            'last_minute', found.until_at,
            'columns', coalesce(monitoring.columnar(found.windows), '{}'::jsonb),
            'late', coalesce(monitoring.columnar(found.late), '{}'::jsonb)) order by found.implementation_type)
            filter (where found.until_at >= found.first_at or found.late is not null), '[]'::jsonb))
    into answer from found;
    return answer;
end
$$;

-- Writes what was judged, each cache's all together or not at all.
--
-- results: [{implementation_type, fencing_token, cursor_before, cursor_after, state, history (null: as it was), ledger:
-- {first_minute, verdict: [], scores: [], revision: []} | null, late: [{minute, verdict, scores, revision}], observations: [row],
-- baseline: {...} | null, config_hash}].
-- Answers {outcomes: {cache: {outcome: committed | repeated | stale, state_version}}}. Stale: the lease is not this worker's, has run out or has
-- another token, or the cursor has moved. Repeated: this very commit is in already; nothing was done.
create or replace function monitoring.auditor_commit(worker text, watermark text, results jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    outcomes jsonb;
    accepted jsonb;
begin
    with given as (
        select r.result, r.result ->> 'implementation_type' as name, md5(r.result::text) as digest
        from jsonb_array_elements(results) as r (result)
    ), point as materialized (
        select c.* from monitoring.cache_auditor_checkpoint c
        where c.implementation_type in (select given.name from given) order by c.implementation_type for update
    ), judged as (
        select g.*, p.state_version, case
            when p.last_commit = g.digest
                and monitoring.minute_of(p.cursor_minute) is not distinct from (g.result ->> 'cursor_after')::bigint then 'repeated'
            when p.lease_holder = worker and p.lease_expires_at > moment
                and p.fencing_token = (g.result ->> 'fencing_token')::bigint
                and monitoring.minute_of(p.cursor_minute) is not distinct from (g.result ->> 'cursor_before')::bigint then 'committed'
            else 'stale' end as outcome
        from given g left join point p on p.implementation_type = g.name
    )
    select coalesce(jsonb_object_agg(j.name, jsonb_build_object('outcome', j.outcome, 'state_version',
            coalesce(j.state_version, 0) + case j.outcome when 'committed' then 1 else 0 end)), '{}'::jsonb),
        coalesce(jsonb_agg(j.result || jsonb_build_object('digest', j.digest)) filter (where j.outcome = 'committed'), '[]'::jsonb)
        into outcomes, accepted from judged j;

    perform monitoring.write_ledger(accepted, moment);
    perform monitoring.write_observations((
        select jsonb_agg(o.observation) from jsonb_array_elements(accepted) as r (result),
            jsonb_array_elements(r.result -> 'observations') as o (observation)));
    perform monitoring.write_baseline(r.result -> 'baseline', true) from jsonb_array_elements(accepted) as r (result)
        where jsonb_typeof(r.result -> 'baseline') = 'object';
    update monitoring.cache_auditor_checkpoint c set
        cursor_minute = monitoring.minute_at((r.result ->> 'cursor_after')::bigint),
        state = r.result -> 'state',
        history = coalesce(nullif(r.result -> 'history', 'null'::jsonb), c.history),
        state_version = c.state_version + 1,
        watermark = case when exists (
                select from monitoring.late_windows(c.implementation_type, (r.result ->> 'cursor_after')::bigint, c.watermark,
                    auditor_commit.watermark::xid8))
            then c.watermark else auditor_commit.watermark::xid8 end,
        last_commit = r.result ->> 'digest',
        updated_at = moment
    from jsonb_array_elements(accepted) as r (result)
    where c.implementation_type = r.result ->> 'implementation_type';
    return jsonb_build_object('outcomes', outcomes);
end
$$;

-- The ledger's rows of results. Where there is a row for a minute already, its first verdict stays and the new one stands beside it.
create or replace function monitoring.write_ledger(results jsonb, moment timestamptz) returns void
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
begin
    insert into monitoring.cache_auditor_ledger as l
        (implementation_type, minute_window, verdict, mode, scores, revision, config_hash, audited_at)
    select r.result ->> 'implementation_type', at.minute_window, w.verdict,
        -- a minute is settled within the minute that follows it, and was then judged live for five more
        case when moment - at.minute_window > interval '7 minutes' then 'backfilled' else 'live' end,
        w.scores, w.revision::xid8, r.result ->> 'config_hash', moment
    from jsonb_array_elements(results) as r (result),
        rows from (
            jsonb_array_elements_text(r.result -> 'ledger' -> 'verdict'), jsonb_array_elements(r.result -> 'ledger' -> 'scores'),
            jsonb_array_elements_text(r.result -> 'ledger' -> 'revision')
        ) with ordinality as w (verdict, scores, revision, place),
        lateral (select monitoring.minute_at((r.result -> 'ledger' ->> 'first_minute')::bigint + w.place - 1)) as at (minute_window)
    where jsonb_typeof(r.result -> 'ledger') = 'object'
    on conflict (implementation_type, minute_window) do update set
        late_verdict = excluded.verdict, late_scores = excluded.scores, late_revision = excluded.revision,
        late_audited_at = excluded.audited_at;

    insert into monitoring.cache_auditor_ledger as l
        (implementation_type, minute_window, verdict, mode, scores, config_hash, audited_at, late_verdict, late_scores,
         late_revision, late_audited_at)
    select r.result ->> 'implementation_type', monitoring.minute_at((w.late ->> 'minute')::bigint), 'unjudged', 'backfilled', '{}'::jsonb,
        r.result ->> 'config_hash', moment, w.late ->> 'verdict', w.late -> 'scores', (w.late ->> 'revision')::xid8, moment
    from jsonb_array_elements(results) as r (result), jsonb_array_elements(r.result -> 'late') as w (late)
    on conflict (implementation_type, minute_window) do update set
        late_verdict = excluded.late_verdict, late_scores = excluded.late_scores, late_revision = excluded.late_revision,
        late_audited_at = excluded.late_audited_at;
end
$$;
