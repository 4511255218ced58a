-- bad
CREATE SINK w FROM v WITH (connector = 'kafka', topic = 't') FORMAT UPSERT ENCODE JSON;

-- good
CREATE SINK w FROM v WITH (connector = 'kafka', topic = 't', primary_key = 'a') FORMAT UPSERT ENCODE JSON;
CREATE SINK x FROM s WITH (connector = 'kafka', topic = 't') FORMAT PLAIN ENCODE JSON;
CREATE SINK y INTO t FROM v;
