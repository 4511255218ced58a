-- both
SELECT g, h FROM t INTERSECT SELECT g, h FROM bag;

-- only_left
SELECT g, h, i FROM bag EXCEPT SELECT g, h, i FROM t;

-- three
SELECT g FROM t UNION ALL SELECT g FROM u EXCEPT SELECT i FROM bag;

-- mixed_types
SELECT i FROM t INTERSECT SELECT n FROM bag;

-- first_of_union
SELECT i, h FROM t UNION SELECT i, h FROM bag ORDER BY i DESC, 2 LIMIT 3;

-- limited_branch
SELECT i FROM bag UNION ALL (SELECT i FROM t ORDER BY i, id LIMIT 2)
