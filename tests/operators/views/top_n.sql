-- one
SELECT g, id, i
    FROM (SELECT *, row_number() OVER (PARTITION BY g ORDER BY i DESC, id) AS rn FROM t) AS q
    WHERE rn = 1;

-- three
SELECT g, id, i
    FROM (SELECT g, id, i, row_number() OVER (PARTITION BY g ORDER BY i, id) AS rn FROM t) AS q
    WHERE rn <= 3;

-- ranked
SELECT g, h, id, rn
    FROM (SELECT *, row_number() OVER (PARTITION BY g, h ORDER BY x DESC NULLS LAST, id) AS rn FROM t) AS q
    WHERE rn < 4;

-- nulls_first
SELECT id, rn
    FROM (SELECT id, row_number() OVER (PARTITION BY h ORDER BY i NULLS FIRST, ts DESC, id DESC) AS rn FROM t) AS q
    WHERE rn <= 2;

-- everything
SELECT id, rn FROM (SELECT id, row_number() OVER (ORDER BY x, id) AS rn FROM u) AS q WHERE rn <= 3;

-- limited
SELECT id, i FROM t ORDER BY i DESC, id LIMIT 3;

-- latest_of_log
SELECT g, i, ts, x
    FROM (SELECT g, i, ts, x, row_number() OVER (PARTITION BY g ORDER BY ts DESC, i, x, n, h, id) AS rn FROM
    log) AS q
    WHERE rn <= 1;

-- three_of_log
SELECT g, i, rn
    FROM (SELECT g, i, row_number() OVER (PARTITION BY g ORDER BY i DESC NULLS LAST) AS rn FROM log) AS q
    WHERE rn <= 3;

-- of_groups
SELECT h, n
    FROM (SELECT h, n, row_number() OVER (ORDER BY n DESC, h) AS rn
    FROM (SELECT h, count(*) AS n
    FROM bag
    GROUP BY h) AS c) AS q
    WHERE rn <= 2;

-- grouped_over
SELECT g, sum(i) AS s
    FROM (SELECT g, i, row_number() OVER (PARTITION BY g ORDER BY i, id) AS rn FROM t) AS q
    WHERE rn <= 2
    GROUP BY g;

-- joined
SELECT q.id, u.x
    FROM (SELECT id, g, row_number() OVER (PARTITION BY h ORDER BY i, id) AS rn FROM t) AS q
    JOIN u ON q.g = u.g
    WHERE q.rn <= 2;

-- first_on
SELECT DISTINCT ON (g) g, i, id FROM t ORDER BY g, i DESC, id;

-- computed
SELECT id
    FROM (SELECT id, row_number() OVER (PARTITION BY i / 2 ORDER BY abs(i), id) AS rn FROM t) AS q
    WHERE rn <= 2;

-- ranks_with_ties
SELECT id, rk
    FROM (SELECT id, rank() OVER (PARTITION BY g ORDER BY i) AS rk FROM t) AS q
    WHERE rk <= 2;

-- ranks_of_log
SELECT id, i FROM (SELECT id, i, rank() OVER (PARTITION BY g ORDER BY i DESC) AS rk FROM log) AS q WHERE rk <= 2;

-- behind_the_first
SELECT id, rn
    FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY i, id) AS rn FROM t) AS q
    WHERE rn <= 3 AND rn > 1;

-- second_of_log
SELECT i FROM (SELECT i, row_number() OVER (PARTITION BY g ORDER BY i) AS rn FROM log) AS q WHERE 2 = rn;

-- page
SELECT i FROM bag ORDER BY i LIMIT 2 OFFSET 1;

-- rest
SELECT i FROM log ORDER BY i DESC OFFSET 2;

-- fetch_with_ties
SELECT g, i FROM t ORDER BY i FETCH FIRST 2 ROWS WITH TIES;

-- by_what_is_not_selected
SELECT h FROM t ORDER BY i + 1 DESC, id LIMIT 2;

-- first_on_an_expression
SELECT DISTINCT ON (abs(i)) i % 2 AS k, id FROM t ORDER BY abs(i), id DESC;

-- of_groups_by_place
SELECT g, count(*) AS n FROM t GROUP BY g ORDER BY 2 DESC, 1 LIMIT 2;

-- limited_in_a_subquery
SELECT q.i + 1 AS j FROM (SELECT i FROM u ORDER BY i, id LIMIT 2) AS q;

-- different_first
SELECT DISTINCT g FROM t ORDER BY g LIMIT 2
