-- of_column
SELECT DISTINCT g FROM t;

-- of_columns
SELECT DISTINCT g, h, i FROM bag;

-- of_floats
SELECT DISTINCT x FROM t;

-- of_numerics
SELECT DISTINCT n::double precision AS n FROM bag;

-- of_times
SELECT DISTINCT ts, g FROM t;

-- of_expression
SELECT DISTINCT i / 2 AS half, g IS NULL AS unknown FROM u;

-- of_log
SELECT DISTINCT g, h FROM log;

-- of_log_by_time
SELECT DISTINCT ts FROM log WHERE i > 0;

-- of_join
SELECT DISTINCT t.g, u.h FROM t JOIN u ON t.i = u.i;

-- of_left_join
SELECT DISTINCT t.g, u.h FROM t LEFT JOIN u ON t.g = u.g;

-- of_groups
SELECT DISTINCT n FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS c;

-- with_group_by
SELECT DISTINCT count(*) AS n, max(i) AS m FROM bag GROUP BY g, h;

-- of_union
SELECT DISTINCT g FROM (SELECT g FROM t UNION ALL SELECT i FROM u) AS q;

-- union_distinct
SELECT g, h FROM t UNION SELECT g, h FROM bag UNION SELECT i, h FROM log;

-- counted
SELECT count(*) AS n, sum(i) AS s FROM (SELECT DISTINCT g, i FROM bag) AS d;

-- joined
SELECT d.g, u.id FROM (SELECT DISTINCT g FROM t) AS d JOIN u ON d.g = u.g;

-- of_recent
SELECT DISTINCT g FROM t WHERE ts > now() - INTERVAL '10 seconds';

-- limited
SELECT DISTINCT i FROM t ORDER BY i LIMIT 2;

-- of_constant
SELECT DISTINCT 1 AS one, NULL::int AS nothing FROM bag WHERE g = 0;

-- of_windows
SELECT DISTINCT window_start, g FROM HOP(t, ts, INTERVAL '10 seconds', INTERVAL '20 seconds');
