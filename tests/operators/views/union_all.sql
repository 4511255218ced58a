-- same
SELECT id, g FROM t UNION ALL SELECT id, g FROM u;

-- itself
SELECT g FROM t UNION ALL SELECT g FROM t UNION ALL SELECT i FROM t;

-- mixed
SELECT g, h FROM log UNION ALL SELECT g, h FROM bag WHERE i > 0;

-- logs
SELECT id, h FROM log WHERE g = 1 UNION ALL SELECT id, h FROM log WHERE i > 0;

-- types
SELECT i AS v FROM t UNION ALL SELECT x FROM u;

-- of_groups
SELECT 'count' AS what, count(*) AS n FROM t UNION ALL SELECT 'sum', coalesce(sum(i), 0) FROM u;

-- grouped_over
SELECT g, count(*) AS n FROM (SELECT g FROM t UNION ALL SELECT g FROM bag) AS q GROUP BY g;

-- deduplicated
SELECT g, i FROM t UNION SELECT g, i FROM bag;

-- joined
SELECT q.id, u.h FROM (SELECT id, g FROM t UNION ALL SELECT id, i FROM u) AS q JOIN u ON q.g = u.g;

-- top
SELECT v, rn
    FROM (SELECT v, k, row_number() OVER (ORDER BY v DESC, k) AS rn
    FROM (SELECT i AS v, id AS k FROM t
    UNION ALL SELECT i, id + 100 FROM u) AS q) AS r
    WHERE rn <= 3;
