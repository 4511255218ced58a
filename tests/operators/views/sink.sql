-- rows
SELECT id, g, h, i FROM t WHERE i IS NOT NULL;
-- groups
SELECT g, count(*) AS n, sum(i) AS total, min(h) AS least FROM t GROUP BY g;
-- whole
SELECT count(*) AS n, max(i) AS most FROM u;
-- pairs
SELECT t.id, u.id AS other, t.h, u.i FROM t JOIN u ON t.g = u.g;
-- outer_pairs
SELECT t.id, t.g, u.id AS other, u.h FROM t LEFT JOIN u ON t.id = u.id;
-- best
SELECT id, g, i FROM (SELECT id, g, i, row_number() OVER (PARTITION BY g ORDER BY i DESC, id) AS rn FROM t) AS r WHERE rn <= 2;
-- recent
SELECT id, ts FROM t WHERE ts > now() - INTERVAL '20 seconds';
-- both
SELECT id, h FROM t UNION ALL SELECT id, h FROM u;
-- bags
SELECT g, h FROM bag;
-- distinct_rows
SELECT DISTINCT g, h FROM bag;
-- logged
SELECT g, h, x FROM log;
