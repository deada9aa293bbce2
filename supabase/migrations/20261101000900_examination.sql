-- What `auditor doctor` asks, the removal of what it put in, and hints on a channel that the owner may name.

-- The channel and its privacy are settings of the database:
--   alter database postgres set auditor.realtime_channel = 'cache-metrics';
--   alter database postgres set auditor.realtime_event = 'cache-update';
--   alter database postgres set auditor.realtime_private = 'on';
create or replace function monitoring.send_hint(hint jsonb) returns void
language plpgsql set search_path = ''
as $$
begin
    perform pg_notify('cache_metrics', hint::text);
    if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null then
        execute 'select realtime.send($1, $2, $3, $4)' using hint,
            coalesce(nullif(current_setting('auditor.realtime_event', true), ''), 'cache-update'),
            coalesce(nullif(current_setting('auditor.realtime_channel', true), ''), 'cache-metrics'),
            coalesce(nullif(current_setting('auditor.realtime_private', true), ''), 'off')::boolean;
    end if;
end
$$;

-- What collectors had to drop, told by the events that they could still send ({metadata: {collector: {dropped, elsewhere: {cache: n}}}}), noted at
-- the windows of those events, so that a lossy collector is told from a quiet cache. It is summed anew from the stored events each
-- time, so that a batch may be sent again.
alter table monitoring.cache_metrics_1min add column if not exists metadata jsonb;

create or replace function monitoring.note_collector_losses(metrics jsonb) returns void
language sql
as $$
    with touched as (
        select distinct e.implementation_type, date_trunc('minute', e."timestamp") as minute_window
        from jsonb_array_elements(metrics) as m (event)
        join monitoring.cache_metrics e on e.id = case when m.event ->> 'id' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then (m.event ->> 'id')::uuid end
        where m.event #> '{metadata,collector}' is not null
    ), told as (
        select t.implementation_type, t.minute_window,
            coalesce(sum((e.metadata #>> '{collector,dropped}')::bigint)
                filter (where e.metadata #>> '{collector,dropped}' ~ '^[0-9]{1,15}$'), 0) as dropped,
            coalesce(sum((
                select sum(o.value::bigint) from jsonb_each_text(case when jsonb_typeof(e.metadata #> '{collector,elsewhere}') = 'object'
                    then e.metadata #> '{collector,elsewhere}' else '{}'::jsonb end) as o
                where o.value ~ '^[0-9]{1,15}$')), 0) as elsewhere
        from touched t
        join monitoring.cache_metrics e on e.implementation_type = t.implementation_type
            and e."timestamp" >= t.minute_window and e."timestamp" < t.minute_window + interval '1 minute'
            and e.metadata -> 'collector' is not null
        group by 1, 2
    )
    update monitoring.cache_metrics_1min w
    set metadata = coalesce(w.metadata, '{}'::jsonb)
        || jsonb_build_object('collector', jsonb_build_object('dropped', told.dropped, 'elsewhere', told.elsewhere))
    from told where w.implementation_type = told.implementation_type and w.minute_window = told.minute_window
$$;

-- As before, but that the hint goes where the settings say, and collectors' losses are noted.
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
        if jsonb_path_exists(metrics, '$[*].metadata.collector') then
            perform monitoring.note_collector_losses(metrics);
        end if;
        perform monitoring.send_hint(answer -> 'hint');
    end if;
    return answer - 'hint';
end
$$;

-- How the auditor's part of this database stands, as the caller sees it. Reads only.
--
-- Answers {schema_version, role, now, realtime_send, published: [table], publishes_all, denied: [{what, right}], open_to: [role],
-- caches: [{implementation_type, newest_window, newest_event, audited_to, held, has_baseline, settled, judged}]}; the last two count the
-- settled minutes of the past day from the cache's first window on, and the ledger's rows of them.
create or replace function monitoring.auditor_examine(settle_seconds double precision default 20) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'schema_version', '20261101000900',
        'role', current_user,
        'now', clock_timestamp(),
        'realtime_send', to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null,
        'published', coalesce((
            select jsonb_agg(t.tablename order by t.tablename) from pg_catalog.pg_publication_tables t
            where t.pubname = 'supabase_realtime' and t.schemaname = 'monitoring'), '[]'::jsonb),
        'publishes_all', coalesce((
            select p.puballtables from pg_catalog.pg_publication p where p.pubname = 'supabase_realtime'), false),
        'denied', coalesce((
            select jsonb_agg(jsonb_build_object('what', d.what, 'right', d.wanted) order by d.what, d.wanted) from (
                select c.relname::text as what, r.wanted from pg_catalog.pg_class c
                cross join (values ('select'), ('insert'), ('update'), ('delete')) as r (wanted)
                where c.relnamespace = 'monitoring'::regnamespace and c.relkind = 'r' and not has_table_privilege(c.oid, r.wanted)
                union all
                select p.proname::text, 'execute' from pg_catalog.pg_proc p
                where p.pronamespace = 'monitoring'::regnamespace and not has_function_privilege(p.oid, 'execute')) as d), '[]'::jsonb),
        'open_to', coalesce((
            select jsonb_agg(o.rolname order by o.rolname) from pg_catalog.pg_roles o
            where o.rolname in ('anon', 'authenticated') and has_schema_privilege(o.rolname, 'monitoring', 'usage')), '[]'::jsonb),
        'caches', coalesce((
            select jsonb_agg(jsonb_build_object(
                'implementation_type', c.implementation_type,
                'newest_window', newest.at,
                'audited_to', c.cursor_minute,
                'held', c.lease_expires_at is not null and c.lease_expires_at > clock_timestamp(),
                'has_baseline', exists (
                    select from monitoring.cache_baseline_metrics b
                    where b.implementation_type = c.implementation_type and b.is_active),
                'settled', greatest(0, monitoring.minute_of(span.until_at) - monitoring.minute_of(span.from_at) + 1),
                'judged', (
                    select count(*) from monitoring.cache_auditor_ledger l
                    where l.implementation_type = c.implementation_type
                        and l.minute_window between span.from_at and span.until_at)) order by c.implementation_type)
            from (
                select k.implementation_type, k.cursor_minute, k.lease_expires_at from monitoring.cache_auditor_checkpoint k
                union all
                -- caches that no auditor has met yet, found by skipping from name to name along the index
                select fresh.implementation_type, null, null from (
                    with recursive named (implementation_type) as (
                        (select w.implementation_type from monitoring.cache_metrics_1min w order by w.implementation_type limit 1)
                        union all
                        select (select w.implementation_type from monitoring.cache_metrics_1min w
                                where w.implementation_type > n.implementation_type order by w.implementation_type limit 1)
                        from named n where n.implementation_type is not null
                    )
                    select n.implementation_type from named n where n.implementation_type is not null) as fresh
                where not exists (
                    select from monitoring.cache_auditor_checkpoint k where k.implementation_type = fresh.implementation_type)
            ) as c
            cross join lateral (
                select max(w.minute_window) as at, min(w.minute_window) as first_at from monitoring.cache_metrics_1min w
                where w.implementation_type = c.implementation_type) as newest
            cross join lateral (
                select greatest(newest.first_at, monitoring.minute_at(monitoring.minute_of(clock_timestamp()) - 1440)) as from_at,
                    monitoring.minute_at(floor((extract(epoch from clock_timestamp()) - settle_seconds::numeric) / 60)::bigint - 1)
                        as until_at) as span
            where c.implementation_type not like 'auditor-doctor-%'), '[]'::jsonb))
$$;

-- What there is of a canary's window: {total_operations, hits} or null.
create or replace function monitoring.auditor_canary_window(cache text) returns jsonb
language sql stable
as $$
    select jsonb_build_object('total_operations', sum(w.total_operations), 'hits', sum(w.hits))
    from monitoring.cache_metrics_1min w where w.implementation_type = cache having count(*) > 0
$$;

-- Removes every trace of a canary; refuses any other name.
create or replace function monitoring.auditor_remove_canary(cache text) returns void
language plpgsql set search_path = ''
as $$
begin
    if cache is null or cache not like 'auditor-doctor-%' then
        raise exception 'only a canary of auditor doctor can be removed, not %', cache using errcode = 'invalid_parameter_value';
    end if;
    delete from monitoring.cache_metrics where implementation_type = cache;
    delete from monitoring.cache_metrics_1min where implementation_type = cache;
    delete from monitoring.cache_metrics_1hour where implementation_type = cache;
    delete from monitoring.cache_auditor_ledger where implementation_type = cache;
    delete from monitoring.cache_auditor_checkpoint where implementation_type = cache;
    delete from monitoring.cache_baseline_metrics where implementation_type = cache;
    delete from monitoring.cache_auditor_observations where implementation_type = cache;
end
$$;

revoke all on all functions in schema monitoring from public, anon, authenticated;
grant execute on all functions in schema monitoring to service_role;
