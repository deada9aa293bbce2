-- What a Supabase project has beside ours: the realtime schema, whose send never raises, and the feed that stands in for
-- the replication slot: each committed change of a table in the publication, as Realtime shapes it.
create schema if not exists realtime;
grant usage on schema realtime to anon, authenticated, service_role;
create table if not exists realtime.messages (
    id uuid primary key default gen_random_uuid(), topic text not null, event text, payload jsonb, private boolean default false,
    extension text not null default 'broadcast', inserted_at timestamp not null default now()
);
create or replace function realtime.send(payload jsonb, event text, topic text, private boolean default true) returns void
language plpgsql security definer set search_path = ''
as $$
begin
    begin
        insert into realtime.messages (payload, event, topic, private) values (payload, event, topic, private);
        perform pg_catalog.pg_notify('standing_broadcast', pg_catalog.jsonb_build_object(
            'topic', topic, 'event', event, 'payload', payload, 'private', private)::text);
    exception when others then
        raise warning 'ErrorSendingBroadcastMessage: %', sqlerrm;
    end;
end
$$;
create or replace function realtime.standing_feed() returns trigger
language plpgsql security definer set search_path = ''
as $$
begin
    perform pg_catalog.pg_notify('standing_change', pg_catalog.jsonb_build_object(
        'type', tg_op, 'schema', tg_table_schema, 'table', tg_table_name,
        'record', pg_catalog.to_jsonb(new) - array['latency_buckets', 'latency_counts'])::text);
    return null;
end
$$;
create or replace trigger standing_feed after insert or update on monitoring.cache_metrics_1min
    for each row execute function realtime.standing_feed();
