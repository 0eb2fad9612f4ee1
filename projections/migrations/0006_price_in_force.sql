-- Energy costs the price in force at each moment, by the rule that metering bills by
-- (streams/prices.py): the shortest interval that holds, of equally long ones the latest to start, of
-- two words for one interval the later; where none holds, the last to end, for an hour more.

-- How far back a price that holds may have started, without reading all of them.
CREATE INDEX power_price_publications_longest ON power_price_publications
    (site_id, (interval_end - interval_start)) WHERE NOT rejected;

-- [since, until) cut wherever another publication starts, ends or is carried no further. The price is
-- null where none is in force. Runs as its owner, so that views which an analyst reads may use it.
-- Two hours before the longest: one that a price is carried, and one that a day may be short of.
CREATE FUNCTION power_price_stretches(of_site text, since timestamptz, until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, price_usd_per_mwh numeric)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 2
AS $$
    WITH longest AS MATERIALIZED (
        SELECT coalesce(max(interval_end - interval_start), '0') + interval '2 hours' AS reach
        FROM public.power_price_publications WHERE site_id = of_site AND NOT rejected
    ), near AS MATERIALIZED (
        SELECT interval_start, interval_end FROM public.power_price_publications, longest
        WHERE site_id = of_site AND NOT rejected
          AND interval_start < until AND interval_start > since - reach
          AND interval_end > since - interval '1 hour'
    ), moments AS (
        SELECT since AS at
        UNION SELECT interval_start FROM near WHERE interval_start > since
        UNION SELECT interval_end FROM near WHERE interval_end > since AND interval_end < until
        UNION SELECT interval_end + interval '1 hour' FROM near
        WHERE interval_end + interval '1 hour' < until
    )
    SELECT at, lead(at, 1, until) OVER (ORDER BY at),
           coalesce(holding.price_usd_per_mwh, carried.price_usd_per_mwh)
    FROM moments CROSS JOIN longest
    LEFT JOIN LATERAL (
        SELECT price_usd_per_mwh FROM public.power_price_publications
        WHERE site_id = of_site AND NOT rejected
          AND interval_start <= at AND interval_start > at - reach AND interval_end > at
        -- Sorted, not read in the order of power_price_publications_longest: that would be all of them.
        ORDER BY interval_end - interval_start + interval '0', interval_start DESC, "offset" DESC
        LIMIT 1
    ) holding ON true
    LEFT JOIN LATERAL (
        SELECT price_usd_per_mwh FROM public.power_price_publications
        WHERE holding.price_usd_per_mwh IS NULL AND site_id = of_site AND NOT rejected
          AND interval_start < at AND interval_start > at - reach
          AND interval_end <= at AND interval_end > at - interval '1 hour'
        ORDER BY interval_end DESC, interval_start DESC, "offset" DESC LIMIT 1
    ) carried ON true
    WHERE since < until
$$;

-- Of one interval the newest word; another length is another interval.
CREATE OR REPLACE VIEW power_prices AS
SELECT site_id, settlement_point, interval_start, interval_end, price_usd_per_mwh
FROM power_price_publications p
WHERE NOT rejected AND NOT EXISTS (
    SELECT FROM power_price_publications n
    WHERE n.site_id = p.site_id AND n.settlement_point = p.settlement_point
      AND n.interval_start = p.interval_start AND n.interval_end = p.interval_end
      AND n."offset" > p."offset" AND NOT n.rejected
);
DROP INDEX power_price_publications_newest;
CREATE INDEX power_price_publications_newest ON power_price_publications
    (interval_start DESC, site_id DESC, settlement_point DESC, interval_end DESC, "offset" DESC)
    WHERE NOT rejected;

DROP INDEX feeder_energy_first;
CREATE INDEX feeder_energy_first ON feeder_energy_readings
    (site_id, feeder_id, interval_start, "offset")
    INCLUDE (interval_end, energy_wh, mining_energy_wh, work_th) WHERE NOT rejected;

-- Prices and readings may arrive in either order: each reading is valued when it is read, at the mean
-- by time of the power prices in force in it (what has none is unpriced) and the hashprice in force at
-- its start.
CREATE OR REPLACE VIEW site_pnl_intervals AS
SELECT e.site_id, e.interval_start, e.energy_wh, e.mining_energy_wh, e.work_th,
       p.usd_per_mwh_s / nullif(p.priced_s, 0) AS price_usd_per_mwh,
       h.hashprice_usd_per_ph_day,
       e.interval_end,
       -- Wh at $/MWh are micro-dollars
       e.energy_wh * p.usd_per_mwh_s / e.length_s AS power_cost_usd_micros,
       e.energy_wh * (1 - p.priced_s / e.length_s) AS unpriced_energy_wh
FROM (
    SELECT site_id, interval_start, interval_end, sum(energy_wh) AS energy_wh,
           sum(mining_energy_wh) AS mining_energy_wh, sum(work_th) AS work_th,
           extract(epoch FROM interval_end - interval_start) AS length_s
    FROM feeder_energy GROUP BY site_id, interval_start, interval_end
) e
CROSS JOIN LATERAL (
    SELECT coalesce(sum(price_usd_per_mwh * length_s), 0) AS usd_per_mwh_s,
           coalesce(sum(length_s) FILTER (WHERE price_usd_per_mwh IS NOT NULL), 0) AS priced_s
    FROM (
        SELECT price_usd_per_mwh, extract(epoch FROM ends_at - starts_at) AS length_s
        FROM power_price_stretches(e.site_id, e.interval_start, e.interval_end)
    ) stretches
) p
LEFT JOIN LATERAL (
    SELECT hashprice_usd_per_ph_day FROM hash_price_publications h
    WHERE h.site_id = e.site_id AND h.interval_start <= e.interval_start AND NOT h.rejected
    ORDER BY h.interval_start DESC, h."offset" DESC LIMIT 1
) h ON true;

CREATE OR REPLACE VIEW site_pnl_hourly AS
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
           round(sum(unpriced_energy_wh))::bigint AS unpriced_energy_wh
    FROM (
        SELECT site_id, date_trunc('hour', interval_start, 'UTC') AS hour, 0 AS ai_revenue,
               -- work in TH at $/PH/day: 8.64e7 TH are one PH/s for a day; 1e6 micro-dollars a dollar
               coalesce(work_th * hashprice_usd_per_ph_day / 86.4, 0) AS mining_revenue,
               power_cost_usd_micros AS power_cost,
               energy_wh, mining_energy_wh, unpriced_energy_wh
        FROM site_pnl_intervals
        UNION ALL
        SELECT site_id, hour, amount_usd_micros, 0, 0, 0, 0, 0 FROM ai_revenue_hourly
    ) parts GROUP BY site_id, hour
) hours;

COMMENT ON COLUMN analytics.site_pnl_hourly.power_cost_usd IS 'Metered energy at the prices in force in its interval, by time, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.unpriced_energy_mwh IS 'Energy of the time that has no power price, so not in the cost, MWh';
COMMENT ON VIEW analytics.power_prices IS 'The newest word about the price of power, interval by interval; intervals may overlap: the shortest counts.';

-- What metering found too late for a bill that stands. The profit counts the newest prices: what it
-- and the invoices differ by is the sum of these.
CREATE TABLE billing_differences (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    at timestamptz NOT NULL,
    site_id text NOT NULL,
    reason text NOT NULL,
    feeder_id text,
    interval_start timestamptz NOT NULL,
    interval_end timestamptz NOT NULL,
    energy_wh bigint,
    price_usd_per_mwh numeric,
    billed_price_usd_per_mwh numeric,
    difference_usd_micros bigint,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX billing_differences_by_time ON billing_differences (site_id, interval_start);

CREATE VIEW analytics.billing_differences AS
SELECT
    at,
    site_id,
    reason,
    feeder_id,
    interval_start,
    interval_end,
    energy_wh * 0.000001 AS energy_mwh,
    price_usd_per_mwh,
    billed_price_usd_per_mwh,
    difference_usd_micros * 0.000001 AS difference_usd
FROM public.billing_differences;
COMMENT ON VIEW analytics.billing_differences IS 'Prices and meters that came too late for the bill, which stands: the profit counts them, the invoices do not.';
COMMENT ON COLUMN analytics.billing_differences.at IS 'When it came, by the site''s clock';
COMMENT ON COLUMN analytics.billing_differences.site_id IS 'The site';
COMMENT ON COLUMN analytics.billing_differences.reason IS 'late_price; or why metered energy is on no bill: late, contradicted, no_clock, too_far_ahead, too_long, too_many';
COMMENT ON COLUMN analytics.billing_differences.feeder_id IS 'Where it was metered; null for a price';
COMMENT ON COLUMN analytics.billing_differences.interval_start IS 'From: of the usage that was billed, or of the meter';
COMMENT ON COLUMN analytics.billing_differences.interval_end IS 'To, not included';
COMMENT ON COLUMN analytics.billing_differences.energy_mwh IS 'Billed at another price, or left out, MWh; null: it was collected too long ago to tell';
COMMENT ON COLUMN analytics.billing_differences.price_usd_per_mwh IS 'The late price; null for a meter';
COMMENT ON COLUMN analytics.billing_differences.billed_price_usd_per_mwh IS 'The mean price billed, or told by the row before; null where there was none';
COMMENT ON COLUMN analytics.billing_differences.difference_usd IS 'What the energy costs more at the late price, dollars; null for a meter, or where nobody can tell';
