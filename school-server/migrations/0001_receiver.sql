-- One row: whose data this is and how far the sequence is complete.
CREATE TABLE receiver (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    school_id TEXT NOT NULL,
    school_sourced_id TEXT NOT NULL,
    school_name TEXT NOT NULL,
    district_sourced_id TEXT NOT NULL,
    -- Nothing is missing up to here.
    contiguous BIGINT NOT NULL,
    -- Received ranges above it, as `low-high,low-high`.
    ranges TEXT NOT NULL
);
INSERT INTO receiver VALUES (1, '', '', '', '', 0, '');

-- The dedupe memory, kept without end: what arrived under which id. 48 bytes a message.
CREATE TABLE seen (
    event_id BYTEA PRIMARY KEY,
    body_sha256 BYTEA NOT NULL
) WITHOUT ROWID;

-- The roster: the projection in canonical bytes while the student is here, else a tombstone with its version.
CREATE TABLE student (
    sourced_id TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    gone INTEGER NOT NULL,
    json TEXT NOT NULL,
    -- Lower-case text that a search looks into.
    search TEXT NOT NULL,
    received_at_ms BIGINT NOT NULL
) WITHOUT ROWID;

-- Verified messages of a type that this version does not know; looked at again after an upgrade.
CREATE TABLE kept (
    event_id BYTEA PRIMARY KEY,
    event_type TEXT NOT NULL,
    body BYTEA NOT NULL,
    received_at_ms BIGINT NOT NULL
) WITHOUT ROWID;

-- Every request that was answered, newest last; refused ones are a ring.
CREATE TABLE received (
    number INTEGER PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    verdict INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    result TEXT NOT NULL,
    code INTEGER NOT NULL,
    latency_us BIGINT NOT NULL,
    student_sourced_id TEXT NOT NULL
);
CREATE INDEX received_by_verdict ON received (verdict, number);

-- What somebody should look at.
CREATE TABLE alert (
    number INTEGER PRIMARY KEY,
    at_ms BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    words TEXT NOT NULL
);
