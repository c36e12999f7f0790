-- SQLite alone: what it is told of the tables that grow. Without any figure it takes a table's own order for the best way in,
-- however few rows an index would leave, and reads a school's whole history. PostgreSQL counts by itself, and changes its
-- plans with what it counted; these figures stay, and so do the plans. They are those of a district of a hundred schools.
-- The last figure of `events_open` is too large, so that one message that is named is looked for by its own key.
-- What is counted first is one small table, because only that makes the tables that the figures are kept in.
ANALYZE meta;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('events', 'events', '1000000 10000 1'),
    ('events', 'events_by_id', '1000000 1'),
    ('events', 'events_open', '1000 100 10'),
    ('events', 'events_by_student', '1000000 10000 10 1'),
    ('events', 'events_exceptions', '10000 1000 300 100 50'),
    ('events', 'events_parked_alone', '100 10'),
    ('attempts', 'attempts', '1000000 10000 1'),
    ('attempts', 'attempts_by_event', '1000000 2'),
    ('attempts', 'attempts_trouble', '10000 100 2');
-- Also for the connection that is open.
ANALYZE sqlite_schema;
