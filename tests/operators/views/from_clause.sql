-- crossed
SELECT t.id AS a, u.id AS b FROM t CROSS JOIN u;

-- crossed_with_condition
SELECT t.id AS a, u.id AS b FROM t, u WHERE t.i < u.i;

-- natural
SELECT * FROM (SELECT id, g FROM t) AS a NATURAL JOIN (SELECT g, h FROM u) AS b;

-- equal_nulls
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g IS NOT DISTINCT FROM u.g;

-- in_another_order
SELECT t.id AS a, u.id AS b, bag.i FROM t, u, bag WHERE t.g = bag.g AND bag.h = u.h;

-- disjoined
SELECT t.id AS a, u.id AS b FROM t, u WHERE t.g = u.g AND (t.i = 1 AND u.i = 2 OR t.i = 2 AND u.i = 1);

-- in_parentheses
SELECT t.id AS a, u.id AS b, bag.i FROM t JOIN (u JOIN bag ON u.h = bag.h) ON t.g = u.g;

-- under_its_own_name
WITH t AS (SELECT id, g FROM t WHERE i > 0) SELECT g, count(*) AS n FROM t GROUP BY g;

-- shared
WITH c AS (SELECT g, count(*) AS n FROM t GROUP BY g) SELECT a.g, a.n, b.n AS m FROM c AS a JOIN c AS b ON a.n = b.n;

-- shared_scan
WITH c AS (SELECT id, g, i + 1 AS j FROM t WHERE i > -2) SELECT a.id AS a, b.id AS b FROM c AS a LEFT JOIN c AS b ON a.j = b.g;

-- renamed
SELECT s.a, s.b FROM (SELECT id, g FROM t) AS s(a, b);

-- filtered_by_one_row
SELECT t.id, m.m FROM t CROSS JOIN (SELECT max(i) AS m FROM u) AS m WHERE t.i < m.m;

-- of_other_types
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.i = u.n;

-- soft_condition
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g AND t.x::int + u.i > 0;

-- ungrouped
SELECT t.id AS a, u.id AS b FROM t JOIN u ON t.g = u.g AND t.i / nullif(u.i, 0) > 0;

-- equality_in_every_branch
SELECT t.id AS a, u.id AS b FROM t, u WHERE (t.g = u.g AND t.i = 1) OR (t.g = u.g AND u.i = 2);

-- in_capitals
SELECT T.ID AS a, W.window_start FROM TUMBLE(T, TS, INTERVAL '5 seconds') AS W JOIN T ON T.ID = W.ID;
