-- after
SELECT id, ts FROM t WHERE ts > now() - INTERVAL '10 seconds';

-- not_before
SELECT id, ts FROM t WHERE ts >= now() - INTERVAL '5 seconds';

-- before
SELECT id, ts FROM t WHERE ts < now() - INTERVAL '5 seconds';

-- not_after
SELECT id, ts FROM t WHERE ts <= now();

-- mirrored
SELECT id FROM t WHERE now() + INTERVAL '5 seconds' < ts;

-- both
SELECT id FROM t WHERE ts > now() - INTERVAL '20 seconds' AND ts <= now() AND i > 0;

-- in_between
SELECT id FROM t WHERE ts BETWEEN now() - INTERVAL '20 seconds' AND now();

-- of_log
SELECT id, g FROM log WHERE ts > now() - INTERVAL '10 seconds';

-- of_bag
SELECT g, h FROM bag WHERE ts < now() - INTERVAL '10 seconds';

-- grouped
SELECT g, count(*) AS n, sum(x) AS s, max(i) AS m
    FROM t
    WHERE ts > now() - INTERVAL '15 seconds'
    GROUP BY g;

-- grouped_log
SELECT g, count(*) AS n, min(x) AS m FROM log WHERE ts > now() - INTERVAL '15 seconds' GROUP BY g;

-- grouped_closed
SELECT g, count(*) AS n, avg(x) AS a FROM log WHERE ts < now() - INTERVAL '5 seconds' GROUP BY g;

-- whole
SELECT count(*) AS n FROM t WHERE ts > now();

-- joined
SELECT t.id AS a, u.id AS b
    FROM t
    JOIN u ON t.g = u.g
    WHERE t.ts > now() - INTERVAL '10 seconds' AND u.ts < now();

-- left
SELECT t.id
    FROM t
    LEFT JOIN u ON t.g = u.g
    WHERE u.id IS NULL AND t.ts < now() - INTERVAL '5 seconds';

-- computed
SELECT id FROM t WHERE ts + INTERVAL '5 seconds' > now();

-- top
SELECT id
    FROM (SELECT id, row_number() OVER (PARTITION BY g ORDER BY i, id) AS rn
    FROM t
    WHERE ts > now() - INTERVAL '10 seconds') AS q
    WHERE rn <= 2;

-- windows
SELECT g, window_end, n
    FROM (SELECT g, window_end, count(*) AS n
    FROM TUMBLE(log, ts, INTERVAL '10 seconds')
    GROUP BY g, window_end) AS w
    WHERE window_end < now() - INTERVAL '5 seconds';

-- in_the_minute
SELECT id, i FROM t WHERE date_trunc('minute', ts) = date_trunc('minute', now());
