-- Alerts that no event tells of, because nobody on a log could: records that nobody understands, a
-- price feed that has gone silent, and a silent site that keeps drafted invoices from being final.
-- Like silent_sites they are views, so each ends when what it is about is over.

-- More dead letters of one topic than this, within the time below, are a flood.
CREATE FUNCTION dead_letter_threshold() RETURNS integer
LANGUAGE sql IMMUTABLE
AS $$ SELECT 100 $$;

CREATE FUNCTION dead_letter_window() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$ SELECT interval '5 minutes' $$;

-- Settlement prices come up to a quarter of an hour after their interval; twice that is silence.
CREATE FUNCTION power_price_patience() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$ SELECT interval '30 minutes' $$;

-- The difficulty of mining and the price of bitcoin are published daily at least.
CREATE FUNCTION hashprice_patience() RETURNS interval
LANGUAGE sql IMMUTABLE
AS $$ SELECT interval '48 hours' $$;

CREATE INDEX power_price_publications_by_end ON power_price_publications
    (site_id, interval_end DESC) INCLUDE (interval_start) WHERE NOT rejected;

CREATE VIEW dead_letter_floods AS
SELECT topic, count(*) AS letters, min(refused_at) AS since
FROM dead_letters WHERE refused_at > now() - dead_letter_window()
GROUP BY topic HAVING count(*) > dead_letter_threshold();

-- By the site's own clock. An interval that is still to come is no price of now.
CREATE VIEW stale_power_prices AS
SELECT site_id, now, since
FROM (
    SELECT c.site_id, c.now,
           coalesce((SELECT p.interval_end FROM power_price_publications p
                     WHERE p.site_id = c.site_id AND NOT p.rejected
                       AND p.interval_end <= c.now AND p.interval_start <= c.now
                     ORDER BY p.interval_end DESC LIMIT 1),
                    (SELECT min(s.configured_at) FROM site_configurations s
                     WHERE s.site_id = c.site_id AND NOT s.rejected)) AS since
    FROM site_clocks c
    WHERE NOT EXISTS (
        SELECT FROM power_price_publications p
        WHERE p.site_id = c.site_id AND NOT p.rejected
          AND p.interval_end > c.now - power_price_patience() AND p.interval_start <= c.now
    )
) sites WHERE now - since >= power_price_patience();

CREATE VIEW stale_hashprices AS
SELECT site_id, now, since
FROM (
    SELECT c.site_id, c.now,
           (SELECT p.interval_start FROM hash_price_publications p
            WHERE p.site_id = c.site_id AND NOT p.rejected AND p.interval_start <= c.now
            ORDER BY p.interval_start DESC LIMIT 1) AS since
    FROM site_clocks c
) sites WHERE now - since >= hashprice_patience();

-- A draft becomes final when every site of its period has collected its grace.
CREATE VIEW waiting_drafts AS
SELECT i.customer_id, i.contract_id, u.site_id, i.invoice_id, i.period_start, i.total_usd_micros,
       i.period_end + c.grace_s * interval '1 second' AS due_at
FROM invoices i
JOIN contracts c ON c.customer_id = i.customer_id AND c.contract_id = i.contract_id
    AND c.auto_finalize
JOIN rated_usage u ON u.customer_id = i.customer_id AND u.contract_id = i.contract_id
    AND u.period_start = i.period_start
WHERE i.state = 'drafted';

CREATE OR REPLACE VIEW silent_sites AS
WITH newest AS (
    SELECT greatest((SELECT max(now) FROM site_clocks),
                    (SELECT max(collected_until) FROM usage_collections)) AS now
), waiting AS (
    SELECT customer_id, contract_id, site_id, min(period_start) AS since, 'usage' AS what
    FROM unbilled_usage GROUP BY customer_id, contract_id, site_id
    UNION ALL
    SELECT d.customer_id, d.contract_id, d.site_id, min(d.period_start), 'draft'
    FROM waiting_drafts d
    WHERE NOT EXISTS (
        SELECT FROM usage_collections c
        WHERE c.site_id = d.site_id AND c.customer_id = d.customer_id
          AND c.collected_until >= d.due_at
    ) AND NOT EXISTS (
        SELECT FROM collection_waivers w
        WHERE w.site_id = d.site_id AND w.customer_id = d.customer_id AND NOT w.rejected
          AND w.waived_until >= d.due_at
    )
    GROUP BY d.customer_id, d.contract_id, d.site_id
), silent AS (
    SELECT w.customer_id, w.contract_id, w.site_id, w.since, w.what,
           coalesce(c.collected_until, w.since) AS silent_since, c.heard_at
    FROM waiting w CROSS JOIN newest
    LEFT JOIN usage_collections c ON c.site_id = w.site_id AND c.customer_id = w.customer_id
    WHERE newest.now - coalesce(c.collected_until, w.since) > silence_patience()
       OR now() - c.heard_at > silence_patience()
), held_up AS (
    SELECT s.site_id, s.customer_id, s.silent_since, s.heard_at,
           sum(u.ratings) AS ratings, sum(u.amount_usd_micros) AS amount_usd_micros,
           0::bigint AS drafts, 0::numeric AS drafted_usd_micros
    FROM silent s JOIN unbilled_usage u ON u.customer_id = s.customer_id
        AND u.contract_id = s.contract_id AND u.period_start >= s.since
    WHERE s.what = 'usage'
    GROUP BY s.site_id, s.customer_id, s.contract_id, s.silent_since, s.heard_at
    UNION ALL
    SELECT s.site_id, s.customer_id, s.silent_since, s.heard_at, 0, 0,
           count(*), sum(d.total_usd_micros)
    FROM silent s JOIN waiting_drafts d ON d.customer_id = s.customer_id
        AND d.contract_id = s.contract_id AND d.site_id = s.site_id AND d.due_at > s.silent_since
    WHERE s.what = 'draft'
    GROUP BY s.site_id, s.customer_id, s.contract_id, s.silent_since, s.heard_at
)
SELECT site_id,
       min(silent_since) AS silent_since,
       max(heard_at) AS heard_at,
       count(DISTINCT customer_id) AS customers,
       (array_agg(DISTINCT customer_id))[1:20] AS customer_ids,
       sum(ratings)::bigint AS ratings,
       sum(amount_usd_micros)::bigint AS amount_usd_micros,
       sum(drafts)::bigint AS drafts,
       sum(drafted_usd_micros)::bigint AS drafted_usd_micros
FROM held_up GROUP BY site_id;

CREATE FUNCTION alert_time(at timestamptz) RETURNS text
LANGUAGE sql STABLE
AS $$ SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') $$;

CREATE OR REPLACE VIEW all_alerts AS
SELECT alert_id, site_id, kind, severity, unit_id, workload_id, detail, raised_at, cleared_at, clear_reason
FROM alerts
UNION ALL
SELECT 'site_silent/' || site_id, site_id, 'site_silent', 'critical', NULL, NULL,
       format('Nothing was collected since %s: %s. '
              'To bill what is known: POST /api/v1/sites/%s/waivers.',
              alert_time(silent_since),
              concat_ws('; ',
                  CASE WHEN ratings > 0 THEN format(
                      '%s ratings%s, %s USD, wait for it and are on no invoice',
                      ratings, of_whom, round(amount_usd_micros * 0.000001, 6)) END,
                  CASE WHEN drafts > 0 THEN format(
                      '%s drafted invoices%s, %s USD, wait for it to become final',
                      drafts, of_whom, round(drafted_usd_micros * 0.000001, 6)) END),
              site_id),
       silent_since, NULL, NULL
FROM silent_sites CROSS JOIN LATERAL (
    SELECT format(' of %s customers (%s%s)', customers, array_to_string(customer_ids, ', '),
                  CASE WHEN customers > 20 THEN ', ...' ELSE '' END) AS of_whom
) whom
UNION ALL
SELECT concat_ws('/', 'usage_unpriced', site_id, customer_id, gpu_model), site_id, 'usage_unpriced',
       'warning', NULL, NULL,
       format('%s usages of %s by %s since %s have no price: the tariff lacks the model and no list '
              'price was quoted. They are rated when a tariff with the model is published to %s, '
              'effective by then.', usages, gpu_model, customer_id, alert_time(since), customer_id),
       since, NULL, NULL
FROM unpriced_usage
UNION ALL
SELECT 'power_price_stale/' || site_id, site_id, 'power_price_stale',
       CASE WHEN now < since + interval '1 hour' THEN 'warning' ELSE 'critical' END, NULL, NULL,
       format('No power price since %s, by the site''s clock at %s: the feed is silent. '
              'The last one counts for an hour; then energy has no price.',
              alert_time(since), alert_time(now)),
       since, NULL, NULL
FROM stale_power_prices
UNION ALL
SELECT 'hashprice_stale/' || site_id, site_id, 'hashprice_stale', 'warning', NULL, NULL,
       format('The newest hashprice is of %s, by the site''s clock at %s: the feed is silent. '
              'Mining is weighed by the old one.', alert_time(since), alert_time(now)),
       since, NULL, NULL
FROM stale_hashprices
UNION ALL
SELECT 'dead_letters/' || topic, NULL, 'dead_letters', 'warning', NULL, NULL,
       format('%s records of %s were refused within %s minutes: see GET /api/v1/dead-letters?topic=%s.',
              letters, topic, round(extract(epoch FROM dead_letter_window()) / 60), topic),
       since, NULL, NULL
FROM dead_letter_floods;
COMMENT ON COLUMN analytics.alerts.site_id IS 'The site; null where it is about a topic';

CREATE OR REPLACE VIEW analytics.silent_sites AS
SELECT
    site_id,
    silent_since,
    heard_at,
    customers,
    customer_ids,
    ratings,
    amount_usd_micros * 0.000001 AS amount_usd,
    drafts,
    drafted_usd_micros * 0.000001 AS drafted_usd
FROM public.silent_sites;
COMMENT ON COLUMN analytics.silent_sites.drafts IS 'How many drafted invoices wait for it to become final';
COMMENT ON COLUMN analytics.silent_sites.drafted_usd IS 'What those come to, dollars';
