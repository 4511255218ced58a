-- windowed
SELECT id, g, sum(i) OVER (PARTITION BY g ORDER BY id) AS s FROM t;

-- right_side
SELECT t.id AS a, u.id AS b, bag.i FROM t RIGHT JOIN u ON t.g = u.g JOIN bag ON u.h = bag.h;

-- in_any_order
SELECT g, array_agg(i ORDER BY i, id) AS l FROM t GROUP BY g;

-- correlated
SELECT t.id, (SELECT count(*) FROM u WHERE u.g < t.g) AS n FROM t;

-- correlated_condition
SELECT id FROM t WHERE i > (SELECT max(u.i) FROM u WHERE u.g <> t.g);

-- doubled
SELECT g, h, i FROM bag ORDER BY g, h, i LIMIT 3;

-- over_recomputed
SELECT r.g, count(*) AS n, max(r.p) AS p
    FROM (SELECT g, percent_rank() OVER (ORDER BY g) AS p FROM bag) AS r
    GROUP BY r.g;

-- of_a_cte
WITH c AS (SELECT g, count(*) AS n FROM t GROUP BY g)
    SELECT a.g, a.n, b.n AS m FROM c AS a JOIN c AS b ON a.n > b.n;

-- timed
SELECT g, count(*) AS n FROM t WHERE ts > now() - interval '20 seconds' OR i = 0 GROUP BY g;

-- functions
SELECT t.id, v.n FROM t CROSS JOIN LATERAL generate_series(1, t.i) AS v(n);

-- without_tables
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, s);

-- of_logs
SELECT a.id AS a, b.id AS b FROM log AS a FULL JOIN log AS b ON a.i = b.g;

-- equality
SELECT id FROM t WHERE i = (SELECT max(i) FROM u);

-- two_subqueries
SELECT id FROM t WHERE i > (SELECT max(i) FROM u) + (SELECT min(i) FROM u);

-- with_a_column_beside_it
SELECT id FROM t WHERE i > (SELECT max(i) FROM u) + id;

-- in_a_disjunction
SELECT id FROM t WHERE i > (SELECT max(i) FROM u) OR g = 1;

-- among
SELECT id FROM t WHERE i IN (SELECT i FROM u);

-- not_among
SELECT id FROM t WHERE i NOT IN (SELECT i FROM u);

-- exists
SELECT id FROM t WHERE EXISTS (SELECT i FROM u);

-- of_values
SELECT * FROM t CROSS JOIN (VALUES (1, 2)) AS v (a, b);

-- selected
SELECT id, (SELECT max(i) FROM u) AS m FROM t;

-- in_having
SELECT g, count(*) AS n FROM t GROUP BY g HAVING count(*) > (SELECT max(i) FROM u);
