-- ranks
SELECT id, g, row_number() OVER (PARTITION BY g ORDER BY i, id) AS a, rank() OVER (PARTITION BY g ORDER BY i) AS b,
    dense_rank() OVER (PARTITION BY g ORDER BY i DESC) AS c, percent_rank() OVER (PARTITION BY g ORDER BY h) AS d,
    cume_dist() OVER (PARTITION BY g ORDER BY i) AS e, ntile(2) OVER (PARTITION BY g ORDER BY i, id) AS f
    FROM t;

-- neighbours
SELECT id, lag(i) OVER w AS a, lead(h, 2) OVER w AS b, lag(i, 1, -1) OVER w AS c
    FROM t
    WINDOW w AS (PARTITION BY h ORDER BY ts, id);

-- frames
SELECT id, sum(i) OVER (PARTITION BY g ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS a,
    avg(n) OVER (PARTITION BY g ORDER BY i) AS b,
    max(x) OVER (PARTITION BY g ORDER BY i RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS c,
    count(*) OVER (PARTITION BY g ORDER BY i GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) AS d,
    count(*) FILTER (WHERE i > 0) OVER (PARTITION BY g) AS e
    FROM t;

-- first_and_last
SELECT id, first_value(i) OVER w AS a, last_value(i) OVER w AS b, nth_value(i, 2) OVER w AS c
    FROM u
    WINDOW w AS (PARTITION BY g, h ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);

-- two_partitions
SELECT id, g, h, count(*) OVER (PARTITION BY g) + count(*) OVER (PARTITION BY h) AS a, sum(i) OVER (PARTITION BY i / 2) AS b
    FROM t;

-- over_groups
SELECT g, h, row_number() OVER (PARTITION BY g ORDER BY h) AS a,
    sum(sum(i)) OVER (PARTITION BY g, min(i) ORDER BY max(i), h) AS b
    FROM bag
    GROUP BY g, h;

-- all_rows
SELECT id, count(*) OVER () AS a, rank() OVER (PARTITION BY 1::int ORDER BY i) AS b FROM log;

-- outer_filter
SELECT * FROM (SELECT id, i, lag(i) OVER (PARTITION BY g ORDER BY id) AS before FROM t) AS q WHERE i > before;

-- differences
SELECT DISTINCT g, max(i) OVER (PARTITION BY g) - i AS d FROM t;

-- any_rank
SELECT id, rank FROM (SELECT id, g, dense_rank() OVER (PARTITION BY g ORDER BY i) AS rank FROM t) AS q WHERE rank <= 2
