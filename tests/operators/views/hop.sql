-- windows
SELECT g, window_start, window_end, count(*) AS n, sum(x) AS s
    FROM HOP(t, ts, INTERVAL '5 seconds', INTERVAL '20 seconds')
    GROUP BY g, window_start, window_end;

-- rows
SELECT id, ts, window_start, window_end FROM HOP(log, ts, INTERVAL '7 seconds', INTERVAL '21 seconds') WHERE i > 0;

-- one_window
SELECT g, window_start FROM HOP(bag, ts, INTERVAL '10 seconds', INTERVAL '10 seconds');

-- shifted
SELECT id, window_start, window_end FROM HOP(u, ts, INTERVAL '10 seconds', INTERVAL '30 seconds', INTERVAL '3 seconds');

-- tumble_shifted
SELECT id, window_start, window_end FROM TUMBLE(u, ts, INTERVAL '10 seconds', INTERVAL '-4 seconds');

-- largest
SELECT window_end, max(i) AS m FROM HOP(bag, ts, INTERVAL '30 seconds', INTERVAL '1 minute') GROUP BY window_end;

-- appended
SELECT g, window_start, count(*) AS n, min(x) AS a, max(ts) AS b
    FROM HOP(log, ts, INTERVAL '10 seconds', INTERVAL '20 seconds')
    GROUP BY g, window_start;

-- joined
SELECT a.window_start, a.id AS a, b.id AS b
    FROM HOP(t, ts, INTERVAL '10 seconds', INTERVAL '20 seconds') AS a
    JOIN TUMBLE(u, ts, INTERVAL '10 seconds') AS b ON a.window_start = b.window_start;

-- of_groups
SELECT window_start, max(n) AS m
    FROM (SELECT g, window_start, count(*) AS n
    FROM HOP(t, ts, INTERVAL '10 seconds', INTERVAL '30 seconds')
    GROUP BY g, window_start) AS c
    GROUP BY window_start;
