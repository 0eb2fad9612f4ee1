-- A site's clock that wrong ticks had moved is set by an operator: from there on only later ticks count.

CREATE TABLE site_clock_corrections (
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    site_id text NOT NULL,
    corrected_at timestamptz NOT NULL,
    now timestamptz NOT NULL,
    corrected_by text NOT NULL,
    reason text NOT NULL,
    rejected boolean NOT NULL DEFAULT false,
    PRIMARY KEY (partition, "offset")
);
CREATE INDEX site_clock_corrections_newest ON site_clock_corrections (site_id, "offset" DESC) WHERE NOT rejected;

CREATE OR REPLACE VIEW site_clocks AS
WITH corrected AS (
    SELECT DISTINCT ON (site_id) site_id, "offset", now
    FROM site_clock_corrections
    WHERE NOT rejected
    ORDER BY site_id, "offset" DESC
)
SELECT t.site_id, coalesce(max(t.at) FILTER (WHERE t."offset" > c."offset"), max(c.now), max(t.at)) AS now
FROM site_ticks t
LEFT JOIN corrected c USING (site_id)
WHERE NOT t.rejected
GROUP BY t.site_id;

CREATE VIEW analytics.clock_corrections AS
SELECT site_id, corrected_at, now, corrected_by, reason
FROM public.site_clock_corrections
WHERE NOT rejected;
COMMENT ON VIEW analytics.clock_corrections IS 'Every time an operator set the clock of a site.';
COMMENT ON COLUMN analytics.clock_corrections.site_id IS 'The site';
COMMENT ON COLUMN analytics.clock_corrections.corrected_at IS 'When, by the clock as it stood before';
COMMENT ON COLUMN analytics.clock_corrections.now IS 'What the clock was set to';
COMMENT ON COLUMN analytics.clock_corrections.corrected_by IS 'Who set it';
COMMENT ON COLUMN analytics.clock_corrections.reason IS 'Why';
