-- The tables that projections write and the gateway reads. Plain SQL for PostgreSQL >= 14.
-- Money is integer micro-dollars, energy Wh, power W; times are UTC. `partition` and `"offset"` say
-- which record of the log a row came from. Planned power is summed in views, from what each unit
-- does, so it cannot drift from the units.

CREATE TABLE projection_positions (
    read_model text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL CHECK (next_offset >= 0),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (read_model, topic, partition)
);

CREATE TABLE projection_marks (
    read_model text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    agent text NOT NULL,
    source text NOT NULL,
    input_offset bigint NOT NULL,
    index integer NOT NULL,
    PRIMARY KEY (read_model, topic, partition, agent, source)
);

-- sites ------------------------------------------------------------------------------------------

CREATE TABLE site_configurations (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    configured_at timestamptz NOT NULL,
    name text NOT NULL,
    pool text NOT NULL,
    power_cap_w bigint NOT NULL,
    feeders jsonb NOT NULL,
    gpu_prices jsonb NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX site_configurations_newest ON site_configurations (site_id, "offset" DESC) WHERE NOT rejected;

CREATE TABLE site_ticks (
    site_id text NOT NULL,
    slot integer NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    at timestamptz NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (site_id, slot)
);

CREATE VIEW site_clocks AS
SELECT site_id, max(at) AS now FROM site_ticks WHERE NOT rejected GROUP BY site_id;

CREATE TABLE site_hours (
    site_id text NOT NULL,
    closed_until timestamptz NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (site_id, closed_until)
);
CREATE INDEX site_hours_by_offset ON site_hours (site_id, "offset");

-- A time that a producer gave to what it said, kept within the hour in which it said it.
CREATE FUNCTION site_time(site text, at_offset bigint, said timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT greatest(
        least(said, (SELECT closed_until FROM site_hours
                     WHERE site_id = site AND "offset" > at_offset ORDER BY "offset" LIMIT 1)),
        (SELECT closed_until FROM site_hours
         WHERE site_id = site AND "offset" < at_offset ORDER BY "offset" DESC LIMIT 1))
$$;

-- units ------------------------------------------------------------------------------------------

CREATE TABLE unit_registrations (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    unit_id text NOT NULL,
    registered_at timestamptz NOT NULL,
    feeder_id text NOT NULL,
    kind text NOT NULL,
    model text NOT NULL,
    memory_gb integer NOT NULL,
    modes jsonb NOT NULL,
    hashrate_ths bigint NOT NULL,
    tflops double precision NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX unit_registrations_newest ON unit_registrations (site_id, unit_id, "offset" DESC) WHERE NOT rejected;

CREATE TABLE unit_states (
    site_id text NOT NULL,
    unit_id text NOT NULL,
    mode text NOT NULL,
    power_w bigint NOT NULL,
    failed_offset bigint,
    drained_offset bigint,
    degraded_offset bigint,
    detail text NOT NULL,
    detail_offset bigint NOT NULL,
    reported_power_w bigint,
    temperature_c integer,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (site_id, unit_id)
);
COMMENT ON TABLE unit_states IS 'What was last said of each unit, and at which offset of the site log; null: it is not so. What was said before the first registration that was not refused does not count: see the view units.';

CREATE TABLE placements (
    site_id text NOT NULL,
    placement_id text NOT NULL,
    workload_id text NOT NULL,
    customer_id text NOT NULL,
    gpu_model text NOT NULL,
    attempt integer NOT NULL,
    unit_ids text[] NOT NULL,
    unit_gpu_milli integer[] NOT NULL,
    unit_power_w bigint[] NOT NULL,
    price_usd_per_gpu_hour numeric NOT NULL,
    decision_id text NOT NULL,
    placed_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    PRIMARY KEY (site_id, placement_id)
);
-- Placements end, and leave their entries to vacuum; pending ones would be read at every look-up.
CREATE INDEX placements_by_unit ON placements USING gin (unit_ids) WITH (fastupdate = off)
    WHERE ended_at IS NULL;
ALTER TABLE placements SET (autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX placements_by_workload ON placements (workload_id);

-- Each unit asks for its own rows, so that a page of units costs a page, and all of them no more than
-- a sort of the registrations would.
CREATE VIEW units AS
SELECT s.site_id, s.unit_id, r.feeder_id, r.kind, r.model,
       CASE WHEN r.kind <> 'gpu' THEN s.mode WHEN b.workload_ids IS NULL THEN 'off' ELSE 'compute' END AS mode,
       CASE WHEN s.failed_offset > f.first_offset THEN 'failed'
            WHEN s.drained_offset > f.first_offset THEN 'drained'
            WHEN s.degraded_offset > f.first_offset THEN 'degraded' ELSE 'ok' END AS state,
       CASE WHEN r.kind = 'gpu' THEN coalesce(b.power_w, 0) ELSE s.power_w END AS power_w,
       r.hashrate_ths, r.tflops,
       coalesce(b.workload_ids, '{}'::text[]) AS workload_ids,
       coalesce(b.used_gpu_milli, 0) AS used_gpu_milli,
       r.modes, r.memory_gb, CASE WHEN s.detail_offset > f.first_offset THEN s.detail ELSE '' END AS detail,
       s.reported_power_w, s.temperature_c, r.registered_at, s.updated_at
FROM unit_states s
CROSS JOIN LATERAL (
    SELECT * FROM unit_registrations r
    WHERE r.site_id = s.site_id AND r.unit_id = s.unit_id AND NOT r.rejected
    ORDER BY "offset" DESC LIMIT 1
) r
CROSS JOIN LATERAL (
    SELECT min("offset") AS first_offset FROM unit_registrations r
    WHERE r.site_id = s.site_id AND r.unit_id = s.unit_id AND NOT r.rejected
) f
CROSS JOIN LATERAL (
    SELECT array_agg(p.workload_id ORDER BY p.workload_id) AS workload_ids,
           sum(u.gpu_milli)::integer AS used_gpu_milli, max(u.power_w) AS power_w
    FROM placements p CROSS JOIN LATERAL unnest(p.unit_ids, p.unit_gpu_milli, p.unit_power_w)
         AS u (unit_id, gpu_milli, power_w)
    WHERE p.ended_at IS NULL AND p.site_id = s.site_id AND p.unit_ids @> ARRAY[s.unit_id]
      AND u.unit_id = s.unit_id
) b;

CREATE VIEW sites AS
SELECT c.site_id, c.name, c.pool, c.power_cap_w, c.feeders, c.gpu_prices, k.now,
       coalesce(p.planned_power_w, 0) AS planned_power_w,
       coalesce(p.ai_power_w, 0) AS ai_power_w,
       coalesce(p.mining_power_w, 0) AS mining_power_w,
       c.configured_at AS updated_at
FROM (SELECT DISTINCT ON (site_id) * FROM site_configurations WHERE NOT rejected
      ORDER BY site_id, "offset" DESC) c
LEFT JOIN site_clocks k ON k.site_id = c.site_id
LEFT JOIN (
    SELECT site_id, sum(power_w)::bigint AS planned_power_w,
           coalesce(sum(power_w) FILTER (WHERE kind = 'gpu'), 0)::bigint AS ai_power_w,
           coalesce(sum(power_w) FILTER (WHERE kind <> 'gpu'), 0)::bigint AS mining_power_w
    FROM units GROUP BY site_id
) p ON p.site_id = c.site_id;

-- workloads --------------------------------------------------------------------------------------

CREATE TABLE workloads (
    workload_id text PRIMARY KEY,
    site_id text,
    pool text,
    customer_id text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    gpu_model text,
    gpu_count integer NOT NULL,
    gpu_milli integer NOT NULL,
    duration_s bigint NOT NULL,
    priority integer NOT NULL,
    preemptible boolean NOT NULL,
    deadline timestamptz,
    max_price_usd_per_gpu_hour numeric,
    state text NOT NULL CHECK (state IN
        ('queued', 'switching', 'running', 'completed', 'cancelled', 'failed', 'rejected')),
    reason text NOT NULL,
    detail text NOT NULL,
    units text[] NOT NULL,
    placed_gpu_model text,
    placement_id text,
    attempt integer NOT NULL,
    submitted_at timestamptz NOT NULL,
    queued_at timestamptz,
    queue_offset bigint,
    placed_at timestamptz,
    started_at timestamptz,
    ended_at timestamptz,
    price_usd_per_gpu_hour numeric,
    decision_id text
);
CREATE INDEX workloads_by_customer ON workloads (customer_id, submitted_at DESC, workload_id DESC);
CREATE INDEX workloads_by_submission ON workloads (submitted_at DESC, workload_id DESC);
CREATE INDEX workloads_by_state ON workloads (state, submitted_at DESC, workload_id DESC);
CREATE INDEX workloads_by_site ON workloads (site_id, submitted_at DESC, workload_id DESC);
-- As routing looks at them: negated, so that one row comparison says what comes after.
CREATE INDEX workloads_queued ON workloads (site_id, (-priority), queue_offset, workload_id)
    WHERE state = 'queued' AND queued_at IS NOT NULL;
CREATE INDEX workloads_by_queueing ON workloads (site_id, queued_at, workload_id);
CREATE INDEX workloads_by_end ON workloads (site_id, ended_at, workload_id);
CREATE INDEX workloads_live ON workloads (site_id, state) WHERE state IN ('queued', 'switching', 'running');

CREATE TABLE workload_events (
    workload_id text NOT NULL,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    event_id text NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (workload_id, topic, partition, "offset")
);

CREATE VIEW queue AS
SELECT row_number() OVER (PARTITION BY site_id ORDER BY -priority, queue_offset, workload_id) AS queue_position,
       w.*
FROM workloads w WHERE state = 'queued' AND queued_at IS NOT NULL
ORDER BY site_id, -priority, queue_offset, workload_id;

-- decisions and plans ----------------------------------------------------------------------------

CREATE TABLE decisions (
    decision_id text PRIMARY KEY,
    site_id text NOT NULL,
    at timestamptz NOT NULL,
    agent text NOT NULL,
    policy_version text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    chosen text NOT NULL,
    reason text NOT NULL,
    alternatives jsonb NOT NULL,
    value_usd_micros_per_hour bigint NOT NULL,
    bound_usd_micros_per_hour bigint,
    power_price_usd_per_mwh numeric,
    hashprice_usd_per_ph_day numeric
);
CREATE INDEX decisions_by_subject ON decisions (subject, at DESC);
CREATE INDEX decisions_by_time ON decisions (site_id, at DESC);

CREATE TABLE power_plans (
    plan_id text PRIMARY KEY,
    site_id text NOT NULL,
    at timestamptz NOT NULL,
    policy_version text NOT NULL,
    trigger text NOT NULL,
    assignments jsonb NOT NULL,
    headroom jsonb NOT NULL,
    site_shadow_price_usd_per_mwh numeric NOT NULL,
    value_usd_micros_per_hour bigint NOT NULL,
    bound_usd_micros_per_hour bigint NOT NULL,
    applied_at timestamptz,
    applied integer,
    skipped integer,
    skip_reason text,
    partition integer NOT NULL,
    "offset" bigint NOT NULL
);
CREATE INDEX power_plans_newest ON power_plans (site_id, "offset" DESC);

CREATE VIEW feeders AS
SELECT s.site_id, f ->> 'feeder_id' AS feeder_id, (f ->> 'power_cap_w')::bigint AS power_cap_w,
       coalesce(u.planned_power_w, 0) AS planned_power_w,
       coalesce(u.ai_power_w, 0) AS ai_power_w,
       coalesce(u.mining_power_w, 0) AS mining_power_w,
       (SELECT (h ->> 'shadow_price_usd_per_mwh')::numeric
        FROM (SELECT headroom FROM power_plans p WHERE p.site_id = s.site_id AND p.applied_at IS NOT NULL
              ORDER BY "offset" DESC LIMIT 1) newest, jsonb_array_elements(newest.headroom) AS h
        WHERE h ->> 'feeder_id' = f ->> 'feeder_id') AS shadow_price_usd_per_mwh
FROM (SELECT DISTINCT ON (site_id) site_id, feeders FROM site_configurations WHERE NOT rejected
      ORDER BY site_id, "offset" DESC) s
CROSS JOIN LATERAL jsonb_array_elements(s.feeders) AS f
LEFT JOIN (
    SELECT site_id, feeder_id, sum(power_w)::bigint AS planned_power_w,
           coalesce(sum(power_w) FILTER (WHERE kind = 'gpu'), 0)::bigint AS ai_power_w,
           coalesce(sum(power_w) FILTER (WHERE kind <> 'gpu'), 0)::bigint AS mining_power_w
    FROM units GROUP BY site_id, feeder_id
) u ON u.site_id = s.site_id AND u.feeder_id = f ->> 'feeder_id';

-- market -----------------------------------------------------------------------------------------

-- Like configurations, every publication is kept: refusing one brings back the one before. The views
-- look for a newer one row by row, where DISTINCT ON would sort everything for each page.
CREATE TABLE power_price_publications (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    settlement_point text NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz NOT NULL,
    price_usd_per_mwh numeric NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX power_price_publications_newest ON power_price_publications
    (interval_start DESC, site_id DESC, settlement_point DESC, "offset" DESC) WHERE NOT rejected;
CREATE INDEX power_price_publications_by_time ON power_price_publications
    (site_id, interval_start DESC, settlement_point, "offset" DESC) WHERE NOT rejected;

CREATE VIEW power_prices AS
SELECT site_id, settlement_point, interval_start, interval_end, price_usd_per_mwh
FROM power_price_publications p
WHERE NOT rejected AND NOT EXISTS (
    SELECT FROM power_price_publications n
    WHERE n.site_id = p.site_id AND n.settlement_point = p.settlement_point
      AND n.interval_start = p.interval_start AND n."offset" > p."offset" AND NOT n.rejected
);

CREATE TABLE hash_price_publications (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    interval_start timestamptz NOT NULL,
    hashprice_usd_per_ph_day numeric NOT NULL,
    difficulty bigint NOT NULL,
    fees_sats bigint NOT NULL,
    btc_price_usd numeric NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX hash_price_publications_newest ON hash_price_publications
    (interval_start DESC, site_id DESC, "offset" DESC) WHERE NOT rejected;
CREATE INDEX hash_price_publications_by_site ON hash_price_publications
    (site_id, interval_start DESC, "offset" DESC) WHERE NOT rejected;

CREATE VIEW hash_prices AS
SELECT site_id, interval_start, hashprice_usd_per_ph_day, difficulty, fees_sats, btc_price_usd
FROM hash_price_publications p
WHERE NOT rejected AND NOT EXISTS (
    SELECT FROM hash_price_publications n
    WHERE n.site_id = p.site_id AND n.interval_start = p.interval_start
      AND n."offset" > p."offset" AND NOT n.rejected
);

-- energy -----------------------------------------------------------------------------------------

CREATE TABLE metered_units (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    unit_id text NOT NULL,
    kind text NOT NULL,
    rejected_offset bigint,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX metered_units_by_unit ON metered_units (site_id, unit_id, "offset");

-- One row a feeder and interval: 250 units over nine months are 100,000 rows, not 6,500,000.
CREATE TABLE feeder_energy_readings (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    feeder_id text NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz NOT NULL,
    unit_ids text[] NOT NULL,
    unit_energy_wh bigint[] NOT NULL,
    unit_work_th bigint[] NOT NULL,
    energy_wh bigint NOT NULL,
    work_th bigint NOT NULL,
    mining_energy_wh bigint NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
-- Sums over months read this index only, never the long rows.
CREATE INDEX feeder_energy_first ON feeder_energy_readings
    (site_id, feeder_id, interval_start, "offset")
    INCLUDE (energy_wh, mining_energy_wh, work_th) WHERE NOT rejected;

CREATE VIEW feeder_energy AS
SELECT DISTINCT ON (site_id, feeder_id, interval_start)
       site_id, feeder_id, interval_start, interval_end, unit_ids, unit_energy_wh, unit_work_th,
       energy_wh, work_th, mining_energy_wh
FROM feeder_energy_readings WHERE NOT rejected
ORDER BY site_id, feeder_id, interval_start, "offset";

CREATE VIEW meter_readings AS
SELECT e.site_id, e.feeder_id, r.unit_id, e.interval_start, e.interval_end, r.energy_wh, r.work_th
FROM feeder_energy e CROSS JOIN LATERAL unnest(e.unit_ids, e.unit_energy_wh, e.unit_work_th)
     AS r (unit_id, energy_wh, work_th);

CREATE VIEW feeder_energy_hourly AS
SELECT site_id, feeder_id, date_trunc('hour', interval_start, 'UTC') AS hour,
       sum(energy_wh)::bigint AS energy_wh,
       sum(energy_wh - mining_energy_wh)::bigint AS ai_energy_wh,
       sum(mining_energy_wh)::bigint AS mining_energy_wh
FROM feeder_energy GROUP BY site_id, feeder_id, date_trunc('hour', interval_start, 'UTC');

-- curtailments, alerts, refusals -----------------------------------------------------------------

CREATE TABLE curtailment_requests (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    curtailment_id text NOT NULL,
    max_power_w bigint NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    reason text NOT NULL,
    payment_usd_per_mwh numeric,
    requested_at timestamptz NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX curtailment_requests_by_id
    ON curtailment_requests (site_id, curtailment_id, ends_at, "offset") WHERE NOT rejected;
CREATE INDEX curtailment_requests_newest
    ON curtailment_requests (site_id, starts_at DESC, curtailment_id DESC) WHERE NOT rejected;

CREATE TABLE curtailments_met (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    curtailment_id text NOT NULL,
    met_at timestamptz NOT NULL,
    met_power_w bigint NOT NULL,
    cause_offset bigint NOT NULL,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX curtailments_met_first ON curtailments_met (site_id, curtailment_id, cause_offset);

CREATE TABLE curtailment_lifts (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    curtailment_id text NOT NULL,
    lifted_at timestamptz NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX curtailment_lifts_first ON curtailment_lifts (site_id, curtailment_id, "offset")
    WHERE NOT rejected;

-- A request that repeats an earlier one is none.
CREATE VIEW first_curtailment_requests AS
SELECT * FROM curtailment_requests r
WHERE NOT rejected AND NOT EXISTS (
    SELECT FROM curtailment_requests e
    WHERE e.site_id = r.site_id AND e.curtailment_id = r.curtailment_id AND e.ends_at = r.ends_at
      AND e."offset" < r."offset" AND NOT e.rejected
);

CREATE VIEW curtailments AS
SELECT r.curtailment_id, r.site_id, r.max_power_w, r.starts_at, r.ends_at,
       CASE WHEN l.lifted_at IS NOT NULL THEN 'lifted'
            WHEN m.met_at IS NOT NULL THEN 'met' ELSE 'requested' END AS state,
       r.reason, r.payment_usd_per_mwh, r.requested_at, m.met_at, m.met_power_w, l.lifted_at,
       r.partition, r."offset"
FROM first_curtailment_requests r
CROSS JOIN LATERAL (
    SELECT min("offset") AS "offset" FROM first_curtailment_requests n
    WHERE n.site_id = r.site_id AND n.curtailment_id = r.curtailment_id AND n."offset" > r."offset"
) next
LEFT JOIN LATERAL (
    SELECT met_at, met_power_w FROM curtailments_met m
    WHERE m.site_id = r.site_id AND m.curtailment_id = r.curtailment_id
      AND m.cause_offset >= r."offset" AND (next."offset" IS NULL OR m.cause_offset < next."offset")
    ORDER BY m.cause_offset LIMIT 1
) m ON true
LEFT JOIN LATERAL (
    SELECT lifted_at FROM curtailment_lifts l
    WHERE l.site_id = r.site_id AND l.curtailment_id = r.curtailment_id AND NOT l.rejected
      AND l."offset" > r."offset" AND (next."offset" IS NULL OR l."offset" < next."offset")
    ORDER BY l."offset" LIMIT 1
) l ON true;
COMMENT ON VIEW curtailments IS 'Curtailments of each site. A curtailment_id names a request on its site only, and may be used again once that has ended: then there is a row for each. Repeats, and requests and lifts that were refused, leave no trace.';

CREATE TABLE alerts (
    alert_id text PRIMARY KEY,
    site_id text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL,
    unit_id text,
    detail text NOT NULL,
    raised_at timestamptz NOT NULL,
    cleared_at timestamptz,
    clear_reason text
);
CREATE INDEX alerts_by_site ON alerts (site_id, raised_at DESC, alert_id DESC);
CREATE INDEX alerts_newest ON alerts (raised_at DESC, alert_id DESC);
CREATE INDEX alerts_active ON alerts (raised_at DESC, alert_id DESC) WHERE cleared_at IS NULL;

CREATE TABLE rejected_inputs (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    at timestamptz NOT NULL,
    key text NOT NULL,
    rejected_type text NOT NULL,
    subject text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    input_event_id text,
    input_offset bigint,
    PRIMARY KEY (topic, partition, "offset")
);

-- accounts ---------------------------------------------------------------------------------------

CREATE TABLE customer_enrolments (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    customer_id text NOT NULL,
    name text NOT NULL,
    enrolled_at timestamptz NOT NULL,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX customer_enrolments_newest ON customer_enrolments (customer_id, "offset" DESC);

CREATE TABLE tariff_publications (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    customer_id text NOT NULL,
    tariff_id text NOT NULL,
    effective_from timestamptz NOT NULL,
    currency text NOT NULL,
    gpu_prices jsonb NOT NULL,
    energy_pass_through boolean NOT NULL,
    energy_adder_usd_per_mwh numeric NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX tariff_publications_first ON tariff_publications (customer_id, tariff_id, "offset")
    WHERE NOT rejected;

-- A tariff and a contract never change: what comes under their id later is a repeat or refused.
CREATE VIEW tariffs AS
SELECT DISTINCT ON (customer_id, tariff_id)
       customer_id, tariff_id, effective_from, currency, gpu_prices, energy_pass_through,
       energy_adder_usd_per_mwh
FROM tariff_publications WHERE NOT rejected ORDER BY customer_id, tariff_id, "offset";

-- Customers name their contracts themselves: two may use the same name.
CREATE TABLE contract_signatures (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    customer_id text NOT NULL,
    contract_id text NOT NULL,
    tariff_id text NOT NULL,
    starts_at timestamptz NOT NULL,
    billing_period text NOT NULL,
    grace_s bigint NOT NULL,
    auto_finalize boolean NOT NULL,
    signed_at timestamptz NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX contract_signatures_first ON contract_signatures (customer_id, contract_id, "offset")
    WHERE NOT rejected;

CREATE VIEW contracts AS
SELECT DISTINCT ON (customer_id, contract_id)
       customer_id, contract_id, tariff_id, starts_at, billing_period, grace_s, auto_finalize,
       signed_at
FROM contract_signatures WHERE NOT rejected ORDER BY customer_id, contract_id, "offset";

CREATE VIEW customers AS
SELECT customer_id, coalesce(e.name, customer_id) AS name,
       least(e.enrolled_at, c.signed_at) AS since
FROM (
    SELECT DISTINCT ON (customer_id) customer_id, name,
           min(enrolled_at) OVER (PARTITION BY customer_id) AS enrolled_at
    FROM customer_enrolments ORDER BY customer_id, "offset" DESC
) e FULL JOIN (
    SELECT customer_id, min(signed_at) AS signed_at FROM contract_signatures WHERE NOT rejected
    GROUP BY customer_id
) c USING (customer_id);

CREATE TABLE usage (
    usage_id text PRIMARY KEY,
    customer_id text NOT NULL,
    site_id text NOT NULL,
    workload_id text NOT NULL,
    placement_id text NOT NULL,
    meter text NOT NULL,
    gpu_model text NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz NOT NULL,
    quantity bigint NOT NULL,
    unit text NOT NULL,
    price_usd_per_mwh numeric,
    amount_usd_micros bigint,
    tariff_id text,
    contract_id text,
    state text NOT NULL CHECK (state IN ('recorded', 'rated', 'refused')),
    reason text,
    partition integer NOT NULL,
    "offset" bigint NOT NULL
);
CREATE INDEX usage_by_customer ON usage (customer_id, interval_start DESC, usage_id DESC);
CREATE INDEX usage_by_workload ON usage (workload_id, interval_start DESC, usage_id DESC);
CREATE INDEX usage_by_site ON usage (site_id, interval_start DESC, usage_id DESC);
CREATE INDEX usage_newest ON usage (interval_start DESC, usage_id DESC);
CREATE INDEX usage_not_rated ON usage (state, site_id, interval_start) WHERE state <> 'rated';

CREATE TABLE usage_collections (
    site_id text NOT NULL,
    customer_id text NOT NULL,
    collected_until timestamptz NOT NULL,
    PRIMARY KEY (site_id, customer_id)
);

CREATE TABLE invoices (
    invoice_id text PRIMARY KEY,
    number text NOT NULL,
    customer_id text NOT NULL,
    contract_id text NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    currency text NOT NULL,
    state text NOT NULL CHECK (state IN ('drafted', 'finalized')),
    total_usd_micros bigint NOT NULL,
    drafted_at timestamptz NOT NULL,
    finalized_at timestamptz,
    finalized_by text
);
CREATE INDEX invoices_by_customer ON invoices (customer_id, period_start DESC, invoice_id DESC);
CREATE INDEX invoices_by_state ON invoices (state, period_start DESC, invoice_id DESC);
CREATE INDEX invoices_newest ON invoices (period_start DESC, invoice_id DESC);

CREATE TABLE invoice_lines (
    invoice_id text NOT NULL,
    line_id text NOT NULL,
    workload_id text NOT NULL,
    meter text NOT NULL,
    description text NOT NULL,
    quantity bigint NOT NULL,
    unit text NOT NULL,
    amount_usd_micros bigint NOT NULL,
    usage_ids text[] NOT NULL,
    PRIMARY KEY (invoice_id, line_id)
);
CREATE INDEX invoice_lines_by_workload ON invoice_lines (workload_id);

-- profit -----------------------------------------------------------------------------------------

CREATE TABLE ai_revenue_hourly (
    site_id text NOT NULL,
    hour timestamptz NOT NULL,
    amount_usd_micros bigint NOT NULL,
    energy_wh bigint NOT NULL,
    PRIMARY KEY (site_id, hour)
);

-- Prices and readings may arrive in either order: each interval is valued when it is read, at the
-- power price of the interval that its start falls in and the hashprice in force at its start.
CREATE VIEW site_pnl_intervals AS
SELECT e.site_id, e.interval_start, e.energy_wh, e.mining_energy_wh, e.work_th,
       CASE WHEN p.interval_end > e.interval_start THEN p.price_usd_per_mwh END AS price_usd_per_mwh,
       h.hashprice_usd_per_ph_day
FROM (
    SELECT site_id, interval_start, sum(energy_wh) AS energy_wh,
           sum(mining_energy_wh) AS mining_energy_wh, sum(work_th) AS work_th
    FROM feeder_energy GROUP BY site_id, interval_start
) e
LEFT JOIN LATERAL (
    SELECT interval_end, price_usd_per_mwh FROM power_price_publications p
    WHERE p.site_id = e.site_id AND p.interval_start <= e.interval_start AND NOT p.rejected
    ORDER BY p.interval_start DESC, p.settlement_point, p."offset" DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT hashprice_usd_per_ph_day FROM hash_price_publications h
    WHERE h.site_id = e.site_id AND h.interval_start <= e.interval_start AND NOT h.rejected
    ORDER BY h.interval_start DESC, h."offset" DESC LIMIT 1
) h ON true;

-- A condition on site_id or hour reaches both halves of the union, so a few hours cost little.
CREATE VIEW site_pnl_hourly AS
SELECT site_id, hour, ai_revenue_usd_micros, mining_revenue_usd_micros, power_cost_usd_micros,
       ai_revenue_usd_micros + mining_revenue_usd_micros - power_cost_usd_micros AS profit_usd_micros,
       energy_wh, energy_wh - mining_energy_wh AS ai_energy_wh, mining_energy_wh, unpriced_energy_wh
FROM (
    SELECT site_id, hour,
           sum(ai_revenue)::bigint AS ai_revenue_usd_micros,
           round(sum(mining_revenue))::bigint AS mining_revenue_usd_micros,
           round(sum(power_cost))::bigint AS power_cost_usd_micros,
           sum(energy_wh)::bigint AS energy_wh,
           sum(mining_energy_wh)::bigint AS mining_energy_wh,
           sum(unpriced_energy_wh)::bigint AS unpriced_energy_wh
    FROM (
        SELECT site_id, date_trunc('hour', interval_start, 'UTC') AS hour, 0 AS ai_revenue,
               -- work in TH at $/PH/day: 8.64e7 TH are one PH/s for a day; 1e6 micro-dollars a dollar
               coalesce(work_th * hashprice_usd_per_ph_day / 86.4, 0) AS mining_revenue,
               -- Wh at $/MWh are micro-dollars
               coalesce(energy_wh * price_usd_per_mwh, 0) AS power_cost,
               energy_wh, mining_energy_wh,
               CASE WHEN price_usd_per_mwh IS NULL THEN energy_wh ELSE 0 END AS unpriced_energy_wh
        FROM site_pnl_intervals
        UNION ALL
        SELECT site_id, hour, amount_usd_micros, 0, 0, 0, 0, 0 FROM ai_revenue_hourly
    ) parts GROUP BY site_id, hour
) hours;
