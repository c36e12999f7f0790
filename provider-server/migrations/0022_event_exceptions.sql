-- Messages that are done and did not simply arrive at their first try: what a school's figures count. Those that wait are in
-- events_open; all others arrived at once, and are as many as the sequence leaves over. So no figure reads the history.
CREATE INDEX events_exceptions ON events (school_id, state, tries, was_parked)
    WHERE state IN ('superseded', 'discarded', 'erased') OR (state = 'delivered' AND (tries > 1 OR was_parked = 1));
