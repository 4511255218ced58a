-- of_groups
SELECT g, count(*) AS n, percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS p50, percentile_cont(0.9) WITHIN GROUP (ORDER BY x) AS p90
    FROM t
    GROUP BY g;

-- of_all
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY i) AS low, percentile_disc(0.2 + 0.6) WITHIN GROUP (ORDER BY n) AS high, sum(i) AS s FROM bag;

-- of_log
SELECT h, percentile_cont(0.25) WITHIN GROUP (ORDER BY i) AS low, percentile_disc(1) WITHIN GROUP (ORDER BY ts) AS last FROM log GROUP BY h;

-- of_some
SELECT g, h, percentile_cont(0.3) WITHIN GROUP (ORDER BY n) FILTER (WHERE i > 0) AS p, percentile_disc(0) WITHIN GROUP (ORDER BY h) AS other
    FROM bag
    GROUP BY g, h
    HAVING count(*) > 1 OR percentile_cont(0.3) WITHIN GROUP (ORDER BY n) FILTER (WHERE i > 0) > 0;

-- approximately
SELECT g, approx_percentile(0.5, 0.1) WITHIN GROUP (ORDER BY x) AS p, approx_percentile(0.9) WITHIN GROUP (ORDER BY x) AS q FROM t GROUP BY g;

-- of_a_join
SELECT t.h, percentile_disc(0.5) WITHIN GROUP (ORDER BY u.i) AS p, mode() WITHIN GROUP (ORDER BY u.x) AS m FROM t JOIN u ON t.g = u.g GROUP BY t.h;

-- modes
SELECT g, mode() WITHIN GROUP (ORDER BY i) AS m, mode() WITHIN GROUP (ORDER BY h DESC) AS last, max(id) AS top FROM t GROUP BY g;

-- mode_of_all
SELECT mode() WITHIN GROUP (ORDER BY x) FILTER (WHERE g > 0) AS m FROM bag;

-- compared
SELECT id FROM t WHERE x > (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) FROM u);

-- descending
SELECT g, percentile_disc(0.3) WITHIN GROUP (ORDER BY i DESC) AS p FROM t GROUP BY g;
