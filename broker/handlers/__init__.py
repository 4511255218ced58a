"""The APIs of the protocol, one module per family, and the table of all of them.

A handler takes the node, the request (kio's entity of the version asked for) and the client, and answers with the
response's fields. What a version lacks in the request is read as its default.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from broker.handlers import (
    cluster,
    configs,
    fetch,
    group_offsets,
    groups,
    offsets,
    partitions,
    produce,
    topics,
    transactions,
)

__all__ = ["APIS", "Api"]


@dataclass(frozen=True, slots=True)
class Api:
    """One API: the versions implemented, and what answers it."""

    key: int
    low: int
    high: int
    handle: Callable[[Any, Any, Any], Any]


def _api_versions(_node: Any, _request: Any, _client: Any) -> dict[str, Any]:
    return {
        "api_keys": [
            {"api_key": api.key, "min_version": api.low, "max_version": api.high} for api in APIS.values()
        ]
    }


APIS: Final = {
    api.key: api
    for api in (
        Api(0, 3, 9, produce.handle_produce),
        Api(1, 4, 11, fetch.handle_fetch),
        Api(2, 1, 8, offsets.handle_list_offsets),
        Api(3, 0, 12, cluster.handle_metadata),
        Api(8, 2, 8, group_offsets.handle_offset_commit),
        Api(9, 1, 8, group_offsets.handle_offset_fetch),
        Api(10, 0, 4, cluster.handle_find_coordinator),
        Api(11, 0, 9, groups.handle_join_group),
        Api(12, 0, 4, groups.handle_heartbeat),
        Api(13, 0, 5, groups.handle_leave_group),
        Api(14, 0, 5, groups.handle_sync_group),
        Api(15, 0, 5, groups.handle_describe_groups),
        Api(16, 0, 4, groups.handle_list_groups),
        Api(18, 0, 3, _api_versions),
        Api(19, 2, 7, topics.handle_create_topics),
        Api(20, 1, 6, topics.handle_delete_topics),
        Api(21, 0, 2, partitions.handle_delete_records),
        Api(22, 0, 4, transactions.handle_init_producer_id),
        Api(23, 2, 4, offsets.handle_offset_for_leader_epoch),
        Api(24, 0, 3, transactions.handle_add_partitions_to_txn),
        Api(25, 0, 3, transactions.handle_add_offsets_to_txn),
        Api(26, 0, 3, transactions.handle_end_txn),
        Api(28, 0, 3, transactions.handle_txn_offset_commit),
        Api(32, 1, 4, configs.handle_describe_configs),
        Api(33, 0, 2, configs.handle_alter_configs),
        Api(37, 0, 3, partitions.handle_create_partitions),
        Api(42, 0, 2, groups.handle_delete_groups),
        Api(44, 0, 1, configs.handle_incremental_alter_configs),
        Api(47, 0, 0, group_offsets.handle_offset_delete),
        Api(60, 0, 1, cluster.handle_describe_cluster),
    )
}
