-- A workload may wait before any site has it: the queue of its pool stands beside those of the sites,
-- named '/' and the pool, which no site can be called.

CREATE INDEX workloads_waiting ON workloads
    ((coalesce(site_id, '/' || pool)), (-priority), queue_offset, workload_id)
    WHERE state = 'queued' AND queued_at IS NOT NULL;
DROP INDEX workloads_queued;

CREATE OR REPLACE VIEW queue AS
SELECT row_number() OVER (PARTITION BY coalesce(site_id, '/' || pool)
                          ORDER BY -priority, queue_offset, workload_id) AS queue_position,
       w.*
FROM workloads w WHERE state = 'queued' AND queued_at IS NOT NULL
ORDER BY coalesce(site_id, '/' || pool), -priority, queue_offset, workload_id;

COMMENT ON COLUMN analytics.queue.site_id IS 'The site; null while none can take it';
COMMENT ON COLUMN analytics.queue.queue_position IS 'Place in the queue of its site, or of its pool while no site has it, from 1';

-- What runs long past its stated duration is an alert about a workload.
ALTER TABLE alerts ADD COLUMN workload_id text;
CREATE INDEX alerts_by_workload ON alerts (workload_id, raised_at DESC, alert_id DESC)
    WHERE workload_id IS NOT NULL;

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
FROM public.alerts;
COMMENT ON COLUMN analytics.alerts.unit_id IS 'The unit it is about; null for a workload or the site';
COMMENT ON COLUMN analytics.alerts.workload_id IS 'The workload it is about; null for a unit or the site';
