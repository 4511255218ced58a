"""What clients see of the catalog beside RisingWave's own relations: progress, lag, sizes and figures, and PostgreSQL's pg_class.

Views only, in schema `rw_catalog`, over what `engine.catalog.schema` keeps. They hold no data and may change at any time: with
`engine.catalog.risingwave` they are made anew by `engine.catalog.versions` whenever their text has changed.
"""

from __future__ import annotations

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
    SELECT p.source_id, coalesce(t.name, o.name) AS source_name, p.origin, p.error, p.sqlstate, p.seen_at
    FROM engine.poison_rows AS p LEFT JOIN engine.objects AS o ON o.id = p.source_id
    LEFT JOIN engine.objects AS t ON t.id = (o.body ->> 'feeds')::integer;
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
