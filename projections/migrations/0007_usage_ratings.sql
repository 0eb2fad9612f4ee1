-- A usage is rated in pieces, where its price or its billing period changes inside it.

CREATE TABLE usage_ratings (
    usage_id text NOT NULL,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz,
    customer_id text NOT NULL,
    contract_id text NOT NULL,
    tariff_id text NOT NULL,
    period_start timestamptz,
    priced_by text,
    quantity bigint NOT NULL,
    unit text NOT NULL,
    amount_usd_micros bigint NOT NULL,
    PRIMARY KEY (usage_id, interval_start)
);

ALTER TABLE invoice_lines ADD COLUMN priced_by text;

CREATE VIEW analytics.usage_ratings AS
SELECT
    usage_id,
    customer_id,
    interval_start,
    interval_end,
    contract_id,
    tariff_id,
    period_start,
    priced_by,
    CASE WHEN unit = 'gpu_us' THEN quantity / 3600000000.0 END AS gpu_hours,
    CASE WHEN unit = 'wh' THEN quantity * 0.000001 END AS energy_mwh,
    amount_usd_micros * 0.000001 AS amount_usd
FROM public.usage_ratings;
COMMENT ON VIEW analytics.usage_ratings IS
    'What usage costs, piece by piece: cut where its price or its billing period changes.';
COMMENT ON COLUMN analytics.usage_ratings.usage_id IS 'The usage';
COMMENT ON COLUMN analytics.usage_ratings.customer_id IS 'Who pays';
COMMENT ON COLUMN analytics.usage_ratings.interval_start IS 'From';
COMMENT ON COLUMN analytics.usage_ratings.interval_end IS
    'To, not included; null where it was rated before pieces: to the end of the usage';
COMMENT ON COLUMN analytics.usage_ratings.contract_id IS 'The contract in force';
COMMENT ON COLUMN analytics.usage_ratings.tariff_id IS 'Its tariff';
COMMENT ON COLUMN analytics.usage_ratings.period_start IS
    'Start of the billing period that bills it; null where the rating does not say';
COMMENT ON COLUMN analytics.usage_ratings.priced_by IS
    'tariff, or list_price: as quoted when placed; null where the rating does not say';
COMMENT ON COLUMN analytics.usage_ratings.gpu_hours IS 'GPU-hours; null for energy';
COMMENT ON COLUMN analytics.usage_ratings.energy_mwh IS 'MWh; null for GPU time';
COMMENT ON COLUMN analytics.usage_ratings.amount_usd IS 'What it costs, dollars';

CREATE OR REPLACE VIEW analytics.invoice_lines AS
SELECT
    invoice_id,
    line_id,
    workload_id,
    meter,
    description,
    CASE WHEN unit = 'gpu_us' THEN quantity / 3600000000.0 END AS gpu_hours,
    CASE WHEN unit = 'wh' THEN quantity * 0.000001 END AS energy_mwh,
    amount_usd_micros * 0.000001 AS amount_usd,
    cardinality(usage_ids) AS usages,
    priced_by
FROM public.invoice_lines;
COMMENT ON COLUMN analytics.invoice_lines.priced_by IS
    'tariff, or list_price: as quoted when placed; null where the rating does not say';

COMMENT ON COLUMN analytics.usage.tariff_id IS
    'The tariff that rated it; where usage_ratings has several pieces, that of the last';

-- What no invoice bills yet, and the sites that hold it up. ----------------------------------------

CREATE TABLE rated_usage (
    customer_id text NOT NULL,
    contract_id text NOT NULL,
    period_start timestamptz NOT NULL,
    site_id text NOT NULL,
    ratings bigint NOT NULL,
    amount_usd_micros bigint NOT NULL,
    PRIMARY KEY (customer_id, contract_id, period_start, site_id)
);

CREATE TABLE period_closings (
    customer_id text NOT NULL,
    contract_id text NOT NULL,
    closed_until timestamptz NOT NULL,
    PRIMARY KEY (customer_id, contract_id)
);

CREATE TABLE collection_waivers (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    customer_id text NOT NULL,
    site_id text NOT NULL,
    waived_until timestamptz NOT NULL,
    waived_by text NOT NULL,
    reason text NOT NULL,
    waived_at timestamptz NOT NULL,
    rejected boolean NOT NULL,
    PRIMARY KEY (partition, "offset")
);

ALTER TABLE usage_collections ADD COLUMN heard_at timestamptz NOT NULL DEFAULT now();

-- A customer that runs nothing is told of by a site once a day; twice that is silence.
CREATE FUNCTION silence_patience() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$ SELECT interval '48 hours' $$;

CREATE VIEW unbilled_usage AS
SELECT u.customer_id, u.contract_id, u.site_id, u.period_start, u.ratings, u.amount_usd_micros
FROM period_closings c
JOIN rated_usage u ON u.customer_id = c.customer_id AND u.contract_id = c.contract_id
    AND u.period_start >= c.closed_until;

-- By event time a site is behind the newest clock, or by the wall clock nothing was heard from it.
-- Periods close in order, so everything of the contract from the first of its periods on waits for it.
CREATE VIEW silent_sites AS
WITH waiting AS (
    SELECT customer_id, contract_id, site_id, min(period_start) AS since
    FROM unbilled_usage GROUP BY customer_id, contract_id, site_id
), newest AS (
    SELECT greatest((SELECT max(now) FROM site_clocks),
                    (SELECT max(collected_until) FROM usage_collections)) AS now
), silent AS (
    SELECT w.customer_id, w.contract_id, w.site_id, w.since,
           coalesce(c.collected_until, w.since) AS silent_since, c.heard_at
    FROM waiting w CROSS JOIN newest
    LEFT JOIN usage_collections c ON c.site_id = w.site_id AND c.customer_id = w.customer_id
    WHERE newest.now - coalesce(c.collected_until, w.since) > silence_patience()
       OR now() - c.heard_at > silence_patience()
), held_up AS (
    SELECT s.site_id, s.customer_id, s.silent_since, s.heard_at,
           sum(u.ratings) AS ratings, sum(u.amount_usd_micros) AS amount_usd_micros
    FROM silent s JOIN unbilled_usage u ON u.customer_id = s.customer_id
        AND u.contract_id = s.contract_id AND u.period_start >= s.since
    GROUP BY s.site_id, s.customer_id, s.contract_id, s.silent_since, s.heard_at
)
SELECT site_id,
       min(silent_since) AS silent_since,
       max(heard_at) AS heard_at,
       count(DISTINCT customer_id) AS customers,
       (array_agg(DISTINCT customer_id))[1:20] AS customer_ids,
       sum(ratings)::bigint AS ratings,
       sum(amount_usd_micros)::bigint AS amount_usd_micros
FROM held_up GROUP BY site_id;

-- What nobody has said a price for.
ALTER TABLE usage DROP CONSTRAINT usage_state_check;
ALTER TABLE usage ADD CONSTRAINT usage_state_check
    CHECK (state IN ('recorded', 'rated', 'held', 'refused'));
COMMENT ON COLUMN analytics.usage.state IS
    'recorded, rated, held (nobody has said a price yet) or refused (nobody pays it)';
COMMENT ON COLUMN analytics.usage.reason IS 'Why it is held or was refused; null otherwise';

CREATE VIEW unpriced_usage AS
SELECT site_id, customer_id, gpu_model, min(interval_start) AS since, count(*) AS usages
FROM usage WHERE state = 'held' GROUP BY site_id, customer_id, gpu_model;

-- What runs long past its stated duration is an alert about a workload.
ALTER TABLE alerts ADD COLUMN workload_id text;
CREATE INDEX alerts_by_workload ON alerts (workload_id, raised_at DESC, alert_id DESC)
    WHERE workload_id IS NOT NULL;

CREATE VIEW all_alerts AS
SELECT alert_id, site_id, kind, severity, unit_id, workload_id, detail, raised_at, cleared_at, clear_reason
FROM alerts
UNION ALL
SELECT 'site_silent/' || site_id, site_id, 'site_silent', 'critical', NULL, NULL,
       format('Nothing was collected since %s: %s ratings of %s customers (%s%s), %s USD, wait for it '
              'and are on no invoice. To bill what is known: POST /api/v1/sites/%s/waivers.',
              to_char(silent_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ratings,
              customers, array_to_string(customer_ids, ', '),
              CASE WHEN customers > 20 THEN ', ...' ELSE '' END,
              round(amount_usd_micros * 0.000001, 6), site_id),
       silent_since, NULL, NULL
FROM silent_sites
UNION ALL
SELECT concat_ws('/', 'usage_unpriced', site_id, customer_id, gpu_model), site_id, 'usage_unpriced',
       'warning', NULL, NULL,
       format('%s usages of %s by %s since %s have no price: the tariff lacks the model and no list '
              'price was quoted. They are rated when a tariff with the model is published to %s, '
              'effective by then.', usages, gpu_model, customer_id,
              to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), customer_id),
       since, NULL, NULL
FROM unpriced_usage;

CREATE OR REPLACE VIEW analytics.alerts AS
SELECT
    alert_id,
    site_id,
    kind,
    severity,
    unit_id,
    detail,
    raised_at,
    cleared_at,
    workload_id
FROM public.all_alerts;
COMMENT ON COLUMN analytics.alerts.unit_id IS 'The unit it is about; null for a workload or the site';
COMMENT ON COLUMN analytics.alerts.workload_id IS 'The workload it is about; null for a unit or the site';

CREATE VIEW analytics.unbilled_usage AS
SELECT
    customer_id,
    contract_id,
    site_id,
    period_start,
    ratings,
    amount_usd_micros * 0.000001 AS amount_usd
FROM public.unbilled_usage;
COMMENT ON VIEW analytics.unbilled_usage IS 'What is rated and on no invoice yet.';
COMMENT ON COLUMN analytics.unbilled_usage.customer_id IS 'Who will pay';
COMMENT ON COLUMN analytics.unbilled_usage.contract_id IS 'The contract';
COMMENT ON COLUMN analytics.unbilled_usage.site_id IS 'Where it was used; its period waits for this site';
COMMENT ON COLUMN analytics.unbilled_usage.period_start IS
    'Start of the billing period that will bill it; of the hour where the rating does not say';
COMMENT ON COLUMN analytics.unbilled_usage.ratings IS 'How many ratings';
COMMENT ON COLUMN analytics.unbilled_usage.amount_usd IS 'What they come to, dollars';

CREATE VIEW analytics.silent_sites AS
SELECT
    site_id,
    silent_since,
    heard_at,
    customers,
    customer_ids,
    ratings,
    amount_usd_micros * 0.000001 AS amount_usd
FROM public.silent_sites;
COMMENT ON VIEW analytics.silent_sites IS
    'Sites that have collected nothing for two days, by event time or by the wall clock, and hold invoices up.';
COMMENT ON COLUMN analytics.silent_sites.site_id IS 'The site';
COMMENT ON COLUMN analytics.silent_sites.silent_since IS 'Collected up to here, event time';
COMMENT ON COLUMN analytics.silent_sites.heard_at IS
    'When it last said so, wall clock; null if it never did';
COMMENT ON COLUMN analytics.silent_sites.customers IS 'How many customers wait for it';
COMMENT ON COLUMN analytics.silent_sites.customer_ids IS 'Up to 20 of them';
COMMENT ON COLUMN analytics.silent_sites.ratings IS 'How many ratings wait for it, of any site, and are on no invoice';
COMMENT ON COLUMN analytics.silent_sites.amount_usd IS 'What they come to, dollars';

CREATE VIEW analytics.collection_waivers AS
SELECT customer_id, site_id, waived_until, waived_by, reason, waived_at, rejected
FROM public.collection_waivers;
COMMENT ON VIEW analytics.collection_waivers IS 'Waits for a silent site that an operator ended.';
COMMENT ON COLUMN analytics.collection_waivers.customer_id IS 'Whose invoices';
COMMENT ON COLUMN analytics.collection_waivers.site_id IS 'The site that is not waited for';
COMMENT ON COLUMN analytics.collection_waivers.waived_until IS 'Up to this moment';
COMMENT ON COLUMN analytics.collection_waivers.waived_by IS 'Who did it';
COMMENT ON COLUMN analytics.collection_waivers.reason IS 'Why';
COMMENT ON COLUMN analytics.collection_waivers.waived_at IS 'When';
COMMENT ON COLUMN analytics.collection_waivers.rejected IS 'Invoicing refused it: rejected_inputs says why';
