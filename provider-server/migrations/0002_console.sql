-- Counts of attempts, kept by what records them, so that figures over days never read the log.
-- hour_ms is the beginning of the hour that an attempt began in; latency_step is that of model/latency.rs, -1 where it
-- is not known.
CREATE TABLE attempt_hours (
    school_id BYTEA NOT NULL,
    hour_ms BIGINT NOT NULL,
    status TEXT NOT NULL,
    latency_step BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    PRIMARY KEY (school_id, hour_ms, status, latency_step)
);
INSERT INTO attempt_hours (school_id, hour_ms, status, latency_step, attempts)
    SELECT school_id, at_ms - at_ms % 3600000, status, -1, COUNT(*) FROM attempts GROUP BY 1, 2, 3;

-- What a discard did to whom, as it was before, for 10 minutes: so that it can be taken back.
CREATE TABLE discards (
    discard_id BYTEA NOT NULL,
    school_id BYTEA NOT NULL,
    sequence BIGINT NOT NULL,
    at_ms BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    settled_ms BIGINT,
    PRIMARY KEY (discard_id, sequence)
);
CREATE INDEX discards_by_age ON discards (at_ms);

-- Whether staff asked to see the plan of a run before anything of it is applied.
ALTER TABLE import_runs ADD COLUMN review BIGINT NOT NULL DEFAULT 0;

-- Names without case and accents, for lists in their order. No index: a list reads the district's rows and keeps the first
-- ones, where an index would cost every change of every student.
ALTER TABLE students ADD COLUMN family_key TEXT NOT NULL DEFAULT '';
ALTER TABLE students ADD COLUMN given_key TEXT NOT NULL DEFAULT '';
-- The keys of rows that are older than the columns are made at the next start.
INSERT INTO meta (name, value) SELECT 'name_keys_due', student_id FROM students LIMIT 1;
