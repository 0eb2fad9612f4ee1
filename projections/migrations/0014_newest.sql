-- transactional: false

-- The newest of all sites, or of one, without reading a whole table. Beside the readers and writers of
-- the tables; each statement may be repeated.

SET lock_timeout = '20s';

DROP INDEX CONCURRENTLY IF EXISTS rejected_inputs_newest;
CREATE INDEX CONCURRENTLY rejected_inputs_newest ON rejected_inputs (at DESC);

DROP INDEX CONCURRENTLY IF EXISTS billing_differences_newest;
CREATE INDEX CONCURRENTLY billing_differences_newest ON billing_differences (interval_start DESC);

DROP INDEX CONCURRENTLY IF EXISTS power_plans_by_time;
CREATE INDEX CONCURRENTLY power_plans_by_time ON power_plans (site_id, at DESC);

COMMENT ON COLUMN analytics.billing_differences.reason IS 'late_price; or why metered energy is on no bill: late, contradicted, no_clock, too_far_ahead, too_long, too_many, unknown_unit';
COMMENT ON VIEW analytics.site_pnl_hourly IS 'Profit of a site hour by hour: what AI and mining earned, less the power. What spans several hours, a meter reading or a rated usage, is spread evenly over them. Name a range of hours: without one every hour of every site is read, also for the newest hundred.';
