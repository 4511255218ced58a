-- distinct_values
SELECT g, count(DISTINCT i) AS a, sum(DISTINCT n) AS b, count(DISTINCT h) FILTER (WHERE i > 0) AS c, count(*) AS d,
    avg(DISTINCT i) AS e, sum(i) AS f, min(DISTINCT x) AS m
    FROM bag
    GROUP BY g;

-- distinct_whole
SELECT count(DISTINCT g) AS a, count(DISTINCT h) AS b, max(i) AS c, sum(DISTINCT x) AS d FROM t;

-- distinct_key
SELECT g, count(DISTINCT g) AS a, count(DISTINCT i / 2) AS b FROM bag GROUP BY g;

-- distinct_of_log
SELECT g, count(DISTINCT i) AS a, count(i) AS b, stddev_pop(DISTINCT i) AS c FROM log GROUP BY g;

-- lists
SELECT g, string_agg(h, ',' ORDER BY h, id) AS a, array_agg(i ORDER BY id DESC) AS b, jsonb_agg(i ORDER BY id) AS c,
    string_agg(DISTINCT h, '-' ORDER BY h) AS d, count(*) AS n, min(i) AS m, sum(x) AS s
    FROM t
    GROUP BY g;

-- list_of_all
SELECT array_agg(i ORDER BY id) AS a, jsonb_object_agg(id, h ORDER BY id) AS b, max(i) AS c FROM u WHERE id IS NOT NULL;

-- percentiles
SELECT h, percentile_cont(0.5) WITHIN GROUP (ORDER BY x) AS a, percentile_disc(0.25) WITHIN GROUP (ORDER BY i DESC) AS b,
    mode() WITHIN GROUP (ORDER BY g) AS c
    FROM bag
    GROUP BY h;

-- booleans
SELECT g, bool_and(i > 0) AS a, bool_or(i > 0) AS b, bit_and(i) AS c, bit_or(i) AS d, bit_xor(i) AS e
    FROM t
    GROUP BY g;

-- filtered_list
SELECT g, h, array_agg(i ORDER BY id) FILTER (WHERE i > 0) AS a, max(x) FILTER (WHERE i > 0) AS b FROM t GROUP BY g, h;

-- extremes_whole
SELECT min(i) AS a, max(i) AS b, min(h) AS c, max(ts) AS d, max(n) FILTER (WHERE g = 1) AS e FROM bag;

-- extremes_over_groups
SELECT max(s) AS a, min(n) AS b FROM (SELECT g, sum(i) AS s, count(*) AS n FROM t GROUP BY g) AS q;

-- sets
SELECT g, h, sum(i) AS s, count(*) AS n, grouping(g) AS a, grouping(g, h) AS b FROM t GROUP BY GROUPING SETS ((g), (h), (g, h), ());

-- rolled_up
SELECT g, i / 2 AS k, count(DISTINCT h) AS n FROM bag GROUP BY ROLLUP (g, i / 2) HAVING grouping(g) = 0;

-- cubed
SELECT g, h, max(x) AS m FROM u GROUP BY CUBE (g, h) HAVING count(*) > 1;

-- sets_beside
SELECT g, h, i, count(*) AS n FROM u GROUP BY g, ROLLUP (h), GROUPING SETS ((i), (i, h));

-- same_twice
SELECT g, count(DISTINCT i) + 1 AS a, count(DISTINCT i) AS b, max(i) - min(i) AS c FROM t GROUP BY g HAVING max(i) > 0;

-- kinds_in_one
SELECT g, bool_or(i > 1) AS a, sum(x) AS b, max(x) AS c, array_agg(DISTINCT h) AS d, count(DISTINCT x) AS e FROM bag GROUP BY g;

-- bits_of_all
SELECT bit_and(i) AS a, bit_or(i) AS b, bit_xor(i) AS c, bit_or(i::bigint) FILTER (WHERE g = 1) AS d FROM bag;

-- bits_by_group
SELECT g, bit_and(i::smallint) AS a, bit_or(DISTINCT i) AS b, bit_xor(i::bigint) AS c, bit_xor(DISTINCT i) AS d FROM t GROUP BY g;
