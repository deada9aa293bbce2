-- Observations and baselines: written by the auditor, answered by engineers.

-- Writes findings as they stand now. A finding is known by its fingerprint, and has the id it comes with unless ids are
-- numbers here; what an engineer said of it, and a model's words for it, are left alone.
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
            window_end = excluded.window_end, status = excluded.status, evidence = excluded.evidence,
            title = case when o.explanation ->> 'source' = 'model' then o.title else excluded.title end,
            description = case when o.explanation ->> 'source' = 'model' then o.description else excluded.description end,
            recommendation = case when o.explanation ->> 'source' = 'model' then o.recommendation else excluded.recommendation end,
            explanation = case when o.explanation ->> 'source' = 'model' then o.explanation else excluded.explanation end
    $insert$, case when with_id then 'id,' end, case when with_id then 'coalesce(r.id, gen_random_uuid()),' end) using observations;
end
$$;

-- Puts a checked explanation beside a finding. May be repeated; false where there is no such finding.
create or replace function monitoring.auditor_attach_explanation(fingerprint text, explanation jsonb) returns boolean
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
begin
    update monitoring.cache_auditor_observations o set
        explanation = auditor_attach_explanation.explanation,
        title = coalesce(auditor_attach_explanation.explanation ->> 'title', o.title),
        description = coalesce(auditor_attach_explanation.explanation ->> 'description', o.description),
        recommendation = coalesce(auditor_attach_explanation.explanation ->> 'recommendation', o.recommendation)
    where o.fingerprint = auditor_attach_explanation.fingerprint;
    return found;
end
$$;

-- An engineer's answer to an observation, by its id. The first answer's time and name stay where the same is said again.
-- Answers the observation's fingerprint, or null where there is no such observation.
create or replace function monitoring.acknowledge_observation(observation_id text, verdict text, acknowledged_by text)
returns text
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    named text;
begin
    if verdict is not null and verdict not in ('incident', 'new_normal', 'ignore') then
        raise exception 'verdict must be incident, new_normal or ignore, not %', verdict using errcode = 'invalid_parameter_value';
    end if;
    update monitoring.cache_auditor_observations o set
        acknowledged = true,
        acknowledged_at = coalesce(o.acknowledged_at, moment),
        acknowledged_by = coalesce(o.acknowledged_by, acknowledge_observation.acknowledged_by),
        verdict = coalesce(acknowledge_observation.verdict, o.verdict),
        verdict_at = case when acknowledge_observation.verdict is null or acknowledge_observation.verdict = o.verdict
            then o.verdict_at else moment end,
        verdict_by = case when acknowledge_observation.verdict is null or acknowledge_observation.verdict = o.verdict
            then o.verdict_by else acknowledge_observation.acknowledged_by end
    where o.id::text = observation_id
    returning coalesce(o.fingerprint, o.id::text) into named;
    return named;
end
$$;

-- Writes a learned baseline; an active one takes the place of the one before. Answers its id.
create or replace function monitoring.write_baseline(baseline jsonb, activate boolean) returns text
language plpgsql set search_path = ''
as $$
declare
    written text;
begin
    if activate then
        update monitoring.cache_baseline_metrics b set is_active = false
            where b.implementation_type = baseline ->> 'implementation_type' and b.is_active;
    end if;
    insert into monitoring.cache_baseline_metrics
        (implementation_type, baseline_period_start, baseline_period_end, baseline_hit_rate, baseline_avg_response_time_ms,
         baseline_p95_response_time_ms, baseline_error_rate, hit_rate_stddev, response_time_stddev, sample_size, is_active,
         profile, reason, activated_at)
    values (baseline ->> 'implementation_type',
        monitoring.minute_at((baseline ->> 'period_start_minute')::bigint),
        monitoring.minute_at((baseline ->> 'period_end_minute')::bigint),
        (baseline ->> 'hit_rate')::double precision, (baseline ->> 'avg_response_time_ms')::double precision,
        (baseline ->> 'p95_response_time_ms')::double precision, (baseline ->> 'error_rate')::double precision,
        (baseline ->> 'hit_rate_stddev')::double precision, (baseline ->> 'response_time_stddev')::double precision,
        (baseline ->> 'sample_size')::bigint, activate, baseline -> 'profile', baseline ->> 'reason',
        case when activate then clock_timestamp() end)
    returning id::text into written;
    return written;
end
$$;

-- Makes a stored baseline the one that its cache is judged by, from the next pull on, until the next daily relearning. Answers the
-- cache's name, or null where there is no such baseline. The new fencing token refuses what is being judged by the old one at this moment;
-- it is pulled and judged again.
create or replace function monitoring.activate_baseline(baseline_id text) returns text
language plpgsql set search_path = ''
as $$
declare
    chosen monitoring.cache_baseline_metrics;
begin
    select * into chosen from monitoring.cache_baseline_metrics b where b.id::text = baseline_id;
    if not found then
        return null;
    end if;
    perform from monitoring.cache_auditor_checkpoint c where c.implementation_type = chosen.implementation_type for update;
    update monitoring.cache_baseline_metrics b set is_active = false
        where b.implementation_type = chosen.implementation_type and b.is_active and b.id <> chosen.id;
    update monitoring.cache_baseline_metrics b set is_active = true, activated_at = clock_timestamp() where b.id = chosen.id;
    if chosen.profile is not null then
        update monitoring.cache_auditor_checkpoint c
            set state = jsonb_set(c.state, '{hot,profile}', chosen.profile), state_version = c.state_version + 1,
                fencing_token = c.fencing_token + 1
            where c.implementation_type = chosen.implementation_type and c.state is not null;
    end if;
    return chosen.implementation_type;
end
$$;
