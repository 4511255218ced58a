"""The catalog's own tables and what clients see of them: schema `engine` (private) and `rw_catalog` (RisingWave's names).

Kept in PostgreSQL itself, so that a DDL statement and its catalog rows commit together. Made, brought up to date and checked
by `engine.catalog.versions` when the flow starts.

PRIVATE is version 1 and is history: it must not change. What a later version adds is a list of its own, which both a new
database and the upgrade step of that version run, so that the two cannot differ. VISIBLE holds views and functions only and
may change at any time: it is made anew whenever its text has changed.
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

VISIBLE = """
CREATE SCHEMA rw_catalog;
CREATE VIEW rw_catalog.rw_description AS
    SELECT o.id AS objoid, d.classoid::integer AS classoid, nullif(d.objsubid, 0) AS objsubid, d.description
    FROM engine.created AS o JOIN pg_namespace AS n ON n.nspname = o.schema
    JOIN pg_class AS c ON c.relname = o.name AND c.relnamespace = n.oid
    JOIN pg_description AS d ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass;
CREATE VIEW rw_catalog.rw_sink_backlog AS
    SELECT o.id AS sink_id, o.name AS sink_name, w.rows_waiting, w.waiting_since, p.delivered_rows, p.last_delivered_at,
        p.failures, p.last_error, p.failed_at
    FROM engine.created AS o JOIN engine.sink_progress AS p ON p.sink_id = o.id
    CROSS JOIN LATERAL engine.sink_waiting(p.sink_id) AS w;
CREATE VIEW rw_catalog.rw_ddl_progress AS
    SELECT o.id::bigint AS ddl_id, o.definition AS ddl_statement,
        CASE WHEN b.background THEN 'BACKGROUND' ELSE 'FOREGROUND' END AS create_type,
        coalesce(round(100.0 * p.done_rows / nullif(p.total_rows, 0), 2), 0)::text || '%' AS progress,
        o.created_at AS initialized_at, false AS is_serverless_backfill, 'SNAPSHOT_BACKFILL'::text AS backfill_type
    FROM engine.backfills AS b JOIN engine.objects AS o ON o.id = b.object_id
    JOIN engine.backfill_progress AS p ON p.object_id = b.object_id;
CREATE VIEW rw_catalog.rw_event_logs AS
    SELECT unique_id::text AS unique_id, happened_at AS timestamp, event_type, info FROM engine.event_logs;
CREATE VIEW rw_catalog.rw_kafka_source_metrics AS
    SELECT p.source_id, p.partition::text AS partition_id, e.high_watermark, p.next_offset - 1 AS latest_offset
    FROM engine.source_positions AS p
    LEFT JOIN engine.source_ends AS e USING (source_id, partition, topic_id);
CREATE VIEW rw_catalog.rw_kafka_job_lag AS
    WITH RECURSIVE readers AS (
        SELECT d.object_id AS job_id, o.kind, d.referenced_id AS source_id
        FROM engine.dependencies AS d JOIN engine.objects AS o ON o.id = d.object_id
        JOIN engine.objects AS s ON s.id = d.referenced_id AND s.kind = 'source'
        UNION
        SELECT d.object_id, o.kind, r.source_id FROM readers AS r
        JOIN engine.dependencies AS d ON d.referenced_id = r.job_id AND r.kind = 'view'
        JOIN engine.objects AS o ON o.id = d.object_id
    )
    SELECT r.job_id, r.source_id, r.job_id AS fragment_id, m.partition_id, 'LIVE'::text AS lag_phase,
        m.high_watermark, m.latest_offset AS consumer_offset,
        CASE WHEN m.high_watermark IS NOT NULL THEN greatest(m.high_watermark - m.latest_offset - 1, 0) END AS lag
    FROM readers AS r JOIN rw_catalog.rw_kafka_source_metrics AS m USING (source_id)
    WHERE r.kind <> 'view';
CREATE VIEW rw_catalog.rw_kafka_source_progress AS
    SELECT p.source_id, coalesce(t.name, o.name) AS source_name, o.body -> 'options' ->> 'topic' AS topic, p.topic_id,
        p.partition, p.next_offset, e.high_watermark,
        CASE WHEN e.high_watermark IS NOT NULL THEN greatest(e.high_watermark - p.next_offset, 0) END AS lag, e.seen_at,
        coalesce(s.messages, 0) AS skipped_messages
    FROM engine.source_positions AS p JOIN engine.objects AS o ON o.id = p.source_id
    LEFT JOIN engine.objects AS t ON t.id = (o.body ->> 'feeds')::integer
    LEFT JOIN engine.source_ends AS e USING (source_id, partition, topic_id)
    LEFT JOIN engine.source_skipped AS s USING (source_id);
CREATE VIEW rw_catalog.rw_relation_storage AS
    WITH stored AS (
        SELECT c.oid, c.relname, substring(c.relname FROM '^[a-z_]+_([0-9]+)(?:_|$)')::integer AS id,
            c.relname ~ '^(changes|pending|sink_log)_' AS is_changes,
            pg_table_size(c.oid) AS table_bytes, pg_indexes_size(c.oid) AS index_bytes
        FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'engine'::regnamespace AND c.relkind = 'r'
    ), sizes AS (
        SELECT id, sum(table_bytes) FILTER (WHERE NOT is_changes) AS state_bytes,
            sum(index_bytes) FILTER (WHERE NOT is_changes) AS index_bytes,
            sum(table_bytes + index_bytes) FILTER (WHERE is_changes) AS changelog_bytes
        FROM stored WHERE id IS NOT NULL GROUP BY id
    )
    SELECT o.id, o.name, o.kind AS relation_type,
        (SELECT pg_stat_get_live_tuples(t.oid) FROM stored AS t WHERE 'engine.' || t.relname = CASE o.kind
            WHEN 'table' THEN 'engine.table_' || o.id
            ELSE (SELECT value ->> 0 FROM jsonb_each(o.body #> '{program,storage}') LIMIT 1) END) AS row_estimate,
        coalesce(s.state_bytes, 0)::bigint AS state_bytes, coalesce(s.index_bytes, 0)::bigint AS index_bytes,
        coalesce(s.changelog_bytes, 0)::bigint AS changelog_bytes
    FROM engine.objects AS o LEFT JOIN sizes AS s USING (id) WHERE o.kind NOT IN ('view', 'index');
CREATE VIEW rw_catalog.rw_table_stats AS
    SELECT id, row_estimate AS total_key_count, index_bytes AS total_key_size, state_bytes AS total_value_size
    FROM rw_catalog.rw_relation_storage WHERE row_estimate IS NOT NULL;
CREATE VIEW rw_catalog.rw_process_memory AS
    SELECT process, pid, resident_bytes, private_bytes, measured_at FROM engine.process_memory;
CREATE VIEW rw_catalog.rw_poison_rows AS
    SELECT p.source_id, o.name AS source_name, p.origin, p.error, p.sqlstate, p.seen_at
    FROM engine.poison_rows AS p LEFT JOIN engine.objects AS o ON o.id = p.source_id;
CREATE VIEW rw_catalog.rw_watermarks AS SELECT relation, "column", watermark FROM engine.watermarks();
CREATE VIEW rw_catalog.rw_barrier AS SELECT epoch, barrier_time, input_rows, previous_ms FROM engine.barrier;
"""

GRANTS = """
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public, rw_catalog TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA rw_catalog TO PUBLIC;
REVOKE ALL ON rw_catalog._objects FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA engine FROM PUBLIC;
GRANT USAGE ON SEQUENCE engine.row_id TO PUBLIC;
GRANT USAGE ON SCHEMA engine TO PUBLIC;
"""


def pg_class_view(columns: list[str]) -> str:
    """DDL of rw_catalog.pg_class: pg_class with RisingWave's kinds and names, internal relations left out.

    `columns` are pg_catalog.pg_class's columns in order, without oid.
    """
    shown = {
        "relname": "coalesce(i.name, c.relname)::name AS relname",
        "relkind": "CASE coalesce(o.body ->> 'shown_as', o.kind) WHEN 'table' THEN 'r' "
        "WHEN 'materialized view' THEN 'm' WHEN 'source' THEN 'f' "
        'ELSE c.relkind END::"char" AS relkind',
        "relhasindex": "c.relhasindex OR EXISTS (SELECT FROM engine.dependencies AS d JOIN engine.created AS i "
        "ON i.id = d.object_id AND i.kind = 'index' WHERE d.referenced_id = o.id) AS relhasindex",
        "relowner": "coalesce(rw_catalog._owner(coalesce(i.owner, o.owner))::oid, c.relowner) AS relowner",
        "relnamespace": "coalesce(m.oid, c.relnamespace) AS relnamespace",
    }
    items = ", ".join(shown.get(c, f"c.{c}") for c in columns)
    return (
        f"CREATE VIEW rw_catalog.pg_class AS SELECT c.oid, {items} FROM pg_catalog.pg_class AS c "
        "JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace "
        "LEFT JOIN engine.created AS o ON o.schema = n.nspname AND o.name = c.relname AND o.kind <> 'index' "
        "LEFT JOIN engine.created AS i ON n.nspname = 'engine' AND i.kind = 'index' AND 'index_' || i.id = c.relname "
        "LEFT JOIN pg_catalog.pg_namespace AS m ON m.nspname = i.schema "
        "WHERE (o.id IS NOT NULL AND NOT o.body ? 'feeds') OR i.id IS NOT NULL OR n.nspname NOT IN ('engine', 'rw') "
        "AND n.nspname NOT IN (SELECT name FROM engine.schemas)"
    )
