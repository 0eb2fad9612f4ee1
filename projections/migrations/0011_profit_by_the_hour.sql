-- Profit by the hour, cut at the hours and at every change of a price, and rolled up: a question about
-- years reads one row an hour, and computes nothing again.
--
-- A roll-up is a function of the tables of the read models. Whatever changes those, a batch, a
-- refusal, a rebuild or a person, marks the hours that it touches (triggers); a marked hour is
-- computed when it is read, until the projections have rolled it up again (../rollups.py). So what the
-- views say is never late, and the same after a rebuild.

CREATE SCHEMA rollups;
COMMENT ON SCHEMA rollups IS 'Sums that views would compute again and again. Each can be dropped and made from the read models.';

CREATE TABLE rollups.feeder_hours (
    site_id text NOT NULL,
    hour timestamptz NOT NULL,
    feeder_id text NOT NULL,
    energy_wh numeric NOT NULL,
    mining_energy_wh numeric NOT NULL,
    unpriced_energy_wh numeric NOT NULL,
    power_cost_usd_micros numeric NOT NULL,
    mining_revenue_usd_micros numeric NOT NULL,
    PRIMARY KEY (site_id, hour, feeder_id)
);

-- The sums of those.
CREATE TABLE rollups.site_hours (
    site_id text NOT NULL,
    hour timestamptz NOT NULL,
    energy_wh numeric NOT NULL,
    mining_energy_wh numeric NOT NULL,
    unpriced_energy_wh numeric NOT NULL,
    power_cost_usd_micros numeric NOT NULL,
    mining_revenue_usd_micros numeric NOT NULL,
    PRIMARY KEY (site_id, hour)
);

-- An hour may stand here several times: whoever marks one waits for nobody else who does.
CREATE TABLE rollups.stale_hours (
    site_id text NOT NULL,
    hour timestamptz NOT NULL
);
CREATE INDEX stale_hours_newest ON rollups.stale_hours (hour, site_id);

-- So that nobody guesses how many are long: hardly any, which 0011_profit_indexes has an index for.
CREATE STATISTICS feeder_energy_lengths ON (interval_end - interval_start) FROM feeder_energy_readings;
CREATE STATISTICS power_price_lengths ON (interval_end - interval_start) FROM power_price_publications;

-- what an hour comes to ----------------------------------------------------------------------------

-- The rule of 0006, asked about each hour: in a language that keeps its plan, reading each price once.
-- What is longer than two hours has an index of its own, so that one price of a year costs nothing.
CREATE OR REPLACE FUNCTION power_price_stretches(of_site text, since timestamptz, until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, price_usd_per_mwh numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 2
    SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH near AS MATERIALIZED (
        SELECT p.interval_start, p.interval_end, p.price_usd_per_mwh, p."offset"
        FROM public.power_price_publications p
        WHERE site_id = of_site AND NOT rejected
          AND interval_start < until AND interval_start > since - interval '3 hours'
          AND interval_end > since - interval '1 hour'
        UNION ALL
        SELECT p.interval_start, p.interval_end, p.price_usd_per_mwh, p."offset"
        FROM public.power_price_publications p
        WHERE site_id = of_site AND NOT rejected AND interval_end - interval_start > interval '2 hours'
          AND interval_start <= since - interval '3 hours' AND interval_end > since - interval '1 hour'
    ), moments AS (
        SELECT since AS at
        UNION SELECT interval_start FROM near WHERE interval_start > since
        UNION SELECT interval_end FROM near WHERE interval_end > since AND interval_end < until
        UNION SELECT interval_end + interval '1 hour' FROM near
        WHERE interval_end + interval '1 hour' < until
    )
    SELECT at, lead(at, 1, until) OVER (ORDER BY at),
           coalesce(holding.price_usd_per_mwh, carried.price_usd_per_mwh)
    FROM moments
    LEFT JOIN LATERAL (
        SELECT n.price_usd_per_mwh FROM near n WHERE interval_start <= at AND interval_end > at
        ORDER BY interval_end - interval_start, interval_start DESC, "offset" DESC LIMIT 1
    ) holding ON true
    LEFT JOIN LATERAL (
        SELECT n.price_usd_per_mwh FROM near n
        WHERE holding.price_usd_per_mwh IS NULL
          AND interval_start < at AND interval_end <= at AND interval_end > at - interval '1 hour'
        ORDER BY interval_end DESC, interval_start DESC, "offset" DESC LIMIT 1
    ) carried ON true
    WHERE since < until;
END $$;

-- [since, until) cut wherever a hashprice comes into force; null before the first.
CREATE FUNCTION hash_price_stretches(of_site text, since timestamptz, until timestamptz)
RETURNS TABLE (starts_at timestamptz, ends_at timestamptz, hashprice_usd_per_ph_day numeric)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 2
    SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH moments AS (
        SELECT since AS at
        UNION SELECT interval_start FROM public.hash_price_publications
        WHERE site_id = of_site AND NOT rejected AND interval_start > since AND interval_start < until
    )
    SELECT at, lead(at, 1, until) OVER (ORDER BY at), h.hashprice_usd_per_ph_day
    FROM moments LEFT JOIN LATERAL (
        SELECT hashprice_usd_per_ph_day FROM public.hash_price_publications
        WHERE site_id = of_site AND NOT rejected AND interval_start <= at
        ORDER BY interval_start DESC, "offset" DESC LIMIT 1
    ) h ON true
    WHERE since < until;
END $$;

-- What of a whole number falls into [since, until) of [starts_at, ends_at): what there is up to
-- `until`, rounded down, less what there is up to `since`. So the shares add up to the whole.
CREATE FUNCTION share_of(
    whole numeric, starts_at timestamptz, ends_at timestamptz, since timestamptz, until timestamptz
) RETURNS numeric LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN since <= starts_at AND until >= ends_at THEN whole ELSE
        div(whole * extract(epoch FROM until - starts_at), extract(epoch FROM ends_at - starts_at))
        - div(whole * extract(epoch FROM since - starts_at), extract(epoch FROM ends_at - starts_at))
    END
$$;

-- What was metered is spread evenly over its interval. What falls into the hour is priced by the
-- prices in force in that time (power_price_stretches); work by the hashprices.
CREATE FUNCTION feeder_hour(of_site text, of_hour timestamptz)
RETURNS TABLE (
    feeder_id text, energy_wh numeric, mining_energy_wh numeric, unpriced_energy_wh numeric,
    power_cost_usd_micros numeric, mining_revenue_usd_micros numeric
)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 4
    SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH near AS (
        SELECT r.feeder_id, interval_start, interval_end, r.energy_wh, r.mining_energy_wh, work_th, "offset"
        FROM public.feeder_energy_readings r
        WHERE site_id = of_site AND NOT rejected
          AND interval_start < of_hour + interval '1 hour' AND interval_start > of_hour - interval '2 hours'
          AND interval_end > of_hour
        UNION ALL
        SELECT r.feeder_id, interval_start, interval_end, r.energy_wh, r.mining_energy_wh, work_th, "offset"
        FROM public.feeder_energy_readings r
        WHERE site_id = of_site AND NOT rejected AND interval_end - interval_start > interval '2 hours'
          AND interval_start <= of_hour - interval '2 hours' AND interval_end > of_hour
    ), first AS (
        SELECT * FROM near n WHERE NOT EXISTS (
            SELECT FROM public.feeder_energy_readings e
            WHERE e.site_id = of_site AND e.feeder_id = n.feeder_id
              AND e.interval_start = n.interval_start AND e."offset" < n."offset" AND NOT e.rejected
        )
    ), inside AS (
        SELECT f.feeder_id, greatest(interval_start, of_hour) AS since,
               least(interval_end, of_hour + interval '1 hour') AS until,
               interval_start, interval_end, f.energy_wh - f.mining_energy_wh AS ai_energy_wh,
               f.mining_energy_wh, work_th
        FROM first f WHERE interval_end > of_hour AND interval_end > interval_start
    ), shares AS MATERIALIZED (
        SELECT i.feeder_id, since, until, extract(epoch FROM until - since) AS length_s,
               public.share_of(ai_energy_wh, interval_start, interval_end, since, until) AS ai_energy_wh,
               public.share_of(i.mining_energy_wh, interval_start, interval_end, since, until)
                   AS mining_energy_wh,
               public.share_of(work_th, interval_start, interval_end, since, until) AS work_th
        FROM inside i
    ), power AS MATERIALIZED (
        SELECT * FROM public.power_price_stretches(of_site, of_hour, of_hour + interval '1 hour')
    ), hash AS MATERIALIZED (
        SELECT * FROM public.hash_price_stretches(of_site, of_hour, of_hour + interval '1 hour')
    ), means AS MATERIALIZED (
        SELECT since, until, usd_per_mwh, unpriced, usd_per_ph_day
        FROM (SELECT DISTINCT since, until, length_s FROM shares) t
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(price_usd_per_mwh * part_s), 0) / length_s AS usd_per_mwh,
                   coalesce(sum(part_s) FILTER (WHERE price_usd_per_mwh IS NULL), 0) / length_s AS unpriced
            FROM (
                SELECT price_usd_per_mwh,
                       extract(epoch FROM least(ends_at, until) - greatest(starts_at, since)) AS part_s
                FROM power WHERE starts_at < until AND ends_at > since
            ) parts
        ) p
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(hashprice_usd_per_ph_day * extract(
                epoch FROM least(ends_at, until) - greatest(starts_at, since))), 0)
                / length_s AS usd_per_ph_day
            FROM hash WHERE starts_at < until AND ends_at > since
        ) h
    )
    SELECT s.feeder_id, sum(s.ai_energy_wh + s.mining_energy_wh), sum(s.mining_energy_wh),
           round(sum((s.ai_energy_wh + s.mining_energy_wh) * unpriced), 6),
           -- Wh at $/MWh are micro-dollars
           round(sum((s.ai_energy_wh + s.mining_energy_wh) * usd_per_mwh), 6),
           -- TH at $/PH/day: 8.64e7 TH are one PH/s for a day; 1e6 micro-dollars a dollar
           round(sum(s.work_th * usd_per_ph_day / 86.4), 6)
    FROM shares s JOIN means USING (since, until)
    GROUP BY s.feeder_id;
END $$;

-- which hours a change touches ---------------------------------------------------------------------

-- Whoever marks holds the lock with the others who do, until its rows can be seen; whoever rolls up
-- holds it alone (roll_up), and so sees the rows of every mark that it takes away.
CREATE FUNCTION rollups.hold_off_rolling_up() RETURNS void LANGUAGE sql
AS $$ SELECT pg_advisory_xact_lock_shared(4735826, 0) $$;

CREATE FUNCTION rollups.mark_metered() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM rollups.hold_off_rolling_up();
    INSERT INTO rollups.stale_hours
    SELECT DISTINCT site_id, hour FROM changed CROSS JOIN LATERAL generate_series(
        date_trunc('hour', interval_start, 'UTC'), interval_end - interval '1 microsecond',
        interval '1 hour') AS hour;
    RETURN NULL;
END $$;

-- A price is carried for an hour beyond its end.
CREATE FUNCTION rollups.mark_power_priced() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM rollups.hold_off_rolling_up();
    INSERT INTO rollups.stale_hours
    SELECT DISTINCT h.site_id, h.hour FROM changed c JOIN rollups.site_hours h
      ON h.site_id = c.site_id AND h.hour > c.interval_start - interval '1 hour'
     AND h.hour < c.interval_end + interval '1 hour';
    RETURN NULL;
END $$;

-- A hashprice is in force until the next one.
CREATE FUNCTION rollups.mark_hash_priced() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM rollups.hold_off_rolling_up();
    INSERT INTO rollups.stale_hours
    SELECT DISTINCT h.site_id, h.hour FROM changed c CROSS JOIN LATERAL (
        SELECT coalesce(min(interval_start), 'infinity') AS at FROM public.hash_price_publications n
        WHERE n.site_id = c.site_id AND n.interval_start > c.interval_start AND NOT n.rejected
    ) next JOIN rollups.site_hours h
      ON h.site_id = c.site_id AND h.hour > c.interval_start - interval '1 hour' AND h.hour < next.at;
    RETURN NULL;
END $$;

CREATE FUNCTION rollups.mark_all() RETURNS trigger LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM rollups.hold_off_rolling_up();
    INSERT INTO rollups.stale_hours SELECT site_id, hour FROM rollups.site_hours;
    RETURN NULL;
END $$;

DO $$
DECLARE
    source text;
    mark text;
BEGIN
    FOR source, mark IN VALUES ('feeder_energy_readings', 'mark_metered'),
        ('power_price_publications', 'mark_power_priced'), ('hash_price_publications', 'mark_hash_priced')
    LOOP
        EXECUTE format('CREATE TRIGGER rollups_inserted AFTER INSERT ON %I
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION rollups.%I()', source, mark);
        EXECUTE format('CREATE TRIGGER rollups_updated AFTER UPDATE ON %I
            REFERENCING NEW TABLE AS changed EXECUTE FUNCTION rollups.%I()', source, mark);
        EXECUTE format('CREATE TRIGGER rollups_replaced AFTER UPDATE ON %I
            REFERENCING OLD TABLE AS changed EXECUTE FUNCTION rollups.%I()', source, mark);
        EXECUTE format('CREATE TRIGGER rollups_deleted AFTER DELETE ON %I
            REFERENCING OLD TABLE AS changed EXECUTE FUNCTION rollups.%I()', source, mark);
        EXECUTE format('CREATE TRIGGER rollups_truncated AFTER TRUNCATE ON %I
            EXECUTE FUNCTION rollups.mark_all()', source);
    END LOOP;
END $$;

-- The newest of the marked hours; how many it did. None while somebody is marking.
CREATE FUNCTION rollups.roll_up(at_most integer) RETURNS integer LANGUAGE plpgsql
AS $$
DECLARE
    sites text[];
    hours timestamptz[];
BEGIN
    IF NOT EXISTS (SELECT FROM rollups.stale_hours)
       OR NOT pg_try_advisory_xact_lock(4735826, 0) THEN
        RETURN 0;
    END IF;
    SELECT array_agg(site_id), array_agg(hour) INTO sites, hours FROM (
        SELECT DISTINCT hour, site_id FROM rollups.stale_hours
        ORDER BY hour DESC, site_id DESC LIMIT at_most
    ) newest;
    DELETE FROM rollups.feeder_hours h USING unnest(sites, hours) AS n (site_id, hour)
    WHERE h.site_id = n.site_id AND h.hour = n.hour;
    INSERT INTO rollups.feeder_hours (site_id, hour, feeder_id, energy_wh, mining_energy_wh,
        unpriced_energy_wh, power_cost_usd_micros, mining_revenue_usd_micros)
    SELECT n.site_id, n.hour, f.* FROM unnest(sites, hours) AS n (site_id, hour)
    CROSS JOIN LATERAL public.feeder_hour(n.site_id, n.hour) f;
    DELETE FROM rollups.site_hours h USING unnest(sites, hours) AS n (site_id, hour)
    WHERE h.site_id = n.site_id AND h.hour = n.hour;
    INSERT INTO rollups.site_hours (site_id, hour, energy_wh, mining_energy_wh,
        unpriced_energy_wh, power_cost_usd_micros, mining_revenue_usd_micros)
    SELECT site_id, hour, sum(energy_wh), sum(mining_energy_wh), sum(unpriced_energy_wh),
           sum(power_cost_usd_micros), sum(mining_revenue_usd_micros)
    FROM unnest(sites, hours) AS n (site_id, hour)
    JOIN rollups.feeder_hours h USING (site_id, hour) GROUP BY site_id, hour;
    DELETE FROM rollups.stale_hours s USING unnest(sites, hours) AS n (site_id, hour)
    WHERE s.site_id = n.site_id AND s.hour = n.hour;
    RETURN coalesce(cardinality(hours), 0);
END $$;

-- Of the rows that are here already.
INSERT INTO rollups.stale_hours
SELECT DISTINCT site_id, hour FROM feeder_energy_readings CROSS JOIN LATERAL generate_series(
    date_trunc('hour', interval_start, 'UTC'), interval_end - interval '1 microsecond',
    interval '1 hour') AS hour
WHERE NOT rejected;

-- what is read -------------------------------------------------------------------------------------

CREATE VIEW feeder_hours AS
SELECT site_id, hour, feeder_id, energy_wh, mining_energy_wh, unpriced_energy_wh,
       power_cost_usd_micros, mining_revenue_usd_micros
FROM rollups.feeder_hours h WHERE NOT EXISTS (
    SELECT FROM rollups.stale_hours s WHERE s.site_id = h.site_id AND s.hour = h.hour
)
UNION ALL
SELECT s.site_id, s.hour, f.*
FROM (SELECT DISTINCT site_id, hour FROM rollups.stale_hours) s
CROSS JOIN LATERAL feeder_hour(s.site_id, s.hour) f;

CREATE VIEW site_energy_hours AS
SELECT site_id, hour, energy_wh, mining_energy_wh, unpriced_energy_wh, power_cost_usd_micros,
       mining_revenue_usd_micros
FROM rollups.site_hours h WHERE NOT EXISTS (
    SELECT FROM rollups.stale_hours s WHERE s.site_id = h.site_id AND s.hour = h.hour
)
UNION ALL
SELECT s.site_id, s.hour, sum(f.energy_wh), sum(f.mining_energy_wh), sum(f.unpriced_energy_wh),
       sum(f.power_cost_usd_micros), sum(f.mining_revenue_usd_micros)
FROM (SELECT DISTINCT site_id, hour FROM rollups.stale_hours) s
CROSS JOIN LATERAL feeder_hour(s.site_id, s.hour) f GROUP BY s.site_id, s.hour;

-- Each row looks for what came before it: a page, or a day, is a walk along an index.
CREATE OR REPLACE VIEW feeder_energy AS
SELECT site_id, feeder_id, interval_start, interval_end, unit_ids, unit_energy_wh, unit_work_th,
       energy_wh, work_th, mining_energy_wh
FROM feeder_energy_readings r
WHERE NOT rejected AND NOT EXISTS (
    SELECT FROM feeder_energy_readings e
    WHERE e.site_id = r.site_id AND e.feeder_id = r.feeder_id AND e.interval_start = r.interval_start
      AND e."offset" < r."offset" AND NOT e.rejected
);

CREATE OR REPLACE VIEW feeder_energy_hourly AS
SELECT site_id, feeder_id, hour, energy_wh::bigint AS energy_wh,
       (energy_wh - mining_energy_wh)::bigint AS ai_energy_wh,
       mining_energy_wh::bigint AS mining_energy_wh
FROM feeder_hours;

-- Money is rounded once, here. A condition on site_id or hour reaches both halves of the union.
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
        SELECT site_id, hour, 0::bigint AS ai_revenue, mining_revenue_usd_micros AS mining_revenue,
               power_cost_usd_micros AS power_cost, energy_wh, mining_energy_wh, unpriced_energy_wh
        FROM site_energy_hours
        UNION ALL
        SELECT site_id, hour, amount_usd_micros, 0::numeric, 0::numeric, 0::numeric, 0::numeric,
               0::numeric
        FROM ai_revenue_hourly
    ) parts GROUP BY site_id, hour
) hours;
DROP VIEW site_pnl_intervals;

-- A rating over several hours counted in its first one. Where there is any, AI revenue by the hour is
-- read again from its log.
DO $$
BEGIN
    IF EXISTS (SELECT FROM usage_ratings WHERE interval_end - interval_start > '1 hour'
               OR interval_end > date_trunc('hour', interval_start, 'UTC') + interval '1 hour') THEN
        DELETE FROM ai_revenue_hourly;
        DELETE FROM projection_marks WHERE read_model = 'ai_revenue';
        DELETE FROM projection_positions WHERE read_model = 'ai_revenue';
    END IF;
END $$;

COMMENT ON VIEW analytics.site_pnl_hourly IS 'Profit of a site hour by hour: what AI and mining earned, less the power. What spans several hours, a meter reading or a rated usage, is spread evenly over them.';
COMMENT ON COLUMN analytics.site_pnl_hourly.ai_revenue_usd IS 'What rated usage costs its customers, spread by time over the hours it spans (all in the first where the rating does not say its end), to the micro-dollar, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.mining_revenue_usd IS 'Metered work at the hashprices in force, by time, dollars';
COMMENT ON COLUMN analytics.site_pnl_hourly.power_cost_usd IS 'Metered energy at the prices in force, by time, dollars';
COMMENT ON VIEW analytics.feeder_energy_hourly IS 'Energy by feeder and hour; a reading over several hours is spread evenly over them, in whole watt-hours.';
