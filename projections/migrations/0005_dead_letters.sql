-- Records that a reader refused. Kept for as long as the dead-letter topics keep theirs.

CREATE TABLE dead_letters (
    dead_letter_id text PRIMARY KEY,
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reader text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    refused_at timestamptz NOT NULL,
    recorded_at_ms bigint NOT NULL,
    key bytea,
    key_bytes bigint NOT NULL,
    value bytea,
    value_bytes bigint NOT NULL,
    headers jsonb NOT NULL,
    header_count bigint NOT NULL
);
CREATE INDEX dead_letters_newest ON dead_letters (refused_at DESC, dead_letter_id DESC);
CREATE INDEX dead_letters_by_topic ON dead_letters (topic, refused_at DESC, dead_letter_id DESC);
CREATE INDEX dead_letters_by_reader ON dead_letters (reader, refused_at DESC, dead_letter_id DESC);
CREATE INDEX dead_letters_by_reason ON dead_letters (reason, refused_at DESC, dead_letter_id DESC);

CREATE VIEW analytics.dead_letters AS
SELECT
    dead_letter_id,
    topic,
    partition,
    "offset",
    reader,
    reason,
    detail,
    refused_at,
    key_bytes,
    value_bytes,
    header_count
FROM public.dead_letters;
COMMENT ON VIEW analytics.dead_letters IS 'Records that a reader refused: one a record, and one more for each reader that alone could not answer or store it. What they held is in the API.';
COMMENT ON COLUMN analytics.dead_letters.dead_letter_id IS 'The dead letter';
COMMENT ON COLUMN analytics.dead_letters.topic IS 'Where the record is';
COMMENT ON COLUMN analytics.dead_letters.partition IS 'Its partition';
COMMENT ON COLUMN analytics.dead_letters."offset" IS 'Its offset';
COMMENT ON COLUMN analytics.dead_letters.reader IS 'Who wrote the dead letter';
COMMENT ON COLUMN analytics.dead_letters.reason IS 'A code, for example malformed_body';
COMMENT ON COLUMN analytics.dead_letters.detail IS 'A sentence';
COMMENT ON COLUMN analytics.dead_letters.refused_at IS 'When, by the broker''s clock';
COMMENT ON COLUMN analytics.dead_letters.key_bytes IS 'Size of the record''s key';
COMMENT ON COLUMN analytics.dead_letters.value_bytes IS 'Size of the record''s value';
COMMENT ON COLUMN analytics.dead_letters.header_count IS 'How many headers it has';
