"""Relations of RisingWave's rw_catalog, which it finds without their schema; `engine.catalog.risingwave` makes them. No I/O."""

from __future__ import annotations

from sqlglot import exp

RW_CATALOG = frozenset(
    """
    rw_actor_infos rw_actor_splits rw_actors rw_barrier rw_cdc_progress rw_columns rw_connections rw_databases
    rw_ddl_progress rw_depend rw_description rw_event_logs rw_features rw_fragment_parallelism rw_fragments rw_functions
    rw_hummock_compaction_group_configs rw_hummock_sstables rw_hummock_table_watermark rw_indexes rw_internal_table_info
    rw_internal_tables rw_kafka_job_lag rw_kafka_source_metrics rw_kafka_source_progress rw_materialized_views
    rw_meta_snapshot rw_poison_rows rw_process_memory rw_rate_limit rw_refresh_table_state rw_relation_storage rw_relations
    rw_resource_groups rw_schemas rw_secrets rw_sink_backlog rw_sinks rw_sources rw_streaming_job_config
    rw_streaming_job_info rw_streaming_jobs rw_streaming_parallelism rw_subscriptions rw_system_tables rw_table_fragments
    rw_table_stats rw_tables rw_types rw_user_secrets rw_users rw_views rw_watermarks rw_worker_nodes
    """.split()
)
SYSTEM_SCHEMAS = frozenset({"rw_catalog", "pg_catalog", "information_schema"})


def qualify_system(query: exp.Expr) -> bool:
    """Write rw_catalog before its relations in a query's tree, in place; does the query read any system relation?"""
    found = False
    ctes = {c.alias for c in query.find_all(exp.CTE)}
    for table in query.find_all(exp.Table):
        if not table.db and table.name in RW_CATALOG and table.name not in ctes:
            table.set("db", exp.to_identifier("rw_catalog"))
        found = found or table.db in SYSTEM_SCHEMAS
    return found
