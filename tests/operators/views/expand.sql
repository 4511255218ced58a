-- constant
SELECT 1 AS one, 'a' AS a;

-- of_values
SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS v(n, s);

-- with_values
SELECT t.id, v.s FROM t JOIN (VALUES (1, 'x'), (2, 'y'), (2, 'z')) AS v(n, s) ON t.g = v.n;

-- crossed_with_values
SELECT * FROM t CROSS JOIN (VALUES (1, 2)) AS v (a, b);

-- series
SELECT t.id, s.n FROM t, generate_series(1, t.i) AS s(n);

-- series_alone
SELECT * FROM generate_series(1, 3) AS s(n);

-- series_kept
SELECT t.id, s.n FROM t LEFT JOIN LATERAL generate_series(1, t.i) AS s(n) ON true;

-- numbered
SELECT t.id, a.e, a.o FROM t CROSS JOIN LATERAL unnest(ARRAY[g, i, id]) WITH ORDINALITY AS a(e, o);

-- selected
SELECT id, unnest(ARRAY[g, i]) AS e FROM t;

-- selected_side_by_side
SELECT id, generate_series(1, i) AS n, unnest(ARRAY[g, 7]) + 1 AS e FROM t;

-- grouped
SELECT s.n, count(*) AS c FROM t CROSS JOIN generate_series(1, t.i) AS s(n) GROUP BY s.n;

-- of_bags
SELECT g, regexp_matches(h, '[ab]', 'g') AS m FROM bag;
