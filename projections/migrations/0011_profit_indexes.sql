-- transactional: false

-- Indexes of 0011_profit_by_the_hour, beside the readers and writers of the tables. Each statement may
-- be repeated. What waits for old transactions here holds nobody up, and may wait for longer.

SET lock_timeout = '20s';

-- What reaches into an hour and began long before it: without reading all that began in between.
DROP INDEX CONCURRENTLY IF EXISTS feeder_energy_long;
CREATE INDEX CONCURRENTLY feeder_energy_long ON feeder_energy_readings (site_id, interval_end)
    WHERE NOT rejected AND interval_end - interval_start > interval '2 hours';
DROP INDEX CONCURRENTLY IF EXISTS power_price_publications_long;
CREATE INDEX CONCURRENTLY power_price_publications_long ON power_price_publications (site_id, interval_end)
    WHERE NOT rejected AND interval_end - interval_start > interval '2 hours';
DROP INDEX CONCURRENTLY IF EXISTS power_price_publications_longest;

-- An hour, or a day, of all feeders of a site.
DROP INDEX CONCURRENTLY IF EXISTS feeder_energy_by_time;
CREATE INDEX CONCURRENTLY feeder_energy_by_time ON feeder_energy_readings
    (site_id, interval_start, feeder_id, "offset")
    INCLUDE (interval_end, energy_wh, mining_energy_wh, work_th) WHERE NOT rejected;
DROP INDEX CONCURRENTLY IF EXISTS feeder_energy_first;

-- The newest of all sites.
DROP INDEX CONCURRENTLY IF EXISTS feeder_energy_newest;
CREATE INDEX CONCURRENTLY feeder_energy_newest ON feeder_energy_readings (interval_start DESC)
    WHERE NOT rejected;

-- The newest two years of a site, or a year of two, in seconds; the projections do what is left.
DO $$ BEGIN PERFORM rollups.roll_up(17568); END $$;
ANALYZE rollups.feeder_hours, rollups.site_hours;
