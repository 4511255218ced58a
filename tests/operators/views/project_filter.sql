-- expressions
SELECT id, i + 1 AS a, x * 2 AS b, upper(h) AS c, coalesce(g, -1) AS d, CASE WHEN i > 0 THEN 'p' WHEN i < 0
    THEN 'n' END AS e FROM t;

-- conditions
SELECT id FROM t WHERE (i > 0 OR h = 'a') AND x IS NOT NULL AND g IN (0, 1);

-- no_key
SELECT g, h FROM t WHERE i BETWEEN -1 AND 2;

-- of_bag
SELECT i, g FROM bag WHERE g = 1 OR i IS NULL;

-- of_log
SELECT *, i * i AS square FROM log WHERE h <> 'a';

-- casts
SELECT id, i::varchar AS a, x::numeric AS b, n::double precision AS c, ts::date AS d, i::bigint AS e FROM t;

-- division
SELECT id, 7 / nullif(i, 0) AS a, x / nullif(i, 0) AS b, i % nullif(g, 0) AS c FROM t;

-- times
SELECT id, ts + INTERVAL '1 minute' AS a, date_trunc('minute', ts) AS b, extract(epoch FROM ts)::bigint AS c
    FROM t
    WHERE ts > '2026-01-01 00:00:10+00:00'::timestamptz;

-- nested
SELECT a, b + 1 AS c FROM (SELECT id AS a, i * 2 AS b FROM t WHERE i IS NOT NULL) AS q WHERE b > 0;

-- with_names
WITH p AS (SELECT * FROM t WHERE i > 0), q AS (SELECT id, g FROM p WHERE g = 1) SELECT id FROM q;
