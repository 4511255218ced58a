"""The relations of RisingWave's rw_catalog with its columns: real contents where the engine has the thing, none where not.

Behind RisingWave's columns some relations have more, which the front door's SHOW reads (`schema_name`, `indexed_columns`). An id
is the engine's own object id, and that of a system relation its oid below zero, so that the two never meet; owners are ids of
roles as pg_roles shows them, root being 1; schema ids are PostgreSQL's. Part of what `engine.catalog.versions` makes anew
whenever its text has changed.
"""

from __future__ import annotations

OBJECTS = """
CREATE FUNCTION rw_catalog._owner(name text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT CASE r.rolname WHEN 'root' THEN 1 ELSE r.oid::integer END FROM pg_catalog.pg_roles AS r WHERE r.rolname = name
$$;
CREATE FUNCTION rw_catalog._owner_name(id integer) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE id WHEN 1 THEN 'root' ELSE pg_catalog.pg_get_userbyid(id::oid)::text END
$$;
CREATE FUNCTION rw_catalog._schema(name text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT n.oid::integer FROM pg_catalog.pg_namespace AS n WHERE n.nspname = name
$$;
CREATE FUNCTION rw_catalog._parallelism(body jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(body ->> 'parallelism', 'adaptive')
$$;
CREATE FUNCTION rw_catalog._accessible(of_object integer) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(session_user, 'root', 'MEMBER') OR EXISTS (
        SELECT FROM engine.objects AS o LEFT JOIN engine.dependencies AS d ON d.object_id = o.id AND o.kind = 'index'
        LEFT JOIN engine.objects AS r ON r.id = d.referenced_id
        LEFT JOIN pg_namespace AS n ON n.nspname = coalesce(r.schema, o.schema)
        LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = coalesce(r.name, o.name)
        WHERE o.id = of_object
            AND (o.owner = session_user OR has_table_privilege(session_user, c.oid, 'SELECT, INSERT, UPDATE, DELETE')))
$$;
CREATE VIEW rw_catalog._objects AS
    SELECT o.id, o.name, coalesce(o.body ->> 'shown_as', o.kind) AS kind, o.schema AS schema_name,
        rw_catalog._schema(o.schema) AS schema_id,
        rw_catalog._owner(o.owner) AS owner, o.definition, o.body, o.created_at AS initialized_at, o.created_at,
        o.status, NULL::character varying AS cluster_version, '{}'::character varying[] AS acl,
        coalesce(b.background, false) AS background_ddl
    FROM engine.objects AS o LEFT JOIN engine.backfills AS b ON b.object_id = o.id;
CREATE VIEW rw_catalog.rw_tables AS
    SELECT id, name, schema_id, owner, definition, coalesce((body -> 'append_only')::boolean, false) AS append_only,
        false AS refreshable, acl, initialized_at, created_at, cluster_version AS initialized_at_cluster_version,
        cluster_version AS created_at_cluster_version, schema_name
    FROM rw_catalog._objects WHERE kind = 'table' AND status = 'created';
CREATE VIEW rw_catalog.rw_materialized_views AS
    SELECT id, name, schema_id, schema_name, owner, definition, coalesce((body -> 'append_only')::boolean, false) AS append_only,
        acl, initialized_at, created_at, cluster_version AS initialized_at_cluster_version,
        cluster_version AS created_at_cluster_version, background_ddl, upper(status) AS status
    FROM rw_catalog._objects WHERE kind = 'materialized view' AND status = 'created';
CREATE VIEW rw_catalog.rw_views AS
    SELECT id, name, schema_id, owner, definition, acl, created_at, cluster_version AS created_at_cluster_version, schema_name
    FROM rw_catalog._objects WHERE kind = 'view';
CREATE VIEW rw_catalog.rw_system_tables AS
    SELECT -c.oid::integer AS id, c.relname::text AS name, c.relnamespace::integer AS schema_id, 1 AS owner,
        NULL::text AS definition, '{}'::character varying[] AS acl, n.nspname::text AS schema_name
    FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('pg_catalog', 'information_schema', 'rw_catalog') AND c.relkind IN ('r', 'v')
        AND c.relname NOT LIKE '\\_%';
CREATE VIEW rw_catalog.rw_columns AS
    SELECT o.id AS relation_id, c.value ->> 'name' AS name, c.ordinality::integer AS position,
        (c.value ->> 'hidden')::boolean AS is_hidden,
        coalesce(coalesce(o.body -> 'stored_key', o.body -> 'key') ? (c.value ->> 'name'), false) AS is_primary_key,
        coalesce(o.body -> 'key' ? (c.value ->> 'name'), false) AS is_distribution_key,
        c.value ->> 'generated' IS NOT NULL AS is_generated,
        NOT coalesce((c.value ->> 'not_null')::boolean, false) AS is_nullable,
        c.value ->> 'generated' AS generation_expression,
        CASE WHEN c.value ->> 'name' = '_row_id' THEN 'serial' ELSE rw.shown_type(c.value ->> 'type') END AS data_type,
        to_regtype(c.value ->> 'type')::oid::integer AS type_oid, t.typlen AS type_len, t.typname::text AS udt_type
    FROM engine.created AS o CROSS JOIN LATERAL jsonb_array_elements(o.body -> 'columns') WITH ORDINALITY AS c
    LEFT JOIN pg_catalog.pg_type AS t ON t.oid = to_regtype(c.value ->> 'type')
    UNION ALL
    SELECT s.id, a.attname::text, a.attnum::integer, false, false, false, false, true, NULL,
        CASE a.atttypid WHEN 'oid'::regtype THEN 'integer' ELSE rw.type_name(a.atttypid) END, a.atttypid::integer, a.attlen,
        t.typname::text
    FROM rw_catalog.rw_system_tables AS s JOIN pg_catalog.pg_attribute AS a ON a.attrelid = (-s.id)::oid
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid WHERE a.attnum > 0 AND NOT a.attisdropped;
CREATE VIEW rw_catalog.rw_sources AS
    SELECT CASE WHEN t.kind = 'source' THEN t.id ELSE o.id END AS id, coalesce(t.name, o.name) AS name,
        coalesce(t.schema_id, o.schema_id) AS schema_id, coalesce(t.owner, o.owner) AS owner,
        upper(o.body -> 'options' ->> 'connector') AS connector,
        ARRAY(SELECT c.name FROM rw_catalog.rw_columns AS c WHERE c.relation_id = coalesce(t.id, o.id) AND NOT c.is_hidden
            ORDER BY c.position) AS columns,
        o.body ->> 'format' AS format, o.body ->> 'encode' AS row_encode,
        o.body -> 'spec' ->> 'format' IS NULL OR o.body -> 'spec' ->> 'format' = 'plain' AS append_only,
        CASE WHEN t.kind = 'table' THEN t.id END AS associated_table_id,
        (SELECT u.id FROM engine.created AS u WHERE u.kind = 'connection' AND o.body -> 'secrets' @> to_jsonb(u.id))
            AS connection_id,
        coalesce(t.definition, o.definition) AS definition, o.acl, o.initialized_at, o.created_at,
        o.cluster_version AS initialized_at_cluster_version, o.cluster_version AS created_at_cluster_version,
        t.kind IS DISTINCT FROM 'table' AS is_shared, o.body -> 'options' AS connector_props,
        coalesce(o.body -> 'encode_options', '{}'::jsonb) AS format_encode_options,
        coalesce(t.schema_name, o.schema_name) AS schema_name
    FROM rw_catalog._objects AS o LEFT JOIN rw_catalog._objects AS t ON t.id = (o.body ->> 'feeds')::integer
    WHERE o.kind = 'source' AND NOT o.body ? 'shown_as' AND o.status = 'created';
CREATE VIEW rw_catalog._index_columns AS
    SELECT o.id, r.relation_id, r.name, r.position, coalesce(k.ordinality, 1000 + r.position) AS place,
        k.ordinality IS NOT NULL AS is_key, coalesce(k.value ->> 1, 'ASC') AS direction
    FROM rw_catalog._objects AS o JOIN engine.dependencies AS d ON d.object_id = o.id
    JOIN rw_catalog.rw_columns AS r ON r.relation_id = d.referenced_id
    LEFT JOIN LATERAL jsonb_array_elements(o.body -> 'keys') WITH ORDINALITY AS k ON k.value ->> 0 = r.name
    WHERE o.kind = 'index' AND (k.ordinality IS NOT NULL OR NOT r.is_hidden AND (
        jsonb_typeof(o.body -> 'include') IS DISTINCT FROM 'array' OR o.body -> 'include' ? r.name));
CREATE VIEW rw_catalog.rw_indexes AS
    SELECT o.id, o.name, (SELECT min(d.referenced_id) FROM engine.dependencies AS d WHERE d.object_id = o.id) AS primary_table_id,
        ARRAY(SELECT c.position::smallint FROM rw_catalog._index_columns AS c WHERE c.id = o.id AND c.is_key ORDER BY c.place)
            AS key_columns,
        ARRAY(SELECT c.position::smallint FROM rw_catalog._index_columns AS c WHERE c.id = o.id AND NOT c.is_key ORDER BY c.place)
            AS include_columns,
        o.schema_id, o.owner, o.definition, o.acl, o.initialized_at, o.created_at,
        o.cluster_version AS initialized_at_cluster_version, o.cluster_version AS created_at_cluster_version, o.background_ddl,
        o.schema_name, o.body ->> 'relation' AS relation_name, o.body ->> 'indexed' AS indexed_columns,
        coalesce((SELECT string_agg(quote_ident(c.name) || ' ' || c.direction, ', ' ORDER BY c.place)
            FROM rw_catalog._index_columns AS c WHERE c.id = o.id AND c.is_key), o.body ->> 'indexed') AS shown_key,
        (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.place)
            FROM rw_catalog._index_columns AS c WHERE c.id = o.id AND NOT c.is_key) AS shown_include,
        coalesce(quote_ident(o.body -> 'keys' -> 0 ->> 0), o.body ->> 'indexed') AS shown_distribution
    FROM rw_catalog._objects AS o WHERE o.kind = 'index' AND o.status = 'created';
CREATE VIEW rw_catalog.rw_sinks AS
    SELECT o.id, o.name, o.schema_id, o.owner, o.body -> 'options' ->> 'connector' AS connector,
        upper(replace(o.body -> 'sink' ->> 'type', '-', '_')) AS sink_type,
        (SELECT u.id FROM engine.created AS u WHERE u.kind = 'connection' AND o.body -> 'secrets' @> to_jsonb(u.id))
            AS connection_id, o.definition,
        (SELECT t.name FROM engine.objects AS t WHERE t.id = (o.body -> 'into' ->> 'table')::integer) AS target_table_name,
        o.acl, o.initialized_at, o.created_at, o.cluster_version AS initialized_at_cluster_version,
        o.cluster_version AS created_at_cluster_version, o.background_ddl,
        coalesce(o.body -> 'options', '{}'::jsonb) AS connector_props, '{}'::jsonb AS format_encode_options, o.schema_name
    FROM rw_catalog._objects AS o WHERE o.kind = 'sink' AND o.status = 'created' AND NOT o.body ? 'feeds';
CREATE VIEW rw_catalog.rw_subscriptions AS
    SELECT o.id, o.name, o.schema_id, o.schema_name, o.owner, o.definition,
        coalesce((o.body ->> 'retention_s')::numeric::bigint, 0) AS retention_seconds, o.acl, o.initialized_at, o.created_at,
        o.cluster_version AS initialized_at_cluster_version, o.cluster_version AS created_at_cluster_version
    FROM rw_catalog._objects AS o WHERE o.kind = 'subscription' AND o.status = 'created';
CREATE VIEW rw_catalog.rw_functions AS
    SELECT o.id, o.name, o.schema_id, o.owner, coalesce(o.body ->> 'type', 'scalar') AS type,
        ARRAY(SELECT to_regtype(a.pair ->> 1)::oid::integer
            FROM jsonb_array_elements(o.body -> 'arguments')
            WITH ORDINALITY AS a (pair, place) ORDER BY a.place) AS arg_type_ids,
        to_regtype(o.body ->> 'returns')::oid::integer AS return_type_id,
        coalesce(o.body ->> 'language', 'sql') AS language, NULL::character varying AS link, o.acl,
        false AS always_retry_on_network_error, o.created_at, o.cluster_version AS created_at_cluster_version, o.schema_name
    FROM rw_catalog._objects AS o WHERE o.kind = 'function';
CREATE VIEW rw_catalog.rw_connections AS
    SELECT o.id, o.name, o.schema_id, o.owner, upper(o.body -> 'options' ->> 'type') AS type, ''::text AS provider, o.acl,
        ((o.body -> 'options') - 'type')::text AS connection_params, o.schema_name
    FROM rw_catalog._objects AS o WHERE o.kind = 'connection';
CREATE VIEW rw_catalog.rw_secrets AS
    SELECT o.id, o.schema_id, o.name, o.owner, o.acl, o.schema_name FROM rw_catalog._objects AS o WHERE o.kind = 'secret';
CREATE VIEW rw_catalog.rw_relations AS
    SELECT id, name, kind AS relation_type, schema_id, owner, definition, acl, schema_name FROM rw_catalog._objects
    WHERE status = 'created' AND NOT body ? 'feeds'
        AND kind IN ('table', 'source', 'index', 'sink', 'subscription', 'materialized view', 'view')
    UNION ALL SELECT id, name, 'system table', schema_id, owner, definition, acl, schema_name FROM rw_catalog.rw_system_tables;
CREATE VIEW rw_catalog.rw_depend AS
    SELECT object_id AS objid, referenced_id AS refobjid FROM engine.dependencies;
"""
"""Objects as RisingWave lists them."""

JOBS = """
CREATE VIEW rw_catalog.rw_table_fragments AS
    SELECT id AS table_id, upper(status) AS status, rw_catalog._parallelism(body) AS parallelism,
        coalesce((body ->> 'max_parallelism')::integer, 256) AS max_parallelism
    FROM rw_catalog._objects WHERE kind IN ('table', 'materialized view', 'sink', 'index', 'source');
CREATE VIEW rw_catalog.rw_fragments AS
    SELECT f.table_id AS fragment_id, f.table_id, 'HASH'::text AS distribution_type, ARRAY[f.table_id] AS state_table_ids,
        ARRAY(SELECT d.referenced_id FROM engine.dependencies AS d WHERE d.object_id = f.table_id ORDER BY 1)
            AS upstream_fragment_ids,
        ARRAY[CASE o.kind WHEN 'source' THEN 'SOURCE' WHEN 'sink' THEN 'SINK' ELSE 'MVIEW' END] AS flags,
        1 AS parallelism, f.max_parallelism, f.parallelism AS parallelism_policy
    FROM rw_catalog.rw_table_fragments AS f JOIN rw_catalog._objects AS o ON o.id = f.table_id;
CREATE VIEW rw_catalog.rw_streaming_parallelism AS
    SELECT o.id, o.name, o.kind AS relation_type, f.parallelism, f.max_parallelism
    FROM rw_catalog._objects AS o JOIN rw_catalog.rw_table_fragments AS f ON f.table_id = o.id WHERE o.status = 'created'
    ORDER BY o.id;
CREATE VIEW rw_catalog.rw_fragment_parallelism AS
    SELECT o.id, o.name, o.kind AS relation_type, f.fragment_id, f.distribution_type, f.state_table_ids, f.upstream_fragment_ids,
        f.flags, f.parallelism, f.max_parallelism, f.parallelism_policy
    FROM rw_catalog.rw_fragments AS f JOIN rw_catalog._objects AS o ON o.id = f.table_id;
CREATE VIEW rw_catalog.rw_streaming_jobs AS
    SELECT o.id, o.name, d.oid::integer AS database_id, upper(o.status) AS status, rw_catalog._parallelism(o.body) AS parallelism,
        coalesce((o.body ->> 'max_parallelism')::integer, 256) AS max_parallelism, 'default'::text AS resource_group,
        o.kind AS type, CASE WHEN o.background_ddl THEN 'BACKGROUND' ELSE 'FOREGROUND' END AS create_type, o.definition
    FROM rw_catalog._objects AS o JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
    WHERE o.kind IN ('materialized view', 'table', 'sink', 'index');
CREATE VIEW rw_catalog.rw_streaming_job_info AS
    SELECT id, name, current_database()::text AS database_name, status, parallelism, max_parallelism, resource_group
    FROM rw_catalog.rw_streaming_jobs;
CREATE VIEW rw_catalog.rw_worker_nodes AS
    SELECT 1 AS id, 'localhost'::text AS host, current_setting('port') AS port, 'WORKER_TYPE_COMPUTE_NODE'::text AS type,
        'RUNNING'::text AS state, 1 AS parallelism, true AS is_streaming, true AS is_serving,
        NULL::text AS internal_rpc_host_addr,
        NULL::text AS rw_version, NULL::bigint AS system_total_memory_bytes, NULL::bigint AS system_total_cpu_cores,
        pg_catalog.pg_postmaster_start_time() AS started_at, 'default'::text AS resource_group, false AS is_iceberg_compactor;
CREATE VIEW rw_catalog.rw_actors AS
    SELECT fragment_id AS actor_id, fragment_id, 1 AS worker_id, 'RUNNING'::text AS state FROM rw_catalog.rw_fragments;
CREATE VIEW rw_catalog.rw_internal_tables AS
    SELECT c.oid::integer AS id, '__internal_' || c.relname AS name, o.schema_id, o.id AS job_id, o.owner, ''::text AS definition,
        o.acl, o.initialized_at, o.created_at, o.cluster_version AS initialized_at_cluster_version,
        o.cluster_version AS created_at_cluster_version, o.schema_name
    FROM pg_catalog.pg_class AS c
    JOIN rw_catalog._objects AS o ON c.relname ~ ('^state_' || o.id || '(_|$)') AND o.status = 'created'
    WHERE c.relnamespace = 'engine'::regnamespace AND c.relkind = 'r';
CREATE VIEW rw_catalog.rw_internal_table_info AS
    SELECT i.id, i.name, o.id AS job_id, o.name AS job_name, o.kind AS job_type, o.schema_name,
        rw_catalog._owner_name(o.owner) AS owner
    FROM rw_catalog.rw_internal_tables AS i JOIN rw_catalog._objects AS o ON o.id = i.job_id;
CREATE VIEW rw_catalog.rw_streaming_job_config AS
    SELECT o.id, o.name, d.oid::integer AS database_id, c.key, c.value
    FROM rw_catalog._objects AS o JOIN pg_catalog.pg_database AS d ON d.datname = current_database()
    CROSS JOIN LATERAL jsonb_each_text(o.body -> 'config') AS c;
CREATE VIEW rw_catalog.rw_rate_limit AS
    SELECT o.id AS fragment_id, ARRAY[c.kind] AS fragment_type, upper(o.kind) AS node_name, o.id AS table_id,
        c.rate_limit::integer AS rate_limit
    FROM rw_catalog._objects AS o CROSS JOIN LATERAL jsonb_each_text(o.body -> 'rate_limits') AS c (kind, rate_limit);
CREATE VIEW rw_catalog.rw_resource_groups AS
    SELECT 'default'::text AS name, 1::bigint AS streaming_workers, 1::bigint AS parallelism,
        (SELECT count(*) FROM pg_catalog.pg_database WHERE NOT datistemplate AND datname <> 'postgres') AS databases,
        (SELECT count(*) FROM rw_catalog.rw_streaming_jobs) AS streaming_jobs;
CREATE VIEW rw_catalog.rw_types AS
    SELECT t.oid::integer AS id, t.typname::text AS name, t.typinput::text AS input_oid, t.typelem::integer AS typelem,
        t.typarray::integer AS typarray
    FROM pg_catalog.pg_type AS t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typname IN (
        'bool', 'bytea', 'int8', 'int2', 'int4', 'text', 'float4', 'float8', 'varchar', 'date', 'time', 'timestamp',
        'timestamptz', 'interval', 'numeric', 'jsonb', 'rw_int256', '_bool', '_bytea', '_int2', '_int4', '_varchar', '_int8',
        '_float4',
        '_float8', '_timestamp', '_date', '_time', '_timestamptz', '_interval', '_numeric', '_jsonb');
"""
"""What runs: one fragment and one worker stand for what RisingWave spreads over many."""

CLUSTER = """
CREATE VIEW rw_catalog.rw_schemas AS
    SELECT n.oid::integer AS id, n.nspname::text AS name,
        coalesce(rw_catalog._owner((SELECT s.owner FROM engine.schemas AS s WHERE s.name = n.nspname)), 1) AS owner,
        '{}'::character varying[] AS acl
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname IN ('pg_catalog', 'information_schema', 'rw_catalog', 'public')
        OR n.nspname IN (SELECT s.name FROM engine.schemas AS s);
CREATE VIEW rw_catalog.rw_databases AS
    SELECT d.oid::integer AS id, d.datname::text AS name, coalesce(rw_catalog._owner(s.kept ->> 'tailrace.owner'), 1) AS owner,
        '{}'::character varying[] AS acl, coalesce(s.kept ->> 'tailrace.resource_group', 'default') AS resource_group,
        (s.kept ->> 'tailrace.barrier_interval_ms')::integer AS barrier_interval_ms,
        (s.kept ->> 'tailrace.checkpoint_frequency')::bigint AS checkpoint_frequency
    FROM pg_catalog.pg_database AS d LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)) AS kept
        FROM pg_catalog.pg_db_role_setting AS r, unnest(r.setconfig) AS c WHERE r.setdatabase = d.oid AND r.setrole = 0
    ) AS s ON true
    WHERE NOT d.datistemplate AND d.datname <> 'postgres' AND NOT starts_with(d.datname, 'tailrace ') AND d.datconnlimit <> -2;
CREATE VIEW rw_catalog.rw_users AS
    SELECT rw_catalog._owner(u.rolname) AS id, u.rolname::text AS name,
        u.rolname = 'root' OR coalesce(s.kept ? 'tailrace.superuser', false) AS is_super,
        u.rolname = 'root' OR coalesce(s.kept ? 'tailrace.createdb', false) AS create_db,
        u.rolname = 'root' OR coalesce(s.kept ? 'tailrace.createuser', false) AS create_user, u.rolcanlogin AS can_login,
        u.rolname = 'root' OR coalesce(s.kept ? 'tailrace.admin', false) AS is_admin
    FROM pg_catalog.pg_roles AS u LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(split_part(c, '=', 1), '') AS kept
        FROM pg_catalog.pg_db_role_setting AS r, unnest(r.setconfig) AS c WHERE r.setdatabase = 0 AND r.setrole = u.oid
    ) AS s ON true
    WHERE u.rolname IN ('root', 'dashboard') OR s.kept ? 'tailrace.user';
"""
"""What lies around the objects."""

KEYS = """
CREATE VIEW rw_catalog._keys AS
    SELECT o.schema_name, o.name AS relation_name, o.name || '_pkey' AS name, o.id AS relation_id, o.kind,
        ARRAY(SELECT c.position::smallint FROM rw_catalog.rw_columns AS c
            WHERE c.relation_id = o.id AND c.is_primary_key ORDER BY c.position) AS positions
    FROM rw_catalog._objects AS o WHERE o.kind IN ('table', 'materialized view') AND o.status = 'created' AND EXISTS (
        SELECT FROM rw_catalog.rw_columns AS c WHERE c.relation_id = o.id AND c.is_primary_key AND NOT c.is_hidden);
CREATE VIEW rw_catalog._table_constraints AS
    SELECT current_database()::text AS constraint_catalog, schema_name AS constraint_schema, name AS constraint_name,
        current_database()::text AS table_catalog, schema_name AS table_schema, relation_name AS table_name,
        'PRIMARY KEY'::text AS constraint_type, 'NO'::text AS is_deferrable, 'NO'::text AS initially_deferred,
        'YES'::text AS enforced
    FROM rw_catalog._keys;
CREATE VIEW rw_catalog._key_column_usage AS
    SELECT current_database()::text AS constraint_catalog, k.schema_name AS constraint_schema, k.name AS constraint_name,
        current_database()::text AS table_catalog, k.schema_name AS table_schema, k.relation_name AS table_name,
        c.name AS column_name, c.position AS ordinal_position, NULL::integer AS position_in_unique_constraint
    FROM rw_catalog._keys AS k JOIN rw_catalog.rw_columns AS c ON c.relation_id = k.relation_id AND c.position = ANY (k.positions)
    WHERE NOT c.is_hidden;
CREATE VIEW rw_catalog._tables AS
    SELECT current_database()::text AS table_catalog, schema_name AS table_schema, name AS table_name,
        CASE relation_type WHEN 'table' THEN 'BASE TABLE' ELSE upper(relation_type) END AS table_type,
        CASE relation_type WHEN 'table' THEN 'YES' ELSE 'NO' END AS is_insertable_into
    FROM rw_catalog.rw_relations;
CREATE VIEW rw_catalog._views AS
    SELECT current_database()::text AS table_catalog, schema_name AS table_schema, name AS table_name,
        definition AS view_definition
    FROM rw_catalog.rw_views;
CREATE VIEW rw_catalog._schemata AS
    SELECT current_database()::text AS catalog_name, name AS schema_name, rw_catalog._owner_name(owner) AS schema_owner,
        NULL::text AS default_character_set_catalog, NULL::text AS default_character_set_schema,
        NULL::text AS default_character_set_name, NULL::text AS sql_path
    FROM rw_catalog.rw_schemas;
CREATE VIEW rw_catalog._columns AS
    SELECT current_database()::text AS table_catalog, r.schema_name AS table_schema, r.name AS table_name, c.name AS column_name,
        NULL::text AS column_default, NULL::integer AS character_maximum_length, NULL::integer AS numeric_precision,
        NULL::integer AS numeric_precision_radix, NULL::integer AS numeric_scale, NULL::integer AS datetime_precision,
        c.position AS ordinal_position, CASE WHEN c.is_nullable THEN 'YES' ELSE 'NO' END AS is_nullable, c.data_type,
        current_database()::text AS udt_catalog, 'pg_catalog'::text AS udt_schema, c.udt_type AS udt_name,
        NULL::text AS character_set_catalog, NULL::text AS character_set_schema, NULL::text AS character_set_name,
        NULL::text AS collation_catalog, NULL::text AS collation_schema, NULL::text AS collation_name,
        NULL::text AS domain_catalog, NULL::text AS domain_schema, NULL::text AS domain_name, NULL::text AS scope_catalog,
        NULL::text AS scope_schema, NULL::text AS scope_name, 'NO'::text AS is_identity, NULL::text AS identity_generation,
        NULL::text AS identity_start, NULL::text AS identity_increment, NULL::text AS identity_maximum,
        NULL::text AS identity_minimum, NULL::text AS identity_cycle,
        CASE WHEN c.is_generated THEN 'ALWAYS' ELSE 'NEVER' END AS is_generated, c.generation_expression,
        NULL::text AS interval_type
    FROM rw_catalog.rw_columns AS c JOIN rw_catalog.rw_relations AS r ON r.id = c.relation_id WHERE NOT c.is_hidden;
"""
"""Primary keys, and information_schema's relations over all of this; `engine.wire.catalog_rewrite` puts them in the places."""

CALLS = """
CREATE FUNCTION rw_catalog._index_text(index oid, method text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT 'CREATE INDEX ' || quote_ident(i.name) || ' ON ' || quote_ident(i.relation_name) || method || '('
            || replace(i.shown_key, ' ASC', '') || ')' || coalesce(' INCLUDE(' || i.shown_include || ')', '')
        FROM pg_catalog.pg_class AS c JOIN rw_catalog.rw_indexes AS i ON c.relname = 'index_' || i.id
        WHERE c.oid = index AND c.relnamespace = 'engine'::regnamespace
$$;
CREATE FUNCTION rw_catalog.pg_get_indexdef(index oid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(rw_catalog._index_text(index, ''), pg_catalog.pg_get_indexdef(index))
$$;
CREATE FUNCTION rw_catalog.pg_get_indexdef(index oid, place integer, pretty boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE AS $$ -- psql asks for place 0 and shows what stands behind USING
    SELECT CASE WHEN place = 0
            THEN coalesce(rw_catalog._index_text(index, ' USING btree '), pg_catalog.pg_get_indexdef(index, 0, pretty))
        ELSE coalesce((SELECT k.name FROM (SELECT x.name, row_number() OVER (ORDER BY x.place) AS at
            FROM pg_catalog.pg_class AS c JOIN rw_catalog._index_columns AS x ON c.relname = 'index_' || x.id
            WHERE c.oid = index AND c.relnamespace = 'engine'::regnamespace) AS k WHERE k.at = place), '') END
$$;
CREATE FUNCTION rw_catalog._size(what text, relation regclass, fork text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT CASE WHEN fork <> 'main' THEN 0 WHEN what = 'indexes' THEN coalesce(s.bytes, 0)
            WHEN what = 'total' THEN r.state_bytes + coalesce(s.bytes, 0) ELSE r.state_bytes END
        FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        JOIN rw_catalog.rw_relations AS o ON o.name = c.relname AND o.schema_name = n.nspname
        JOIN rw_catalog.rw_relation_storage AS r ON r.id = o.id
        LEFT JOIN LATERAL (SELECT sum(pg_catalog.pg_relation_size(x.oid)) AS bytes
            FROM rw_catalog.rw_depend AS d JOIN pg_catalog.pg_class AS x ON x.relname = 'index_' || d.objid
            WHERE d.refobjid = o.id AND x.relnamespace = 'engine'::regnamespace) AS s ON true
        WHERE c.oid = relation), CASE what WHEN 'table' THEN pg_catalog.pg_relation_size(relation, fork)
        WHEN 'indexes' THEN pg_catalog.pg_indexes_size(relation) ELSE pg_catalog.pg_total_relation_size(relation) END)
$$;
CREATE FUNCTION rw_catalog.pg_table_size(relation regclass) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT rw_catalog._size('table', relation, 'main')
$$;
CREATE FUNCTION rw_catalog.pg_relation_size(relation regclass, fork text DEFAULT 'main') RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT rw_catalog._size('table', relation, fork)
$$;
CREATE FUNCTION rw_catalog.pg_indexes_size(relation regclass) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT rw_catalog._size('indexes', relation, 'main')
$$;
CREATE FUNCTION rw_catalog.pg_total_relation_size(relation regclass) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT rw_catalog._size('total', relation, 'main')
$$;
"""
"""PostgreSQL's functions about relations over the objects that clients see; `engine.wire.catalog_rewrite` calls them instead."""

_EMPTY = {
    "rw_actor_infos": "actor_id integer, fragment_id integer, node jsonb, dispatcher jsonb",
    "rw_actor_splits": "actor_id integer, split_id text, source_id integer, fragment_id integer, fragment_type text",
    "rw_cdc_progress": "job_id integer, split_total_count bigint, split_backfilled_count bigint, split_completed_count bigint",
    "rw_features": "name text, description text, available boolean",
    "rw_hummock_compaction_group_configs": (
        "id bigint, parent_id bigint, member_tables jsonb, compaction_config jsonb, active_write_limit jsonb"
    ),
    "rw_hummock_sstables": (
        "sstable_id bigint, object_id bigint, compaction_group_id bigint, level_id integer, sub_level_id bigint, "
        "level_type integer, key_range_left bytea, key_range_right bytea, right_exclusive boolean, file_size bigint, "
        "meta_offset bigint, stale_key_count bigint, total_key_count bigint, min_epoch bigint, max_epoch bigint, "
        "uncompressed_file_size bigint, range_tombstone_count bigint, bloom_filter_kind integer, table_ids jsonb"
    ),
    "rw_hummock_table_watermark": "table_id integer, vnode_id smallint, epoch bigint, watermark bytea",
    "rw_meta_snapshot": (
        "meta_snapshot_id bigint, hummock_version_id bigint, remarks text, state_table_info jsonb, rw_version text"
    ),
    "rw_refresh_table_state": (
        "table_id integer, current_status text, last_trigger_time text, last_success_time text, trigger_interval_secs bigint"
    ),
    "rw_user_secrets": "id integer, password text",
}
"""Relations of RisingWave's that nothing here corresponds to; they are there, and have no rows."""


def visible() -> str:
    """DDL of all of them, to be run in schema rw_catalog, which exists."""
    empty = "".join(
        f"CREATE VIEW rw_catalog.{name} AS SELECT {_nulls(columns)} WHERE false;\n"
        for name, columns in _EMPTY.items()
    )
    return OBJECTS + JOBS + CLUSTER + KEYS + CALLS + empty


def _nulls(columns: str) -> str:
    """`a integer, b text` as NULL::integer AS a, NULL::text AS b."""
    pairs = (column.split(" ", 1) for column in columns.split(", "))
    return ", ".join(f"NULL::{type_} AS {name}" for name, type_ in pairs)
