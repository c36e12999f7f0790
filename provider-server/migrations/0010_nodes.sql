-- Several servers on one PostgreSQL. SQLite has one server, and these tables stay empty there.

-- Each connection that writes leaves the id of its last commit: so an outcome that was not answered can be looked up.
CREATE TABLE writers (
    writer_id BYTEA PRIMARY KEY,
    commit_id BYTEA NOT NULL,
    at_ms BIGINT NOT NULL
);

-- Servers that run. The lease is on the database's clock; a server whose lease is over counts as dead.
CREATE TABLE nodes (
    node_id BYTEA PRIMARY KEY,
    leased_until_ms BIGINT NOT NULL
);

-- Whose work a school's deliveries are. A lane whose server is dead, or has none, may be taken. The token grows with each
-- taking: what is recorded with an older one is refused.
CREATE TABLE lanes (
    school_id BYTEA PRIMARY KEY,
    node_id BYTEA,
    token BIGINT NOT NULL DEFAULT 0,
    -- Grows when open messages were changed by an act of staff: whoever works on the lane reads them again.
    wakes BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX lanes_by_node ON lanes (node_id);
INSERT INTO lanes (school_id) SELECT school_id FROM schools WHERE ever_connected = 1;

-- The server that works on a run; none while it rests.
ALTER TABLE import_runs ADD COLUMN node_id BYTEA;
