-- What one of several servers does for all, and until when on the database's clock. Empty on SQLite.
CREATE TABLE chores (
    chore TEXT PRIMARY KEY,
    node_id BYTEA NOT NULL,
    until_ms BIGINT NOT NULL
);
