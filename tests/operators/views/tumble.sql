-- windows
SELECT g, window_start, window_end, count(*) AS n, sum(x) AS s
    FROM TUMBLE(t, ts, INTERVAL '10 seconds')
    GROUP BY g, window_start, window_end;

-- rows
SELECT id, ts, window_start FROM TUMBLE(log, ts, INTERVAL '7 seconds') WHERE i > 0;

-- whole_window
SELECT window_end, max(i) AS m, avg(n) AS a
    FROM TUMBLE(bag, ts, INTERVAL '1 minute')
    GROUP BY window_end;

-- two
SELECT a.window_start, a.g, b.g AS h
    FROM TUMBLE(t, ts, INTERVAL '10 seconds') AS a
    JOIN TUMBLE(u, ts, INTERVAL '10 seconds') AS b ON a.window_start = b.window_start;

-- appended
SELECT g, window_start, count(*) AS n, min(x) AS a, max(ts) AS b
    FROM TUMBLE(log, ts, INTERVAL '10 seconds')
    GROUP BY g, window_start;
