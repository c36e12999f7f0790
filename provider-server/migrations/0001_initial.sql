-- One text for SQLite and PostgreSQL. Times are integer milliseconds UTC, booleans are 0 or 1, ids are 16 bytes.
-- Sealed columns hold the versioned format of sealing.rs.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);

-- Data keys, wrapped with a key-encryption key. scope names what a key is for: school:…, district:…, audit, tls.
CREATE TABLE data_keys (
    key_id BYTEA PRIMARY KEY,
    scope TEXT NOT NULL UNIQUE,
    wrapped BYTEA NOT NULL,
    created_ms BIGINT NOT NULL
);

CREATE TABLE staff (
    staff_id BYTEA PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    role TEXT NOT NULL,
    disabled BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL,
    last_login_ms BIGINT
);
CREATE TABLE staff_districts (
    staff_id BYTEA NOT NULL,
    district_id BYTEA NOT NULL,
    PRIMARY KEY (staff_id, district_id)
);
-- Tokens are stored as SHA-256.
CREATE TABLE sessions (
    token_hash BYTEA PRIMARY KEY,
    staff_id BYTEA NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL
);
CREATE INDEX sessions_by_staff ON sessions (staff_id);
-- Failed sign-ins and wrong codes, per subject (account, address or code), in a sliding window.
CREATE TABLE login_limits (
    subject TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    window_start_ms BIGINT NOT NULL,
    locked_until_ms BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE districts (
    district_id BYTEA PRIMARY KEY,
    sourced_id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    birth_date BIGINT NOT NULL DEFAULT 0,
    created_ms BIGINT NOT NULL
);

-- A school with its connection. state: not_connected, enrolling, active, paused, held, revoked, compromised.
-- health, while active: ok, failing, down.
CREATE TABLE schools (
    school_id BYTEA PRIMARY KEY,
    district_id BYTEA NOT NULL,
    sourced_id TEXT NOT NULL,
    name TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    head_sequence BIGINT NOT NULL DEFAULT 0,
    log_sequence BIGINT NOT NULL DEFAULT 0,
    -- Whether a connection was ever active: only then changes make events.
    ever_connected BIGINT NOT NULL DEFAULT 0,
    digest_key BYTEA NOT NULL,
    state TEXT NOT NULL DEFAULT 'not_connected',
    reason TEXT NOT NULL DEFAULT '',
    paused_until_ms BIGINT,
    url TEXT NOT NULL DEFAULT '',
    own_receiver BIGINT NOT NULL DEFAULT 0,
    max_tries BIGINT NOT NULL DEFAULT 5,
    -- Comma-separated ms.
    retry_delays TEXT NOT NULL DEFAULT '5000,30000,180000,1080000',
    probe_ms BIGINT NOT NULL DEFAULT 900000,
    timeout_ms BIGINT NOT NULL DEFAULT 15000,
    max_in_flight BIGINT NOT NULL DEFAULT 32,
    health TEXT NOT NULL DEFAULT 'ok',
    -- While failing or down: when the next trial or probe is due, and the wait before the one after.
    retry_at_ms BIGINT NOT NULL DEFAULT 0,
    probe_wait_ms BIGINT NOT NULL DEFAULT 0,
    -- Grows with every change of what an attempt depends on (url, secrets, policy, state).
    connection_version BIGINT NOT NULL DEFAULT 0,
    last_delivered_ms BIGINT,
    installation_host TEXT NOT NULL DEFAULT '',
    installation_token_hash BYTEA,
    -- A sync after an activation: runs while set; the sourcedId of the last student done, empty at first.
    sync_from BYTEA,
    UNIQUE (district_id, sourced_id)
);
CREATE INDEX schools_by_token ON schools (installation_token_hash);
CREATE INDEX schools_by_sourced_id ON schools (sourced_id);
CREATE INDEX schools_by_name ON schools (name, school_id);

-- Signing secrets. state: pending (handed over, not confirmed), active, retiring (signs until expires_ms), ended.
CREATE TABLE secrets (
    secret_id BYTEA PRIMARY KEY,
    school_id BYTEA NOT NULL,
    state TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    fingerprint TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT,
    last_verified_ms BIGINT,
    -- The hash of the claim key it was handed to, and the nonce to be proved, while pending.
    claim_hash BYTEA,
    nonce BYTEA,
    overlap_ms BIGINT NOT NULL DEFAULT 86400000
);
CREATE INDEX secrets_by_school ON secrets (school_id, state);

-- Enrollment codes. state: issued, claimed, confirmed, expired, revoked, locked, compromised.
CREATE TABLE codes (
    code_id BYTEA PRIMARY KEY,
    school_id BYTEA NOT NULL,
    secret_hash BYTEA NOT NULL,
    state TEXT NOT NULL,
    wrong_tries BIGINT NOT NULL DEFAULT 0,
    issued_by TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    claim_hash BYTEA,
    claimed_ms BIGINT,
    claimed_host TEXT NOT NULL DEFAULT '',
    secret_id BYTEA,
    -- The installation token, sealed, while it may be asked for again.
    token_sealed BYTEA,
    confirmed_ms BIGINT,
    -- What the confirm answered, so that a lost answer can be repeated.
    start_after BIGINT
);
CREATE INDEX codes_by_school ON codes (school_id, created_ms);

-- The current state of each student; earlier ones are in student_versions.
CREATE TABLE students (
    student_id BYTEA PRIMARY KEY,
    district_id BYTEA NOT NULL,
    sourced_id TEXT NOT NULL,
    status TEXT NOT NULL,
    version BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    doc TEXT NOT NULL,
    UNIQUE (district_id, sourced_id)
);
CREATE TABLE student_versions (
    student_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    modified_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    doc TEXT NOT NULL,
    PRIMARY KEY (student_id, version)
);

-- What each school holds, or held, of each student: its projection.
CREATE TABLE school_students (
    school_id BYTEA NOT NULL,
    sourced_id TEXT NOT NULL,
    student_id BYTEA NOT NULL,
    -- 1 while the student is at the school.
    present BIGINT NOT NULL,
    -- Of the last change that altered this projection.
    version BIGINT NOT NULL,
    modified_ms BIGINT NOT NULL,
    -- 0 before any event was made.
    last_sequence BIGINT NOT NULL DEFAULT 0,
    digest BYTEA NOT NULL,
    PRIMARY KEY (school_id, sourced_id)
);

-- One event per school concerned, and the single delivery that it has.
-- state: pending, delivered, parked, held, superseded, discarded, erased. (In flight is known to the engine alone.)
CREATE TABLE events (
    school_id BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    event_id BYTEA NOT NULL,
    event_type TEXT NOT NULL,
    student_id BYTEA NOT NULL,
    sourced_id TEXT NOT NULL,
    student_version BIGINT NOT NULL,
    change_id BYTEA NOT NULL,
    created_ms BIGINT NOT NULL,
    body_bytes BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    -- Tries made, over all triggers, and of them the automatic ones.
    tries BIGINT NOT NULL DEFAULT 0,
    automatic_tries BIGINT NOT NULL DEFAULT 0,
    due_ms BIGINT NOT NULL DEFAULT 0,
    -- What the next try is: automatic, resend, replay, probe.
    next_trigger TEXT NOT NULL DEFAULT 'automatic',
    settled_ms BIGINT,
    was_parked BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (school_id, sequence)
);
CREATE UNIQUE INDEX events_by_id ON events (event_id);
-- Work that is not done: small, whatever the history.
CREATE INDEX events_open ON events (school_id, sequence) WHERE state IN ('pending', 'parked', 'held');
CREATE INDEX events_by_student ON events (school_id, student_id, sequence);

-- Sealed bodies live apart, so that a purge deletes rows.
CREATE TABLE event_bodies (
    event_id BYTEA PRIMARY KEY,
    created_ms BIGINT NOT NULL,
    sealed BYTEA NOT NULL
);

-- The delivery log. status: delivered, retrying, parked, held, failed.
CREATE TABLE attempts (
    school_id BYTEA NOT NULL,
    log_sequence BIGINT NOT NULL,
    event_id BYTEA NOT NULL,
    event_type TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    student_id BYTEA,
    sourced_id TEXT NOT NULL DEFAULT '',
    at_ms BIGINT NOT NULL,
    trigger_kind TEXT NOT NULL,
    try_number BIGINT NOT NULL,
    status TEXT NOT NULL,
    cause TEXT NOT NULL DEFAULT '',
    -- A word that narrows the cause, for the explanation: expired, wrong_name, refused, …
    detail TEXT NOT NULL DEFAULT '',
    code BIGINT NOT NULL DEFAULT 0,
    latency_us BIGINT NOT NULL DEFAULT 0,
    first_byte_us BIGINT NOT NULL DEFAULT 0,
    request_bytes BIGINT NOT NULL DEFAULT 0,
    response_bytes BIGINT NOT NULL DEFAULT 0,
    next_ms BIGINT,
    clock_skew_s BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (school_id, log_sequence)
);
CREATE INDEX attempts_by_event ON attempts (event_id);
-- What was no first, automatic success: a small part, and what the log is mostly asked for.
CREATE INDEX attempts_trouble ON attempts (school_id, log_sequence)
    WHERE status <> 'delivered' OR try_number > 1 OR trigger_kind <> 'automatic';

-- The answers worth keeping: sealed headers and body of failures, and who signed.
CREATE TABLE attempt_answers (
    school_id BYTEA NOT NULL,
    log_sequence BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (school_id, log_sequence)
);

CREATE TABLE idempotency (
    credential TEXT NOT NULL,
    district_id BYTEA NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_mac BYTEA NOT NULL,
    student_id BYTEA NOT NULL,
    version BIGINT NOT NULL,
    change_id BYTEA,
    events BIGINT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (credential, district_id, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_ms);

-- Audit chains: one per district (by its id) and one for the installation ('installation').
CREATE TABLE audit (
    chain TEXT NOT NULL,
    number BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    actor TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    mac BYTEA NOT NULL,
    PRIMARY KEY (chain, number)
);
CREATE TABLE audit_heads (
    chain TEXT PRIMARY KEY,
    entries BIGINT NOT NULL,
    mac BYTEA NOT NULL,
    -- MAC over (chain, entries, mac): a cut of the newest rows is found too.
    seal BYTEA NOT NULL
);

CREATE TABLE import_runs (
    run_id BYTEA PRIMARY KEY,
    district_id BYTEA NOT NULL,
    state TEXT NOT NULL,
    phase TEXT NOT NULL,
    file_name TEXT NOT NULL,
    profile TEXT NOT NULL,
    version TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT '',
    zip_sha256 BYTEA,
    newest_source_ms BIGINT,
    rows_read BIGINT NOT NULL DEFAULT 0,
    rows_total BIGINT NOT NULL DEFAULT 0,
    -- JSON: counts, per-school counts, holds. Never personal data.
    counts TEXT NOT NULL DEFAULT '{}',
    applied BIGINT NOT NULL DEFAULT 0,
    -- The last staged row that was applied (durable cursor), and that was undone.
    apply_cursor BIGINT NOT NULL DEFAULT 0,
    without_deletions BIGINT NOT NULL DEFAULT 0,
    undo_skipped BIGINT NOT NULL DEFAULT 0,
    error TEXT NOT NULL DEFAULT '',
    started_by TEXT NOT NULL,
    started_ms BIGINT NOT NULL,
    finished_ms BIGINT
);
CREATE INDEX import_runs_by_district ON import_runs (district_id, started_ms);

-- Staged rows, sealed with the district's data key; gone once the run is applied, discarded or cancelled.
-- kind: org, student, rejected, delete.
CREATE TABLE import_rows (
    run_id BYTEA NOT NULL,
    row_number BIGINT NOT NULL,
    kind TEXT NOT NULL,
    sourced_id TEXT NOT NULL,
    line BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (run_id, row_number)
);
CREATE INDEX import_rows_by_id ON import_rows (run_id, sourced_id);

CREATE TABLE import_problems (
    run_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    severity TEXT NOT NULL,
    file TEXT NOT NULL,
    line BIGINT NOT NULL,
    sourced_id TEXT NOT NULL,
    field TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    how_to_fix TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
);

-- What a run did to whom, for 24 h: the version before (0 = created) and the version it made.
CREATE TABLE import_changes (
    run_id BYTEA NOT NULL,
    student_id BYTEA NOT NULL,
    version_before BIGINT NOT NULL,
    version_after BIGINT NOT NULL,
    PRIMARY KEY (run_id, student_id)
);
