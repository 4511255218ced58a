-- two
SELECT t.id AS a, u.id AS b, t.x, u.h FROM t JOIN u ON t.g = u.g;

-- two_keys
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g AND t.h = u.h;

-- conditional
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g AND t.i < u.i;

-- by_key
SELECT t.id AS a, u.g AS b FROM t JOIN u ON t.id = u.id WHERE t.x > 0 AND u.i > 0;

-- three
SELECT t.id AS a, u.id AS b, bag.i FROM t JOIN u ON t.g = u.g JOIN bag ON u.h = bag.h;

-- itself
SELECT a.id AS a, b.id AS b FROM t AS a JOIN t AS b ON a.i = b.g;

-- bags
SELECT a.i AS a, b.i AS b FROM bag AS a JOIN log AS b ON a.g = b.g;

-- logs
SELECT a.id AS a, b.id AS b FROM log AS a JOIN log AS b ON a.i = b.i;

-- grouped
SELECT t.id, c.n, c.m
    FROM t
    JOIN (SELECT g, count(*) AS n, max(x) AS m
    FROM u
    GROUP BY g) AS c ON t.g = c.g;

-- group_over
SELECT t.g, count(*) AS n, sum(u.x) AS s, max(t.i) AS m FROM t JOIN u ON t.g = u.g GROUP BY t.g;

-- computed
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.i + 1 = u.i * 2;

-- comma
SELECT t.id AS a, u.id AS b FROM t, u WHERE t.g = u.g AND t.h IS NOT NULL;

-- same_column_twice
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g AND t.g = u.i;

-- less
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.i < u.i;

-- within
SELECT t.id AS a, bag.i AS b FROM t JOIN bag ON t.ts BETWEEN bag.ts - INTERVAL '10 seconds' AND bag.ts;

-- at_least_of_logs
SELECT a.id AS a, b.id AS b FROM log AS a, log AS b WHERE a.i >= b.i AND a.g <> b.g;

-- less_over_groups
SELECT t.id, c.g, c.n FROM t JOIN (SELECT g, max(i) AS n FROM u GROUP BY g) AS c ON c.n > t.i + 1;
