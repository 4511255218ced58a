-- moving
SELECT id, g, i AS at, sum(i) OVER (PARTITION BY g ORDER BY ts, id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW) AS a,
    count(*) OVER (PARTITION BY g ORDER BY ts, id ROWS 1 PRECEDING) AS b
    FROM t
    WHERE ts IS NOT NULL AND id > 0;

-- both_sides
SELECT id, max(i) OVER (PARTITION BY g ORDER BY i, id ROWS BETWEEN 1 PRECEDING AND 2 FOLLOWING) AS a,
    first_value(id) OVER (PARTITION BY g ORDER BY i, id ROWS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS b
    FROM t;

-- lagging
SELECT id, i - lag(i) OVER (PARTITION BY h ORDER BY id) AS a, lead(x, 2) OVER (PARTITION BY h ORDER BY id) AS b FROM u;

-- downwards
SELECT id, lag(h) OVER (PARTITION BY g, h ORDER BY i DESC, id DESC) AS a,
    array_agg(id) OVER (PARTITION BY g, h ORDER BY i DESC, id DESC ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS b
    FROM t;

-- without_partition
SELECT id, sum(i) OVER (ORDER BY n, id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) AS a FROM u;

-- two_orders
SELECT id, lag(i) OVER (PARTITION BY g ORDER BY id) AS a, lag(i) OVER (PARTITION BY g ORDER BY h, id) AS b FROM t;

-- of_log
SELECT id, i, lead(i, 0) OVER (PARTITION BY g ORDER BY i, id) AS a,
    sum(i) OVER (PARTITION BY g ORDER BY i, id ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING) AS b
    FROM log;

-- over_groups
SELECT g, s, s - lag(s) OVER (ORDER BY g) AS d FROM (SELECT g, sum(i) AS s FROM bag GROUP BY g) AS q;

-- filtered_behind
SELECT id, d FROM (SELECT id, i - lag(i, 1, 0) OVER (PARTITION BY g ORDER BY id) AS d FROM t) AS q WHERE d > 0
