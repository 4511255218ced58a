"""The catalog's own tables, in the private schema `engine`: what clients see of them is `engine.catalog.visible`.

Kept in PostgreSQL itself, so that a DDL statement and its catalog rows commit together. Made, brought up to date and checked
by `engine.catalog.versions` when the flow starts.

PRIVATE is version 1 and is history: it must not change. What a later version adds is a list of its own, which both a new
database and the upgrade step of that version run, so that the two cannot differ.
"""

from __future__ import annotations

PRIVATE = """
CREATE SCHEMA engine;
CREATE SEQUENCE engine.object_id START 1001;
CREATE SEQUENCE engine.row_id CACHE 1000;
CREATE TABLE engine.objects (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('source', 'table', 'materialized view', 'view', 'index')),
    owner text NOT NULL,
    definition text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    body jsonb NOT NULL
);
CREATE TABLE engine.dependencies (
    object_id integer NOT NULL REFERENCES engine.objects ON DELETE CASCADE,
    referenced_id integer NOT NULL REFERENCES engine.objects,
    PRIMARY KEY (object_id, referenced_id)
);
CREATE TABLE engine.source_positions (
    source_id integer NOT NULL REFERENCES engine.objects ON DELETE CASCADE,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (source_id, partition)
) WITH (fillfactor = 50);
CREATE TABLE engine.source_generations (
    source_id integer NOT NULL REFERENCES engine.objects ON DELETE CASCADE,
    topic_id text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (source_id, topic_id)
);
CREATE TABLE engine.source_watermarks (
    source_id integer NOT NULL REFERENCES engine.objects ON DELETE CASCADE,
    partition integer NOT NULL,
    newest timestamptz NOT NULL,
    advanced_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, partition)
) WITH (fillfactor = 50);
CREATE TABLE engine.source_skipped (
    source_id integer PRIMARY KEY REFERENCES engine.objects ON DELETE CASCADE,
    messages bigint NOT NULL
);
CREATE TABLE engine.poison_rows (
    source_id integer,
    origin text NOT NULL,
    error text NOT NULL,
    sqlstate text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE engine.barrier (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch bigint NOT NULL,
    barrier_time timestamptz NOT NULL,
    input_rows bigint NOT NULL,
    previous_ms double precision NOT NULL
) WITH (fillfactor = 50);
INSERT INTO engine.barrier VALUES (true, 0, now(), 0, 0);
CREATE FUNCTION engine.convert_from(data bytea, encoding text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN pg_catalog.convert_from(data, encoding);
EXCEPTION WHEN data_exception OR undefined_object OR invalid_parameter_value THEN
    RETURN NULL;
END $$;
CREATE FUNCTION engine.refuse_source(name text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an ad-hoc query over source "%" is not supported', name
        USING ERRCODE = '0A000', HINT = 'create a materialized view over it and query that';
END $$;
CREATE FUNCTION engine.refuse_key_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'UPDATE of a primary-key column is not supported'
        USING ERRCODE = '0A000', HINT = 'DELETE the row and INSERT it with its new key';
END $$;
CREATE FUNCTION engine.refuse_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of an append-only table is not supported', TG_OP
        USING ERRCODE = '0A000', HINT = 'leave out APPEND ONLY when rows may change';
END $$;
"""

VERSION = """
CREATE TABLE engine.version (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    visible text NOT NULL
);
INSERT INTO engine.version (version, visible) VALUES (2, '');
"""
"""Which version this is, and a digest of the visible schema's text. Version 1 had no such table."""

SOURCE_ENDS = """
CREATE TABLE engine.source_ends (
    source_id integer NOT NULL,
    partition integer NOT NULL,
    topic_id text NOT NULL,
    high_watermark bigint NOT NULL,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (source_id, partition)
) WITH (fillfactor = 50);
"""
"""The offset behind the last message of each partition, as the broker told it last; see `engine.flow.gauges`.

No foreign key: a row that is updated while its source is dropped would fail the drop, whose snapshot is older."""

PROCESS_MEMORY = """
CREATE TABLE engine.process_memory (
    process text NOT NULL,
    pid integer PRIMARY KEY,
    resident_bytes bigint NOT NULL,
    private_bytes bigint NOT NULL,
    measured_at timestamptz NOT NULL
) WITH (fillfactor = 50);
"""
"""What the flow and PostgreSQL's processes hold in memory; see `engine.flow.gauges`."""

BACKFILLS = """
ALTER TABLE engine.objects ADD COLUMN status text NOT NULL DEFAULT 'created' CHECK (status IN ('creating', 'created'));
CREATE VIEW engine.created AS SELECT * FROM engine.objects WHERE status = 'created';
CREATE TABLE engine.backfills (
    object_id integer PRIMARY KEY REFERENCES engine.objects ON DELETE CASCADE,
    background boolean NOT NULL,
    filled_epoch bigint,
    filled_time timestamptz,
    source_fill jsonb
);
CREATE TABLE engine.backfill_progress (
    object_id integer PRIMARY KEY REFERENCES engine.objects ON DELETE CASCADE,
    done_rows bigint NOT NULL,
    total_rows bigint
) WITH (fillfactor = 50);
CREATE TABLE engine.event_logs (
    unique_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    happened_at timestamptz NOT NULL DEFAULT now(),
    event_type text NOT NULL,
    info jsonb NOT NULL
);
"""
"""Objects that a job is filling, and how far it is; see `engine.backfill`."""

COPY_GRANTS = """
DO $$
DECLARE
    stored record;
BEGIN
    FOR stored IN
        SELECT o.id, string_agg(quote_ident(c.value ->> 'name'), ', ') AS columns
        FROM engine.objects AS o, jsonb_array_elements(o.body -> 'columns') AS c
        WHERE o.kind = 'table' AND NOT (c.value ->> 'hidden')::boolean GROUP BY o.id
    LOOP
        EXECUTE format('GRANT INSERT (%s) ON engine.table_%s TO root', stored.columns, stored.id);
    END LOOP;
END $$;
"""
"""What CREATE TABLE grants since COPY FROM STDIN, for the tables that were there before."""

SINKS = """
ALTER TABLE engine.objects DROP CONSTRAINT objects_kind_check;
ALTER TABLE engine.objects ADD CONSTRAINT objects_kind_check
    CHECK (kind IN ('source', 'table', 'materialized view', 'view', 'index', 'sink'));
CREATE TABLE engine.sink_progress (
    sink_id integer PRIMARY KEY REFERENCES engine.objects ON DELETE CASCADE,
    claimed_seq bigint NOT NULL DEFAULT 0,
    delivered_seq bigint NOT NULL DEFAULT 0,
    delivered_rows bigint NOT NULL DEFAULT 0,
    last_delivered_at timestamptz,
    last_error text,
    failed_at timestamptz,
    failures bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE FUNCTION engine.sink_waiting(id integer, OUT rows_waiting bigint, OUT waiting_since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT count(*), min(_at) FROM engine.sink_log_%s', id) INTO rows_waiting, waiting_since;
END $$;
"""
"""Sinks: how far each has been delivered, and what waits in its log; see `engine.delivery`."""

WATERMARKS = """
CREATE TABLE engine.window_views (
    relation_id integer PRIMARY KEY REFERENCES engine.objects ON DELETE CASCADE
);
CREATE FUNCTION engine.watermarks() RETURNS TABLE (relation text, "column" text, watermark timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' AS $$
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
"""
"""The views that emit on window close and are filled; and where each watermark stands."""

ADDED_IN_2: tuple[str, ...] = (
    VERSION,
    BACKFILLS,
    COPY_GRANTS,
    SOURCE_ENDS,
    PROCESS_MEMORY,
    SINKS,
    WATERMARKS,
)
"""Version 2, on top of version 1."""

SCHEMAS = """
ALTER TABLE engine.objects ADD COLUMN schema text NOT NULL DEFAULT 'public';
ALTER TABLE engine.objects DROP CONSTRAINT objects_name_key;
ALTER TABLE engine.objects ADD CONSTRAINT objects_schema_name_key UNIQUE (schema, name) DEFERRABLE INITIALLY IMMEDIATE;
CREATE OR REPLACE VIEW engine.created AS SELECT * FROM engine.objects WHERE status = 'created';
CREATE TABLE engine.schemas (
    id integer PRIMARY KEY,
    name text NOT NULL UNIQUE,
    owner text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO engine.schemas VALUES (2, 'public', 'root');
DO $$
DECLARE
    stored record;
BEGIN
    FOR stored IN SELECT id, name FROM engine.objects WHERE kind = 'index'
    LOOP
        EXECUTE format('ALTER INDEX IF EXISTS engine.%I RENAME TO index_%s', stored.name, stored.id);
    END LOOP;
END $$;
"""
"""Schemas: each object lies in one. What PostgreSQL calls an index is its id, since names are unique in a schema only."""

FUNCTIONS = "ALTER TABLE engine.version ADD COLUMN functions text NOT NULL DEFAULT ''"
"""A digest of the text of the functions that stand in the database; see `engine.functions`."""

TABLES = """
ALTER TABLE engine.objects DROP CONSTRAINT objects_kind_check;
ALTER TABLE engine.objects ADD CONSTRAINT objects_kind_check CHECK (kind IN ('source', 'table', 'materialized view', 'view',
    'index', 'sink', 'function', 'subscription', 'connection', 'secret'));
CREATE FUNCTION engine.refuse_update() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'update modifying the % column is unsupported', TG_ARGV[0]
        USING ERRCODE = '0A000', HINT = CASE TG_ARGV[0] WHEN 'PK' THEN 'DELETE the row and INSERT it with its new key'
            ELSE 'update the columns that it is computed from' END;
END $$;
CREATE FUNCTION engine.refuse_null() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE relation text; schema_of text;
BEGIN
    SELECT name, schema INTO relation, schema_of FROM engine.objects WHERE id = substr(TG_TABLE_NAME, 7)::integer;
    RAISE EXCEPTION 'null value in column "%" of relation "%" violates not-null constraint', TG_ARGV[0], relation
        USING ERRCODE = '23502', COLUMN = TG_ARGV[0], TABLE = relation, SCHEMA = schema_of;
END $$;
"""
"""What the triggers of tables raise (see `engine.ddl.table_storage`); functions among the objects."""

TABLE_WATERMARKS = """
CREATE OR REPLACE FUNCTION engine.watermarks() RETURNS TABLE (relation text, "column" text, watermark timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' AS $$
DECLARE kept record;
BEGIN
    FOR kept IN
        SELECT o.name, w.key, w.value FROM engine.created AS o, jsonb_each_text(o.body -> 'watermarks') AS w,
            jsonb_array_elements(o.body -> 'columns') AS c
        WHERE c.value ->> 'name' = w.key AND (c.value ->> 'type' LIKE 'timestamp%' OR c.value ->> 'type' = 'date')
    LOOP
        relation := kept.name;
        "column" := kept.key;
        EXECUTE format('SELECT CAST(%s AS timestamptz)', kept.value) INTO watermark;
        RETURN NEXT;
    END LOOP;
END $$;
"""
"""Where watermarks stand, now that tables may have them on columns that are no times: those are left out."""

ROW_ID_GRANTS = """
DO $$
DECLARE
    stored record;
BEGIN
    FOR stored IN SELECT id FROM engine.objects WHERE kind = 'table'
    LOOP
        EXECUTE format('GRANT SELECT ON engine.table_%s TO root', stored.id);
    END LOOP;
END $$;
"""
"""What CREATE TABLE grants since queries may name _row_id, for the tables that were there before."""

ADDED_IN_3: tuple[str, ...] = (SCHEMAS, FUNCTIONS, TABLES, TABLE_WATERMARKS, ROW_ID_GRANTS)
"""Version 3, on top of version 2."""
