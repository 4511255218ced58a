-- counts
SELECT g, count(*) AS n, count(i) AS ni, count(x) AS nx FROM t GROUP BY g;

-- sums
SELECT g, h, sum(i) AS si, sum(x) AS sx, sum(n) AS sn, avg(i) AS ai, avg(x) AS ax, avg(n) AS an
    FROM t
    GROUP BY g, h;

-- extremes
SELECT h, min(i) AS a, max(i) AS b, min(x) AS c, max(x) AS d, min(h) AS e, max(ts) AS f, max(n) AS m
    FROM bag
    GROUP BY h;

-- spread
SELECT g, stddev_samp(i) AS a, stddev_pop(n) AS b, var_samp(i) AS c, var_pop(n) AS d
    FROM t
    GROUP BY g;

-- spread_float
SELECT g, stddev_samp(x / 1000) AS a, stddev_pop(x / 1000) AS b, var_samp(x / 1000) AS c, var_pop(x / 1000) AS d
    FROM bag
    GROUP BY g;

-- filtered
SELECT g, count(*) FILTER (WHERE i > 0) AS a, sum(x) FILTER (WHERE h = 'a') AS b, max(i) FILTER (WHERE x IS
    NULL) AS c
    FROM t
    GROUP BY g;

-- groups_kept
SELECT g, sum(i) AS s FROM bag GROUP BY g HAVING count(*) > 1 AND sum(i) IS NOT NULL;

-- whole
SELECT count(*) AS n, sum(i) AS s, min(x) AS a, avg(n) AS b, max(h) AS c FROM bag;

-- whole_filtered
SELECT count(*) AS n, sum(x) + 1 AS s FROM t WHERE g = 1 HAVING count(*) > 0;

-- different
SELECT DISTINCT g, h FROM bag;

-- computed
SELECT i / 2 AS k, coalesce(h, '?') || 'x' AS l, count(*) * 2 AS n, max(i) - min(i) AS w
    FROM t
    GROUP BY i / 2, coalesce(h, '?') || 'x';

-- twice
SELECT n, count(*) AS groups FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS q GROUP BY n;

-- appended
SELECT g, count(*) AS n, sum(x) AS s, min(i) AS a, max(h) AS b, avg(n) AS c, stddev_samp(i) AS d
    FROM log
    GROUP BY g;

-- hidden_key
SELECT count(*) AS n, max(i) AS m FROM t GROUP BY g, h;
