-- A database as version 1 of the state left it, taken with pg_dump --inserts: two tables, three materialized views, a view,
-- an index, rows, and one change that waits for its barrier. It must never be made anew: it is history.
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

CREATE FUNCTION engine.step_1003(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  IF emit THEN WITH changed AS (INSERT INTO engine.state_1003_1 AS s ("site", _n, "count(value)", "sum(value)") SELECT d."site" AS "site", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d."value" IS NOT NULL), 0) AS "count(value)", coalesce(sum(d."value"::double precision) FILTER (WHERE d."value" IS NOT NULL), 0) AS "sum(value)" FROM pg_temp.delta_1002 AS d GROUP BY d."site" ON CONFLICT ("site") DO UPDATE SET _n = s._n + EXCLUDED._n, "count(value)" = s."count(value)" + EXCLUDED."count(value)", "sum(value)" = s."sum(value)" + EXCLUDED."sum(value)" RETURNING new."site", old._n AS _old, new._n AS _new, new.ctid AS _at, (old._n) AS o0, (CASE WHEN old."count(value)" > 0 THEN old."sum(value)"::double precision END) AS o1, (new._n) AS n0, (CASE WHEN new."count(value)" > 0 THEN new."sum(value)"::double precision END) AS n1) INSERT INTO pg_temp.delta_1003_2 ("site", "_a1", "_a2", _w) SELECT c."site", c.o0, c.o1, -1 FROM changed AS c WHERE c._old > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1) IS DISTINCT FROM ROW(c.n0, c.n1)) UNION ALL SELECT c."site", c.n0, c.n1, 1 FROM changed AS c WHERE c._new > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1) IS DISTINCT FROM ROW(c.n0, c.n1)); ELSE INSERT INTO engine.state_1003_1 AS s ("site", _n, "count(value)", "sum(value)") SELECT d."site" AS "site", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d."value" IS NOT NULL), 0) AS "count(value)", coalesce(sum(d."value"::double precision) FILTER (WHERE d."value" IS NOT NULL), 0) AS "sum(value)" FROM pg_temp.delta_1002 AS d GROUP BY d."site" ON CONFLICT ("site") DO UPDATE SET _n = s._n + EXCLUDED._n, "count(value)" = s."count(value)" + EXCLUDED."count(value)", "sum(value)" = s."sum(value)" + EXCLUDED."sum(value)"; END IF;
  IF emit THEN INSERT INTO pg_temp.delta_1003 ("site", "samples", "total", _w) SELECT "site", "samples", "total", _w FROM (SELECT "site" AS "site", "_a1" AS "samples", "_a2" AS "total", _w FROM pg_temp.delta_1003_2 AS i) AS d; END IF;
  RETURN (SELECT count(*) FROM pg_temp.delta_1003);
END $$;

CREATE FUNCTION engine.step_1004(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  INSERT INTO pg_temp.delta_1004_1 ("site_1", "region", _w) SELECT "site_1", "region", _w FROM (SELECT "site" AS "site_1", "region" AS "region", _w FROM pg_temp.delta_1001 AS i) AS d;
  IF emit THEN INSERT INTO pg_temp.delta_1004 ("device", "value", "region", "_row_id", _w) SELECT "device", "value", "region", "_row_id", _w FROM (SELECT "device" AS "device", "value" AS "value", "region" AS "region", "_row_id" AS "_row_id", _w FROM (SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT "site" AS "site_1", "region" AS "region" FROM engine.table_1001 AS i) AS r ON l."site" = r."site_1") AS i) AS d; INSERT INTO engine.state_1004_2 ("device", "value", "region", "_row_id") SELECT "device", "value", "region", "_row_id" FROM pg_temp.delta_1004 AS d; ELSE INSERT INTO engine.state_1004_2 ("device", "value", "region", "_row_id") SELECT "device", "value", "region", "_row_id" FROM (SELECT "device" AS "device", "value" AS "value", "region" AS "region", "_row_id" AS "_row_id", _w FROM (SELECT l."device", l."site", l."value", l."at", l."_row_id", r."site_1", r."region", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT "site" AS "site_1", "region" AS "region" FROM engine.table_1001 AS i) AS r ON l."site" = r."site_1") AS i) AS d; END IF;
  RETURN (SELECT count(*) FROM pg_temp.delta_1004);
END $$;

CREATE FUNCTION engine.step_1005(barrier_now timestamp with time zone, barrier_last timestamp with time zone, initial boolean, emit boolean) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
#variable_conflict use_column
BEGIN
  IF initial THEN INSERT INTO pg_temp.delta_1005_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", _w FROM pg_temp.delta_1002 AS i WHERE "at" > (barrier_now - INTERVAL '1 HOUR'); ELSE INSERT INTO pg_temp.delta_1005_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", _w FROM pg_temp.delta_1002 AS i WHERE "at" > (barrier_last - INTERVAL '1 HOUR'); INSERT INTO pg_temp.delta_1005_1 ("device", "site", "value", "at", "_row_id", _w) SELECT "device", "site", "value", "at", "_row_id", -1 FROM engine.table_1002 AS i WHERE "at" > (barrier_last - INTERVAL '1 HOUR') AND "at" <= (barrier_now - INTERVAL '1 HOUR'); END IF;
  INSERT INTO pg_temp.delta_1005 ("device", "at", "_row_id", _w) SELECT "device", "at", "_row_id", sum(_w) AS _w FROM (SELECT "device" AS "device", "at" AS "at", "_row_id" AS "_row_id", _w FROM pg_temp.delta_1005_1 AS i) AS d GROUP BY "device", "at", "_row_id" HAVING sum(_w) <> 0;
  INSERT INTO engine.state_1005_2 ("device", "at", "_row_id") SELECT "device", "at", "_row_id" FROM pg_temp.delta_1005 AS d WHERE _w > 0 ON CONFLICT ("_row_id") DO UPDATE SET "device" = EXCLUDED."device", "at" = EXCLUDED."at";
  DELETE FROM engine.state_1005_2 AS t USING (SELECT d.*, CASE WHEN d."_row_id" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1005_2 AS s WHERE s."_row_id" = d."_row_id") ELSE (SELECT s.ctid FROM engine.state_1005_2 AS s WHERE s."_row_id" IS NULL) END AS _at FROM pg_temp.delta_1005 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t."device" IS NOT DISTINCT FROM g."device" AND t."at" IS NOT DISTINCT FROM g."at";
  RETURN (SELECT count(*) FROM pg_temp.delta_1005);
END $$;

CREATE FUNCTION engine.take_turn_1001() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$ BEGIN PERFORM pg_advisory_xact_lock(4566, 1001); RETURN NULL; END $$;

SET default_tablespace = '';

SET default_table_access_method = heap;

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

CREATE TABLE engine.state_1003_1 (
    site character varying,
    _n bigint,
    "count(value)" bigint,
    "sum(value)" double precision
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1003 AS
 SELECT site,
    samples,
    total
   FROM ( SELECT i.site,
            i._a1 AS samples,
            i._a2 AS total
           FROM ( SELECT s.site,
                    s._n AS _a1,
                        CASE
                            WHEN (s."count(value)" > 0) THEN s."sum(value)"
                            ELSE NULL::double precision
                        END AS _a2
                   FROM engine.state_1003_1 s
                  WHERE (s._n > 0)) i) c;

CREATE TABLE engine.state_1004_2 (
    device character varying,
    value double precision,
    region character varying,
    _row_id bigint
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1004 AS
 SELECT device,
    value,
    region,
    _row_id
   FROM engine.state_1004_2 c;

CREATE TABLE engine.state_1005_2 (
    device character varying,
    at timestamp with time zone,
    _row_id bigint
)
WITH (fillfactor='70');

CREATE VIEW engine.content_1005 AS
 SELECT device,
    at,
    _row_id
   FROM engine.state_1005_2 c;

CREATE TABLE engine.dependencies (
    object_id integer NOT NULL,
    referenced_id integer NOT NULL
);

CREATE SEQUENCE engine.object_id
    START WITH 1001
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

CREATE TABLE engine.objects (
    id integer NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    owner text NOT NULL,
    definition text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    body jsonb NOT NULL,
    CONSTRAINT objects_kind_check CHECK ((kind = ANY (ARRAY['source'::text, 'table'::text, 'materialized view'::text, 'view'::text, 'index'::text])))
);

CREATE TABLE engine.poison_rows (
    source_id integer,
    origin text NOT NULL,
    error text NOT NULL,
    sqlstate text NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);

CREATE SEQUENCE engine.row_id
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1000;

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

CREATE VIEW public.by_site AS
 SELECT site,
    samples,
    total
   FROM ( SELECT c.site,
            c.samples,
            c.total
           FROM ( SELECT i.site,
                    i._a1 AS samples,
                    i._a2 AS total
                   FROM ( SELECT s.site,
                            s._n AS _a1,
                                CASE
                                    WHEN (s."count(value)" > 0) THEN s."sum(value)"
                                    ELSE NULL::double precision
                                END AS _a2
                           FROM engine.state_1003_1 s
                          WHERE (s._n > 0)) i) c) content;

CREATE VIEW public.busy AS
 SELECT site
   FROM public.by_site
  WHERE (samples > 1);

CREATE VIEW public.enriched AS
 SELECT device,
    value,
    region
   FROM ( SELECT c.device,
            c.value,
            c.region,
            c._row_id
           FROM engine.state_1004_2 c) content;

CREATE VIEW public.recent AS
 SELECT device,
    at
   FROM ( SELECT c.device,
            c.at,
            c._row_id
           FROM engine.state_1005_2 c) content;

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
    c.relhasindex,
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
     LEFT JOIN engine.objects o ON (((o.name = c.relname) AND (c.relnamespace = ((
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
   FROM engine.objects o,
    LATERAL jsonb_array_elements((o.body -> 'columns'::text)) WITH ORDINALITY c(value, ordinality);

CREATE VIEW rw_catalog.rw_ddl_progress AS
 SELECT id AS ddl_id,
    definition AS ddl_statement,
    '100%'::text AS progress,
    created_at AS initialized_at
   FROM engine.objects
  WHERE false;

CREATE VIEW rw_catalog.rw_depend AS
 SELECT object_id AS objid,
    referenced_id AS refobjid
   FROM engine.dependencies;

CREATE VIEW rw_catalog.rw_indexes AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at,
    (body ->> 'relation'::text) AS relation_name,
    (body ->> 'indexed'::text) AS indexed_columns
   FROM engine.objects
  WHERE (kind = 'index'::text);

CREATE VIEW rw_catalog.rw_kafka_source_metrics AS
 SELECT p.source_id,
    o.name AS source_name,
    ((o.body -> 'options'::text) ->> 'topic'::text) AS topic,
    p.topic_id,
    p.partition,
    p.next_offset AS consumer_offset,
    COALESCE(s.messages, (0)::bigint) AS skipped_messages
   FROM ((engine.source_positions p
     JOIN engine.objects o ON ((o.id = p.source_id)))
     LEFT JOIN engine.source_skipped s ON ((s.source_id = p.source_id)));

CREATE VIEW rw_catalog.rw_materialized_views AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.objects
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

CREATE VIEW rw_catalog.rw_relations AS
 SELECT id,
    'public'::text AS schema_name,
    name,
    kind AS relation_type
   FROM engine.objects;

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
   FROM engine.objects o
  WHERE (kind = 'source'::text);

CREATE VIEW rw_catalog.rw_streaming_jobs AS
 SELECT id,
    name,
    kind AS type,
    'created'::text AS status,
    'FOREGROUND'::text AS create_type,
    definition
   FROM engine.objects
  WHERE (kind = ANY (ARRAY['materialized view'::text, 'table'::text]));

CREATE VIEW rw_catalog.rw_tables AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.objects
  WHERE (kind = 'table'::text);

CREATE VIEW rw_catalog.rw_views AS
 SELECT id,
    name,
    'public'::text AS schema_name,
    owner,
    definition,
    created_at
   FROM engine.objects
  WHERE (kind = 'view'::text);

INSERT INTO engine.barrier VALUES (true, 16, '2026-01-01 00:00:01+00', 0, 2.496393999990687);

INSERT INTO engine.changes_1002 VALUES ('d4', 'south', 8, '2026-01-01 00:31:00+00', 4, 1);

INSERT INTO engine.dependencies VALUES (1003, 1002);
INSERT INTO engine.dependencies VALUES (1004, 1001);
INSERT INTO engine.dependencies VALUES (1004, 1002);
INSERT INTO engine.dependencies VALUES (1005, 1002);
INSERT INTO engine.dependencies VALUES (1006, 1003);
INSERT INTO engine.dependencies VALUES (1007, 1004);

INSERT INTO engine.objects VALUES (1001, 'sites', 'table', 'root', 'CREATE TABLE sites (site varchar PRIMARY KEY, region varchar)', '2026-11-26 22:40:49.184954+00', '{"key": ["site"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}], "append_only": false}');
INSERT INTO engine.objects VALUES (1002, 'samples', 'table', 'root', 'CREATE TABLE samples (device varchar, site varchar, value double precision, at timestamptz) APPEND ONLY', '2026-11-26 22:40:49.196012+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "site", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "append_only": true}');
INSERT INTO engine.objects VALUES (1003, 'by_site', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW by_site AS SELECT site, count(*) AS samples, sum(value) AS total FROM samples GROUP BY site', '2026-11-26 22:40:49.217138+00', '{"key": ["site"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}, {"name": "total", "type": "double precision", "hidden": false}], "program": {"key": ["site"], "tables": ["CREATE TABLE engine.state_1003_1 (\"site\" character varying, \"_n\" bigint, \"count(value)\" bigint, \"sum(value)\" double precision) WITH (fillfactor = 70)", "CREATE UNIQUE INDEX ON engine.state_1003_1 (\"site\") NULLS NOT DISTINCT"], "columns": [{"name": "site", "type": "character varying", "hidden": false}, {"name": "samples", "type": "bigint", "hidden": false}, {"name": "total", "type": "double precision", "hidden": false}], "content": "SELECT \"site\", \"samples\", \"total\" FROM (SELECT \"site\" AS \"site\", \"_a1\" AS \"samples\", \"_a2\" AS \"total\" FROM (SELECT s.\"site\", s._n AS \"_a1\", CASE WHEN s.\"count(value)\" > 0 THEN s.\"sum(value)\"::double precision END AS \"_a2\" FROM engine.state_1003_1 AS s WHERE s._n > 0) AS i) AS c", "explain": ["state: TABLE engine.state_1003_1 (\"site\" character varying, \"_n\" bigint, \"count(value)\" bigint, \"sum(value)\" double precision) WITH (fillfactor = 70)", "state: UNIQUE INDEX ON engine.state_1003_1 (\"site\") NULLS NOT DISTINCT", "Project [\"site\" AS site, \"_a1\" AS samples, \"_a2\" AS total] maintained: delta, cost: O(delta)", "  Aggregate [by (site) count(*), sum(value)] maintained: accumulator, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)"], "storage": {"site": ["engine.state_1003_1", "\"site\""], "total": ["engine.state_1003_1", "CASE WHEN \"count(value)\" > 0 THEN \"sum(value)\"::double precision END"], "samples": ["engine.state_1003_1", "_n"]}, "function": "CREATE FUNCTION engine.step_1003(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  IF emit THEN WITH changed AS (INSERT INTO engine.state_1003_1 AS s (\"site\", _n, \"count(value)\", \"sum(value)\") SELECT d.\"site\" AS \"site\", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"count(value)\", coalesce(sum(d.\"value\"::double precision) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"sum(value)\" FROM pg_temp.delta_1002 AS d GROUP BY d.\"site\" ON CONFLICT (\"site\") DO UPDATE SET _n = s._n + EXCLUDED._n, \"count(value)\" = s.\"count(value)\" + EXCLUDED.\"count(value)\", \"sum(value)\" = s.\"sum(value)\" + EXCLUDED.\"sum(value)\" RETURNING new.\"site\", old._n AS _old, new._n AS _new, new.ctid AS _at, (old._n) AS o0, (CASE WHEN old.\"count(value)\" > 0 THEN old.\"sum(value)\"::double precision END) AS o1, (new._n) AS n0, (CASE WHEN new.\"count(value)\" > 0 THEN new.\"sum(value)\"::double precision END) AS n1) INSERT INTO pg_temp.delta_1003_2 (\"site\", \"_a1\", \"_a2\", _w) SELECT c.\"site\", c.o0, c.o1, -1 FROM changed AS c WHERE c._old > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1) IS DISTINCT FROM ROW(c.n0, c.n1)) UNION ALL SELECT c.\"site\", c.n0, c.n1, 1 FROM changed AS c WHERE c._new > 0 AND ((c._old > 0) IS DISTINCT FROM (c._new > 0) OR ROW(c.o0, c.o1) IS DISTINCT FROM ROW(c.n0, c.n1)); ELSE INSERT INTO engine.state_1003_1 AS s (\"site\", _n, \"count(value)\", \"sum(value)\") SELECT d.\"site\" AS \"site\", sum(_w) AS _n, coalesce(sum(_w) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"count(value)\", coalesce(sum(d.\"value\"::double precision) FILTER (WHERE d.\"value\" IS NOT NULL), 0) AS \"sum(value)\" FROM pg_temp.delta_1002 AS d GROUP BY d.\"site\" ON CONFLICT (\"site\") DO UPDATE SET _n = s._n + EXCLUDED._n, \"count(value)\" = s.\"count(value)\" + EXCLUDED.\"count(value)\", \"sum(value)\" = s.\"sum(value)\" + EXCLUDED.\"sum(value)\"; END IF;\n  IF emit THEN INSERT INTO pg_temp.delta_1003 (\"site\", \"samples\", \"total\", _w) SELECT \"site\", \"samples\", \"total\", _w FROM (SELECT \"site\" AS \"site\", \"_a1\" AS \"samples\", \"_a2\" AS \"total\", _w FROM pg_temp.delta_1003_2 AS i) AS d; END IF;\n  RETURN (SELECT count(*) FROM pg_temp.delta_1003);\nEND $step$", "uses_now": false, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1003 (\"site\" character varying STORAGE PLAIN, \"samples\" bigint STORAGE PLAIN, \"total\" double precision STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1003_2 (\"site\" character varying STORAGE PLAIN, \"_a1\" bigint STORAGE PLAIN, \"_a2\" double precision STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"]}, "append_only": false}');
INSERT INTO engine.objects VALUES (1004, 'enriched', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW enriched AS SELECT s.device, s.value, r.region FROM samples AS s LEFT JOIN sites FOR SYSTEM_TIME AS OF PROCTIME() AS r ON s.site = r.site', '2026-11-26 22:40:49.235655+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "program": {"key": ["_row_id"], "tables": ["CREATE TABLE engine.state_1004_2 (\"device\" character varying, \"value\" double precision, \"region\" character varying, \"_row_id\" bigint) WITH (fillfactor = 70)"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "value", "type": "double precision", "hidden": false}, {"name": "region", "type": "character varying", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "content": "SELECT \"device\", \"value\", \"region\", \"_row_id\" FROM engine.state_1004_2 AS c", "explain": ["state: TABLE engine.state_1004_2 (\"device\" character varying, \"value\" double precision, \"region\" character varying, \"_row_id\" bigint) WITH (fillfactor = 70)", "Project [\"device\" AS device, \"value\" AS value, \"region\" AS region] maintained: delta, cost: O(delta)", "  TemporalJoin [left, l.\"site\" = r.\"site_1\"] maintained: delta, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)", "    Project [\"site\" AS site_1, \"region\" AS region] maintained: delta, cost: O(delta)", "      Scan [\"sites\" (site, region) retractable] maintained: delta, cost: O(delta)"], "storage": {"value": ["engine.state_1004_2", "\"value\""], "device": ["engine.state_1004_2", "\"device\""], "region": ["engine.state_1004_2", "\"region\""], "_row_id": ["engine.state_1004_2", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1004(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  INSERT INTO pg_temp.delta_1004_1 (\"site_1\", \"region\", _w) SELECT \"site_1\", \"region\", _w FROM (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\", _w FROM pg_temp.delta_1001 AS i) AS d;\n  IF emit THEN INSERT INTO pg_temp.delta_1004 (\"device\", \"value\", \"region\", \"_row_id\", _w) SELECT \"device\", \"value\", \"region\", \"_row_id\", _w FROM (SELECT \"device\" AS \"device\", \"value\" AS \"value\", \"region\" AS \"region\", \"_row_id\" AS \"_row_id\", _w FROM (SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\" FROM engine.table_1001 AS i) AS r ON l.\"site\" = r.\"site_1\") AS i) AS d; INSERT INTO engine.state_1004_2 (\"device\", \"value\", \"region\", \"_row_id\") SELECT \"device\", \"value\", \"region\", \"_row_id\" FROM pg_temp.delta_1004 AS d; ELSE INSERT INTO engine.state_1004_2 (\"device\", \"value\", \"region\", \"_row_id\") SELECT \"device\", \"value\", \"region\", \"_row_id\" FROM (SELECT \"device\" AS \"device\", \"value\" AS \"value\", \"region\" AS \"region\", \"_row_id\" AS \"_row_id\", _w FROM (SELECT l.\"device\", l.\"site\", l.\"value\", l.\"at\", l.\"_row_id\", r.\"site_1\", r.\"region\", l._w FROM pg_temp.delta_1002 AS l LEFT JOIN (SELECT \"site\" AS \"site_1\", \"region\" AS \"region\" FROM engine.table_1001 AS i) AS r ON l.\"site\" = r.\"site_1\") AS i) AS d; END IF;\n  RETURN (SELECT count(*) FROM pg_temp.delta_1004);\nEND $step$", "uses_now": false, "append_only": true, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1004 (\"device\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1004_1 (\"site_1\" character varying STORAGE PLAIN, \"region\" character varying STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"]}, "append_only": true}');
INSERT INTO engine.objects VALUES (1005, 'recent', 'materialized view', 'root', 'CREATE MATERIALIZED VIEW recent AS SELECT device, at FROM samples WHERE at > now() - INTERVAL ''1 hour''', '2026-11-26 22:40:49.251881+00', '{"key": ["_row_id"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "program": {"key": ["_row_id"], "tables": ["CREATE INDEX ON engine.table_1002 (\"at\")", "CREATE TABLE engine.state_1005_2 (\"device\" character varying, \"at\" timestamp with time zone, \"_row_id\" bigint) WITH (fillfactor = 70)", "CREATE UNIQUE INDEX ON engine.state_1005_2 (\"_row_id\") NULLS NOT DISTINCT"], "columns": [{"name": "device", "type": "character varying", "hidden": false}, {"name": "at", "type": "timestamp with time zone", "hidden": false}, {"name": "_row_id", "type": "bigint", "hidden": true}], "content": "SELECT \"device\", \"at\", \"_row_id\" FROM engine.state_1005_2 AS c", "explain": ["state: INDEX ON engine.table_1002 (\"at\")", "state: TABLE engine.state_1005_2 (\"device\" character varying, \"at\" timestamp with time zone, \"_row_id\" bigint) WITH (fillfactor = 70)", "state: UNIQUE INDEX ON engine.state_1005_2 (\"_row_id\") NULLS NOT DISTINCT", "Project [\"device\" AS device, \"at\" AS at] maintained: delta, cost: O(delta)", "  TemporalFilter [at > CURRENT_TIMESTAMP - INTERVAL ''1 HOUR''] maintained: delta, cost: O(delta log n)", "    Scan [\"samples\" (device, site, value, at) append-only] maintained: delta, cost: O(delta)"], "storage": {"at": ["engine.state_1005_2", "\"at\""], "device": ["engine.state_1005_2", "\"device\""], "_row_id": ["engine.state_1005_2", "\"_row_id\""]}, "function": "CREATE FUNCTION engine.step_1005(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) RETURNS bigint LANGUAGE plpgsql AS $step$\n#variable_conflict use_column\nBEGIN\n  IF initial THEN INSERT INTO pg_temp.delta_1005_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", _w FROM pg_temp.delta_1002 AS i WHERE \"at\" > (barrier_now - INTERVAL ''1 HOUR''); ELSE INSERT INTO pg_temp.delta_1005_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", _w FROM pg_temp.delta_1002 AS i WHERE \"at\" > (barrier_last - INTERVAL ''1 HOUR''); INSERT INTO pg_temp.delta_1005_1 (\"device\", \"site\", \"value\", \"at\", \"_row_id\", _w) SELECT \"device\", \"site\", \"value\", \"at\", \"_row_id\", -1 FROM engine.table_1002 AS i WHERE \"at\" > (barrier_last - INTERVAL ''1 HOUR'') AND \"at\" <= (barrier_now - INTERVAL ''1 HOUR''); END IF;\n  INSERT INTO pg_temp.delta_1005 (\"device\", \"at\", \"_row_id\", _w) SELECT \"device\", \"at\", \"_row_id\", sum(_w) AS _w FROM (SELECT \"device\" AS \"device\", \"at\" AS \"at\", \"_row_id\" AS \"_row_id\", _w FROM pg_temp.delta_1005_1 AS i) AS d GROUP BY \"device\", \"at\", \"_row_id\" HAVING sum(_w) <> 0;\n  INSERT INTO engine.state_1005_2 (\"device\", \"at\", \"_row_id\") SELECT \"device\", \"at\", \"_row_id\" FROM pg_temp.delta_1005 AS d WHERE _w > 0 ON CONFLICT (\"_row_id\") DO UPDATE SET \"device\" = EXCLUDED.\"device\", \"at\" = EXCLUDED.\"at\";\n  DELETE FROM engine.state_1005_2 AS t USING (SELECT d.*, CASE WHEN d.\"_row_id\" IS NOT NULL THEN (SELECT s.ctid FROM engine.state_1005_2 AS s WHERE s.\"_row_id\" = d.\"_row_id\") ELSE (SELECT s.ctid FROM engine.state_1005_2 AS s WHERE s.\"_row_id\" IS NULL) END AS _at FROM pg_temp.delta_1005 AS d WHERE d._w < 0 OFFSET 0) AS g WHERE t.ctid = g._at AND t.\"device\" IS NOT DISTINCT FROM g.\"device\" AND t.\"at\" IS NOT DISTINCT FROM g.\"at\";\n  RETURN (SELECT count(*) FROM pg_temp.delta_1005);\nEND $step$", "uses_now": true, "append_only": false, "temporaries": ["CREATE TEMP TABLE IF NOT EXISTS delta_1005 (\"device\" character varying STORAGE PLAIN, \"at\" timestamp with time zone STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS", "CREATE TEMP TABLE IF NOT EXISTS delta_1005_1 (\"device\" character varying STORAGE PLAIN, \"site\" character varying STORAGE PLAIN, \"value\" double precision STORAGE PLAIN, \"at\" timestamp with time zone STORAGE PLAIN, \"_row_id\" bigint STORAGE PLAIN, _w integer NOT NULL DEFAULT 1) ON COMMIT DELETE ROWS"]}, "append_only": false}');
INSERT INTO engine.objects VALUES (1006, 'busy', 'view', 'root', 'CREATE VIEW busy AS SELECT site FROM by_site WHERE samples > 1', '2026-11-26 22:40:49.269878+00', '{"query": "SELECT site FROM by_site WHERE samples > 1", "columns": [{"name": "site", "type": "character varying", "hidden": false}]}');
INSERT INTO engine.objects VALUES (1007, 'by_device', 'index', 'root', 'CREATE INDEX by_device ON enriched (device)', '2026-11-26 22:40:49.282161+00', '{"key": [], "columns": [], "indexed": "device", "relation": "enriched"}');

INSERT INTO engine.state_1003_1 VALUES ('south', 1, 1, 4);
INSERT INTO engine.state_1003_1 VALUES ('north', 2, 2, 4);

INSERT INTO engine.state_1004_2 VALUES ('d1', 1.5, 'A', 1);
INSERT INTO engine.state_1004_2 VALUES ('d3', 4, 'B', 3);
INSERT INTO engine.state_1004_2 VALUES ('d2', 2.5, 'A', 2);

INSERT INTO engine.state_1005_2 VALUES ('d3', '2026-01-01 00:30:00+00', 3);
INSERT INTO engine.state_1005_2 VALUES ('d2', '2026-01-01 00:30:00+00', 2);
INSERT INTO engine.state_1005_2 VALUES ('d1', '2026-01-01 00:00:00+00', 1);

INSERT INTO engine.table_1001 VALUES ('north', 'A');
INSERT INTO engine.table_1001 VALUES ('south', 'B');

INSERT INTO engine.table_1002 VALUES ('d1', 'north', 1.5, '2026-01-01 00:00:00+00', 1);
INSERT INTO engine.table_1002 VALUES ('d2', 'north', 2.5, '2026-01-01 00:30:00+00', 2);
INSERT INTO engine.table_1002 VALUES ('d3', 'south', 4, '2026-01-01 00:30:00+00', 3);
INSERT INTO engine.table_1002 VALUES ('d4', 'south', 8, '2026-01-01 00:31:00+00', 4);

SELECT pg_catalog.setval('engine.object_id', 1007, true);

SELECT pg_catalog.setval('engine.row_id', 1000, true);

ALTER TABLE ONLY engine.barrier
    ADD CONSTRAINT barrier_pkey PRIMARY KEY (one);

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_pkey PRIMARY KEY (object_id, referenced_id);

ALTER TABLE ONLY engine.objects
    ADD CONSTRAINT objects_name_key UNIQUE (name);

ALTER TABLE ONLY engine.objects
    ADD CONSTRAINT objects_pkey PRIMARY KEY (id);

ALTER TABLE ONLY engine.source_generations
    ADD CONSTRAINT source_generations_pkey PRIMARY KEY (source_id, topic_id);

ALTER TABLE ONLY engine.source_positions
    ADD CONSTRAINT source_positions_pkey PRIMARY KEY (source_id, partition);

ALTER TABLE ONLY engine.source_skipped
    ADD CONSTRAINT source_skipped_pkey PRIMARY KEY (source_id);

ALTER TABLE ONLY engine.source_watermarks
    ADD CONSTRAINT source_watermarks_pkey PRIMARY KEY (source_id, partition);

CREATE INDEX by_device ON engine.state_1004_2 USING btree (device);

CREATE UNIQUE INDEX state_1003_1_site_idx ON engine.state_1003_1 USING btree (site) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX state_1005_2__row_id_idx ON engine.state_1005_2 USING btree (_row_id) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX table_1001_site_idx ON engine.table_1001 USING btree (site) NULLS NOT DISTINCT;

CREATE UNIQUE INDEX table_1002__row_id_idx ON engine.table_1002 USING btree (_row_id) NULLS NOT DISTINCT;

CREATE INDEX table_1002_at_idx ON engine.table_1002 USING btree (at);

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON engine.table_1002 FOR EACH STATEMENT EXECUTE FUNCTION engine.refuse_append_only();

CREATE TRIGGER capture_delete AFTER DELETE ON engine.table_1001 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_delete();

CREATE TRIGGER capture_delete AFTER DELETE ON engine.table_1002 REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_delete();

CREATE TRIGGER capture_insert AFTER INSERT ON engine.table_1001 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_insert();

CREATE TRIGGER capture_insert AFTER INSERT ON engine.table_1002 REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_insert();

CREATE TRIGGER capture_update AFTER UPDATE ON engine.table_1001 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1001_update();

CREATE TRIGGER capture_update AFTER UPDATE ON engine.table_1002 REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION engine.capture_1002_update();

CREATE TRIGGER keep_key BEFORE UPDATE ON engine.table_1001 FOR EACH ROW WHEN (((old.site)::text IS DISTINCT FROM (new.site)::text)) EXECUTE FUNCTION engine.refuse_key_update();

CREATE TRIGGER overwrite BEFORE INSERT ON engine.table_1001 FOR EACH ROW EXECUTE FUNCTION engine.overwrite_1001();

CREATE TRIGGER take_turn BEFORE INSERT ON engine.table_1001 FOR EACH STATEMENT EXECUTE FUNCTION engine.take_turn_1001();

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_object_id_fkey FOREIGN KEY (object_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.dependencies
    ADD CONSTRAINT dependencies_referenced_id_fkey FOREIGN KEY (referenced_id) REFERENCES engine.objects(id);

ALTER TABLE ONLY engine.source_generations
    ADD CONSTRAINT source_generations_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_positions
    ADD CONSTRAINT source_positions_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_skipped
    ADD CONSTRAINT source_skipped_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

ALTER TABLE ONLY engine.source_watermarks
    ADD CONSTRAINT source_watermarks_source_id_fkey FOREIGN KEY (source_id) REFERENCES engine.objects(id) ON DELETE CASCADE;

REVOKE USAGE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO root;
GRANT USAGE ON SCHEMA public TO dashboard;

GRANT USAGE ON SCHEMA rw_catalog TO root;
GRANT USAGE ON SCHEMA rw_catalog TO dashboard;

GRANT USAGE ON SEQUENCE engine.row_id TO root;

GRANT SELECT ON TABLE public.by_site TO root;
GRANT SELECT ON TABLE public.by_site TO dashboard;

GRANT SELECT ON TABLE public.busy TO root;
GRANT SELECT ON TABLE public.busy TO dashboard;

GRANT SELECT ON TABLE public.enriched TO root;
GRANT SELECT ON TABLE public.enriched TO dashboard;

GRANT SELECT ON TABLE public.recent TO root;
GRANT SELECT ON TABLE public.recent TO dashboard;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.samples TO root;
GRANT SELECT ON TABLE public.samples TO dashboard;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.sites TO root;
GRANT SELECT ON TABLE public.sites TO dashboard;

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

GRANT SELECT ON TABLE rw_catalog.rw_indexes TO root;
GRANT SELECT ON TABLE rw_catalog.rw_indexes TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_metrics TO root;
GRANT SELECT ON TABLE rw_catalog.rw_kafka_source_metrics TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_materialized_views TO root;
GRANT SELECT ON TABLE rw_catalog.rw_materialized_views TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_poison_rows TO root;
GRANT SELECT ON TABLE rw_catalog.rw_poison_rows TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_relations TO root;
GRANT SELECT ON TABLE rw_catalog.rw_relations TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_sources TO root;
GRANT SELECT ON TABLE rw_catalog.rw_sources TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_streaming_jobs TO root;
GRANT SELECT ON TABLE rw_catalog.rw_streaming_jobs TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_tables TO root;
GRANT SELECT ON TABLE rw_catalog.rw_tables TO dashboard;

GRANT SELECT ON TABLE rw_catalog.rw_views TO root;
GRANT SELECT ON TABLE rw_catalog.rw_views TO dashboard;
