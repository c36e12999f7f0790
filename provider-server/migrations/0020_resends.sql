-- What was asked to be sent again, one message at a time or many by a replay.
CREATE TABLE replays (
    replay_id BYTEA PRIMARY KEY,
    school_id BYTEA NOT NULL,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    -- When it was cancelled.
    cancelled_ms BIGINT
);
CREATE INDEX replays_by_school ON replays (school_id, at_ms);

-- Each message of it, who asked, and what its row was before: so that the log can tell who had an attempt made, and a
-- replay can be cancelled. Messages that were queued before this table are not in it.
CREATE TABLE resends (
    event_id BYTEA NOT NULL,
    -- The replay; an id of its own for a single message.
    resend_id BYTEA NOT NULL,
    school_id BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    -- resend or replay.
    trigger_kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    -- The number of the try that it was queued as.
    from_try BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    due_ms BIGINT NOT NULL,
    next_trigger TEXT NOT NULL,
    settled_ms BIGINT,
    -- 1 once a cancel gave the row back what it was.
    taken_back BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (event_id, resend_id)
);
CREATE INDEX resends_by_replay ON resends (resend_id, sequence);
