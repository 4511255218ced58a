"""RisingWave's session variables: which exist, what they start as, which of them PostgreSQL itself must be
told.

A variable is either kept here (it steers the engine, or is known for compatibility and steers nothing) or is
PostgreSQL's own under the same name and meaning, and is set there. Anything else is refused as RisingWave
refuses it. Names, aliases and defaults follow `SHOW ALL` of RisingWave 3.0. Pure; used by
`engine.wire.variables` and the session.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tailrace.errors import TailraceError

SERVER_VERSION = "13.14.0"
SERVER_VERSION_NUM = "130014"
RISINGWAVE_VERSION = "3.0.3"

IMPLICIT_FLUSH = "rw_implicit_flush"

POSTGRES_SETTINGS = frozenset(
    {
        "application_name",
        "bytea_output",
        "client_encoding",
        "client_min_messages",
        "datestyle",
        "extra_float_digits",
        "intervalstyle",
        "lock_timeout",
        "row_security",
        "search_path",
        "standard_conforming_strings",
        "statement_timeout",
        "timezone",
    }
)
"""Set in, and shown by, the PostgreSQL session behind this one."""

_FIXED = {
    "server_version": SERVER_VERSION,
    "server_version_num": SERVER_VERSION_NUM,
    "server_encoding": "UTF8",
    "transaction_isolation": "READ COMMITTED",
}
"""Shown, never set."""

_ONLY = {"client_encoding": "utf8", "bytea_output": "hex", "standard_conforming_strings": "on"}
"""PostgreSQL's settings of which RisingWave takes one value only (compared without case, '-' and '_')."""

_ALIASES = {
    "implicit_flush": IMPLICIT_FLUSH,
    "time zone": "timezone",
    "transaction isolation level": "transaction_isolation",
    "rw_batch_enable_lookup_join": "batch_enable_lookup_join",
    "rw_batch_enable_sort_agg": "batch_enable_sort_agg",
    "rw_enable_join_ordering": "enable_join_ordering",
    "rw_enable_share_plan": "enable_share_plan",
    "rw_enable_two_phase_agg": "enable_two_phase_agg",
    "rw_force_split_distinct_agg": "force_split_distinct_agg",
    "rw_force_two_phase_agg": "force_two_phase_agg",
    "rw_streaming_allow_jsonb_in_stream_key": "streaming_allow_jsonb_in_stream_key",
    "rw_streaming_enable_bushy_join": "streaming_enable_bushy_join",
    "rw_streaming_enable_delta_join": "streaming_enable_delta_join",
    "rw_streaming_force_filter_inside_join": "streaming_force_filter_inside_join",
    "rw_streaming_over_window_cache_policy": "streaming_over_window_cache_policy",
}

_DEFAULTS = {
    IMPLICIT_FLUSH: "false",
    "auto_locality_backfill_min_size": "10737418240",
    "background_ddl": "false",
    "backfill_rate_limit": "-1",
    "batch_enable_distributed_dml": "false",
    "batch_enable_lookup_join": "true",
    "batch_enable_sort_agg": "true",
    "batch_expr_strict_mode": "true",
    "batch_hnsw_ef_search": "40",
    "batch_parallelism": "0",
    "bypass_cluster_limits": "false",
    "cdc_source_wait_streaming_start_timeout": "60",
    "create_compaction_group_for_mv": "false",
    "datafusion_prefer_hash_join": "true",
    "disable_purify_definition": "false",
    "dml_rate_limit": "-1",
    "dml_wait_persistence": "false",
    "enable_datafusion_engine": "true",
    "enable_index_selection": "true",
    "enable_join_ordering": "true",
    "enable_locality_backfill": "true",
    "enable_mv_selection": "false",
    "enable_serverless_backfill": "false",
    "enable_share_plan": "true",
    "enable_two_phase_agg": "true",
    "force_split_distinct_agg": "false",
    "force_two_phase_agg": "false",
    "iceberg_engine_connection": "",
    "iceberg_query_storage_mode": "auto",
    "idle_in_transaction_session_timeout": "30000",
    "locality_backfill_mode": "auto",
    "max_split_range_gap": "8",
    "query_epoch": "0",
    "query_mode": "auto",
    "sink_decouple": "default",
    "sink_rate_limit": "-1",
    "slow_ddl_notification_secs": "30",
    "source_rate_limit": "-1",
    "streaming_allow_jsonb_in_stream_key": "false",
    "streaming_asof_join_use_cache": "true",
    "streaming_cache_refill_policy": "default",
    "streaming_enable_bushy_join": "true",
    "streaming_enable_delta_join": "false",
    "streaming_enable_unaligned_join": "false",
    "streaming_force_filter_inside_join": "false",
    "streaming_join_encoding": "default",
    "streaming_max_parallelism": "256",
    "streaming_over_window_cache_policy": "default",
    "streaming_parallelism": "default",
    "streaming_parallelism_for_backfill": "default",
    "streaming_parallelism_for_index": "default",
    "streaming_parallelism_for_materialized_view": "default",
    "streaming_parallelism_for_sink": "default",
    "streaming_parallelism_for_source": "default",
    "streaming_parallelism_for_table": "default",
    "streaming_rate_limit": "default",
    "streaming_separate_consecutive_join": "false",
    "streaming_separate_sink": "false",
    "streaming_sync_log_store_buffer_size": "default",
    "streaming_sync_log_store_pause_duration_ms": "default",
    "streaming_unsafe_allow_unmaterialized_impure_expr": "false",
    "streaming_unsafe_allow_upsert_sink_pk_mismatch": "false",
    "streaming_use_arrangement_backfill": "true",
    "streaming_use_shared_source": "true",
    "streaming_use_snapshot_backfill": "true",
    "synchronize_seqscans": "false",
    "unsafe_enable_storage_retention_for_non_append_only_tables": "false",
    "upsert_dml": "false",
    "visibility_mode": "default",
}

_CHOICES = {
    "query_mode": ("auto", "local", "distributed"),
    "visibility_mode": ("default", "all", "checkpoint"),
    "sink_decouple": ("default", "true", "false", "enable", "disable"),
}
_TRUE = frozenset({"true", "on", "yes", "t", "y", "1"})
_FALSE = frozenset({"false", "off", "no", "f", "n", "0"})


def canonical_name(name: str) -> str:
    """The variable's one name. Raises TailraceError (42704) if RisingWave knows none of that name."""
    lowered = name.lower()
    lowered = _ALIASES.get(lowered, lowered)
    if lowered in _DEFAULTS or lowered in POSTGRES_SETTINGS or lowered in _FIXED:
        return lowered
    raise TailraceError(
        f'unrecognized configuration parameter "{lowered}"',
        sqlstate="42704",
        hint="SHOW ALL lists the session variables",
    )


def check_value(name: str, value: str) -> str:
    """The value as it is kept and shown. `name` is canonical. Raises TailraceError (22023, 55P02) for a wrong one."""
    if name in _FIXED:
        raise TailraceError(f'parameter "{name}" cannot be changed', sqlstate="55P02")
    if name in _ONLY:
        if value.lower().replace("-", "").replace("_", "") not in {
            _ONLY[name],
            "true" if _ONLY[name] == "on" else _ONLY[name],
        }:
            raise _invalid(name, value, f"only '{_ONLY[name]}' is supported")
        return _ONLY[name]
    default = _DEFAULTS.get(name)
    if default in {"true", "false"}:
        if value.lower() in _TRUE:
            return "true"
        if value.lower() in _FALSE:
            return "false"
        raise _invalid(name, value, "wanted true or false")
    if default is not None and default.lstrip("-").isdigit():
        try:
            return str(int(value))
        except ValueError:
            raise _invalid(name, value, "wanted a whole number") from None
    if name in _CHOICES:
        if value.lower() not in _CHOICES[name]:
            raise _invalid(name, value, f"wanted one of {', '.join(_CHOICES[name])}")
        return value.lower()
    return value


def _invalid(name: str, value: str, hint: str) -> TailraceError:
    return TailraceError(f'invalid value for parameter "{name}": "{value}"', sqlstate="22023", hint=hint)


@dataclass(slots=True)
class Settings:
    """One session's variables: those set by the client over the defaults."""

    changed: dict[str, str] = field(default_factory=dict)
    startup: dict[str, str] = field(default_factory=dict)
    """Those given when connecting: what RESET goes back to."""

    @property
    def implicit_flush(self) -> bool:
        """Hold the answer to a DML until every view shows it."""
        return self.changed.get(IMPLICIT_FLUSH) == "true"

    def set(self, name: str, value: str) -> None:
        """Keep a checked value under a canonical name."""
        self.changed[name] = value

    def reset(self, name: str | None = None) -> None:
        """Go back to the start, for one variable or (None) for all."""
        if name is None:
            self.changed = dict(self.startup)
        elif name in self.startup:
            self.changed[name] = self.startup[name]
        else:
            self.changed.pop(name, None)

    def get(self, name: str) -> str:
        """The value of a variable that is kept here (`name` is canonical, not one of POSTGRES_SETTINGS)."""
        return _FIXED.get(name) or self.changed.get(name) or _DEFAULTS.get(name, "")

    def all(self) -> dict[str, str]:
        """Every variable kept here, sorted by name: what SHOW ALL lists and what the flow is told with a command."""
        return {name: self.get(name) for name in sorted(_DEFAULTS | _FIXED)}

    def for_flow(self) -> dict[str, str]:
        """What goes with a command: all of these, and PostgreSQL's as far as the client set them (search_path, timezone)."""
        return {**_DEFAULTS, **self.changed}
