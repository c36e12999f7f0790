-- Earlier versions of the students who are here, the last 100 of each: what a history with its differences is made of. The
-- database keeps them itself, so that nothing that writes a student can forget to. Who leaves takes the history along.
CREATE TABLE student_history (
    sourced_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    json TEXT NOT NULL,
    received_at_ms BIGINT NOT NULL,
    PRIMARY KEY (sourced_id, version)
) WITHOUT ROWID;

CREATE TRIGGER student_kept AFTER UPDATE ON student WHEN OLD.gone = 0 AND NEW.gone = 0 AND NEW.version > OLD.version
BEGIN
    INSERT INTO student_history (sourced_id, version, json, received_at_ms)
        VALUES (OLD.sourced_id, OLD.version, OLD.json, OLD.received_at_ms);
    DELETE FROM student_history WHERE sourced_id = OLD.sourced_id AND version <=
        (SELECT version FROM student_history WHERE sourced_id = OLD.sourced_id ORDER BY version DESC LIMIT 1 OFFSET 100);
END;

CREATE TRIGGER student_left AFTER UPDATE ON student WHEN NEW.gone = 1
BEGIN
    DELETE FROM student_history WHERE sourced_id = NEW.sourced_id;
END;
