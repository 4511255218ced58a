"""What of RisingWave's DDL and DML is out of scope, by topic, with the reason: a section of docs/compatibility.md.

These are not gaps that a later version closes: they are about machines, processes and files that the embedded engine has not.
Where a statement belongs to one of them, the engine refuses it by name, or takes it with a notice.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Topic:
    """`features` names statements, relations and options as a user writes them."""

    title: str
    features: str
    reason: str


OUT_OF_SCOPE = (
    Topic(
        "Cluster administration",
        "`RECOVER`, `rw_worker_nodes`, `rw_actors`, fragments of several actors, an effect of `ALTER ... SET PARALLELISM`, "
        "cordoning and migrating workers",
        "one machine, one process a database; a parallelism is recorded and shown, and nothing runs differently for it",
    ),
    Topic(
        "Resource groups",
        "`WITH (resource_group = ...)`, `ALTER ... SET | RESET RESOURCE_GROUP`",
        "they place jobs on machines, and need a licence in RisingWave",
    ),
    Topic(
        "Configuration of executors",
        "`ALTER ... SET | RESET CONFIG (streaming.developer...)`, `rw_streaming_job_config`",
        "the options steer RisingWave's own executors: chunk sizes, caches, encodings of join state",
    ),
    Topic(
        "Internal state tables",
        "reading `__internal_...` tables by name, `rw_internal_table_info`, and building views, indexes, sinks or "
        "subscriptions on one",
        "state lies in tables of another shape, which no client may depend on",
    ),
    Topic(
        "Storage and compaction",
        "Hummock's relations (`rw_hummock_...`), compaction groups, time travel, cache refill and prefetch policies",
        "PostgreSQL stores the rows",
    ),
    Topic(
        "Serverless backfill and licences",
        "`cloud.serverless_backfill_enabled`, features that an empty `license_key` turns off",
        "there is no cloud to fill views in, and nothing here needs a licence",
    ),
    Topic(
        "Defaults for all sessions",
        "`ALTER SYSTEM SET` of a session variable",
        "give it when connecting (`options=-c...`) or `SET` it",
    ),
    Topic(
        "Vectors and Iceberg",
        "type `vector(n)` and its indexes, `ENGINE = iceberg`, connections of other types than kafka",
        "other storage engines and search structures",
    ),
    Topic(
        "Other connectors",
        "CDC from databases, Pulsar, Kinesis, S3, Google Pub/Sub, NATS, MQTT; "
        "sinks to other databases than PostgreSQL and to warehouses",
        "bring the rows over through a topic; sources read kafka, datagen and nexmark, "
        "sinks write kafka, fs, http, redis and postgres",
    ),
    Topic(
        "Cross-database views",
        "`SELECT ... FROM other_database.schema.relation`, `SET database`",
        "each database has a flow and a barrier of its own, so a view over two would stand at no one barrier; "
        "a sink to a topic and a source on it carry rows over",
    ),
    Topic(
        "Functions in other languages",
        "`CREATE FUNCTION ... LANGUAGE python | javascript | rust`, external functions",
        "the engine runs SQL functions; what a client sends is never executed as a program",
    ),
)


def section() -> str:
    """The section of the page."""
    lines = [
        "## Out of scope",
        "",
        "Not counted above: what is about a cluster, or about storage that is not there.",
        "",
        "| topic | what belongs to it | why |",
        "| --- | --- | --- |",
    ]
    for topic in OUT_OF_SCOPE:
        features = topic.features.replace("|", "\\|")
        lines.append(f"| {topic.title} | {features} | {topic.reason} |")
    return "\n".join([*lines, ""])
