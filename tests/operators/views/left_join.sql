-- plain
SELECT t.id AS a, u.id AS b, u.x FROM t LEFT JOIN u ON t.g = u.g;

-- unmatched
SELECT t.id FROM t LEFT JOIN u ON t.g = u.g WHERE u.id IS NULL;

-- conditional
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g = u.g AND u.i > 0;

-- left_condition
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g = u.g AND t.i > 0 AND t.i < u.i;

-- chain
SELECT t.id AS a, u.id AS b, bag.i AS c FROM t LEFT JOIN u ON t.g = u.g LEFT JOIN bag ON u.h = bag.h;

-- inner_then_left
SELECT t.id AS a, u.id AS b, bag.i AS c
    FROM t
    JOIN u ON t.i = u.i
    LEFT JOIN bag ON u.h = bag.h AND bag.g = t.g;

-- itself
SELECT a.id AS a, b.id AS b FROM t AS a LEFT JOIN t AS b ON a.id = b.g;

-- group_over
SELECT t.g, count(*) AS n, count(u.id) AS m, sum(u.x) AS s
    FROM t
    LEFT JOIN u ON t.g = u.g
    GROUP BY t.g;

-- over_group
SELECT t.id, c.n FROM t LEFT JOIN (SELECT g, count(*) AS n FROM u GROUP BY g) AS c ON t.g = c.g;

-- grouped_both
SELECT a.g, a.n, b.n AS m
    FROM (SELECT g, count(*) AS n
    FROM t
    GROUP BY g) AS a
    LEFT JOIN (SELECT g, count(*) AS n
    FROM bag
    GROUP BY g) AS b ON a.g = b.g;

-- logs
SELECT a.id AS a, b.id AS b FROM log AS a LEFT JOIN log AS b ON a.i = b.g;

-- bags
SELECT a.i AS a, u.i AS b FROM bag AS a LEFT JOIN u ON a.g = u.g AND a.h = u.h;

-- right_where
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g = u.g WHERE u.i > 0 OR u.i IS NULL;

-- less
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.i < u.i;

-- more_and_further
SELECT t.id AS a, bag.i AS b FROM t LEFT JOIN bag ON t.i >= bag.i AND t.g <> bag.g AND t.x > 0;
