-- Who may do what, and what Realtime carries. Row level security stays off by design: nobody but the owner and service_role
-- has any right in this schema, and that is what keeps it closed.
--
-- The functions run with their caller's rights. Those in PL/pgSQL pin the search path; those in SQL are there to be inlined, which a pinned
-- path would prevent, and name the schema of everything that is not PostgreSQL's own.

do $$
declare
    named text;
begin
    foreach named in array array['anon', 'authenticated', 'service_role'] loop
        begin
            if not exists (select from pg_catalog.pg_roles where rolname = named) then
                execute format('create role %I nologin', named);
            end if;
        exception when duplicate_object or unique_violation then
            null; -- another database of this server is being migrated at this moment
        end;
    end loop;
end
$$;

revoke all on schema monitoring from public, anon, authenticated;
revoke all on all tables in schema monitoring from public, anon, authenticated;
revoke all on all sequences in schema monitoring from public, anon, authenticated;
revoke all on all functions in schema monitoring from public, anon, authenticated;
alter default privileges in schema monitoring revoke all on tables from public, anon, authenticated;
alter default privileges in schema monitoring revoke all on sequences from public, anon, authenticated;
-- PostgreSQL gives execution of every new function to everyone, and a schema's default privileges cannot take that back: a migration
-- that adds a function ends with the revocation of all functions above
alter default privileges in schema monitoring revoke all on functions from public, anon, authenticated;

grant usage, create on schema monitoring to service_role;
grant all on all tables in schema monitoring to service_role;
grant all on all sequences in schema monitoring to service_role;
grant execute on all functions in schema monitoring to service_role;
alter default privileges in schema monitoring grant all on tables to service_role;
alter default privileges in schema monitoring grant all on sequences to service_role;
alter default privileges in schema monitoring grant execute on functions to service_role;

do $$
declare
    named text;
begin
    foreach named in array array['cache_metrics', 'cache_metrics_1min', 'cache_metrics_1hour', 'cache_baseline_metrics',
        'cache_auditor_observations', 'cache_auditor_ledger', 'cache_auditor_checkpoint', 'cache_auditor_worker',
        'cache_auditor_maintenance', 'cache_auditor_migrations'] loop
        execute format('alter table monitoring.%I disable row level security', named);
    end loop;

    -- other schemas may have tables of their own in this publication: they are not touched
    if not exists (select from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        create publication supabase_realtime;
    elsif (select puballtables from pg_catalog.pg_publication where pubname = 'supabase_realtime') then
        raise warning 'The publication supabase_realtime carries all tables, those of monitoring among them: name its tables one by one.';
        return;
    end if;
    if exists (select from pg_catalog.pg_publication p join pg_catalog.pg_publication_namespace n on n.pnpubid = p.oid
            where p.pubname = 'supabase_realtime' and n.pnnspid = 'monitoring'::regnamespace) then
        alter publication supabase_realtime drop tables in schema monitoring;
    end if;
    for named in
        select tablename from pg_catalog.pg_publication_tables
        where pubname = 'supabase_realtime' and schemaname = 'monitoring'
            and tablename not in ('cache_metrics_1min', 'cache_auditor_observations')
    loop
        execute format('alter publication supabase_realtime drop table monitoring.%I', named);
    end loop;
    foreach named in array array['cache_metrics_1min', 'cache_auditor_observations'] loop
        if not exists (select from pg_catalog.pg_publication_tables
                where pubname = 'supabase_realtime' and schemaname = 'monitoring' and tablename = named) then
            execute format('alter publication supabase_realtime add table monitoring.%I', named);
        end if;
    end loop;
end
$$;
