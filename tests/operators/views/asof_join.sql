-- at_most
SELECT t.id AS a, u.id AS b, u.i FROM t ASOF JOIN u ON t.g = u.g AND t.i >= u.i;

-- less
SELECT t.id AS a, u.id AS b FROM t ASOF JOIN u ON t.g = u.g AND t.i < u.i;

-- left
SELECT t.id AS a, t.i, u.id AS b, u.h FROM t ASOF LEFT JOIN u ON t.g = u.g AND t.ts > u.ts;

-- left_flipped
SELECT t.id AS a, u.id AS b FROM t ASOF LEFT JOIN u ON t.h = u.h AND t.g = u.g AND u.i >= t.i;

-- mixed_types
SELECT t.id AS a, u.id AS b FROM t ASOF LEFT JOIN u ON t.g = u.g AND t.i + 1 <= u.id;

-- of_logs
SELECT log.id AS a, log.i, u.id AS b FROM log ASOF LEFT JOIN u ON log.g = u.g AND log.i >= u.i;

-- over_groups
SELECT s.g, s.n AS n, u.id FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS s ASOF LEFT JOIN u ON s.g = u.g AND s.n >= u.i;

-- grouped
SELECT u.id, count(*) AS n FROM t ASOF JOIN u ON t.g = u.g AND t.i >= u.i GROUP BY u.id;
