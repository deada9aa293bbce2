-- What engineers have answered to observations, as the auditor asks for it.

create index if not exists cache_auditor_observations_answered on monitoring.cache_auditor_observations (implementation_type, verdict_at)
    where verdict is not null;

-- The answers given since a moment to the observations of some caches: {cache: [{fingerprint, incident_id, says, minute, first_minute, last_minute,
-- shares: [[metric, direction, effect]]}]}; minutes are whole ones since 1970-01-01 UTC, the last one of the incident's included. An answer is about the
-- whole incident; effects are relative to what was expected, of error rates absolute, of silence minutes, of broken windows reasons.
create or replace function monitoring.auditor_answers(caches text[], since timestamptz) returns jsonb
language sql stable set search_path = ''
as $$
    select coalesce(jsonb_object_agg(of_cache.implementation_type, of_cache.answers), '{}'::jsonb)
    from (
        select answered.implementation_type, jsonb_agg(jsonb_build_object(
                'fingerprint', answered.fingerprint, 'incident_id', answered.incident_id, 'says', answered.verdict,
                'minute', monitoring.minute_of(date_trunc('minute', answered.verdict_at)),
                'first_minute', incident.first_minute, 'last_minute', incident.last_minute, 'shares', incident.shares)
            order by answered.verdict_at, answered.fingerprint) as answers
        from monitoring.cache_auditor_observations answered
        cross join lateral (
            select min(monitoring.minute_of(part.window_start)) as first_minute,
                max(monitoring.minute_of(part.window_end)) - 1 as last_minute,
                jsonb_agg(jsonb_build_array(part.metric_name, part.evidence ->> 'direction', coalesce(case part.metric_name
                    when 'silence' then monitoring.minute_of(part.window_end) - monitoring.minute_of(part.window_start)
                    when 'window_validity' then part.metric_value
                    when 'error_rate' then abs((part.evidence ->> 'effect_absolute')::double precision) / 100.0
                    else abs((part.evidence ->> 'effect_relative')::double precision) end, 0.0))
                    order by part.metric_name, part.fingerprint) as shares
            from monitoring.cache_auditor_observations part
            where part.incident_id = answered.incident_id and part.evidence ->> 'direction' is not null
                and part.window_start is not null and part.window_end is not null
        ) incident
        where answered.implementation_type = any(caches) and answered.verdict is not null and answered.verdict_at >= since
            and answered.fingerprint is not null and answered.incident_id is not null and incident.first_minute is not null
        group by answered.implementation_type
    ) of_cache
$$;

do $$
begin
    execute regexp_replace(pg_get_functiondef('monitoring.auditor_examine(double precision)'::regprocedure),
        '''schema_version'', ''\d+''', '''schema_version'', ''20261126000100''');
end
$$;

revoke all on all functions in schema monitoring from public, anon, authenticated;
grant execute on all functions in schema monitoring to service_role;
