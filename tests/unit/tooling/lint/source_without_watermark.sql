-- bad
CREATE SOURCE w (a int) WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON;

-- good
CREATE SOURCE w (ts timestamptz, WATERMARK FOR ts AS ts - INTERVAL '5 seconds') WITH (connector = 'kafka') FORMAT PLAIN ENCODE JSON;
