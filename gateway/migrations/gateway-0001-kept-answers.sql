-- depends:

-- What an Idempotency-Key has been answered with. The identifiers and the event time are kept
-- before the event is published, so a request repeated after a crash publishes the same event.
CREATE TABLE kept_answers (
    scope        text        NOT NULL,
    key          text        NOT NULL,
    body_sha256  bytea       NOT NULL,
    subject_id   text        NOT NULL,
    event_id     uuid        NOT NULL,
    at_ms        bigint      NOT NULL,
    answer       jsonb,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);

CREATE INDEX kept_answers_created_at ON kept_answers (created_at);
