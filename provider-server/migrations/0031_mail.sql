-- What mail has told of a school or of a district, so that nothing is told twice and nothing is forgotten: JSON, never
-- personal data. subject is the id.
CREATE TABLE mail_told (
    subject TEXT PRIMARY KEY,
    told TEXT NOT NULL,
    told_ms BIGINT NOT NULL
);

-- When a second party presented a code of the school last; 0 where none did.
ALTER TABLE schools ADD COLUMN alarmed_ms BIGINT NOT NULL DEFAULT 0;

-- What parked alone: few, whatever waits.
CREATE INDEX events_parked_alone ON events (school_id) WHERE state = 'parked' AND reason = 'exhausted';
