-- The same with running numbers for ids, but for the events, and latencies that lose what is below a hundredth.
create schema if not exists monitoring;
create table monitoring.cache_metrics (
    id uuid primary key default gen_random_uuid(),
    cache_key varchar(255) not null,
    operation_type varchar(20) not null check (operation_type in ('hit', 'miss', 'set', 'evict', 'error')),
    implementation_type varchar(20) not null check (implementation_type in ('legacy', 'new')),
    response_time_ms numeric(10,2),
    cache_size integer,
    error_type varchar(100),
    error_message text,
    metadata jsonb default '{}'::jsonb,
    timestamp timestamptz not null default now()
);
create table monitoring.cache_metrics_1min (
    id bigserial primary key,
    minute_window timestamptz not null,
    implementation_type varchar(20) not null check (implementation_type in ('legacy', 'new')),
    total_operations integer not null default 0, hits integer not null default 0, misses integer not null default 0,
    sets integer not null default 0, evictions integer not null default 0, errors integer not null default 0,
    avg_response_time_ms numeric(10,2), p50_response_time_ms numeric(10,2), p95_response_time_ms numeric(10,2),
    p99_response_time_ms numeric(10,2), max_response_time_ms numeric(10,2),
    avg_cache_size integer, max_cache_size integer, hit_rate numeric(5,2) not null default 0,
    created_at timestamptz default now(),
    unique (minute_window, implementation_type)
);
create table monitoring.cache_metrics_1hour (
    id bigserial primary key,
    hour_window timestamptz not null,
    implementation_type varchar(20) not null check (implementation_type in ('legacy', 'new')),
    total_operations integer not null default 0, hits integer not null default 0, misses integer not null default 0,
    sets integer not null default 0, evictions integer not null default 0, errors integer not null default 0,
    avg_response_time_ms numeric(10,2), p50_response_time_ms numeric(10,2), p95_response_time_ms numeric(10,2),
    p99_response_time_ms numeric(10,2), max_response_time_ms numeric(10,2),
    avg_cache_size integer, max_cache_size integer, hit_rate numeric(5,2),
    created_at timestamptz default now(),
    unique (hour_window, implementation_type)
);
create table monitoring.cache_baseline_metrics (
    id bigserial primary key,
    implementation_type varchar(20) not null check (implementation_type in ('legacy', 'new')),
    baseline_period_start timestamptz not null,
    baseline_period_end timestamptz not null,
    baseline_hit_rate numeric(5,2) not null, baseline_avg_response_time_ms numeric(10,2) not null,
    baseline_p95_response_time_ms numeric(10,2), baseline_error_rate numeric(5,2),
    hit_rate_stddev numeric(5,2), response_time_stddev numeric(10,2), sample_size integer not null,
    created_at timestamptz default now(),
    is_active boolean default true
);
create table monitoring.cache_auditor_observations (
    id bigserial primary key,
    severity varchar(20) not null check (severity in ('info', 'warning', 'critical')),
    category varchar(50) not null check (category in ('performance', 'reliability', 'capacity', 'anomaly')),
    title varchar(200) not null,
    description text not null,
    recommendation text,
    implementation_type varchar(20) check (implementation_type in ('legacy', 'new')),
    metric_name varchar(100), metric_value numeric(10,2), baseline_value numeric(10,2), deviation_percentage numeric(5,2),
    metadata jsonb,
    timestamp timestamptz not null default now(),
    acknowledged boolean default false,
    acknowledged_at timestamptz,
    acknowledged_by varchar(100)
);
create index idx_original_observations on monitoring.cache_auditor_observations (timestamp desc);
insert into monitoring.cache_metrics (cache_key, operation_type, implementation_type, response_time_ms, cache_size)
    select 'k' || n, 'hit', case n % 2 when 0 then 'legacy' else 'new' end, n, n from generate_series(1, 50) n;
insert into monitoring.cache_metrics_1min (minute_window, implementation_type, total_operations, hits, misses, hit_rate, p95_response_time_ms)
    select date_trunc('minute', now()) - make_interval(mins => n), 'legacy', 10, 7, 3, 70.00, 123.45 from generate_series(1, 120) n;
insert into monitoring.cache_metrics_1hour (hour_window, implementation_type, total_operations, hits, hit_rate)
    values (date_trunc('hour', now()), 'new', 600, 400, 66.67);
insert into monitoring.cache_baseline_metrics (implementation_type, baseline_period_start, baseline_period_end, baseline_hit_rate,
    baseline_avg_response_time_ms, sample_size, created_at)
    values ('legacy', now(), now(), 70, 10, 5, now() - interval '1 day'), ('legacy', now(), now(), 71, 11, 6, now());
insert into monitoring.cache_auditor_observations (severity, category, title, description, implementation_type, metric_name,
    metric_value, deviation_percentage, acknowledged)
    values ('critical', 'performance', 'old', 'from before', 'legacy', 'hit_rate', 12.34, 99.99, true);
