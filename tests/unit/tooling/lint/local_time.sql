-- bad
CREATE TABLE w (at timestamp);
CREATE VIEW x AS SELECT a FROM t WHERE ts > '2026-01-01 00:00:00'::timestamptz;
CREATE VIEW y AS SELECT ts::timestamp AS l FROM t;

-- good
CREATE TABLE w (at timestamptz);
CREATE VIEW x AS SELECT a FROM t WHERE ts > '2026-01-01 00:00:00+00:00'::timestamptz;
