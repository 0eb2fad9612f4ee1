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
