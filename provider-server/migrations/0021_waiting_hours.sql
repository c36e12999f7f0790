-- What waited at each connected school when an hour began, for two days: so that figures tell what they changed by.
CREATE TABLE waiting_hours (
    hour_ms BIGINT NOT NULL,
    school_id BYTEA NOT NULL,
    pending BIGINT NOT NULL,
    parked BIGINT NOT NULL,
    held BIGINT NOT NULL,
    -- When the oldest of them was made; NULL where nothing waited.
    oldest_ms BIGINT,
    PRIMARY KEY (hour_ms, school_id)
);
