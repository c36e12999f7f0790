-- Several servers on one PostgreSQL. SQLite has one server, and these tables stay empty there.

-- Each connection that writes leaves the id of its last commit: so an outcome that was not answered can be looked up.
CREATE TABLE writers (
    writer_id BYTEA PRIMARY KEY,
    commit_id BYTEA NOT NULL,
    at_ms BIGINT NOT NULL
);
