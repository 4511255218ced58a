-- above
SELECT id, i FROM t WHERE i > (SELECT max(i) FROM u);

-- not_below
SELECT id, i FROM t WHERE i >= (SELECT min(i) FROM u WHERE g = 0);

-- below
SELECT id, x FROM t WHERE x < (SELECT avg(x) FROM bag);

-- not_above
SELECT id FROM u WHERE i <= (SELECT sum(i) FROM log);

-- mirrored
SELECT id, i FROM t WHERE (SELECT max(i) FROM bag) > i;

-- itself
SELECT id, i FROM t WHERE i < (SELECT max(i) FROM t);

-- numeric
SELECT id FROM t WHERE i > (SELECT min(n) FROM u);

-- clock
SELECT id, ts FROM t WHERE ts < (SELECT max(ts) FROM log) - INTERVAL '5 seconds';

-- computed
SELECT id FROM t WHERE i + 1 > (SELECT count(*) FROM bag WHERE g = 1);

-- limited
SELECT id, h FROM t WHERE h >= (SELECT h FROM u WHERE h IS NOT NULL ORDER BY h LIMIT 1);

-- absent
SELECT id FROM t WHERE i > (SELECT max(i) FROM u HAVING count(*) > 2);

-- both
SELECT id FROM t WHERE i BETWEEN (SELECT min(i) FROM u) AND (SELECT max(i) FROM bag) AND g IS NOT NULL;

-- of_log
SELECT id, g FROM log WHERE i > (SELECT min(i) FROM t);

-- of_bag
SELECT g, h FROM bag WHERE i < (SELECT max(i) FROM log);

-- of_groups
SELECT g, n FROM (SELECT g, count(*) AS n FROM bag GROUP BY g) AS c WHERE n > (SELECT count(*) FROM u WHERE i > 0);

-- grouped
SELECT g, count(*) AS n, min(x) AS m FROM t WHERE i > (SELECT sum(i) FROM bag) GROUP BY g;

-- joined
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g WHERE t.i > (SELECT min(i) FROM log) AND u.ts < now();

-- over_both
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g WHERE t.i + u.i > (SELECT count(*) FROM bag);

-- left
SELECT t.id FROM t LEFT JOIN u ON t.g = u.g WHERE u.id IS NULL AND t.ts < (SELECT max(ts) FROM log);

-- top
SELECT id
    FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY i, id) AS rn
    FROM t
    WHERE i >= (SELECT min(i) FROM log)) AS q
    WHERE rn <= 2;

-- with_cte
WITH b AS (SELECT max(i) AS m FROM u)
SELECT id FROM t WHERE i >= (SELECT m FROM b) AND id < (SELECT m + 5 FROM b);


-- of_a_row
WITH b AS (SELECT max(i) AS m FROM u) SELECT t.id, t.i FROM t, b WHERE t.i > b.m;

-- of_a_row_that_comes_first
SELECT t.id FROM (SELECT i AS m FROM u WHERE i IS NOT NULL ORDER BY i DESC, id LIMIT 1) AS b JOIN t ON b.m + 1 >= t.i;

-- of_a_row_that_is_shown
SELECT t.id, t.i, b.low, b.high FROM t, (SELECT min(i) AS low, max(i) AS high FROM bag) AS b WHERE t.i > b.low AND t.i <= b.high;

-- of_a_row_with_more_to_it
SELECT t.id, u.id AS other FROM t JOIN u ON t.g = u.g, (SELECT max(ts) AS m, count(*) AS n FROM log) AS b
    WHERE t.ts < b.m AND b.n + t.i + u.i > 2;
