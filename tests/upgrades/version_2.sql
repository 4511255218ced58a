-- A database as version 2 of the state left it, taken with pg_dump --inserts: three tables, five materialized views (one over a
-- temporal join, one with retention), a view, an index, a comment, a sink into a table, rows, and one change that waits for its
-- barrier. It must never be made anew: it is history.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA engine;

CREATE SCHEMA rw_catalog;

CREATE FUNCTION engine.capture_1001_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1001 ("site", "region", _w) SELECT "site", "region", -1 FROM old_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1001'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1001_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1001 ("site", "region", _w) SELECT "site", "region", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1001'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1001_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1001 ("site", "region", _w) SELECT "site", "region", -1 FROM old_rows; INSERT INTO engine.changes_1001 ("site", "region", _w) SELECT "site", "region", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1001'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1002_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1002 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", -1 FROM old_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1002'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1002_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1002 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1002'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1002_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1002 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", -1 FROM old_rows; INSERT INTO engine.changes_1002 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1002'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1009_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1009 ("site", "samples", _w) SELECT "site", "samples", -1 FROM old_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1009'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1009_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1009 ("site", "samples", _w) SELECT "site", "samples", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1009'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.capture_1009_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN INSERT INTO engine.changes_1009 ("site", "samples", _w) SELECT "site", "samples", -1 FROM old_rows; INSERT INTO engine.changes_1009 ("site", "samples", _w) SELECT "site", "samples", 1 FROM new_rows; IF FOUND THEN PERFORM pg_notify('tailrace_changes', '1009'); END IF; RETURN NULL; END $$;

CREATE FUNCTION engine.convert_from(data bytea, encoding text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT
    AS $$
BEGIN
    RETURN pg_catalog.convert_from(data, encoding);
EXCEPTION WHEN data_exception OR undefined_object OR invalid_parameter_value THEN
    RETURN NULL;
END $$;

CREATE FUNCTION engine.overwrite_1001() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN IF NEW."site" IS NOT NULL THEN DELETE FROM engine.table_1001 AS t WHERE t."site" = NEW."site"; ELSE DELETE FROM engine.table_1001 AS t WHERE t."site" IS NULL; END IF; RETURN NEW; END $$;

CREATE FUNCTION engine.overwrite_1009() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN IF NEW."site" IS NOT NULL THEN DELETE FROM engine.table_1009 AS t WHERE t."site" = NEW."site"; ELSE DELETE FROM engine.table_1009 AS t WHERE t."site" IS NULL; END IF; RETURN NEW; END $$;

CREATE FUNCTION engine.refuse_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION '% of an append-only table is not supported', TG_OP
        USING ERRCODE = '0A000', HINT = 'leave out APPEND ONLY when rows may change';
END $$;

CREATE FUNCTION engine.refuse_key_update() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'UPDATE of a primary-key column is not supported'
        USING ERRCODE = '0A000', HINT = 'DELETE the row and INSERT it with its new key';
END $$;

CREATE FUNCTION engine.refuse_source(name text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'an ad-hoc query over source "%" is not supported', name
        USING ERRCODE = '0A000', HINT = 'create a materialized view over it and query that';
END $$;

CREATE FUNCTION engine.sink_waiting(id integer, OUT rows_waiting bigint, OUT waiting_since timestamp with time zone) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
    EXECUTE format('SELECT count(*), min(_at) FROM engine.sink_log_%s', id) INTO rows_waiting, waiting_since;
END $$;

CREATE FUNCTION engine.step_1003(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  IF emit THEN WITH changed AS (INSERT INTO engine.state_1003_1 AS s ("site", _n, "count(value)", "sum(value)", "max(value)") SELECT d."site" AS "site", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d."value" IS NOT NULL), 0) AS "count(value)", coalesce(sum(d."value"::double precision) FILTER (WHERE d."value" IS NOT NULL), 0) AS "sum(value)", max(d."value") FILTER (WHERE d."value" IS NOT NULL) AS "max(value)" FROM pg_temp.delta_1002 AS d GROUP BY d."site" ON CONFLICT ("site") DO UPDATE SET _n = s._n + EXCLUDED._n, "count(value)" = s."count(value)" + EXCLUDED."count(value)", "sum(value)" = s."sum(value)" + EXCLUDED."sum(value)", "max(value)" = GREATEST(s."max(value)", EXCLUDED."max(value)") RETURNING new."site", old._n AS _old, new._n AS _new, new.ctid AS _at, (old._n) AS o0, (CASE WHEN old."count(value)" > 0 THEN old."sum(value)"::double precision END) AS o1, (old."max(value)") AS o2, (new._n) AS n0, (CASE WHEN new."count(value)" > 0 THEN new."sum(value)"::double precision END) AS n1, (new."max(value)") AS n2) INSERT INTO pg_temp.delta_1003_2 ("site", "_a1", "_a2", "_a3", _w) SELECT c."site", c.o0, c.o1, c.o2, -1 FROM changed AS c WHERE c._old > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1, c.o2) IS DISTINCT FROM ROW(c.n0, c.n1, c.n2)) UNION ALL SELECT c."site", c.n0, c.n1, c.n2, 1 FROM changed AS c WHERE c._new > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1, c.o2) IS DISTINCT FROM ROW(c.n0, c.n1, c.n2)); ELSE INSERT INTO engine.state_1003_1 AS s ("site", _n, "count(value)", "sum(value)", "max(value)") SELECT d."site" AS "site", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d."value" IS NOT NULL), 0) AS "count(value)", coalesce(sum(d."value"::double precision) FILTER (WHERE d."value" IS NOT NULL), 0) AS "sum(value)", max(d."value") FILTER (WHERE d."value" IS NOT NULL) AS "max(value)" FROM pg_temp.delta_1002 AS d GROUP BY d."site" ON CONFLICT ("site") DO UPDATE SET _n = s._n + EXCLUDED._n, "count(value)" = s."count(value)" + EXCLUDED."count(value)", "sum(value)" = s."sum(value)" + EXCLUDED."sum(value)", "max(value)" = GREATEST(s."max(value)", EXCLUDED."max(value)"); END IF;
  IF emit THEN INSERT INTO pg_temp.delta_1003 ("site", "samples", "total", "highest", _w) SELECT "site", "samples", "total", "highest", _w FROM (SELECT "site" AS "site", "_a1" AS "samples", "_a2" AS "total", "_a3" AS "highest", _w FROM pg_temp.delta_1003_2 AS i) AS d; END IF;
  RETURN (SELECT count(*) FROM pg_temp.delta_1003);
END $$;

CREATE FUNCTION engine.step_1004(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO pg_temp.delta_1004_1 ("site_1", "region", _w) SELECT "site_1", "region", _w FROM (SELECT "site" AS "site_1", "region" AS "region", _w FROM pg_temp.delta_1001 AS i) AS d;
  IF initial THEN INSERT INTO pg_temp.delta_1004_2 ("device", "site", "value", "at", "_row_id", "site_1", "region", _w) SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w * r._w FROM pg_temp.delta_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l."site" = r."site_1"; ELSE INSERT INTO pg_temp.delta_1004_2 ("device", "site", "value", "at", "_row_id", "site_1", "region", _w) SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w FROM pg_temp.delta_1002 AS l JOIN (SELECT "site" AS "site_1", "region" AS "region" FROM engine.table_1001 AS i) AS r ON l."site" = r."site_1"; INSERT INTO pg_temp.delta_1004_2 ("device", "site", "value", "at", "_row_id", "site_1", "region", _w) SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", r._w FROM engine.table_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l."site" = r."site_1"; IF EXISTS (SELECT 1 FROM pg_temp.delta_1002) AND EXISTS (SELECT 1 FROM pg_temp.delta_1004_1) THEN PERFORM set_config('enable_hashjoin', 'on', true); INSERT INTO pg_temp.delta_1004_2 ("device", "site", "value", "at", "_row_id", "site_1", "region", _w) SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", -l._w * r._w FROM pg_temp.delta_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l."site" = r."site_1"; PERFORM set_config('enable_hashjoin', 'off', true); END IF; END IF;
  INSERT INTO pg_temp.delta_1004 ("device", "value", "region", "_row_id", "site_1", _w) SELECT "device", "value", "region", "_row_id", "site_1", sum(_w) AS _w FROM (SELECT "device" AS "device", "value" AS "value", "region" AS "region", "_row_id" AS "_row_id", "site_1" AS "site_1", _w FROM pg_temp.delta_1004_2 AS i) AS d GROUP BY "device", "value", "region", "_row_id", "site_1" HAVING sum(_w) <> 0;
  INSERT INTO engine.state_1004_3 ("device", "value", "region", "_row_id", "site_1") SELECT "device", "value", "region", "_row_id", "site_1" FROM pg_temp.delta_1004 AS d WHERE _w > 0 ON CONFLICT ("_row_id", "site_1") DO UPDATE SET "device" = EXCLUDED."device", "value" = EXCLUDED."value", "region" = EXCLUDED."region";
  DELETE FROM engine.state_1004_3 AS t USING (SELECT d.*, CASE WHEN d."_row_id" IS NOT NULL AND d."site_1" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1004_3 AS s WHERE s."_row_id" = d."_row_id" AND s."site_1" = d."site_1") ELSE (SELECT s.ctid FROM engine.state_1004_3 AS s WHERE (s."_row_id" = d."_row_id" OR (s."_row_id" IS NULL AND d."_row_id" IS NULL)) AND (s."site_1" = d."site_1" OR (s."site_1" IS NULL AND d."site_1" IS NULL))) END AS _at FROM pg_temp.delta_1004 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t."device" IS NOT DISTINCT FROM g."device" AND t."value" IS NOT DISTINCT FROM g."value" AND t."region" IS NOT DISTINCT FROM g."region";
  RETURN (SELECT count(*) FROM pg_temp.delta_1004);
END $$;

CREATE FUNCTION engine.step_1005(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO pg_temp.delta_1005_1 ("site_1", "region", _w) SELECT "site_1", "region", _w FROM (SELECT "site" AS "site_1", "region" AS "region", _w FROM pg_temp.delta_1001 AS i) AS d;
  IF emit THEN INSERT INTO pg_temp.delta_1005 ("device", "region", "_row_id", _w) SELECT "device", "region", "_row_id", _w FROM (SELECT "device" AS "device", "region" AS "region", "_row_id" AS "_row_id", _w FROM (SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT "site" AS "site_1", "region" AS "region" FROM engine.table_1001 AS i) AS r ON l."site" = r."site_1") AS i) AS d; INSERT INTO engine.state_1005_2 ("device", "region", "_row_id") SELECT "device", "region", "_row_id" FROM pg_temp.delta_1005 AS d; ELSE INSERT INTO engine.state_1005_2 ("device", "region", "_row_id") SELECT "device", "region", "_row_id" FROM (SELECT "device" AS "device", "region" AS "region", "_row_id" AS "_row_id", _w FROM (SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT "site" AS "site_1", "region" AS "region" FROM engine.table_1001 AS i) AS r ON l."site" = r."site_1") AS i) AS d; END IF;
  RETURN (SELECT count(*) FROM pg_temp.delta_1005);
END $$;

CREATE FUNCTION engine.step_1006(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  IF initial THEN INSERT INTO pg_temp.delta_1006_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", _w FROM pg_temp.delta_1002 AS i WHERE "at" > (barrier_now - INTERVAL '1 HOUR'); ELSE INSERT INTO pg_temp.delta_1006_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", _w FROM pg_temp.delta_1002 AS i WHERE "at" > (barrier_last - INTERVAL '1 HOUR'); INSERT INTO pg_temp.delta_1006_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", -1 FROM engine.table_1002 AS i WHERE "at" > (barrier_last - INTERVAL '1 HOUR') AND "at" <= (barrier_now - INTERVAL '1 HOUR'); END IF;
  INSERT INTO pg_temp.delta_1006 ("device", "at", "_row_id", _w) SELECT "device", "at", "_row_id", sum(_w) AS _w FROM (SELECT "device" AS "device", "at" AS "at", "_row_id" AS "_row_id", _w FROM pg_temp.delta_1006_1 AS i) AS d GROUP BY "device", "at", "_row_id" HAVING sum(_w) <> 0;
  INSERT INTO engine.state_1006_2 ("device", "at", "_row_id") SELECT "device", "at", "_row_id" FROM pg_temp.delta_1006 AS d WHERE _w > 0 ON CONFLICT ("_row_id") DO UPDATE SET "device" = EXCLUDED."device", "at" = EXCLUDED."at";
  DELETE FROM engine.state_1006_2 AS t USING (SELECT d.*, CASE WHEN d."_row_id" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1006_2 AS s WHERE s."_row_id" = d."_row_id") ELSE (SELECT s.ctid FROM engine.state_1006_2 AS s WHERE s."_row_id" IS NULL) END AS _at FROM pg_temp.delta_1006 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t."device" IS NOT DISTINCT FROM g."device" AND t."at" IS NOT DISTINCT FROM g."at";
  RETURN (SELECT count(*) FROM pg_temp.delta_1006);
END $$;

CREATE FUNCTION engine.step_1007(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO pg_temp.delta_1007_1 ("device", "value", "_row_id", _w) SELECT "device", "value", "_row_id", _w FROM (SELECT "device" AS "device", "value" AS "value", "_row_id" AS "_row_id", _w FROM pg_temp.delta_1002 AS i) AS d;
  INSERT INTO pg_temp.delta_1007_3 (_w) SELECT 1 FROM pg_temp.delta_1007_1 LIMIT 1;
  INSERT INTO pg_temp.delta_1007_4 ("device", "value", "_row_id") SELECT "device", "value", "_row_id" FROM (SELECT q.*, row_number() OVER (ORDER BY "value" DESC NULLS FIRST, "_row_id") AS _rank FROM (SELECT t."device", t."value", t."_row_id" FROM pg_temp.delta_1007_3 AS g CROSS JOIN LATERAL (SELECT * FROM engine.state_1007_2 AS c) AS t UNION ALL SELECT "device", "value", "_row_id" FROM pg_temp.delta_1007_1) AS q) AS q WHERE _rank <= 2;
  INSERT INTO pg_temp.delta_1007_5 ("device", "value", "_row_id", _w) SELECT "device", "value", "_row_id", sum(_w) FROM (SELECT q.*, -1 AS _w FROM (SELECT t."device", t."value", t."_row_id" FROM pg_temp.delta_1007_3 AS g CROSS JOIN LATERAL (SELECT * FROM engine.state_1007_2 AS c) AS t) AS q UNION ALL SELECT "device", "value", "_row_id", 1 FROM pg_temp.delta_1007_4) AS q GROUP BY "device", "value", "_row_id" HAVING sum(_w) <> 0;
  INSERT INTO engine.state_1007_2 ("device", "value", "_row_id") SELECT "device", "value", "_row_id" FROM (SELECT "device", "value", "_row_id", sum(_w) AS _w FROM pg_temp.delta_1007_5 AS d GROUP BY "device", "value", "_row_id" HAVING sum(_w) <> 0) AS d WHERE _w > 0 ON CONFLICT ("_row_id") DO UPDATE SET "device" = EXCLUDED."device", "value" = EXCLUDED."value";
  DELETE FROM engine.state_1007_2 AS t USING (SELECT d.*, CASE WHEN d."_row_id" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1007_2 AS s WHERE s."_row_id" = d."_row_id") ELSE (SELECT s.ctid FROM engine.state_1007_2 AS s WHERE s."_row_id" IS NULL) END AS _at FROM (SELECT "device", "value", "_row_id", sum(_w) AS _w FROM pg_temp.delta_1007_5 AS d GROUP BY "device", "value", "_row_id" HAVING sum(_w) <> 0) AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t."device" IS NOT DISTINCT FROM g."device" AND t."value" IS NOT DISTINCT FROM g."value";
  IF emit THEN INSERT INTO pg_temp.delta_1007 ("device", "value", "_row_id", _w) SELECT "device", "value", "_row_id", _w FROM pg_temp.delta_1007_5 AS d; END IF;
  RETURN (SELECT count(*) FROM pg_temp.delta_1007);
END $$;

CREATE FUNCTION engine.step_1010(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
DECLARE logged bigint;
BEGIN
  INSERT INTO engine.sink_log_1010 (_epoch, _at, _op, v1, v2) SELECT (SELECT b.epoch FROM engine.barrier AS b), barrier_now, CASE WHEN d._w > 0 THEN CASE WHEN d._pair THEN 3 ELSE 1 END ELSE CASE WHEN d._pair THEN 4 ELSE 2 END END, d."site", d."samples" FROM (SELECT "site", "samples", _w, count(*) OVER k = 2 AND min(_w) OVER k = -1 AND max(_w) OVER k = 1 AS _pair FROM (SELECT "site", "samples", sum(_w) AS _w FROM (SELECT "site" AS "site", "samples" AS "samples", _w FROM pg_temp.delta_1003 AS i) AS d GROUP BY "site", "samples" HAVING sum(_w) <> 0) AS d WINDOW k AS (PARTITION BY "site")) AS d CROSS JOIN LATERAL generate_series(1, abs(d._w)) ORDER BY d."site", d._w;
  GET DIAGNOSTICS logged = ROW_COUNT;
  IF logged > 0 THEN PERFORM pg_notify('tailrace_sinks', '1010'); END IF;
  RETURN logged;
END $$;

CREATE FUNCTION engine.take_turn_1001() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN PERFORM pg_advisory_xact_lock(4566, 1001); RETURN NULL; END $$;

CREATE FUNCTION engine.take_turn_1009() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN PERFORM pg_advisory_xact_lock(4566, 1009); RETURN NULL; END $$;

CREATE FUNCTION engine.watermarks() RETURNS TABLE(relation text, "column" text, watermark timestamp with time zone)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
DECLARE kept record;
BEGIN
    FOR kept IN SELECT o.name, w.key, w.value FROM engine.created AS o, jsonb_each_text(o.body -> 'watermarks') AS w
    LOOP
        relation := kept.name;
        "column" := kept.key;
        EXECUTE format('SELECT CAST(%s AS timestamptz)', kept.value) INTO watermark;
        RETURN NEXT;
    END LOOP;
END $$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE engine.backfill_progress (
    object_id integer NOT NULL,
    done_rows bigint NOT NULL,
    total_rows bigint
)
WITH (fillfactor='50');

CREATE TABLE engine.backfills (
    object_id integer NOT NULL,
    background boolean NOT NULL,
    filled_epoch bigint,
    filled_time timestamp with time zone,
    source_fill jsonb
);

CREATE TABLE engine.barrier (
    one boolean DEFAULT true NOT NULL,
    epoch bigint NOT NULL,
    barrier_time timestamp with time zone NOT NULL,
    input_rows bigint NOT NULL,
    previous_ms double precision NOT NULL,
    CONSTRAINT barrier_one_check CHECK (one)
)
WITH (fillfactor='50');

CREATE TABLE engine.changes_1001 (
    site character varying,
    region character varying,
    _w smallint NOT NULL
);

CREATE TABLE engine.changes_1002 (
    device character varying,
    site character varying,
    value double precision,
    at timestamp with time zone,
    _row_id bigint,
    _w smallint NOT NULL
);

CREATE TABLE engine.changes_1009 (
    site character varying,
    samples bigint,
    _w smallint NOT NULL
);

CREATE TABLE engine.state_1003_1 (
    site character varying,
    _n bigint,
    "count(value)" bigint,
    "sum(value)" double precision,
    "max(value)" double precision
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1003 AS
 SELECT site,
    samples,
    total,
    highest
   FROM ( SELECT i.site,
            i._a1 AS samples,
            i._a2 AS total,
            i._a3 AS highest
           FROM ( SELECT s.site,
                    s._n AS _a1,
                        CASE
                            WHEN (s."count(value)" > 0) THEN s."sum(value)"
                            ELSE NULL::double precision
                        END AS _a2,
                    s."max(value)" AS _a3
                   FROM engine.state_1003_1 s
                  WHERE (s._n > 0)) i) c;

CREATE TABLE engine.state_1004_3 (
    device character varying,
    value double precision,
    region character varying,
    _row_id bigint,
    site_1 character varying
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1004 AS
 SELECT device,
    value,
    region,
    _row_id,
    site_1
   FROM engine.state_1004_3 c;

CREATE TABLE engine.state_1005_2 (
    device character varying,
    region character varying,
    _row_id bigint
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1005 AS
 SELECT device,
    region,
    _row_id
   FROM engine.state_1005_2 c;

CREATE TABLE engine.state_1006_2 (
    device character varying,
    at timestamp with time zone,
    _row_id bigint,
    _written timestamp with time zone DEFAULT now() NOT NULL
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1006 AS
 SELECT device,
    at,
    _row_id
   FROM engine.state_1006_2 c;

CREATE TABLE engine.state_1007_2 (
    device character varying,
    value double precision,
    _row_id bigint
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1007 AS
 SELECT device,
    value,
    _row_id
   FROM engine.state_1007_2 c;

CREATE TABLE engine.objects (
    id integer NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    owner text NOT NULL,
    definition text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    body jsonb NOT NULL,
    status text DEFAULT 'created'::text NOT NULL,
    CONSTRAINT objects_kind_check CHECK ((kind = ANY (ARRAY['source'::text, 'table'::text, 'materialized view'::text, 'view'::text, 'index'::text, 'sink'::text]))),
    CONSTRAINT objects_status_check CHECK ((status = ANY (ARRAY['creating'::text, 'created'::text])))
);

CREATE VIEW engine.created AS
 SELECT id,
    name,
    kind,
    owner,
    definition,
    created_at,
    body,
    status
   FROM engine.objects
  WHERE (status = 'created'::text);

CREATE TABLE engine.dependencies (
    object_id integer NOT NULL,
    referenced_id integer NOT NULL
);

CREATE TABLE engine.event_logs (
    unique_id uuid DEFAULT gen_random_uuid() NOT NULL,
    happened_at timestamp with time zone DEFAULT now() NOT NULL,
    event_type text NOT NULL,
    info jsonb NOT NULL
);

CREATE SEQUENCE engine.object_id
    START WITH 1001
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE engine.poison_rows (
    source_id integer,
    origin text NOT NULL,
    error text NOT NULL,
    sqlstate text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE engine.process_memory (
    process text NOT NULL,
    pid integer NOT NULL,
    resident_bytes bigint NOT NULL,
    private_bytes bigint NOT NULL,
    measured_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE SEQUENCE engine.row_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1000;

CREATE TABLE engine.sink_log_1010 (
    _seq bigint NOT NULL,
    _epoch bigint NOT NULL,
    _at timestamp with time zone NOT NULL,
    _op smallint NOT NULL,
    v1 character varying,
    v2 bigint
)
WITH (autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='20000');

ALTER TABLE engine.sink_log_1010 ALTER COLUMN _seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME engine.sink_log_1010__seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE engine.sink_progress (
    sink_id integer NOT NULL,
    claimed_seq bigint DEFAULT 0 NOT NULL,
    delivered_seq bigint DEFAULT 0 NOT NULL,
    delivered_rows bigint DEFAULT 0 NOT NULL,
    last_delivered_at timestamp with time zone,
    last_error text,
    failed_at timestamp with time zone,
    failures bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE engine.source_ends (
    source_id integer NOT NULL,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    high_watermark bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE engine.source_generations (
    source_id integer NOT NULL,
    topic_id text NOT NULL,
    started_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE TABLE engine.source_positions (
    source_id integer NOT NULL,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE engine.source_skipped (
    source_id integer NOT NULL,
    messages bigint NOT NULL
);

CREATE TABLE engine.source_watermarks (
    source_id integer NOT NULL,
    partition integer NOT NULL,
    newest timestamp with time zone NOT NULL,
    advanced_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50');

CREATE TABLE engine.table_1001 (
    site character varying,
    region character varying
)
WITH (fillfactor='70');

CREATE TABLE engine.table_1002 (
    device character varying,
    site character varying,
    value double precision,
    at timestamp with time zone,
    _row_id bigint DEFAULT nextval('engine.row_id'::regclass) NOT NULL
)
WITH (fillfactor='70');

CREATE TABLE engine.table_1009 (
    site character varying,
    samples bigint
)
WITH (fillfactor='70');

CREATE TABLE engine.version (
    one boolean DEFAULT true NOT NULL,
    version integer NOT NULL,
    visible text NOT NULL,
    CONSTRAINT version_one_check CHECK (one)
);

CREATE TABLE engine.window_views (
    relation_id integer NOT NULL
);

CREATE VIEW public.at_arrival AS
 SELECT device,
    region
   FROM ( SELECT c.device,
            c.region,
            c._row_id
           FROM engine.state_1005_2 c) content;

CREATE VIEW public.by_site AS
 SELECT site,
    samples,
    total,
    highest
   FROM ( SELECT c.site,
            c.samples,
            c.total,
            c.highest
           FROM ( SELECT i.site,
                    i._a1 AS samples,
                    i._a2 AS total,
                    i._a3 AS highest
                   FROM ( SELECT s.site,
                            s._n AS _a1,
                                CASE
                                    WHEN (s."count(value)" > 0) THEN s."sum(value)"
                                    ELSE NULL::double precision
                                END AS _a2,
                            s."max(value)" AS _a3
                           FROM engine.state_1003_1 s
                          WHERE (s._n > 0)) i) c) content;

COMMENT ON VIEW public.by_site IS 'samples of each site';

CREATE VIEW public.busy AS
 SELECT site
   FROM public.by_site
  WHERE (samples > 1);

CREATE VIEW public.copied AS
 SELECT site,
    samples
   FROM engine.table_1009;

CREATE VIEW public.enriched AS
 SELECT device,
    value,
    region
   FROM ( SELECT c.device,
            c.value,
            c.region,
            c._row_id,
            c.site_1
           FROM engine.state_1004_3 c) content;

CREATE VIEW public.recent AS
 SELECT device,
    at
   FROM ( SELECT c.device,
            c.at,
            c._row_id
           FROM engine.state_1006_2 c) content;

CREATE VIEW public.samples AS
 SELECT device,
    site,
    value,
    at
   FROM engine.table_1002;

CREATE VIEW public.sites AS
 SELECT site,
    region
   FROM engine.table_1001;

CREATE VIEW public.top AS
 SELECT device,
    value
   FROM ( SELECT c.device,
            c.value,
            c._row_id
           FROM engine.state_1007_2 c) content;

CREATE VIEW rw_catalog.pg_class AS
 SELECT c.oid,
    c.relname,
        CASE
            WHEN (o.kind = 'index'::text) THEN ('public'::regnamespace)::oid
            ELSE c.relnamespace
        END AS relnamespace,
    c.reltype,
    c.reloftype,
    c.relowner,
    c.relam,
    c.relfilenode,
    c.reltablespace,
    c.relpages,
    c.reltuples,
    c.relallvisible,
    c.relallfrozen,
    c.reltoastrelid,
    (c.relhasindex OR (EXISTS ( SELECT
           FROM (engine.dependencies d
             JOIN engine.created i ON (((i.id = d.object_id) AND (i.kind = 'index'::text))))
          WHERE (d.referenced_id = o.id)))) AS relhasindex,
    c.relisshared,
    c.relpersistence,
        CASE o.kind
            WHEN 'table'::text THEN 'r'::"char"
            WHEN 'materialized view'::text THEN 'm'::"char"
            WHEN 'source'::text THEN 'f'::"char"
            ELSE c.relkind
        END AS relkind,
    c.relnatts,
    c.relchecks,
    c.relhasrules,
    c.relhastriggers,
    c.relhassubclass,
    c.relrowsecurity,
    c.relforcerowsecurity,
    c.relispopulated,
    c.relreplident,
    c.relispartition,
    c.relrewrite,
    c.relfrozenxid,
    c.relminmxid,
    c.relacl,
    c.reloptions,
    c.relpartbound
   FROM (pg_class c
     LEFT JOIN engine.created o ON (((o.name = c.relname) AND (c.relnamespace = ((
        CASE
            WHEN (o.kind = 'index'::text) THEN 'engine'::text
            ELSE 'public'::text
        END)::regnamespace)::oid))))
  WHERE ((o.id IS NOT NULL) OR (c.relnamespace <> ALL (('{engine,public}'::regnamespace[])::oid[])));

CREATE VIEW rw_catalog.rw_barrier AS
 SELECT epoch,
    barrier_time,
    input_rows,
    previous_ms
   FROM engine.barrier;

CREATE VIEW rw_catalog.rw_columns AS
 SELECT o.id AS relation_id,
    (c.value ->> 'name'::text) AS name,
    (c.ordinality)::integer AS "position",
    (c.value ->> 'type'::text) AS data_type,
    ((c.value ->> 'hidden'::text))::boolean AS is_hidden,
    COALESCE(((o.body -> 'key'::text) ? (c.value ->> 'name'::text)), false) AS is_primary_key
   FROM engine.created o,
    LATERAL jsonb_array_elements((o.body -> 'columns'::text)) WITH ORDINALITY c(value, ordinality);

CREATE VIEW rw_catalog.rw_ddl_progress AS
 SELECT (o.id)::bigint AS ddl_id,
    o.definition AS ddl_statement,
        CASE
            WHEN b.background THEN 'BACKGROUND'::text
            ELSE 'FOREGROUND'::text
        END AS create_type,
    ((COALESCE(round(((100.0 * (p.done_rows)::numeric) / (NULLIF(p.total_rows, 0))::numeric), 2), (0)::numeric))::text || '%'::text) AS progress,
    o.created_at AS initialized_at,
    false AS is_serverless_backfill,
    'SNAPSHOT_BACKFILL'::text AS backfill_type
   FROM ((engine.backfills b
     JOIN engine.objects o ON ((o.id = b.object_id)))
     JOIN engine.backfill_progress p ON ((p.object_id = b.object_id)));

CREATE VIEW rw_catalog.rw_depend AS
 SELECT object_id AS objid,
    referenced_id AS refobjid
   FROM engine.dependencies;

CREATE VIEW rw_catalog.rw_description AS
 SELECT o.id AS objoid,
    (d.classoid)::integer AS classoid,
    NULLIF(d.objsubid, 0) AS objsubid,
    d.description
   FROM ((engine.created o
     JOIN pg_class c ON (((c.relname = o.name) AND (c.relnamespace = ('public'::regnamespace)::oid))))
     JOIN pg_description d ON (((d.objoid = c.oid) AND (d.classoid = ('pg_class'::regclass)::oid))));

CREATE VIEW rw_catalog.rw_event_logs AS
 SELECT (unique_id)::text AS unique_id,
    happened_at AS "timestamp",
    event_type,
    info
   FROM engine.event_logs;

CREATE VIEW rw_catalog.rw_indexes AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at,
    (body ->> 'relation'::text) AS relation_name,
    (body ->> 'indexed'::text) AS indexed_columns
   FROM engine.created
  WHERE (kind = 'index'::text);

CREATE VIEW rw_catalog.rw_kafka_source_metrics AS
 SELECT p.source_id,
    (p.partition)::text AS partition_id,
    e.high_watermark,
    (p.next_offset - 1) AS latest_offset
   FROM (engine.source_positions p
     LEFT JOIN engine.source_ends e USING (source_id, partition, topic_id));

CREATE VIEW rw_catalog.rw_kafka_job_lag AS
 WITH RECURSIVE readers AS (
         SELECT d.object_id AS job_id,
            o.kind,
            d.referenced_id AS source_id
           FROM ((engine.dependencies d
             JOIN engine.objects o ON ((o.id = d.object_id)))
             JOIN engine.objects s ON (((s.id = d.referenced_id) AND (s.kind = 'source'::text))))
        UNION
         SELECT d.object_id,
            o.kind,
            r_1.source_id
           FROM ((readers r_1
             JOIN engine.dependencies d ON (((d.referenced_id = r_1.job_id) AND (r_1.kind = 'view'::text))))
             JOIN engine.objects o ON ((o.id = d.object_id)))
        )
 SELECT r.job_id,
    r.source_id,
    r.job_id AS fragment_id,
    m.partition_id,
    'LIVE'::text AS lag_phase,
    m.high_watermark,
    m.latest_offset AS consumer_offset,
        CASE
            WHEN (m.high_watermark IS NOT NULL) THEN GREATEST(((m.high_watermark - m.latest_offset) - 1), (0)::bigint)
            ELSE NULL::bigint
        END AS lag
   FROM (readers r
     JOIN rw_catalog.rw_kafka_source_metrics m USING (source_id))
  WHERE (r.kind <> 'view'::text);

CREATE VIEW rw_catalog.rw_kafka_source_progress AS
 SELECT p.source_id,
    o.name AS source_name,
    ((o.body -> 'options'::text) ->> 'topic'::text) AS topic,
    p.topic_id,
    p.partition,
    p.next_offset,
    e.high_watermark,
        CASE
            WHEN (e.high_watermark IS NOT NULL) THEN GREATEST((e.high_watermark - p.next_offset), (0)::bigint)
            ELSE NULL::bigint
        END AS lag,
    e.seen_at,
    COALESCE(s.messages, (0)::bigint) AS skipped_messages
   FROM (((engine.source_positions p
     JOIN engine.objects o ON ((o.id = p.source_id)))
     LEFT JOIN engine.source_ends e USING (source_id, partition, topic_id))
     LEFT JOIN engine.source_skipped s USING (source_id));

CREATE VIEW rw_catalog.rw_materialized_views AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.created
  WHERE (kind = 'materialized view'::text);

CREATE VIEW rw_catalog.rw_poison_rows AS
 SELECT p.source_id,
    o.name AS source_name,
    p.origin,
    p.error,
    p.sqlstate,
    p.seen_at
   FROM (engine.poison_rows p
     LEFT JOIN engine.objects o ON ((o.id = p.source_id)));

CREATE VIEW rw_catalog.rw_process_memory AS
 SELECT process,
    pid,
    resident_bytes,
    private_bytes,
    measured_at
   FROM engine.process_memory;

CREATE VIEW rw_catalog.rw_relation_storage AS
 WITH stored AS (
         SELECT c.oid,
            c.relname,
            ("substring"((c.relname)::text, '^[a-z_]+_([0-9]+)(?:_|$)'::text))::integer AS id,
            (c.relname ~ '^(changes|pending|sink_log)_'::text) AS is_changes,
            pg_table_size((c.oid)::regclass) AS table_bytes,
            pg_indexes_size((c.oid)::regclass) AS index_bytes
           FROM pg_class c
          WHERE ((c.relnamespace = ('engine'::regnamespace)::oid) AND (c.relkind = 'r'::"char"))
        ), sizes AS (
         SELECT stored.id,
            sum(stored.table_bytes) FILTER (WHERE (NOT stored.is_changes)) AS state_bytes,
            sum(stored.index_bytes) FILTER (WHERE (NOT stored.is_changes)) AS index_bytes,
            sum((stored.table_bytes + stored.index_bytes)) FILTER (WHERE stored.is_changes) AS changelog_bytes
           FROM stored
          WHERE (stored.id IS NOT NULL)
          GROUP BY stored.id
        )
 SELECT o.id,
    o.name,
    o.kind AS relation_type,
    ( SELECT pg_stat_get_live_tuples(t.oid) AS pg_stat_get_live_tuples
           FROM stored t
          WHERE (('engine.'::text || (t.relname)::text) =
                CASE o.kind
                    WHEN 'table'::text THEN ('engine.table_'::text || o.id)
                    ELSE ( SELECT (jsonb_each.value ->> 0)
                       FROM jsonb_each((o.body #> '{program,storage}'::text[])) jsonb_each(key, value)
                     LIMIT 1)
                END)) AS row_estimate,
    (COALESCE(s.state_bytes, (0)::numeric))::bigint AS state_bytes,
    (COALESCE(s.index_bytes, (0)::numeric))::bigint AS index_bytes,
    (COALESCE(s.changelog_bytes, (0)::numeric))::bigint AS changelog_bytes
   FROM (engine.objects o
     LEFT JOIN sizes s USING (id))
  WHERE (o.kind <> ALL (ARRAY['view'::text, 'index'::text]));

CREATE VIEW rw_catalog.rw_relations AS
 SELECT id,
    'public'::text AS schema_name,
    name,
    kind AS relation_type
   FROM engine.created;

CREATE VIEW rw_catalog.rw_sink_backlog AS
 SELECT o.id AS sink_id,
    o.name AS sink_name,
    w.rows_waiting,
    w.waiting_since,
    p.delivered_rows,
    p.last_delivered_at,
    p.failures,
    p.last_error,
    p.failed_at
   FROM ((engine.created o
     JOIN engine.sink_progress p ON ((p.sink_id = o.id)))
     CROSS JOIN LATERAL engine.sink_waiting(p.sink_id) w(rows_waiting, waiting_since));

CREATE VIEW rw_catalog.rw_sinks AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    ((body -> 'options'::text) ->> 'connector'::text) AS connector,
    upper(replace(((body -> 'sink'::text) ->> 'type'::text), '-'::text, '_'::text)) AS sink_type,
    definition,
    created_at AS initialized_at,
    created_at
   FROM engine.created
  WHERE (kind = 'sink'::text);

CREATE VIEW rw_catalog.rw_sources AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    ((body -> 'options'::text) ->> 'connector'::text) AS connector,
    ( SELECT string_agg(c.name, ', '::text ORDER BY c."position") AS string_agg
           FROM rw_catalog.rw_columns c
          WHERE ((c.relation_id = o.id) AND (NOT c.is_hidden))) AS columns,
    definition,
    created_at
   FROM engine.created o
  WHERE (kind = 'source'::text);

CREATE VIEW rw_catalog.rw_streaming_jobs AS
 SELECT o.id,
    o.name,
    o.kind AS type,
    o.status,
        CASE
            WHEN b.background THEN 'BACKGROUND'::text
            ELSE 'FOREGROUND'::text
        END AS create_type,
    o.definition
   FROM (engine.objects o
     LEFT JOIN engine.backfills b ON ((b.object_id = o.id)))
  WHERE (o.kind = ANY (ARRAY['materialized view'::text, 'table'::text, 'sink'::text]));

CREATE VIEW rw_catalog.rw_table_stats AS
 SELECT id,
    row_estimate AS total_key_count,
    index_bytes AS total_key_size,
    state_bytes AS total_value_size
   FROM rw_catalog.rw_relation_storage
  WHERE (row_estimate IS NOT NULL);

CREATE VIEW rw_catalog.rw_tables AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.created
  WHERE (kind = 'table'::text);

CREATE VIEW rw_catalog.rw_views AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.created
  WHERE (kind = 'view'::text);

CREATE VIEW rw_catalog.rw_watermarks AS
 SELECT relation,
    "column",
    watermark
   FROM engine.watermarks() watermarks(relation, "column", watermark);

INSERT INTO engine.barrier VALUES (true, 26, '2026-01-01 00:00:01+00', 0, 9.705157001008047);

INSERT INTO engine.changes_1002 VALUES ('d4', 'south', 8, '2026-01-01 00:40:00+00', 4, 1);

INSERT INTO engine.dependencies VALUES (1003, 1002);
INSERT INTO engine.dependencies VALUES (1004, 1001);
INSERT INTO engine.dependencies VALUES (1004, 1002);
INSERT INTO engine.dependencies VALUES (1005, 1001);
INSERT INTO engine.dependencies VALUES (1005, 1002);
INSERT INTO engine.dependencies VALUES (1006, 1002);
INSERT INTO engine.dependencies VALUES (1007, 1002);
INSERT INTO engine.dependencies VALUES (1008, 1003);
INSERT INTO engine.dependencies VALUES (1010, 1003);
INSERT INTO engine.dependencies VALUES (1010, 1009);
INSERT INTO engine.dependencies VALUES (1011, 1004);

INSERT INTO engine.objects VALUES (1001, 'sites', 'table', 'root', 'CREATE TABLE sites (site varchar PRIMARY KEY, region varchar)', '2026-11-27 02:00:47.471458+00', '{"key": ["site"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}], "append_only": false, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1002, 'samples', 'table', 'root', 'CREATE TABLE samples (device varchar, site varchar, value double precision, at timestamptz) APPEND ONLY', '2026-11-27 02:00:47.488737+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "site", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "append_only": true, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1003, 'by_site', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW by_site AS SELECT site, count(*) AS samples, sum(value) AS total, max(value) AS highest FROM samples GROUP BY site', '2026-11-27 02:00:47.505+00', '{"key": ["site"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}, {"name": "total", "type": "double precision", "hidden": false}, {"name": "highest", "type": "double precision", "hidden": false}], "program": {"key": ["site"], "tables": ["CREATE TABLE engine.state_1003_1 (\"site\" character varying, \"_n\" bigint, \"count(value)\" bigint, \"sum(value)\" double precision, \"max(value)\" double precision) WITH (fillfactor = 70)", "CREATE UNIQUE INDEX ON engine.state_1003_1 (\"site\") NULLS NOT DISTINCT"], "chunked": true, "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}, {"name": "total", "type": "double precision", "hidden": false}, {"name": "highest", "type": "double precision", "hidden": false}], "content": "SELECT \"site\", \"samples\", \"total\", \"highest\" FROM (SELECT \"site\" AS \"site\", \"_a1\" AS \"samples\", \"_a2\" AS \"total\", \"_a3\" AS \"highest\" FROM (SELECT s.\"site\", s._n AS \"_a1\", CASE WHEN s.\"count(value)\" > 0 THEN s.\"sum(value)\"::double precision END AS \"_a2\", s.\"max(value)\" AS \"_a3\" FROM engine.state_1003_1 AS s WHERE s._n > 0) AS i) AS c", "explain": ["state: TABLE engine.state_1003_1 (\"site\" character varying, \"_n\" bigint, \"count(value)\" bigint, \"sum(value)\" double precision, \"max(value)\" double precision) WITH (fillfactor = 70)", "state: UNIQUE INDEX ON engine.state_1003_1 (\"site\") NULLS NOT DISTINCT", "Project [\"site\" AS site, \"_a1\" AS samples, \"_a2\" AS total, \"_a3\" AS highest] maintained: delta, cost: O(delta)", "  Aggregate [by (site) count(*), sum(value), max(value)] maintained: accumulator, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)"], "storage": {"site": ["engine.state_1003_1", "\"site\""], "total": ["engine.state_1003_1", "CASE WHEN \"count(value)\" > 0 THEN \"sum(value)\"::double precision END"], "highest": ["engine.state_1003_1", "\"max(value)\""], "samples": ["engine.state_1003_1", "_n"]}, "function": "CREATE FUNCTION engine.step_1003(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  IF emit THEN WITH changed AS (INSERT INTO engine.state_1003_1 AS s (\"site\", _n, \"count(value)\", \"sum(value)\", \"max(value)\") SELECT d.\"site\" AS \"site\", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"count(value)\", coalesce(sum(d.\"value\"::double precision) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"sum(value)\", max(d.\"value\") FILTER (WHERE d.\"value\" IS NOT NULL) AS \"max(value)\" FROM pg_temp.delta_1002 AS d GROUP BY d.\"site\" ON CONFLICT (\"site\") DO UPDATE SET _n = s._n + EXCLUDED._n, \"count(value)\" = s.\"count(value)\" + EXCLUDED.\"count(value)\", \"sum(value)\" = s.\"sum(value)\" + EXCLUDED.\"sum(value)\", \"max(value)\" = GREATEST(s.\"max(value)\", EXCLUDED.\"max(value)\") RETURNING new.\"site\", old._n AS _old, new._n AS _new, new.ctid AS _at, (old._n) AS o0, (CASE WHEN old.\"count(value)\" > 0 THEN old.\"sum(value)\"::double precision END) AS o1, (old.\"max(value)\") AS o2, (new._n) AS n0, (CASE WHEN new.\"count(value)\" > 0 THEN new.\"sum(value)\"::double precision END) AS n1, (new.\"max(value)\") AS n2) INSERT INTO pg_temp.delta_1003_2 (\"site\", \"_a1\", \"_a2\", \"_a3\", _w) SELECT c.\"site\", c.o0, c.o1, c.o2, -1 FROM changed AS c WHERE c._old > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1, c.o2) IS DISTINCT FROM ROW(c.n0, c.n1, c.n2)) UNION ALL SELECT c.\"site\", c.n0, c.n1, c.n2, 1 FROM changed AS c WHERE c._new > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1, c.o2) IS DISTINCT FROM ROW(c.n0, c.n1, c.n2)); ELSE INSERT INTO engine.state_1003_1 AS s (\"site\", _n, \"count(value)\", \"sum(value)\", \"max(value)\") SELECT d.\"site\" AS \"site\", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"count(value)\", coalesce(sum(d.\"value\"::double precision) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"sum(value)\", max(d.\"value\") FILTER (WHERE d.\"value\" IS NOT NULL) AS \"max(value)\" FROM pg_temp.delta_1002 AS d GROUP BY d.\"site\" ON CONFLICT (\"site\") DO UPDATE SET _n = s._n + EXCLUDED._n, \"count(value)\" = s.\"count(value)\" + EXCLUDED.\"count(value)\", \"sum(value)\" = s.\"sum(value)\" + EXCLUDED.\"sum(value)\", \"max(value)\" = GREATEST(s.\"max(value)\", EXCLUDED.\"max(value)\"); END IF;\n  IF emit THEN INSERT INTO pg_temp.delta_1003 (\"site\", \"samples\", \"total\", \"highest\", _w) SELECT \"site\", \"samples\", \"total\", \"highest\", _w FROM (SELECT \"site\" AS \"site\", \"_a1\" AS \"samples\", \"_a2\" AS \"total\", \"_a3\" AS \"highest\", _w FROM pg_temp.delta_1003_2 AS i) AS d; END IF;\n  RETURN (SELECT count(*) FROM pg_temp.delta_1003);\nEND $step$", "uses_now": false, "watermarks": {}, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1003 (\"site\" character varying STORAGE PLAIN, \"samples\" bigint STORAGE PLAIN, \"total\" double precision STORAGE PLAIN, \"highest\" double precision STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1003_2 (\"site\" character varying STORAGE PLAIN, \"_a1\" bigint STORAGE PLAIN, \"_a2\" double precision STORAGE PLAIN, \"_a3\" double precision STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"], "follows_watermarks": false}, "watermarks": {}, "append_only": false, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1004, 'enriched', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW enriched AS SELECT s.device, s.value, r.region FROM samples AS s JOIN sites AS r ON s.site = r.site', '2026-11-27 02:00:47.531548+00', '{"key": ["_row_id", "site_1"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}, {"name": "site_1", "type": "character varying", "hidden": true}], "program": {"key": ["_row_id", "site_1"], "tables": ["CREATE INDEX ON engine.table_1002 (\"site\")", "CREATE TABLE engine.state_1004_3 (\"device\" character varying, \"value\" double precision, \"region\" character varying, \"_row_id\" bigint, \"site_1\" character varying) WITH (fillfactor = 70)", "CREATE UNIQUE INDEX ON engine.state_1004_3 (\"_row_id\", \"site_1\") NULLS NOT DISTINCT"], "chunked": false, "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}, {"name": "site_1", "type": "character varying", "hidden": true}], "content": "SELECT \"device\", \"value\", \"region\", \"_row_id\", \"site_1\" FROM engine.state_1004_3 AS c", "explain": ["state: INDEX ON engine.table_1002 (\"site\")", "state: TABLE engine.state_1004_3 (\"device\" character varying, \"value\" double precision, \"region\" character varying, \"_row_id\" bigint, \"site_1\" character varying) WITH (fillfactor = 70)", "state: UNIQUE INDEX ON engine.state_1004_3 (\"_row_id\", \"site_1\") NULLS NOT DISTINCT", "Project [\"device\" AS device, \"value\" AS value, \"region\" AS region] maintained: delta, cost: O(delta)", "  Join [l.\"site\" = r.\"site_1\"] maintained: delta, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)", "    Project [\"site\" AS site_1, \"region\" AS region] maintained: delta, cost: O(delta)", "      Scan [\"sites\" (site, region) retractable] maintained: delta, cost: O(delta)"], "storage": {"value": ["engine.state_1004_3", "\"value\""], "device": ["engine.state_1004_3", "\"device\""], "region": ["engine.state_1004_3", "\"region\""], "site_1": ["engine.state_1004_3", "\"site_1\""], "_row_id": ["engine.state_1004_3", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1004(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  INSERT INTO pg_temp.delta_1004_1 (\"site_1\", \"region\", _w) SELECT \"site_1\", \"region\", _w FROM (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\", _w FROM pg_temp.delta_1001 AS i) AS d;\n  IF initial THEN INSERT INTO pg_temp.delta_1004_2 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", \"site_1\", \"region\", _w) SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w * r._w FROM pg_temp.delta_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l.\"site\" = r.\"site_1\"; ELSE INSERT INTO pg_temp.delta_1004_2 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", \"site_1\", \"region\", _w) SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w FROM pg_temp.delta_1002 AS l JOIN (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\" FROM engine.table_1001 AS i) AS r ON l.\"site\" = r.\"site_1\"; INSERT INTO pg_temp.delta_1004_2 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", \"site_1\", \"region\", _w) SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", r._w FROM engine.table_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l.\"site\" = r.\"site_1\"; IF EXISTS (SELECT 1 FROM pg_temp.delta_1002) AND EXISTS (SELECT 1 FROM pg_temp.delta_1004_1) THEN PERFORM set_config(''enable_hashjoin'', ''on'', true); INSERT INTO pg_temp.delta_1004_2 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", \"site_1\", \"region\", _w) SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", -l._w * r._w FROM pg_temp.delta_1002 AS l JOIN pg_temp.delta_1004_1 AS r ON l.\"site\" = r.\"site_1\"; PERFORM set_config(''enable_hashjoin'', ''off'', true); END IF; END IF;\n  INSERT INTO pg_temp.delta_1004 (\"device\", \"value\", \"region\", \"_row_id\", \"site_1\", _w) SELECT \"device\", \"value\", \"region\", \"_row_id\", \"site_1\", sum(_w) AS _w FROM (SELECT \"device\" AS \"device\", \"value\" AS \"value\", \"region\" AS \"region\", \"_row_id\" AS \"_row_id\", \"site_1\" AS \"site_1\", _w FROM pg_temp.delta_1004_2 AS i) AS d GROUP BY \"device\", \"value\", \"region\", \"_row_id\", \"site_1\" HAVING sum(_w) <> 0;\n  INSERT INTO engine.state_1004_3 (\"device\", \"value\", \"region\", \"_row_id\", \"site_1\") SELECT \"device\", \"value\", \"region\", \"_row_id\", \"site_1\" FROM pg_temp.delta_1004 AS d WHERE _w > 0 ON CONFLICT (\"_row_id\", \"site_1\") DO UPDATE SET \"device\" = EXCLUDED.\"device\", \"value\" = EXCLUDED.\"value\", \"region\" = EXCLUDED.\"region\";\n  DELETE FROM engine.state_1004_3 AS t USING (SELECT d.*, CASE WHEN d.\"_row_id\" IS NOT NULL AND d.\"site_1\" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1004_3 AS s WHERE s.\"_row_id\" = d.\"_row_id\" AND s.\"site_1\" = d.\"site_1\") ELSE (SELECT s.ctid FROM engine.state_1004_3 AS s WHERE (s.\"_row_id\" = d.\"_row_id\" OR (s.\"_row_id\" IS NULL AND d.\"_row_id\" IS NULL)) AND (s.\"site_1\" = d.\"site_1\" OR (s.\"site_1\" IS NULL AND d.\"site_1\" IS NULL))) END AS _at FROM pg_temp.delta_1004 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t.\"device\" IS NOT DISTINCT FROM g.\"device\" AND t.\"value\" IS NOT DISTINCT FROM g.\"value\" AND t.\"region\" IS NOT DISTINCT FROM g.\"region\";\n  RETURN (SELECT count(*) FROM pg_temp.delta_1004);\nEND $step$", "uses_now": false, "watermarks": {}, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1004 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, \"site_1\" character varying STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1004_1 (\"site_1\" character varying STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1004_2 (\"device\" character varying STORAGE PLAIN, \"site\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"at\" timestamp with time zone STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, \"site_1\" character varying STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"], "follows_watermarks": false}, "watermarks": {}, "append_only": false, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1005, 'at_arrival', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW at_arrival AS SELECT s.device, r.region FROM samples AS s LEFT JOIN sites FOR SYSTEM_TIME AS OF PROCTIME() AS r ON s.site = r.site', '2026-11-27 02:00:47.55824+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "program": {"key": ["_row_id"], "tables": ["CREATE TABLE engine.state_1005_2 (\"device\" character varying, \"region\" character varying, \"_row_id\" bigint) WITH (fillfactor = 70)"], "chunked": true, "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "content": "SELECT \"device\", \"region\", \"_row_id\" FROM engine.state_1005_2 AS c", "explain": ["state: TABLE engine.state_1005_2 (\"device\" character varying, \"region\" character varying, \"_row_id\" bigint) WITH (fillfactor = 70)", "Project [\"device\" AS device, \"region\" AS region] maintained: delta, cost: O(delta)", "  TemporalJoin [left, l.\"site\" = r.\"site_1\"] maintained: delta, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)", "    Project [\"site\" AS site_1, \"region\" AS region] maintained: delta, cost: O(delta)", "      Scan [\"sites\" (site, region) retractable] maintained: delta, cost: O(delta)"], "storage": {"device": ["engine.state_1005_2", "\"device\""], "region": ["engine.state_1005_2", "\"region\""], "_row_id": ["engine.state_1005_2", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1005(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  INSERT INTO pg_temp.delta_1005_1 (\"site_1\", \"region\", _w) SELECT \"site_1\", \"region\", _w FROM (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\", _w FROM pg_temp.delta_1001 AS i) AS d;\n  IF emit THEN INSERT INTO pg_temp.delta_1005 (\"device\", \"region\", \"_row_id\", _w) SELECT \"device\", \"region\", \"_row_id\", _w FROM (SELECT \"device\" AS \"device\", \"region\" AS \"region\", \"_row_id\" AS \"_row_id\", _w FROM (SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\" FROM engine.table_1001 AS i) AS r ON l.\"site\" = r.\"site_1\") AS i) AS d; INSERT INTO engine.state_1005_2 (\"device\", \"region\", \"_row_id\") SELECT \"device\", \"region\", \"_row_id\" FROM pg_temp.delta_1005 AS d; ELSE INSERT INTO engine.state_1005_2 (\"device\", \"region\", \"_row_id\") SELECT \"device\", \"region\", \"_row_id\" FROM (SELECT \"device\" AS \"device\", \"region\" AS \"region\", \"_row_id\" AS \"_row_id\", _w FROM (SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\" FROM engine.table_1001 AS i) AS r ON l.\"site\" = r.\"site_1\") AS i) AS d; END IF;\n  RETURN (SELECT count(*) FROM pg_temp.delta_1005);\nEND $step$", "uses_now": false, "watermarks": {}, "append_only": true, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1005 (\"device\" character varying STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1005_1 (\"site_1\" character varying STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"], "follows_watermarks": false}, "watermarks": {}, "append_only": true, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1006, 'recent', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW recent WITH (retention_seconds = 86400) AS SELECT device, at FROM samples WHERE at > now() - INTERVAL ''1 hour''', '2026-11-27 02:00:47.587828+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "program": {"key": ["_row_id"], "tables": ["CREATE INDEX ON engine.table_1002 (\"at\")", "CREATE TABLE engine.state_1006_2 (\"device\" character varying, \"at\" timestamp with time zone, \"_row_id\" bigint, _written timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 70)", "CREATE INDEX ON engine.state_1006_2 (_written)", "CREATE UNIQUE INDEX ON engine.state_1006_2 (\"_row_id\") NULLS NOT DISTINCT"], "chunked": false, "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "content": "SELECT \"device\", \"at\", \"_row_id\" FROM engine.state_1006_2 AS c", "explain": ["state: INDEX ON engine.table_1002 (\"at\")", "state: TABLE engine.state_1006_2 (\"device\" character varying, \"at\" timestamp with time zone, \"_row_id\" bigint, _written timestamptz NOT NULL DEFAULT now()) WITH (fillfactor = 70)", "state: INDEX ON engine.state_1006_2 (_written)", "state: UNIQUE INDEX ON engine.state_1006_2 (\"_row_id\") NULLS NOT DISTINCT", "Project [\"device\" AS device, \"at\" AS at] maintained: delta, cost: O(delta)", "  TemporalFilter [at > CURRENT_TIMESTAMP - INTERVAL ''1 HOUR''] maintained: delta, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)"], "storage": {"at": ["engine.state_1006_2", "\"at\""], "device": ["engine.state_1006_2", "\"device\""], "_row_id": ["engine.state_1006_2", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1006(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  IF initial THEN INSERT INTO pg_temp.delta_1006_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", _w FROM pg_temp.delta_1002 AS i WHERE \"at\" > (barrier_now - INTERVAL ''1 HOUR''); ELSE INSERT INTO pg_temp.delta_1006_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", _w FROM pg_temp.delta_1002 AS i WHERE \"at\" > (barrier_last - INTERVAL ''1 HOUR''); INSERT INTO pg_temp.delta_1006_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", -1 FROM engine.table_1002 AS i WHERE \"at\" > (barrier_last - INTERVAL ''1 HOUR'') AND \"at\" <= (barrier_now - INTERVAL ''1 HOUR''); END IF;\n  INSERT INTO pg_temp.delta_1006 (\"device\", \"at\", \"_row_id\", _w) SELECT \"device\", \"at\", \"_row_id\", sum(_w) AS _w FROM (SELECT \"device\" AS \"device\", \"at\" AS \"at\", \"_row_id\" AS \"_row_id\", _w FROM pg_temp.delta_1006_1 AS i) AS d GROUP BY \"device\", \"at\", \"_row_id\" HAVING sum(_w) <> 0;\n  INSERT INTO engine.state_1006_2 (\"device\", \"at\", \"_row_id\") SELECT \"device\", \"at\", \"_row_id\" FROM pg_temp.delta_1006 AS d WHERE _w > 0 ON CONFLICT (\"_row_id\") DO UPDATE SET \"device\" = EXCLUDED.\"device\", \"at\" = EXCLUDED.\"at\";\n  DELETE FROM engine.state_1006_2 AS t USING (SELECT d.*, CASE WHEN d.\"_row_id\" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1006_2 AS s WHERE s.\"_row_id\" = d.\"_row_id\") ELSE (SELECT s.ctid FROM engine.state_1006_2 AS s WHERE s.\"_row_id\" IS NULL) END AS _at FROM pg_temp.delta_1006 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t.\"device\" IS NOT DISTINCT FROM g.\"device\" AND t.\"at\" IS NOT DISTINCT FROM g.\"at\";\n  RETURN (SELECT count(*) FROM pg_temp.delta_1006);\nEND $step$", "uses_now": true, "watermarks": {}, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1006 (\"device\" character varying STORAGE PLAIN, \"at\" timestamp with time zone STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1006_1 (\"device\" character varying STORAGE PLAIN, \"site\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"at\" timestamp with time zone STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"], "follows_watermarks": false}, "watermarks": {}, "append_only": false, "retention_s": 86400}', 'created');
INSERT INTO engine.objects VALUES (1007, 'top', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW top AS SELECT device, value FROM samples ORDER BY value DESC LIMIT 2', '2026-11-27 02:00:47.611783+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "program": {"key": ["_row_id"], "tables": ["CREATE TABLE engine.state_1007_2 (\"device\" character varying, \"value\" double precision, \"_row_id\" bigint) WITH (fillfactor = 70)", "CREATE UNIQUE INDEX ON engine.state_1007_2 (\"_row_id\") NULLS NOT DISTINCT"], "chunked": true, "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "content": "SELECT \"device\", \"value\", \"_row_id\" FROM engine.state_1007_2 AS c", "explain": ["state: TABLE engine.state_1007_2 (\"device\" character varying, \"value\" double precision, \"_row_id\" bigint) WITH (fillfactor = 70)", "state: UNIQUE INDEX ON engine.state_1007_2 (\"_row_id\") NULLS NOT DISTINCT", "TopN [first 2 by () order \"value\" DESC NULLS FIRST] maintained: per group, cost: O(delta log n)", "  Project [\"device\" AS device, \"value\" AS value] maintained: delta, cost: O(delta)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)"], "storage": {"value": ["engine.state_1007_2", "\"value\""], "device": ["engine.state_1007_2", "\"device\""], "_row_id": ["engine.state_1007_2", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1007(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  INSERT INTO pg_temp.delta_1007_1 (\"device\", \"value\", \"_row_id\", _w) SELECT \"device\", \"value\", \"_row_id\", _w FROM (SELECT \"device\" AS \"device\", \"value\" AS \"value\", \"_row_id\" AS \"_row_id\", _w FROM pg_temp.delta_1002 AS i) AS d;\n  INSERT INTO pg_temp.delta_1007_3 (_w) SELECT 1 FROM pg_temp.delta_1007_1 LIMIT 1;\n  INSERT INTO pg_temp.delta_1007_4 (\"device\", \"value\", \"_row_id\") SELECT \"device\", \"value\", \"_row_id\" FROM (SELECT q.*, row_number() OVER (ORDER BY \"value\" DESC NULLS FIRST, \"_row_id\") AS _rank FROM (SELECT t.\"device\", t.\"value\", t.\"_row_id\" FROM pg_temp.delta_1007_3 AS g CROSS JOIN LATERAL (SELECT * FROM engine.state_1007_2 AS c) AS t UNION ALL SELECT \"device\", \"value\", \"_row_id\" FROM pg_temp.delta_1007_1) AS q) AS q WHERE _rank <= 2;\n  INSERT INTO pg_temp.delta_1007_5 (\"device\", \"value\", \"_row_id\", _w) SELECT \"device\", \"value\", \"_row_id\", sum(_w) FROM (SELECT q.*, -1 AS _w FROM (SELECT t.\"device\", t.\"value\", t.\"_row_id\" FROM pg_temp.delta_1007_3 AS g CROSS JOIN LATERAL (SELECT * FROM engine.state_1007_2 AS c) AS t) AS q UNION ALL SELECT \"device\", \"value\", \"_row_id\", 1 FROM pg_temp.delta_1007_4) AS q GROUP BY \"device\", \"value\", \"_row_id\" HAVING sum(_w) <> 0;\n  INSERT INTO engine.state_1007_2 (\"device\", \"value\", \"_row_id\") SELECT \"device\", \"value\", \"_row_id\" FROM (SELECT \"device\", \"value\", \"_row_id\", sum(_w) AS _w FROM pg_temp.delta_1007_5 AS d GROUP BY \"device\", \"value\", \"_row_id\" HAVING sum(_w) <> 0) AS d WHERE _w > 0 ON CONFLICT (\"_row_id\") DO UPDATE SET \"device\" = EXCLUDED.\"device\", \"value\" = EXCLUDED.\"value\";\n  DELETE FROM engine.state_1007_2 AS t USING (SELECT d.*, CASE WHEN d.\"_row_id\" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1007_2 AS s WHERE s.\"_row_id\" = d.\"_row_id\") ELSE (SELECT s.ctid FROM engine.state_1007_2 AS s WHERE s.\"_row_id\" IS NULL) END AS _at FROM (SELECT \"device\", \"value\", \"_row_id\", sum(_w) AS _w FROM pg_temp.delta_1007_5 AS d GROUP BY \"device\", \"value\", \"_row_id\" HAVING sum(_w) <> 0) AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t.\"device\" IS NOT DISTINCT FROM g.\"device\" AND t.\"value\" IS NOT DISTINCT FROM g.\"value\";\n  IF emit THEN INSERT INTO pg_temp.delta_1007 (\"device\", \"value\", \"_row_id\", _w) SELECT \"device\", \"value\", \"_row_id\", _w FROM pg_temp.delta_1007_5 AS d; END IF;\n  RETURN (SELECT count(*) FROM pg_temp.delta_1007);\nEND $step$", "uses_now": false, "watermarks": {}, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1007 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1007_1 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1007_3 (_w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1007_4 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1007_5 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"], "follows_watermarks": false}, "watermarks": {}, "append_only": false, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1008, 'busy', 'view', 'root', 'CREATE VIEW busy AS SELECT site FROM by_site WHERE samples > 1', '2026-11-27 02:00:47.654887+00', '{"query": "SELECT site FROM by_site WHERE samples > 1", "columns": [{"name": "site", "type": "character varying", "hidden": false}]}', 'created');
INSERT INTO engine.objects VALUES (1009, 'copied', 'table', 'root', 'CREATE TABLE copied (site varchar PRIMARY KEY, samples bigint)', '2026-11-27 02:00:47.68432+00', '{"key": ["site"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}], "append_only": false, "retention_s": null}', 'created');
INSERT INTO engine.objects VALUES (1010, 'copy', 'sink', 'root', 'CREATE SINK copy INTO copied AS SELECT site, samples FROM by_site', '2026-11-27 02:00:47.714454+00', '{"key": ["site"], "from": "copy", "into": {"key": ["site"], "table": 1009, "columns": ["site", "samples"], "not_null": []}, "sink": {"path": "", "type": "upsert", "topic": "", "encode": "", "max_rows": 10240, "snapshot": true, "bootstrap": "", "connector": "table", "jsonb_mode": "string", "key_encode": "json", "properties": {}, "rollover_s": 10, "primary_key": [], "timestamptz_mode": "utc_string", "force_append_only": false}, "files": "copy", "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}], "options": {"connector": "table"}, "program": {"key": ["site"], "tables": ["CREATE TABLE engine.sink_log_1010 (_seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, _epoch bigint NOT NULL, _at timestamptz NOT NULL, _op smallint NOT NULL, v1 character varying, v2 bigint) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000)"], "chunked": true, "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}], "content": "", "explain": ["Project [\"site\" AS site, \"samples\" AS samples] maintained: delta, cost: O(delta)", "  Scan [\"by_site\" (site, samples, total, highest) retractable] maintained: delta, cost: O(delta)"], "storage": {}, "function": "CREATE FUNCTION engine.step_1010(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nDECLARE logged bigint;\nBEGIN\n  INSERT INTO engine.sink_log_1010 (_epoch, _at, _op, v1, v2) SELECT (SELECT b.epoch FROM engine.barrier AS b), barrier_now, CASE WHEN d._w > 0 THEN CASE WHEN d._pair THEN 3 ELSE 1 END ELSE CASE WHEN d._pair THEN 4 ELSE 2 END END, d.\"site\", d.\"samples\" FROM (SELECT \"site\", \"samples\", _w, count(*) OVER k = 2 AND min(_w) OVER k = -1 AND max(_w) OVER k = 1 AS _pair FROM (SELECT \"site\", \"samples\", sum(_w) AS _w FROM (SELECT \"site\" AS \"site\", \"samples\" AS \"samples\", _w FROM pg_temp.delta_1003 AS i) AS d GROUP BY \"site\", \"samples\" HAVING sum(_w) <> 0) AS d WINDOW k AS (PARTITION BY \"site\")) AS d CROSS JOIN LATERAL generate_series(1, abs(d._w)) ORDER BY d.\"site\", d._w;\n  GET DIAGNOSTICS logged = ROW_COUNT;\n  IF logged > 0 THEN PERFORM pg_notify(''tailrace_sinks'', ''1010''); END IF;\n  RETURN logged;\nEND $step$", "uses_now": false, "watermarks": {}, "append_only": false, "temporaries": [], "follows_watermarks": false}, "append_only": false}', 'created');
INSERT INTO engine.objects VALUES (1011, 'by_device', 'index', 'root', 'CREATE INDEX by_device ON enriched (device)', '2026-11-27 02:00:47.747939+00', '{"on": "engine.state_1004_3 (\"device\")", "key": [], "columns": [], "indexed": "device", "relation": "enriched"}', 'created');

INSERT INTO engine.sink_progress VALUES (1010, 2, 2, 2, '2026-11-27 02:00:47.799251+00', NULL, NULL, 0);

INSERT INTO engine.state_1003_1 VALUES ('south', 1, 1, 4, 4);
INSERT INTO engine.state_1003_1 VALUES ('north', 2, 2, 4, 2.5);

INSERT INTO engine.state_1004_3 VALUES ('d2', 2.5, 'A', 2, 'north');
INSERT INTO engine.state_1004_3 VALUES ('d3', 4, 'B', 3, 'south');
INSERT INTO engine.state_1004_3 VALUES ('d1', 1.5, 'A', 1, 'north');

INSERT INTO engine.state_1005_2 VALUES ('d2', 'A', 2);
INSERT INTO engine.state_1005_2 VALUES ('d3', 'B', 3);
INSERT INTO engine.state_1005_2 VALUES ('d1', 'A', 1);

INSERT INTO engine.state_1006_2 VALUES ('d2', '2026-01-01 00:20:00+00', 2, '2026-11-27 02:00:47.78784+00');
INSERT INTO engine.state_1006_2 VALUES ('d3', '2026-01-01 00:30:00+00', 3, '2026-11-27 02:00:47.78784+00');
INSERT INTO engine.state_1006_2 VALUES ('d1', '2026-01-01 00:10:00+00', 1, '2026-11-27 02:00:47.78784+00');

INSERT INTO engine.state_1007_2 VALUES ('d3', 4, 3);
INSERT INTO engine.state_1007_2 VALUES ('d2', 2.5, 2);

INSERT INTO engine.table_1001 VALUES ('north', 'A');
INSERT INTO engine.table_1001 VALUES ('south', 'B');

INSERT INTO engine.table_1002 VALUES ('d1', 'north', 1.5, '2026-01-01 00:10:00+00', 1);
INSERT INTO engine.table_1002 VALUES ('d2', 'north', 2.5, '2026-01-01 00:20:00+00', 2);
INSERT INTO engine.table_1002 VALUES ('d3', 'south', 4, '2026-01-01 00:30:00+00', 3);
INSERT INTO engine.table_1002 VALUES ('d4', 'south', 8, '2026-01-01 00:40:00+00', 4);

INSERT INTO engine.table_1009 VALUES ('north', 2);
INSERT INTO engine.table_1009 VALUES ('south', 1);

INSERT INTO engine.version VALUES (true, 2, 'c620779b710f47ff89bf56c3f736bfca9282eb8f96976205f09db4e9d9521cef');

SELECT pg_catalog.setval('engine.object_id', 1011, true);

SELECT pg_catalog.setval('engine.row_id', 1000, true);

SELECT pg_catalog.setval('engine.sink_log_1010__seq_seq', 2, true);

ALTER TABLE ONLY engine.backfill_progress
    ADD CONSTRAINT backfill_progress_pkey PRIMARY KEY (object_id);

ALTER TABLE ONLY engine.backfills
    ADD CONSTRAINT backfills_pkey PRIMARY KEY (object_id);

ALTER TABLE ONLY engine.barrier
    ADD CONSTRAINT barrier_pkey PRIMARY KEY (one);

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_pkey PRIMARY KEY (object_id, referenced_id);

ALTER TABLE ONLY engine.event_logs
    ADD CONSTRAINT event_logs_pkey PRIMARY KEY (unique_id);

ALTER TABLE ONLY engine.objects
    ADD CONSTRAINT objects_name_key UNIQUE (name);

ALTER TABLE ONLY engine.objects
    ADD CONSTRAINT objects_pkey PRIMARY KEY (id);

ALTER TABLE ONLY engine.process_memory
    ADD CONSTRAINT process_memory_pkey PRIMARY KEY (pid);

ALTER TABLE ONLY engine.sink_log_1010
    ADD CONSTRAINT sink_log_1010_pkey PRIMARY KEY (_seq);

ALTER TABLE ONLY engine.sink_progress
    ADD CONSTRAINT sink_progress_pkey PRIMARY KEY (sink_id);

ALTER TABLE ONLY engine.source_ends
    ADD CONSTRAINT source_ends_pkey PRIMARY KEY (source_id, partition);

ALTER TABLE ONLY engine.source_generations
    ADD CONSTRAINT source_generations_pkey PRIMARY KEY (source_id, topic_id);

ALTER TABLE ONLY engine.source_positions
    ADD CONSTRAINT source_positions_pkey PRIMARY KEY (source_id, partition);

ALTER TABLE ONLY engine.source_skipped
    ADD CONSTRAINT source_skipped_pkey PRIMARY KEY (source_id);

ALTER TABLE ONLY engine.source_watermarks
    ADD CONSTRAINT source_watermarks_pkey PRIMARY KEY (source_id, partition);

ALTER TABLE ONLY engine.version
    ADD CONSTRAINT version_pkey PRIMARY KEY (one);

ALTER TABLE ONLY engine.window_views
    ADD CONSTRAINT window_views_pkey PRIMARY KEY (relation_id);

CREATE INDEX by_device ON engine.state_1004_3 USING btree (device);

CREATE INDEX probe_1004_1 ON engine.table_1002 USING btree (site);

CREATE INDEX probe_1006_1 ON engine.table_1002 USING btree (at);

CREATE UNIQUE INDEX state_1003_1_site_idx ON engine.state_1003_1 USING btree (site) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX state_1004_3__row_id_site_1_idx ON engine.state_1004_3 USING btree (_row_id, site_1) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX state_1006_2__row_id_idx ON engine.state_1006_2 USING btree (_row_id) NULLS NOT DISTINCT;

CREATE INDEX state_1006_2__written_idx ON engine.state_1006_2 USING btree (_written);

CREATE UNIQUE INDEX state_1007_2__row_id_idx ON engine.state_1007_2 USING btree (_row_id) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX table_1001_site_idx ON engine.table_1001 USING btree (site) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX table_1002__row_id_idx ON engine.table_1002 USING btree (_row_id) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX table_1009_site_idx ON engine.table_1009 USING btree (site) NULLS NOT DISTINCT;

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON engine.table_1002 FOR EACH STATEMENT EXECUTE FUNCTION engine.refuse_append_only();

CREATE TRIGGER capture_delete AFTER DELETE ON engine.table_1001 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_delete();

CREATE TRIGGER capture_delete AFTER DELETE ON engine.table_1002 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_delete();

CREATE TRIGGER capture_delete AFTER DELETE ON engine.table_1009 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1009_delete();

CREATE TRIGGER capture_insert AFTER INSERT ON engine.table_1001 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_insert();

CREATE TRIGGER capture_insert AFTER INSERT ON engine.table_1002 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_insert();

CREATE TRIGGER capture_insert AFTER INSERT ON engine.table_1009 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1009_insert();

CREATE TRIGGER capture_update AFTER UPDATE ON engine.table_1001 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_update();

CREATE TRIGGER capture_update AFTER UPDATE ON engine.table_1002 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_update();

CREATE TRIGGER capture_update AFTER UPDATE ON engine.table_1009 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1009_update();

CREATE TRIGGER keep_key BEFORE UPDATE ON engine.table_1001 FOR EACH ROW WHEN (((old.site)::text IS DISTINCT FROM (new.site)::text)) EXECUTE FUNCTION engine.refuse_key_update();

CREATE TRIGGER keep_key BEFORE UPDATE ON engine.table_1009 FOR EACH ROW WHEN (((old.site)::text IS DISTINCT FROM (new.site)::text)) EXECUTE FUNCTION engine.refuse_key_update();

CREATE TRIGGER overwrite BEFORE INSERT ON engine.table_1001 FOR EACH ROW EXECUTE FUNCTION engine.overwrite_1001();

CREATE TRIGGER overwrite BEFORE INSERT ON engine.table_1009 FOR EACH ROW EXECUTE FUNCTION engine.overwrite_1009();

CREATE TRIGGER take_turn BEFORE INSERT ON engine.table_1001 FOR EACH STATEMENT EXECUTE FUNCTION engine.take_turn_1001();

CREATE TRIGGER take_turn BEFORE INSERT ON engine.table_1009 FOR EACH STATEMENT EXECUTE FUNCTION engine.take_turn_1009();

ALTER TABLE ONLY engine.backfill_progress
    ADD CONSTRAINT backfill_progress_object_id_fkey FOREIGN KEY (object_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.backfills
    ADD CONSTRAINT backfills_object_id_fkey FOREIGN KEY (object_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_object_id_fkey FOREIGN KEY (object_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_referenced_id_fkey FOREIGN KEY (referenced_id) REFERENCES engine.objects(id);

ALTER TABLE ONLY engine.sink_progress
    ADD CONSTRAINT sink_progress_sink_id_fkey FOREIGN KEY (sink_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_generations
    ADD CONSTRAINT source_generations_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_positions
    ADD CONSTRAINT source_positions_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_skipped
    ADD CONSTRAINT source_skipped_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_watermarks
    ADD CONSTRAINT source_watermarks_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.window_views
    ADD CONSTRAINT window_views_relation_id_fkey FOREIGN KEY (relation_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

GRANT USAGE ON SCHEMA engine TO root;

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO root;
GRANT USAGE ON SCHEMA public TO dashboard;

GRANT USAGE ON SCHEMA rw_catalog TO root;
GRANT USAGE ON SCHEMA rw_catalog TO dashboard;

GRANT USAGE ON SEQUENCE engine.row_id TO root;

GRANT INSERT(site) ON TABLE engine.table_1001 TO root;

GRANT INSERT(region) ON TABLE engine.table_1001 TO root;

GRANT INSERT(device) ON TABLE engine.table_1002 TO root;

GRANT INSERT(site) ON TABLE engine.table_1002 TO root;

GRANT INSERT(value) ON TABLE engine.table_1002 TO root;

GRANT INSERT(at) ON TABLE engine.table_1002 TO root;

GRANT INSERT(site) ON TABLE engine.table_1009 TO root;

GRANT INSERT(samples) ON TABLE engine.table_1009 TO root;

GRANT SELECT ON TABLE public.at_arrival TO root;
GRANT SELECT ON TABLE public.at_arrival TO dashboard;

GRANT SELECT ON TABLE public.by_site TO root;
GRANT SELECT ON TABLE public.by_site TO dashboard;

GRANT SELECT ON TABLE public.busy TO root;
GRANT SELECT ON TABLE public.busy TO dashboard;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.copied TO root;
GRANT SELECT ON TABLE public.copied TO dashboard;

GRANT SELECT ON TABLE public.enriched TO root;
GRANT SELECT ON TABLE public.enriched TO dashboard;

GRANT SELECT ON TABLE public.recent TO root;
GRANT SELECT ON TABLE public.recent TO dashboard;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.samples TO root;
GRANT SELECT ON TABLE public.samples TO dashboard;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sites TO root;
GRANT SELECT ON TABLE public.sites TO dashboard;

GRANT SELECT ON TABLE public.top TO root;
GRANT SELECT ON TABLE public.top TO dashboard;

GRANT SELECT ON TABLE rw_catalog.pg_class TO root;
GRANT SELECT ON TABLE rw_catalog.pg_class TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_barrier TO root;
GRANT SELECT ON TABLE rw_catalog.rw_barrier TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_columns TO root;
GRANT SELECT ON TABLE rw_catalog.rw_columns TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_ddl_progress TO root;
GRANT SELECT ON TABLE rw_catalog.rw_ddl_progress TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_depend TO root;
GRANT SELECT ON TABLE rw_catalog.rw_depend TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_description TO root;
GRANT SELECT ON TABLE rw_catalog.rw_description TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_event_logs TO root;
GRANT SELECT ON TABLE rw_catalog.rw_event_logs TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_indexes TO root;
GRANT SELECT ON TABLE rw_catalog.rw_indexes TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_metrics TO root;
GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_metrics TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_kafka_job_lag TO root;
GRANT SELECT ON TABLE rw_catalog.rw_kafka_job_lag TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_progress TO root;
GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_progress TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_materialized_views TO root;
GRANT SELECT ON TABLE rw_catalog.rw_materialized_views TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_poison_rows TO root;
GRANT SELECT ON TABLE rw_catalog.rw_poison_rows TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_process_memory TO root;
GRANT SELECT ON TABLE rw_catalog.rw_process_memory TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_relation_storage TO root;
GRANT SELECT ON TABLE rw_catalog.rw_relation_storage TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_relations TO root;
GRANT SELECT ON TABLE rw_catalog.rw_relations TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_sink_backlog TO root;
GRANT SELECT ON TABLE rw_catalog.rw_sink_backlog TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_sinks TO root;
GRANT SELECT ON TABLE rw_catalog.rw_sinks TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_sources TO root;
GRANT SELECT ON TABLE rw_catalog.rw_sources TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_streaming_jobs TO root;
GRANT SELECT ON TABLE rw_catalog.rw_streaming_jobs TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_table_stats TO root;
GRANT SELECT ON TABLE rw_catalog.rw_table_stats TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_tables TO root;
GRANT SELECT ON TABLE rw_catalog.rw_tables TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_views TO root;
GRANT SELECT ON TABLE rw_catalog.rw_views TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_watermarks TO root;
GRANT SELECT ON TABLE rw_catalog.rw_watermarks TO dashboard;
