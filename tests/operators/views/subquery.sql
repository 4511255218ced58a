-- among
SELECT id FROM t WHERE i IN (SELECT i FROM u);

-- among_correlated
SELECT id FROM t WHERE i IN (SELECT i FROM u WHERE u.g = t.g);

-- among_pairs
SELECT id FROM t WHERE (g, i) IN (SELECT g, i FROM u WHERE x > 0);

-- not_among
SELECT id FROM t WHERE i NOT IN (SELECT i FROM u);

-- not_among_few
SELECT id FROM t WHERE i NOT IN (SELECT i FROM u WHERE i > 0);

-- not_among_none
SELECT id FROM t WHERE g NOT IN (SELECT g FROM u WHERE id > 100);

-- among_any
SELECT id FROM t WHERE i = ANY (SELECT i FROM u);

-- among_groups
SELECT id FROM t WHERE g IN (SELECT g FROM u GROUP BY g HAVING sum(i) > 0);

-- there_is
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.g = t.g AND u.i > 0);

-- there_is_more
SELECT id FROM t WHERE EXISTS (SELECT * FROM u WHERE u.g = t.g AND u.i > t.i);

-- there_is_none
SELECT id FROM t WHERE NOT EXISTS (SELECT * FROM u WHERE u.g = t.g AND u.id <> t.id);

-- there_is_none_null_safe
SELECT id FROM t WHERE NOT EXISTS (SELECT * FROM u WHERE u.g IS NOT DISTINCT FROM t.g);

-- there_is_any
SELECT id FROM t WHERE EXISTS (SELECT * FROM u WHERE i = 2);

-- there_is_of_itself
SELECT a.id FROM t AS a, u WHERE a.g = u.g AND EXISTS (SELECT * FROM t AS b WHERE b.g = a.g AND b.id <> u.id);

-- there_is_of_bags
SELECT g, h FROM bag WHERE EXISTS (SELECT * FROM log WHERE log.g = bag.g) AND NOT EXISTS (SELECT * FROM t WHERE t.h = bag.h);

-- value
SELECT id, (SELECT max(i) FROM u) AS m FROM t;

-- value_correlated
SELECT id, (SELECT max(u.i) FROM u WHERE u.g = t.g) AS m FROM t;

-- count_correlated
SELECT id, (SELECT count(*) FROM u WHERE u.g = t.g) AS n FROM t WHERE i > 0;

-- first_correlated
SELECT id, (SELECT u.id FROM u WHERE u.g = t.g ORDER BY u.i, u.id LIMIT 1) AS f FROM t;

-- there_is_selected
SELECT id, EXISTS (SELECT * FROM u WHERE u.g = t.g) AS e FROM t;

-- equal_to_value
SELECT id FROM t WHERE i = (SELECT max(i) FROM u);

-- equal_to_correlated
SELECT id FROM t WHERE i = (SELECT min(u.i) FROM u WHERE u.g = t.g);

-- equal_to_count
SELECT id FROM t WHERE g = (SELECT count(*) FROM u WHERE u.h = t.h);

-- less_than_correlated
SELECT id FROM t WHERE i < (SELECT 2 * avg(u.i) FROM u WHERE u.g = t.g);

-- two_values
SELECT id FROM t WHERE i > (SELECT max(i) FROM u) - (SELECT min(i) FROM u);

-- in_a_disjunction
SELECT id FROM t WHERE i > (SELECT max(i) FROM u) OR g = 1 OR EXISTS (SELECT * FROM u WHERE u.h = t.h);

-- in_having
SELECT g, count(*) AS n FROM t GROUP BY g HAVING count(*) > (SELECT min(i) FROM u);

-- in_having_correlated
SELECT g, sum(i) AS s FROM t GROUP BY g HAVING sum(i) > (SELECT sum(i) FROM u WHERE u.g = t.g) ORDER BY s LIMIT 3;

-- beside_groups
SELECT g, count(*) AS n, (SELECT max(u.i) FROM u WHERE u.g = t.g) AS m FROM t GROUP BY g;

-- lateral_total
SELECT t.id, s.n, s.m FROM t, LATERAL (SELECT count(*) AS n, max(u.i) AS m FROM u WHERE u.g = t.g) AS s;

-- lateral_rows
SELECT t.id, s.i FROM t CROSS JOIN LATERAL (SELECT u.i FROM u WHERE u.g = t.g AND u.i > t.i) AS s;

-- lateral_top
SELECT t.id, s.b FROM t LEFT JOIN LATERAL (SELECT u.id AS b FROM u WHERE u.g = t.g ORDER BY u.x, u.id LIMIT 2) AS s ON true;

-- nested
SELECT id FROM t WHERE g IN (SELECT g FROM u WHERE i > (SELECT avg(i) FROM bag WHERE bag.h = u.h));

-- without_from
SELECT (SELECT count(*) FROM t) AS n, (SELECT max(i) FROM u) AS m;

-- there_is_less
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.i < t.i);

-- there_is_none_later
SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM bag WHERE bag.ts > t.ts AND bag.g <> t.g);
