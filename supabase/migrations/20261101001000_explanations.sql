-- A model's words beside a finding: what they are of, how long they stand, and everything that a model may be told.

-- What has to stay as it was for a model's words to stand: status, severity, the set of metrics and the first cause.
create or replace function monitoring.explained_state(status text, severity text, evidence jsonb) returns jsonb
language sql immutable
as $$
    select jsonb_build_object('status', status, 'severity', severity, 'cause', evidence #> '{causes,0,cause}',
        'metrics', coalesce((
            select jsonb_agg(distinct m.name order by m.name) from jsonb_array_elements_text(
                case when jsonb_typeof(evidence -> 'metrics') = 'array' then evidence -> 'metrics' else '[]'::jsonb end) as m (name)),
            '[]'::jsonb))
$$;

-- Whether an explanation is of a finding in this state; one that does not say what it is of is of none.
create or replace function monitoring.explanation_stands(explanation jsonb, status text, severity text, evidence jsonb) returns boolean
language sql immutable
as $$
    select coalesce(explanation -> 'of' = monitoring.explained_state(status, severity, evidence), false)
$$;

-- The explanation of a finding that is written again: a model's goes on with the new deterministic text kept inside, a note of why there
-- is none goes on beside it, and where the finding is no longer what was explained, both give way.
create or replace function monitoring.carried_explanation(before jsonb, fresh jsonb, stands boolean, description text, recommendation text)
returns jsonb
language sql immutable
as $$
    select case
        when not stands then fresh
        when before ->> 'source' = 'model' then before || jsonb_build_object('template',
            jsonb_build_object('description', description, 'recommendation', recommendation))
        else coalesce(fresh, '{}'::jsonb) || (before - array['source', 'version']) end
$$;

-- As before, but that the title is always the deterministic one, and a model's words stand only as long as what they speak of.
create or replace function monitoring.write_observations(observations jsonb) returns void
language plpgsql set search_path = ''
as $$
declare
    with_id constant boolean := (
        select a.atttypid = 'uuid'::regtype from pg_catalog.pg_attribute a
        where a.attrelid = 'monitoring.cache_auditor_observations'::regclass and a.attname = 'id');
begin
    if coalesce(jsonb_array_length(observations), 0) = 0 then
        return;
    end if;
    execute format($insert$
        insert into monitoring.cache_auditor_observations as o
            (%s severity, category, title, description, recommendation, implementation_type, metric_name, metric_value, baseline_value,
             deviation_percentage, metadata, "timestamp", fingerprint, incident_id, window_start, window_end, status, evidence,
             explanation)
        select %s r.severity, r.category, r.title, r.description, r.recommendation, r.implementation_type, r.metric_name,
            r.metric_value, r.baseline_value, r.deviation_percentage, r.metadata, r."timestamp", r.fingerprint, r.incident_id,
            r.window_start, r.window_end, r.status, r.evidence, r.explanation
        from jsonb_to_recordset($1) as r (
            id uuid, severity text, category text, title text, description text, recommendation text, implementation_type text,
            metric_name text, metric_value double precision, baseline_value double precision, deviation_percentage double precision,
            metadata jsonb, "timestamp" timestamptz, fingerprint text, incident_id text, window_start timestamptz,
            window_end timestamptz, status text, evidence jsonb, explanation jsonb)
        order by r.fingerprint
        on conflict (fingerprint) do update set
            severity = excluded.severity, category = excluded.category, metric_value = excluded.metric_value,
            baseline_value = excluded.baseline_value, deviation_percentage = excluded.deviation_percentage,
            metadata = excluded.metadata, "timestamp" = excluded."timestamp", window_start = excluded.window_start,
            window_end = excluded.window_end, status = excluded.status, evidence = excluded.evidence, title = excluded.title,
            (description, recommendation, explanation) = (
                select case when s.stands and o.explanation ->> 'source' = 'model' then o.description else excluded.description end,
                    case when s.stands and o.explanation ->> 'source' = 'model' then o.recommendation else excluded.recommendation end,
                    monitoring.carried_explanation(o.explanation, excluded.explanation, s.stands, excluded.description,
                        excluded.recommendation)
                from (select monitoring.explanation_stands(o.explanation, excluded.status, excluded.severity, excluded.evidence))
                    as s (stands))
    $insert$, case when with_id then 'id,' end, case when with_id then 'coalesce(r.id, gen_random_uuid()),' end) using observations;
end
$$;

-- Tells those who look on that a finding reads differently now: on PostgreSQL's channel cache_auditor, and over Realtime where there is one.
create or replace function monitoring.send_explained(observation jsonb) returns void
language plpgsql set search_path = ''
as $$
begin
    perform pg_notify('cache_auditor', observation::text);
    if to_regprocedure('realtime.send(jsonb, text, text, boolean)') is not null then
        execute 'select realtime.send($1, ''observation-explained'', ''cache-auditor'', $2)' using observation,
            coalesce(nullif(current_setting('auditor.realtime_private', true), ''), 'off')::boolean;
    end if;
end
$$;

-- Puts a checked explanation beside a finding, and its description and recommendation in place of the deterministic ones, which are kept
-- in `explanation.template`; the title stays. One with the source template only says in `checks` why there are no words of a model.
-- May be repeated. False where there is no such finding, where it is no longer what the explanation says it is `of`, or where words of a model
-- stand that a mere note may not replace.
create or replace function monitoring.auditor_attach_explanation(fingerprint text, explanation jsonb) returns boolean
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    seen record;
    plain jsonb;
    fresh jsonb := explanation - 'title';
    by_model constant boolean := coalesce(explanation ->> 'source' = 'model' and explanation ->> 'description' <> '', false);
begin
    select o.id::text as named, o.incident_id, o.implementation_type, o.status, o.severity, o.evidence, o.description, o.recommendation,
            o.explanation as words, o.explanation ->> 'source' = 'model' as worded
        into seen from monitoring.cache_auditor_observations o
        where o.fingerprint = auditor_attach_explanation.fingerprint for update;
    if not found or not monitoring.explanation_stands(explanation, seen.status, seen.severity, seen.evidence)
            or (seen.worded and not by_model) then
        return false;
    end if;
    plain := case when seen.worded then seen.words -> 'template' else
        jsonb_build_object('description', seen.description, 'recommendation', seen.recommendation) end;
    fresh := case when by_model then fresh || jsonb_build_object('template', plain)
        else (fresh - array['description', 'recommendation']) || jsonb_build_object('source', 'template',
            'version', seen.words -> 'version') end;
    if fresh is not distinct from seen.words then
        return true;
    end if;
    update monitoring.cache_auditor_observations o set
        explanation = fresh,
        description = case when by_model then fresh ->> 'description' else o.description end,
        recommendation = case when by_model then coalesce(nullif(fresh ->> 'recommendation', ''), plain ->> 'recommendation')
            else o.recommendation end
    where o.fingerprint = auditor_attach_explanation.fingerprint;
    perform monitoring.send_explained(jsonb_build_object('id', seen.named, 'fingerprint', fingerprint, 'incident_id', seen.incident_id,
        'implementation_type', seen.implementation_type, 'source', fresh ->> 'source'));
    return true;
end
$$;

-- Notes at findings why they have no words of a model; where such words stand, nothing is noted.
create or replace function monitoring.note_unexplained(fingerprints text[], reason text) returns void
language sql
as $$
    update monitoring.cache_auditor_observations o
    set explanation = coalesce(o.explanation, '{"source": "template"}'::jsonb) || jsonb_build_object(
        'checks', jsonb_build_object('failure', reason), 'of', monitoring.explained_state(o.status, o.severity, o.evidence))
    where o.fingerprint = any (fingerprints) and o.explanation ->> 'source' is distinct from 'model'
$$;

-- The observations whose id begins with a text or whose fingerprint it is, two at most: more than one is one too many.
create or replace function monitoring.auditor_find_observations(named text) returns jsonb
language sql stable
as $$
    select coalesce(jsonb_agg(to_jsonb(o)), '[]'::jsonb) from (
        select * from monitoring.cache_auditor_observations every
        where starts_with(every.id::text, lower(named)) or every.fingerprint = named
        order by every."timestamp" desc limit 2) as o
$$;

-- Whether an observation speaks for its incident.
create or replace function monitoring.leads(evidence jsonb) returns boolean
language sql immutable parallel safe
as $$ select coalesce(evidence -> 'lead', 'true'::jsonb) = 'true'::jsonb $$;

-- An incident beside the one that is spoken of: the columns that say what it was.
create or replace function monitoring.told_in_short(observation monitoring.cache_auditor_observations) returns jsonb
language sql stable
as $$
    select jsonb_build_object('incident_id', observation.incident_id, 'implementation_type', observation.implementation_type,
        'metric_name', observation.metric_name, 'severity', observation.severity, 'status', observation.status, 'title', observation.title,
        'verdict', observation.verdict, 'window_start', observation.window_start, 'window_end', observation.window_end,
        'evidence', observation.evidence)
$$;

-- Severities in order, the gravest first.
create or replace function monitoring.gravity(severity text) returns integer
language sql immutable parallel safe
as $$ select array_position(array['critical', 'warning', 'info'], severity) $$;

-- Everything that a model may be told of the incident that a finding belongs to; null where there is no such finding.
--
-- Answers {of, fingerprint, incident_id, as_of_minute, rows: [observation, the leader first], hour: the one-minute windows as auditor_pull gives
-- them, errors: [{type, count, message}], keys: [text], past: [observation], others: [observation]}. The minute is the one after the last
-- that is spoken of; the hour ends at most half an hour after the incident's beginning; keys are the most missed of its most unusual minute; past are
-- the leading observations of earlier incidents of the cache with the same leading metric or first cause; others those of incidents at the same
-- time. Texts are as the cache sent them: they are redacted by whoever asks.
create or replace function monitoring.auditor_explanation_material(fingerprint text) returns jsonb
language plpgsql stable set search_path = ''
as $$
#variable_conflict use_variable
declare
    lead monitoring.cache_auditor_observations;
    incident monitoring.cache_auditor_observations[];
    began timestamptz;
    until_at timestamptz;
    hour_end timestamptz;
    worst timestamptz;
begin
    select array_agg(o order by monitoring.leads(o.evidence) desc, o.window_start, o.fingerprint) into incident
        from monitoring.cache_auditor_observations o
        where o.incident_id = (
            select one.incident_id from monitoring.cache_auditor_observations one
            where one.fingerprint = auditor_explanation_material.fingerprint);
    if incident is null then
        return null;
    end if;
    lead := incident[1];
    select min(o.window_start), max(o.window_end) into began, until_at from unnest(incident) as o;
    hour_end := least(until_at, began + interval '30 minutes');
    worst := coalesce(monitoring.minute_at((lead.evidence ->> 'worst_minute')::numeric::bigint), until_at - interval '1 minute');
    return jsonb_build_object(
        'of', monitoring.explained_state(lead.status, lead.severity, lead.evidence),
        'fingerprint', lead.fingerprint,
        'incident_id', lead.incident_id,
        'as_of_minute', monitoring.minute_of(until_at),
        'rows', to_jsonb(incident),
        'hour', (
            select monitoring.columnar(array_agg(w order by w.minute_window)) from monitoring.cache_metrics_1min w
            where w.implementation_type = lead.implementation_type and w.minute_window >= hour_end - interval '1 hour'
                and w.minute_window < hour_end having count(*) > 0),
        'errors', coalesce((
            select jsonb_agg(jsonb_build_object('type', e.error_type, 'count', e.number, 'message', e.message) order by e.number desc,
                e.error_type)
            from (
                select s.error_type, count(*) as number, max(s.error_message) as message
                from (
                    select coalesce(m.error_type, 'unknown') as error_type, m.error_message from monitoring.cache_metrics m
                    where m.implementation_type = lead.implementation_type and m.operation_type = 'error'
                        and m."timestamp" >= began and m."timestamp" < until_at
                    order by m."timestamp" desc limit 20000) as s
                group by 1 order by 2 desc, 1 limit 8) as e), '[]'::jsonb),
        'keys', coalesce((
            select jsonb_agg(k.cache_key order by k.number desc, k.cache_key) from (
                select s.cache_key, count(*) as number
                from (
                    select m.cache_key from monitoring.cache_metrics m
                    where m."timestamp" >= worst and m."timestamp" < worst + interval '1 minute'
                        and m.implementation_type = lead.implementation_type and m.operation_type = 'miss' limit 5000) as s
                group by 1 order by 2 desc, 1 limit 5) as k), '[]'::jsonb),
        'past', coalesce((
            select jsonb_agg(monitoring.told_in_short(p) order by p.window_start desc) from (
                select * from monitoring.cache_auditor_observations o
                where o.implementation_type = lead.implementation_type and o."timestamp" < began and o.incident_id <> lead.incident_id
                    and monitoring.leads(o.evidence)
                    and (o.metric_name = lead.metric_name or o.evidence #>> '{causes,0,cause}' = lead.evidence #>> '{causes,0,cause}')
                order by o."timestamp" desc limit 5) as p), '[]'::jsonb),
        'others', coalesce((
            select jsonb_agg(monitoring.told_in_short(p) order by monitoring.gravity(p.severity), p.window_start) from (
                select * from monitoring.cache_auditor_observations o
                where o.window_end > began and o.window_start < until_at and o.incident_id <> lead.incident_id
                    and monitoring.leads(o.evidence)
                order by monitoring.gravity(o.severity), o.window_start limit 10) as p), '[]'::jsonb));
end
$$;

-- What a digest of a span of time is made from.
--
-- Answers {from_minute, to_minute, coverage: {windows, audited, no_data}, rows: [the leading observation of each incident of that time]}. Windows are all
-- that there were, with a row or without; audited are those of them that were judged.
create or replace function monitoring.auditor_digest_material(from_time timestamptz, to_time timestamptz) returns jsonb
language sql stable
as $$
    select jsonb_build_object('from_minute', monitoring.minute_of(from_time), 'to_minute', monitoring.minute_of(to_time),
        'coverage', (
            select jsonb_build_object('windows', count(*), 'audited', count(*) filter (where l.verdict <> 'no_data'),
                'no_data', count(*) filter (where l.verdict = 'no_data'))
            from (select * from monitoring.cache_metrics_1min m where m.minute_window >= from_time and m.minute_window < to_time) as w
            full join (select * from monitoring.cache_auditor_ledger a where a.minute_window >= from_time and a.minute_window < to_time) as l
                on l.implementation_type = w.implementation_type and l.minute_window = w.minute_window),
        'rows', coalesce((
            select jsonb_agg(to_jsonb(o) order by monitoring.gravity(o.severity), o.window_start,
                o.fingerprint)
            from (
                select * from monitoring.cache_auditor_observations every
                where every.window_end > from_time and every.window_start < to_time and every.incident_id is not null
                    and monitoring.leads(every.evidence)
                order by monitoring.gravity(every.severity), every.window_start limit 2000) as o),
            '[]'::jsonb))
$$;

-- an incident's observations; those that are spoken of together, and the backlog of those that wait for words
create index if not exists cache_auditor_observations_incident on monitoring.cache_auditor_observations (incident_id);
create index if not exists cache_auditor_observations_ended on monitoring.cache_auditor_observations (window_end);
