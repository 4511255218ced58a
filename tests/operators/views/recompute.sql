-- windowed
SELECT id, g, sum(i) OVER (PARTITION BY g ORDER BY id) AS s FROM t;

-- in_any_order
SELECT g, array_agg(i ORDER BY i, id) AS l FROM t GROUP BY g;

-- correlated_condition
SELECT id FROM t WHERE i > (SELECT max(u.i) FROM u WHERE u.g <> t.g);

-- doubled
SELECT g, h, i FROM bag ORDER BY g, h, i LIMIT 3;

-- over_recomputed
SELECT r.g, count(*) AS n, max(r.p) AS p
    FROM (SELECT g, percent_rank() OVER (ORDER BY g) AS p FROM bag) AS r
    GROUP BY r.g;

-- timed
SELECT g, count(*) AS n FROM t WHERE ts > now() - interval '20 seconds' OR i = 0 GROUP BY g;

-- among_selected
SELECT id, i IN (SELECT i FROM u) AS m FROM t;

-- not_among_correlated
SELECT id FROM t WHERE i NOT IN (SELECT i FROM u WHERE u.g <> t.g);

-- less_than_all
SELECT id FROM t WHERE i < ALL (SELECT i FROM u WHERE u.g = t.g);
