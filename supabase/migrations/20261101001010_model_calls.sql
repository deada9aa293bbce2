-- The ledger of what a model was asked: who asks for which incident, what it may cost, what it did cost, and what it answered. It is what all
-- auditors of a database share, so that none pays for what another has asked, and a restart forgets nothing.

-- A row is `claimed` by an auditor that is about to ask, `reserved` while it asks, then `done` or `failed`. `refused`: not asked, may be taken up
-- again at `retry_at`. `coalesced`: another call tells of this incident too. `lost`: the auditor that asked was gone before it could settle.
create table if not exists monitoring.cache_auditor_model_calls (
    id uuid primary key default gen_random_uuid(),
    incident_id text,
    fingerprint text,
    implementation_type text,
    purpose text not null check (purpose in ('incident_opened', 'incident_resolved', 'daily_digest')),
    asked_by text not null check (asked_by in ('service', 'command')),
    status text not null check (status in ('claimed', 'reserved', 'done', 'failed', 'refused', 'coalesced', 'lost')),
    worker text not null,
    claimed_at timestamptz not null,
    expires_at timestamptz,
    retry_at timestamptz,
    reserved_at timestamptz,
    finished_at timestamptz,
    evidence_hash text,
    prompt_id text,
    prompt_hash text,
    model text,
    requests integer not null default 0,
    estimated_tokens bigint,
    estimated_cost double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost double precision,
    reason text,
    explanation jsonb,
    coalesced_into uuid
);

-- one call for an incident's opening and one for its resolution; what is paid within an hour, a day and a month, and purging by age;
-- what was answered already; calls that were never settled, and how often that befell an incident
create unique index if not exists cache_auditor_model_calls_once on monitoring.cache_auditor_model_calls (incident_id, purpose)
    where asked_by = 'service' and status <> 'lost';
create index if not exists cache_auditor_model_calls_claimed on monitoring.cache_auditor_model_calls (claimed_at);
create index if not exists cache_auditor_model_calls_answered on monitoring.cache_auditor_model_calls (evidence_hash, prompt_hash, model)
    where status = 'done';
create index if not exists cache_auditor_model_calls_unsettled on monitoring.cache_auditor_model_calls (expires_at) where status = 'reserved';
create index if not exists cache_auditor_model_calls_lost on monitoring.cache_auditor_model_calls (incident_id) where status = 'lost';

-- Held to the end of the transaction by whoever claims or reserves: one at a time in the whole database.
create or replace function monitoring.lock_model_calls() returns void
language sql
as $$ select pg_advisory_xact_lock(hashtextextended('monitoring.cache_auditor_model_calls', 0)) $$;

-- The leading observations of incidents that wait for words, the most pressing first: the worst severity, then the most impact.
-- request: {severities: [], after_seconds, backlog_seconds}. Not waiting are incidents of which a model was asked, or is being asked by an auditor
-- that lives; that began less than `after_seconds` ago, for their evidence is still changing; that ended longer ago than `backlog_seconds`; of
-- which two auditors in turn were lost while they asked; and those that an engineer says to ignore.
create or replace function monitoring.waiting_for_words(wanted text, request jsonb, moment timestamptz)
returns table (fingerprint text, place bigint)
-- right after a storm the planner has not yet heard of its ten thousand rows, and would compare each with each
language sql stable set enable_nestloop = off
as $$
    select w.fingerprint, row_number() over (order by monitoring.gravity(w.severity),
        (w.evidence #>> '{impact,extra_backend_calls}')::double precision desc nulls last,
        (w.evidence #>> '{impact,added_latency_seconds}')::double precision desc nulls last, w.window_end desc, w.fingerprint)
    from (
        select distinct on (o.incident_id) o.* from monitoring.cache_auditor_observations o
        where o.status = case wanted when 'incident_opened' then 'open' else 'resolved' end
            and o.window_end >= moment - make_interval(secs => (request ->> 'backlog_seconds')::double precision)
                - case wanted when 'incident_opened' then interval '0' else interval '1 day' end
            and case wanted
                when 'incident_opened' then
                    o.window_start <= moment - make_interval(secs => (request ->> 'after_seconds')::double precision)
                else coalesce(monitoring.minute_at((o.evidence ->> 'resolved_minute')::numeric::bigint), o.window_end)
                    >= moment - make_interval(secs => (request ->> 'backlog_seconds')::double precision) end
            and request -> 'severities' ? o.severity and monitoring.leads(o.evidence)
            and o.incident_id is not null and o.fingerprint is not null
            and o.verdict is distinct from 'ignore' and o.explanation ->> 'source' is distinct from 'model'
            and not exists (
                select from monitoring.cache_auditor_model_calls c
                where c.incident_id = o.incident_id and c.purpose = wanted and c.asked_by = 'service' and c.status <> 'lost'
                    and not (c.status = 'claimed' and c.expires_at <= moment) and not (c.status = 'refused' and c.retry_at <= moment))
            and (select count(*) from monitoring.cache_auditor_model_calls c
                where c.incident_id = o.incident_id and c.purpose = wanted and c.asked_by = 'service' and c.status = 'lost') < 2
        order by o.incident_id, o.fingerprint
    ) as w
$$;

-- Gives the worker up to `most` incidents to ask a model about; no two workers are given the same, nor any of which it was asked before.
-- request: as for waiting_for_words, with {most, storm, claim_seconds}. Where more than `storm` wait, only the most pressing is given and tells of
-- the others, which are recorded as coalesced into it. A claim that is not settled within `claim_seconds` is another's.
-- Answers {claims: [{id, incident_id, fingerprint, implementation_type, purpose}], coalesced, waiting}.
create or replace function monitoring.auditor_claim_explanations(worker text, request jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    until_at constant timestamptz := moment + make_interval(secs => (request ->> 'claim_seconds')::double precision);
    room integer := (request ->> 'most')::integer;
    wanted text;
    waiting text[];
    chosen text[];
    claims jsonb := '[]'::jsonb;
    given jsonb;
    left_over integer := 0;
    merged integer := 0;
begin
    perform monitoring.lock_model_calls();
    update monitoring.cache_auditor_model_calls c
        set status = 'lost', finished_at = moment, reason = 'the auditor that asked was gone before it settled'
        where c.status = 'reserved' and c.expires_at <= moment;
    foreach wanted in array array['incident_opened', 'incident_resolved'] loop
        exit when room <= 0;
        waiting := array(select w.fingerprint from monitoring.waiting_for_words(wanted, request, moment) w order by w.place);
        chosen := waiting[1:case when cardinality(waiting) > (request ->> 'storm')::integer then 1 else room end];
        continue when cardinality(chosen) = 0;
        with entered as (
            insert into monitoring.cache_auditor_model_calls as c
                (incident_id, fingerprint, implementation_type, purpose, asked_by, status, worker, claimed_at, expires_at)
            select o.incident_id, o.fingerprint, o.implementation_type, wanted, 'service', 'claimed', worker, moment, until_at
            from monitoring.cache_auditor_observations o where o.fingerprint = any (chosen)
            on conflict (incident_id, purpose) where asked_by = 'service' and status <> 'lost' do update set
                status = 'claimed', worker = excluded.worker, fingerprint = excluded.fingerprint, claimed_at = excluded.claimed_at,
                expires_at = excluded.expires_at, retry_at = null, reason = null
                where c.status in ('claimed', 'refused')
            returning c.*
        )
        select jsonb_agg(jsonb_build_object('id', e.id, 'incident_id', e.incident_id, 'fingerprint', e.fingerprint,
                'implementation_type', e.implementation_type, 'purpose', e.purpose) order by array_position(chosen, e.fingerprint))
            into given from entered e;
        claims := claims || coalesce(given, '[]'::jsonb);
        room := room - cardinality(chosen);
        if cardinality(waiting) <= (request ->> 'storm')::integer then
            left_over := left_over + cardinality(waiting) - cardinality(chosen);
            continue;
        end if;
        merged := merged + cardinality(waiting) - 1;
        insert into monitoring.cache_auditor_model_calls as c
            (incident_id, fingerprint, implementation_type, purpose, asked_by, status, worker, claimed_at, finished_at, reason,
             coalesced_into)
        select o.incident_id, o.fingerprint, o.implementation_type, wanted, 'service', 'coalesced', worker, moment, moment,
            'storm', (given -> 0 ->> 'id')::uuid
        from monitoring.cache_auditor_observations o where o.fingerprint = any (waiting[2:])
        on conflict (incident_id, purpose) where asked_by = 'service' and status <> 'lost' do update set
            status = 'coalesced', worker = excluded.worker, claimed_at = excluded.claimed_at, finished_at = excluded.finished_at,
            expires_at = null, retry_at = null, reason = excluded.reason, coalesced_into = excluded.coalesced_into
            where c.status in ('claimed', 'refused');
        perform monitoring.note_unexplained(waiting[2:], format('storm: told with incident %s of %s', given -> 0 ->> 'incident_id',
            given -> 0 ->> 'implementation_type'));
    end loop;
    return jsonb_build_object('claims', claims, 'coalesced', merged, 'waiting', left_over);
end
$$;

-- What is spent: explanations asked for within the hour, money and tokens since midnight and the first of the month (UTC). What has not been settled
-- counts at its estimate.
create or replace function monitoring.model_spending(moment timestamptz) returns jsonb
language sql stable
as $$
    select jsonb_build_object(
        'calls_hour', coalesce(sum(c.requests) filter (where c.reserved_at > moment - interval '1 hour'), 0),
        'hour_frees_at', min(c.reserved_at) filter (where c.reserved_at > moment - interval '1 hour') + interval '1 hour',
        'tokens_day', coalesce(sum(coalesce(c.input_tokens + c.output_tokens, c.estimated_tokens))
            filter (where c.reserved_at >= date_trunc('day', moment, 'UTC')), 0),
        'cost_day', coalesce(sum(coalesce(c.cost, c.estimated_cost)) filter (where c.reserved_at >= date_trunc('day', moment, 'UTC')), 0),
        'cost_month', coalesce(sum(coalesce(c.cost, c.estimated_cost))
            filter (where c.reserved_at >= date_trunc('month', moment, 'UTC')), 0))
    from monitoring.cache_auditor_model_calls c
    -- a call is reserved within a day of its claim
    where c.claimed_at >= least(date_trunc('month', moment, 'UTC'), moment - interval '1 hour') - interval '1 day'
$$;

-- Sets aside what a call may cost, if the caps allow it; counted by one auditor at a time, so that together they stay within them.
--
-- call: {id?, incident_id?, fingerprint?, implementation_type?, purpose, evidence_hash, prompt_id, prompt_hash, model, estimated_tokens,
-- estimated_cost, claim_seconds}; without the id of a claim it is a command's, outside the rule of one call for an incident. caps: {calls_per_hour,
-- tokens_per_day, cost_per_day, cost_per_month}, each null where there is none. A repair of an unusable answer is a second request: two are set
-- aside where the hour has room for two.
-- Answers {granted, id, requests} or {granted: false, cap, retry_at}; the cap is null where the claim is no longer this worker's. May be repeated.
create or replace function monitoring.auditor_reserve_call(worker text, call jsonb, caps jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    named uuid := coalesce((call ->> 'id')::uuid, gen_random_uuid());
    spent jsonb;
    cap text;
    again_at timestamptz;
    allowed integer;
    row_now monitoring.cache_auditor_model_calls;
begin
    perform monitoring.lock_model_calls();
    if call ->> 'id' is not null then
        select * into row_now from monitoring.cache_auditor_model_calls c where c.id = named for update;
        if row_now.status = 'reserved' and row_now.worker = worker then
            return jsonb_build_object('granted', true, 'id', named, 'requests', row_now.requests);
        elsif row_now.status is distinct from 'claimed' or row_now.worker <> worker then
            return jsonb_build_object('granted', false, 'cap', null);
        end if;
    end if;
    spent := monitoring.model_spending(moment);
    allowed := least(2, (caps ->> 'calls_per_hour')::integer - (spent ->> 'calls_hour')::integer);
    select v.cap, v.again_at into cap, again_at
    from (values
        ('cost_per_month', (spent ->> 'cost_month')::double precision + coalesce((call ->> 'estimated_cost')::double precision, 0)
            > (caps ->> 'cost_per_month')::double precision, date_trunc('month', moment, 'UTC') + interval '1 month'),
        ('cost_per_day', (spent ->> 'cost_day')::double precision + coalesce((call ->> 'estimated_cost')::double precision, 0)
            > (caps ->> 'cost_per_day')::double precision, date_trunc('day', moment, 'UTC') + interval '1 day'),
        ('tokens_per_day', (spent ->> 'tokens_day')::bigint + coalesce((call ->> 'estimated_tokens')::bigint, 0)
            > (caps ->> 'tokens_per_day')::bigint, date_trunc('day', moment, 'UTC') + interval '1 day'),
        ('calls_per_hour', allowed < 1, coalesce((spent ->> 'hour_frees_at')::timestamptz, moment + interval '1 hour'))
    ) as v (cap, reached, again_at)
    where v.reached limit 1;
    if cap is not null then
        update monitoring.cache_auditor_model_calls c
            set status = 'refused', reason = 'cap: ' || cap, retry_at = again_at, finished_at = moment where c.id = named;
        if found then
            perform monitoring.note_unexplained(array[row_now.fingerprint], 'cap: ' || cap);
        end if;
        return jsonb_build_object('granted', false, 'cap', cap, 'retry_at', again_at);
    end if;
    insert into monitoring.cache_auditor_model_calls as c
        (id, incident_id, fingerprint, implementation_type, purpose, asked_by, status, worker, claimed_at, expires_at, reserved_at,
         evidence_hash, prompt_id, prompt_hash, model, requests, estimated_tokens, estimated_cost)
    values (named, call ->> 'incident_id', call ->> 'fingerprint', call ->> 'implementation_type', call ->> 'purpose', 'command',
        'reserved', worker, moment, moment + make_interval(secs => (call ->> 'claim_seconds')::double precision), moment,
        call ->> 'evidence_hash', call ->> 'prompt_id', call ->> 'prompt_hash', call ->> 'model', coalesce(allowed, 2),
        (call ->> 'estimated_tokens')::bigint, (call ->> 'estimated_cost')::double precision)
    on conflict on constraint cache_auditor_model_calls_pkey do update set
        status = 'reserved', expires_at = excluded.expires_at, reserved_at = excluded.reserved_at, finished_at = null,
        evidence_hash = excluded.evidence_hash, prompt_id = excluded.prompt_id, prompt_hash = excluded.prompt_hash, model = excluded.model,
        requests = excluded.requests, estimated_tokens = excluded.estimated_tokens, estimated_cost = excluded.estimated_cost;
    return jsonb_build_object('granted', true, 'id', named, 'requests', coalesce(allowed, 2));
end
$$;

-- Writes what became of a call and puts its explanation beside the finding, together or not at all.
--
-- outcome: {id, status: done | failed | refused, requests, input_tokens, output_tokens, cost, reason, retry_seconds, explanation, evidence_hash,
-- prompt_id, prompt_hash, model}. What is null is as it was; tokens and cost that are not known stay at their estimates. `refused` is for a call that
-- reached no model: it costs nothing and may be taken up again after `retry_seconds`. What comes in after its reservation was given up is
-- counted and attached all the same. Answers {settled, attached}; may be repeated.
create or replace function monitoring.auditor_settle_call(worker text, outcome jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
#variable_conflict use_variable
declare
    moment constant timestamptz := clock_timestamp();
    row_now monitoring.cache_auditor_model_calls;
    attached boolean;
begin
    select * into row_now from monitoring.cache_auditor_model_calls c where c.id = (outcome ->> 'id')::uuid for update;
    if not found or row_now.worker <> worker or row_now.status in ('refused', 'coalesced') then
        return jsonb_build_object('settled', false, 'attached', false);
    end if;
    if row_now.status in ('claimed', 'reserved', 'lost') then
        update monitoring.cache_auditor_model_calls c set
            status = case when row_now.status = 'lost' then 'lost' else outcome ->> 'status' end,
            finished_at = moment,
            expires_at = null,
            reserved_at = case when outcome ->> 'status' <> 'refused' then c.reserved_at end,
            retry_at = case when outcome ->> 'status' = 'refused'
                then moment + make_interval(secs => coalesce((outcome ->> 'retry_seconds')::double precision, 60)) end,
            requests = coalesce((outcome ->> 'requests')::integer, c.requests),
            input_tokens = coalesce((outcome ->> 'input_tokens')::bigint, c.input_tokens),
            output_tokens = coalesce((outcome ->> 'output_tokens')::bigint, c.output_tokens),
            cost = coalesce((outcome ->> 'cost')::double precision, c.cost),
            reason = coalesce(outcome ->> 'reason', c.reason),
            evidence_hash = coalesce(outcome ->> 'evidence_hash', c.evidence_hash),
            prompt_id = coalesce(outcome ->> 'prompt_id', c.prompt_id),
            prompt_hash = coalesce(outcome ->> 'prompt_hash', c.prompt_hash),
            model = coalesce(outcome ->> 'model', c.model),
            explanation = nullif(outcome -> 'explanation', 'null'::jsonb)
        where c.id = row_now.id;
    end if;
    if jsonb_typeof(outcome -> 'explanation') = 'object' and row_now.fingerprint is not null then
        attached := monitoring.auditor_attach_explanation(row_now.fingerprint, outcome -> 'explanation');
        if not attached then
            perform monitoring.note_unexplained(array[row_now.fingerprint], 'outdated: the incident changed while a model was asked');
        end if;
    elsif outcome ->> 'status' <> 'done' and row_now.fingerprint is not null then
        perform monitoring.note_unexplained(array[row_now.fingerprint], coalesce(outcome ->> 'reason', 'failed'));
    end if;
    return jsonb_build_object('settled', true, 'attached', coalesce(attached, false));
end
$$;

-- What was answered to this very evidence by this prompt and model before; null where nothing was.
create or replace function monitoring.auditor_cached_explanation(evidence_hash text, prompt_hash text, model text) returns jsonb
language sql stable
as $$
    select c.explanation from monitoring.cache_auditor_model_calls c
    where c.evidence_hash = auditor_cached_explanation.evidence_hash and c.prompt_hash = auditor_cached_explanation.prompt_hash
        and c.model = auditor_cached_explanation.model and c.status = 'done' and c.explanation is not null
    order by c.finished_at desc limit 1
$$;

-- Forgets calls after 62 days: the caps look back to the first of the month. An incident that is still open keeps its own, so that it is
-- never asked about twice.
create or replace function monitoring.purge_model_calls() returns bigint
language plpgsql set search_path = ''
as $$
declare
    purged bigint;
begin
    delete from monitoring.cache_auditor_model_calls c
        where c.claimed_at < now() - interval '62 days' and not exists (
            select from monitoring.cache_auditor_observations o where o.incident_id = c.incident_id and o.status = 'open');
    get diagnostics purged = row_count;
    return purged;
end
$$;

-- As before, and the calls with it.
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
        'purged', monitoring.purge_expired_cache_metrics(events_days, minutes_days, hours_days)
            || jsonb_build_object('cache_auditor_model_calls', monitoring.purge_model_calls()));
end
$$;

-- The examination tells the version of the last file that was applied: this one.
do $$
begin
    execute regexp_replace(pg_get_functiondef('monitoring.auditor_examine(double precision)'::regprocedure),
        '''schema_version'', ''\d+''', '''schema_version'', ''20261101001010''');
end
$$;

alter table monitoring.cache_auditor_model_calls disable row level security;
grant all on monitoring.cache_auditor_model_calls to service_role;
revoke all on monitoring.cache_auditor_model_calls from public, anon, authenticated;
revoke all on all functions in schema monitoring from public, anon, authenticated;
grant execute on all functions in schema monitoring to service_role;
