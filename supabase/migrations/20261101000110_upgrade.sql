-- Brings the original five tables, in whatever form they were deployed, to what the auditor needs: nothing is dropped or renamed,
-- no value is lost, and views keep working. On tables that are right already it changes nothing.

-- A cache's name: 1 to 64 printable characters.
create or replace function monitoring.is_cache_name(name text) returns boolean
language sql immutable parallel safe
-- no regular expression: this is asked of every event, and twice
as $$
    select char_length(name) between 1 and 64
        and translate(name, E'\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008\u0009\u000a\u000b\u000c\u000d\u000e\u000f\u0010'
            '\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\u007f', '') = name
$$;

-- Columns that are missing, too narrow for what they hold, or not nullable where a value may be unknown.
--
-- Wherever the form here is double precision, unbounded numeric serves as well and is what whole numbers and numeric(p, s) become, so that
-- a view's round(column, 2) still means something. Views over a column whose type changes are taken down and put up again.
do $$
declare
    tables constant regclass[] := array['monitoring.cache_metrics', 'monitoring.cache_metrics_1min', 'monitoring.cache_metrics_1hour',
        'monitoring.cache_baseline_metrics', 'monitoring.cache_auditor_observations'];
    changed record;
    view_of record;
    saved jsonb := '[]'::jsonb;
    part jsonb;
begin
    create temporary table wanted_change on commit drop as
    with wanted as (
        select v.tab, v.type, v.nullable, unnest(v.cols) as col
        from (values
            ('cache_metrics', 'text', false, array['cache_key', 'operation_type', 'implementation_type']),
            ('cache_metrics', 'text', true, array['error_type', 'error_message']),
            ('cache_metrics', 'double precision', true, array['response_time_ms']),
            ('cache_metrics', 'bigint', true, array['cache_size']),
            ('cache_metrics', 'jsonb', true, array['metadata']),
            ('cache_metrics_1min', 'text', false, array['implementation_type']),
            ('cache_metrics_1hour', 'text', false, array['implementation_type']),
            ('cache_baseline_metrics', 'text', false, array['implementation_type']),
            ('cache_baseline_metrics', 'double precision', true, array['baseline_hit_rate', 'baseline_avg_response_time_ms',
                'baseline_p95_response_time_ms', 'baseline_error_rate', 'hit_rate_stddev', 'response_time_stddev']),
            ('cache_baseline_metrics', 'bigint', true, array['sample_size']),
            ('cache_auditor_observations', 'text', false, array['severity', 'category', 'title', 'description']),
            ('cache_auditor_observations', 'text', true, array['recommendation', 'implementation_type', 'metric_name',
                'acknowledged_by']),
            ('cache_auditor_observations', 'double precision', true, array['metric_value', 'baseline_value', 'deviation_percentage']),
            ('cache_auditor_observations', 'jsonb', true, array['metadata'])
        ) as v (tab, type, nullable, cols)
        union all
        select windows.tab, v.type, v.nullable, unnest(v.cols)
        from (values ('cache_metrics_1min'), ('cache_metrics_1hour')) as windows (tab)
        cross join (values
            ('bigint', false, array['total_operations', 'hits', 'misses', 'sets', 'evictions', 'errors']),
            ('bigint', true, array['max_cache_size']),
            ('double precision', true, array['avg_response_time_ms', 'p50_response_time_ms', 'p95_response_time_ms',
                'p99_response_time_ms', 'max_response_time_ms', 'avg_cache_size', 'hit_rate'])
        ) as v (type, nullable, cols)
    ), present as (
        select w.*, a.attname is not null as there, coalesce(a.attnotnull, false) as bound,
            format_type(a.atttypid, a.atttypmod) as has,
            case when w.type <> 'double precision' then w.type
                when a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype) then 'numeric'
                else w.type end as shall
        from wanted w
        left join pg_catalog.pg_attribute a on a.attrelid = format('monitoring.%I', w.tab)::regclass and a.attname = w.col
            and not a.attisdropped
    )
    select p.tab, bool_or(p.there and p.has <> p.shall) as retyped, string_agg(c.change, ', ') as changes
    from present p, lateral (
        values
            (case when not p.there then format('add column %I %s', p.col, p.type) end),
            (case when p.there and p.has <> p.shall then format('alter column %I type %s', p.col, p.shall) end),
            (case when p.bound and p.nullable then format('alter column %I drop not null', p.col) end)
    ) as c (change)
    where c.change is not null
    group by p.tab;

    if exists (select from wanted_change w where w.retyped) then
        for view_of in
            with recursive dependent (oid, depth) as (
                select r.ev_class, 1 from unnest(tables) as t (oid)
                join pg_catalog.pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = t.oid
                join pg_catalog.pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
                where r.ev_class <> t.oid
                union
                select r.ev_class, o.depth + 1 from dependent o
                join pg_catalog.pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = o.oid
                join pg_catalog.pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
                where r.ev_class <> o.oid
            )
            select c.oid::regclass::text as name, c.relkind, c.reloptions, pg_get_userbyid(c.relowner) as owner, c.relowner, c.relacl,
                pg_get_viewdef(c.oid) as definition, obj_description(c.oid, 'pg_class') as remark, c.oid, max(o.depth) as depth
            from dependent o join pg_catalog.pg_class c on c.oid = o.oid
            where c.relkind in ('v', 'm')
            group by c.oid, c.relkind, c.reloptions, c.relowner, c.relacl
            order by depth desc, name
        loop
            -- in the order in which they are put up again: the innermost first
            part := jsonb_build_array(format('create %s %s%s as %s', case view_of.relkind when 'm' then 'materialized view' else 'view' end,
                view_of.name, ' with (' || array_to_string(view_of.reloptions, ', ') || ')', view_of.definition));
            part := part || coalesce((select jsonb_agg(pg_get_indexdef(i.indexrelid)) from pg_catalog.pg_index i
                where i.indrelid = view_of.oid), '[]'::jsonb);
            part := part || coalesce((select jsonb_agg(pg_get_triggerdef(g.oid)) from pg_catalog.pg_trigger g
                where g.tgrelid = view_of.oid and not g.tgisinternal), '[]'::jsonb);
            part := part || coalesce((
                select jsonb_agg(format('grant %s on %s to %s%s', a.privilege_type, view_of.name,
                    case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
                    case when a.is_grantable then ' with grant option' else '' end))
                from aclexplode(view_of.relacl) as a where a.grantee <> view_of.relowner), '[]'::jsonb);
            if view_of.remark is not null then
                part := part || jsonb_build_array(format('comment on %s %s is %L', case view_of.relkind when 'm' then 'materialized view'
                    else 'view' end, view_of.name, view_of.remark));
            end if;
            if view_of.relowner <> (select oid from pg_catalog.pg_roles where rolname = current_user) then
                part := part || jsonb_build_array(format('alter table %s owner to %I', view_of.name, view_of.owner));
            end if;
            saved := part || saved;
            execute format('drop %s %s', case view_of.relkind when 'm' then 'materialized view' else 'view' end, view_of.name);
        end loop;
    end if;
    for changed in select * from wanted_change loop
        execute format('alter table monitoring.%I %s', changed.tab, changed.changes);
    end loop;
    for part in select * from jsonb_array_elements(saved) loop
        execute part #>> '{}';
    end loop;
    drop table wanted_change;
end
$$;

-- Names: checks from when there were two caches give way. Rows from before this rule are left as they are.
do $$
declare
    found_check record;
    named text;
begin
    for found_check in
        select c.conrelid::regclass as tab, c.conname
        from pg_catalog.pg_constraint c
        where c.connamespace = 'monitoring'::regnamespace and c.contype = 'c' and c.conname <> 'cache_auditor_cache_name'
            and c.conrelid = any (array['monitoring.cache_metrics', 'monitoring.cache_metrics_1min', 'monitoring.cache_metrics_1hour',
                'monitoring.cache_baseline_metrics', 'monitoring.cache_auditor_observations']::regclass[])
            and pg_get_constraintdef(c.oid) ~ 'implementation_type'
    loop
        execute format('alter table %s drop constraint %I', found_check.tab, found_check.conname);
    end loop;
    foreach named in array array['cache_metrics', 'cache_metrics_1min', 'cache_metrics_1hour', 'cache_baseline_metrics',
                                 'cache_auditor_observations'] loop
        if not exists (select from pg_catalog.pg_constraint c where c.conname = 'cache_auditor_cache_name'
                and c.conrelid = format('monitoring.%I', named)::regclass) then
            execute format('alter table monitoring.%I add constraint cache_auditor_cache_name
                check (monitoring.is_cache_name(implementation_type)) not valid', named);
        end if;
    end loop;
    for found_check in
        select * from (values
            ('cache_metrics', 'operation_type', array['hit', 'miss', 'set', 'evict', 'error']),
            ('cache_auditor_observations', 'severity', array['info', 'warning', 'critical']),
            ('cache_auditor_observations', 'category', array['performance', 'reliability', 'capacity', 'anomaly'])
        ) as one_of (tab, col, known)
    loop
        if not exists (select from pg_catalog.pg_constraint where conrelid = format('monitoring.%I', found_check.tab)::regclass
                and contype = 'c' and pg_get_constraintdef(oid) ~ found_check.col) then
            execute format('alter table monitoring.%I add constraint %I check (%I = any (%L::text[])) not valid', found_check.tab,
                found_check.tab || '_' || found_check.col || '_known', found_check.col, found_check.known);
        end if;
    end loop;
end
$$;

-- What this project adds to windows. Sums and counts are exact decimals, so that averages merge exactly whatever the order of arrival; the
-- histogram is sparse: ascending bucket numbers, and how many latencies each holds (see the histogram functions).
do $$
declare
    named text;
begin
    foreach named in array array['cache_metrics_1min', 'cache_metrics_1hour'] loop
        execute format($add$
            alter table monitoring.%I
                add column if not exists latency_buckets integer[],
                add column if not exists latency_counts bigint[],
                add column if not exists latency_count bigint,
                add column if not exists latency_sum_ms numeric,
                add column if not exists min_response_time_ms double precision,
                add column if not exists hit_latency_count bigint,
                add column if not exists hit_latency_sum_ms numeric,
                add column if not exists miss_latency_count bigint,
                add column if not exists miss_latency_sum_ms numeric,
                add column if not exists avg_hit_response_time_ms double precision,
                add column if not exists avg_miss_response_time_ms double precision,
                add column if not exists cache_size_count bigint,
                add column if not exists cache_size_sum numeric,
                add column if not exists revision xid8 not null default '0'::xid8
        $add$, named);
    end loop;
end
$$;

alter table monitoring.cache_baseline_metrics
    add column if not exists profile jsonb,
    add column if not exists reason text,
    add column if not exists activated_at timestamptz;

-- Only one baseline of a cache may be active: of several, the newest stays.
update monitoring.cache_baseline_metrics older
set is_active = false
where older.is_active and exists (
    select from monitoring.cache_baseline_metrics newer
    where newer.implementation_type = older.implementation_type and newer.is_active
        and (coalesce(newer.created_at, '-infinity'), newer.id::text) > (coalesce(older.created_at, '-infinity'), older.id::text)
);

alter table monitoring.cache_auditor_observations
    add column if not exists fingerprint text,
    add column if not exists incident_id text,
    add column if not exists window_start timestamptz,
    add column if not exists window_end timestamptz,
    add column if not exists status text not null default 'open' check (status in ('open', 'resolved')),
    add column if not exists evidence jsonb,
    add column if not exists explanation jsonb,
    add column if not exists verdict text check (verdict in ('incident', 'new_normal', 'ignore')),
    add column if not exists verdict_at timestamptz,
    add column if not exists verdict_by text;
