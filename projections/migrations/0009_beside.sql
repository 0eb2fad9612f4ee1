-- transactional: false

-- Where a read model is filled anew, beside the rows that go on being served (../shadow.py), and the
-- indexes of the lists that had none. Each statement may be repeated: what failed half way is made
-- again. Nothing here locks out a reader or a writer, however large the tables are.

CREATE SCHEMA IF NOT EXISTS rebuilding;
COMMENT ON SCHEMA rebuilding IS 'Read models that are being filled anew: the same tables, beside those that are served, with positions of their own.';

CREATE TABLE IF NOT EXISTS rebuilding.projection_positions (LIKE public.projection_positions INCLUDING ALL);
CREATE TABLE IF NOT EXISTS rebuilding.projection_marks (LIKE public.projection_marks INCLUDING ALL);
CREATE TABLE IF NOT EXISTS rebuilding.fills (
    read_model text PRIMARY KEY,
    code_sha256 text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rebuilding.fills IS 'Read models that are being filled, and by which code: other code does not go on with the rows of this one.';

-- An index that is made beside the writers waits for old transactions, and nobody waits for it: it may
-- do so for longer. Then it is said who has one open, and it is made again.
SET lock_timeout = '20s';
DROP INDEX CONCURRENTLY IF EXISTS decisions_newest;
CREATE INDEX CONCURRENTLY decisions_newest ON decisions (at DESC, decision_id DESC);
DROP INDEX CONCURRENTLY IF EXISTS decisions_by_kind;
CREATE INDEX CONCURRENTLY decisions_by_kind ON decisions (kind, at DESC)
    INCLUDE (site_id, value_usd_micros_per_hour, bound_usd_micros_per_hour);
