-- The tables of the schema monitoring: the original five, upgraded where they exist, and what the auditor adds.
-- Plain SQL that may be applied any number of times, by psql, the Supabase CLI or `auditor migrate`.

create schema if not exists monitoring;

create table if not exists monitoring.cache_auditor_migrations (
    version text primary key,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp()
);

create table if not exists monitoring.cache_metrics (
    id uuid primary key default gen_random_uuid(),
    cache_key text not null,
    operation_type text not null,
    implementation_type text not null,
    response_time_ms double precision,
    cache_size bigint,
    error_type text,
    error_message text,
    metadata jsonb,
    "timestamp" timestamptz not null default now()
);

create table if not exists monitoring.cache_metrics_1min (
    id uuid primary key default gen_random_uuid(),
    minute_window timestamptz not null,
    implementation_type text not null,
    total_operations bigint not null default 0,
    hits bigint not null default 0,
    misses bigint not null default 0,
    sets bigint not null default 0,
    evictions bigint not null default 0,
    errors bigint not null default 0,
    avg_response_time_ms double precision,
    p50_response_time_ms double precision,
    p95_response_time_ms double precision,
    p99_response_time_ms double precision,
    max_response_time_ms double precision,
    avg_cache_size double precision,
    max_cache_size bigint,
    hit_rate double precision,
    created_at timestamptz not null default now()
);

create table if not exists monitoring.cache_metrics_1hour (
    id uuid primary key default gen_random_uuid(),
    hour_window timestamptz not null,
    implementation_type text not null,
    total_operations bigint not null default 0,
    hits bigint not null default 0,
    misses bigint not null default 0,
    sets bigint not null default 0,
    evictions bigint not null default 0,
    errors bigint not null default 0,
    avg_response_time_ms double precision,
    p50_response_time_ms double precision,
    p95_response_time_ms double precision,
    p99_response_time_ms double precision,
    max_response_time_ms double precision,
    avg_cache_size double precision,
    max_cache_size bigint,
    hit_rate double precision,
    created_at timestamptz not null default now()
);

create table if not exists monitoring.cache_baseline_metrics (
    id uuid primary key default gen_random_uuid(),
    implementation_type text not null,
    baseline_period_start timestamptz not null,
    baseline_period_end timestamptz not null,
    baseline_hit_rate double precision,
    baseline_avg_response_time_ms double precision,
    baseline_p95_response_time_ms double precision,
    baseline_error_rate double precision,
    hit_rate_stddev double precision,
    response_time_stddev double precision,
    sample_size bigint,
    created_at timestamptz not null default now(),
    is_active boolean not null default true
);

create table if not exists monitoring.cache_auditor_observations (
    id uuid primary key default gen_random_uuid(),
    severity text not null,
    category text not null,
    title text not null,
    description text not null,
    recommendation text,
    implementation_type text,
    metric_name text,
    metric_value double precision,
    baseline_value double precision,
    deviation_percentage double precision,
    metadata jsonb,
    "timestamp" timestamptz not null default now(),
    acknowledged boolean not null default false,
    acknowledged_at timestamptz,
    acknowledged_by text
);

-- What has been audited: one row for each cache and minute. The first verdict stays; a late or revised window's stands beside it.
create table if not exists monitoring.cache_auditor_ledger (
    implementation_type text not null,
    minute_window timestamptz not null,
    verdict text not null check (verdict in ('normal', 'anomalous', 'learning', 'no_data', 'unjudged')),
    mode text not null check (mode in ('live', 'backfilled')),
    scores jsonb not null,
    revision xid8,
    config_hash text not null,
    audited_at timestamptz not null default clock_timestamp(),
    late_verdict text,
    late_scores jsonb,
    late_revision xid8,
    late_audited_at timestamptz,
    primary key (implementation_type, minute_window)
);

-- Where each cache's audit stands. `state` changes with every window and is small; `history` once an hour.
create table if not exists monitoring.cache_auditor_checkpoint (
    implementation_type text primary key,
    cursor_minute timestamptz,
    state jsonb,
    history jsonb,
    state_version bigint not null default 0,
    watermark xid8,
    lease_holder text,
    lease_expires_at timestamptz,
    fencing_token bigint not null default 0,
    last_commit text,
    updated_at timestamptz not null default clock_timestamp()
);

-- The auditors that are alive, so that they share the caches fairly.
create table if not exists monitoring.cache_auditor_worker (
    worker text primary key,
    seen_at timestamptz not null
);

-- What the hourly work has seen already, and how many days it keeps what.
create table if not exists monitoring.cache_auditor_maintenance (
    task text primary key,
    watermark xid8,
    events_days integer,
    minutes_days integer,
    hours_days integer,
    ran_at timestamptz not null
);
