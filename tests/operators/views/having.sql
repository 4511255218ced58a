-- not_selected
SELECT g FROM t GROUP BY g HAVING count(*) > 1;

-- another_aggregate
SELECT g, sum(i) AS s FROM bag GROUP BY g HAVING max(x) > 0 AND min(i) < 2;

-- null_result
SELECT g, count(*) AS n FROM t GROUP BY g HAVING sum(i) > 0;

-- is_null
SELECT g, count(*) AS n FROM t GROUP BY g HAVING max(i) IS NULL;

-- negated
SELECT h, count(*) AS n FROM bag GROUP BY h HAVING NOT (count(i) > 1);

-- by_key
SELECT g, count(*) AS n FROM t GROUP BY g HAVING g > 0;

-- by_both
SELECT g, h FROM u GROUP BY g, h HAVING h IS NOT NULL AND count(*) >= 1 OR g = 2;

-- by_expression
SELECT i / 2 AS half, avg(x) AS a FROM t GROUP BY i / 2 HAVING i / 2 > 0;

-- compared
SELECT g FROM t GROUP BY g HAVING sum(i) > avg(x);

-- computed
SELECT g, max(i) AS m FROM t GROUP BY g HAVING max(i) / nullif(count(i), 0) >= 1;

-- cast_inside
SELECT g, sum(i) AS s FROM t GROUP BY g HAVING sum(i)::varchar LIKE '%1%';

-- with_filter
SELECT g FROM bag GROUP BY g HAVING count(*) FILTER (WHERE i > 0) > 0;

-- of_log
SELECT g, min(i) AS m FROM log GROUP BY g HAVING count(*) > 1;

-- of_nothing
SELECT count(*) AS n FROM t HAVING count(*) > 2;

-- of_nothing_negated
SELECT sum(i) AS s FROM bag HAVING count(*) < 3;

-- not_grouped
SELECT 1 AS one FROM log HAVING count(*) > 1;

-- joined
SELECT u.id, c.g FROM u JOIN (SELECT g FROM t GROUP BY g HAVING count(*) > 1) AS c ON c.g = u.g;

-- grouped_over
SELECT n, count(*) AS groups FROM (SELECT g, count(*) AS n FROM bag GROUP BY g HAVING count(i) > 0) AS c GROUP BY n;

-- distinct_over
SELECT DISTINCT count(*) AS n FROM t GROUP BY g, h HAVING max(x) IS NOT NULL;

-- recent
SELECT g, count(*) AS n FROM t WHERE ts > now() - INTERVAL '10 seconds' GROUP BY g HAVING count(*) > 1;

-- windows
SELECT window_start FROM TUMBLE(log, ts, INTERVAL '10 seconds') GROUP BY window_start HAVING sum(i) > 0;
