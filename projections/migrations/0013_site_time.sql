-- What time it is at a site, also while nothing is heard from it; and what became of a waiver.

-- By the wall clock of the log. Of ticks from before it was kept: when it began to be.
ALTER TABLE site_ticks ADD COLUMN heard_at timestamptz NOT NULL DEFAULT now();

-- Another site's clock may be of another time, or wrong; a wall clock is of another time wherever a
-- scenario is played. So a site's time is its own last tick, and since then at least what the wall
-- clock has gone on by. Where the sites are played faster, it has gone on at the site's own pace, as
-- long as other sites were heard since, and no further than they have come.
CREATE VIEW site_times AS
WITH heard AS (
    SELECT site_id,
           max(heard_at) AS heard_at,
           coalesce(extract(epoch FROM max(at) - min(at))::float8
                    / nullif(extract(epoch FROM max(heard_at) - min(heard_at))::float8, 0), 1) AS pace
    FROM site_ticks WHERE NOT rejected GROUP BY site_id
), newest AS (
    SELECT (SELECT max(now) FROM site_clocks) AS now, (SELECT max(heard_at) FROM heard) AS heard_at
)
SELECT c.site_id,
       c.now AS clock,
       h.heard_at,
       c.now + make_interval(secs => greatest(
           0,
           extract(epoch FROM now() - h.heard_at)::float8,
           least(extract(epoch FROM newest.heard_at - h.heard_at)::float8 * h.pace,
                 extract(epoch FROM newest.now - c.now)::float8)
       )) AS now
FROM site_clocks c JOIN heard h USING (site_id) CROSS JOIN newest;

ALTER TABLE collection_waivers ADD COLUMN refused_reason text;
ALTER TABLE collection_waivers ADD COLUMN refused_detail text;
CREATE INDEX collection_waivers_by_site ON collection_waivers
    (site_id, waived_at DESC, partition DESC, "offset" DESC);

-- By its own time, or where its clock is not known the newest of any; or by the wall clock.
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
    LEFT JOIN site_times t ON t.site_id = w.site_id
    LEFT JOIN usage_collections c ON c.site_id = w.site_id AND c.customer_id = w.customer_id
    WHERE coalesce(t.now, newest.now) - coalesce(c.collected_until, w.since) > silence_patience()
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
