-- right_side
SELECT t.id AS a, u.id AS b, t.x FROM t RIGHT JOIN u ON t.g = u.g;

-- right_with_conditions
SELECT t.id AS a, u.id AS b FROM t RIGHT JOIN u ON t.g = u.g AND t.i < u.i AND t.x > 0 AND u.i > 0;

-- both_sides
SELECT t.id AS a, u.id AS b, t.g, u.h FROM t FULL JOIN u ON t.g = u.g;

-- both_with_conditions
SELECT t.id AS a, u.id AS b FROM t FULL JOIN u ON t.g = u.g AND t.i < u.i AND t.h = 'a';

-- both_of_bags
SELECT a.i AS a, b.i AS b FROM bag AS a FULL JOIN log AS b ON a.g = b.g;

-- both_over_groups
SELECT a.g AS a, b.g AS b, a.n, b.m
    FROM (SELECT g, count(*) AS n FROM t GROUP BY g) AS a
    FULL JOIN (SELECT g, max(i) AS m FROM u GROUP BY g) AS b ON a.g = b.g;

-- both_by_using
SELECT g, t.id AS a, u.id AS b FROM t FULL JOIN u USING (g);

-- padded_then_joined
SELECT t.id AS a, u.id AS b, bag.i FROM t LEFT JOIN u ON t.g = u.g JOIN bag ON u.h = bag.h;

-- padded_on_both_sides
SELECT t.id AS a, u.id AS b, bag.i FROM t RIGHT JOIN u ON t.g = u.g LEFT JOIN bag ON t.h = bag.h WHERE u.i > -2;

-- where_behind_right
SELECT t.id AS a, u.id AS b FROM t RIGHT JOIN u ON t.g = u.g WHERE t.i IS NULL;

-- null_safe
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g IS NOT DISTINCT FROM u.g AND t.h = u.h;

-- without_condition
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON true;

-- unequal
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.i < u.i;

-- with_casts
SELECT t.id AS a, u.id AS b FROM t LEFT JOIN u ON t.g = u.g AND t.x::int > 0 AND u.i::text < '2';

-- grouped_over
SELECT t.g, count(u.id) AS n, count(*) AS m FROM t FULL JOIN u ON t.g = u.g GROUP BY t.g;

-- of_a_full_join
SELECT t.id AS a, u.id AS b, bag.i, bag.h FROM t FULL JOIN u ON t.g = u.i FULL JOIN bag ON u.g = bag.g;

-- of_two_full_joins
SELECT a.x, a.y, b.x AS z, b.y AS w
    FROM (SELECT t.id AS x, u.id AS y FROM t FULL JOIN u ON t.g = u.i) AS a
    FULL JOIN (SELECT u.id AS x, t.g AS y FROM u FULL JOIN t ON t.id = u.id) AS b ON a.y = b.x;
