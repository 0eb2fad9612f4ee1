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
