"""The registry tables and the source."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "devices",
        """
CREATE TABLE devices (
    device_id varchar PRIMARY KEY,
    device_type varchar,
    site varchar
)
""",
    )
    op.create_table(
        "metric_limits",
        """
CREATE TABLE metric_limits (
    device_type varchar,
    metric varchar,
    low double precision,
    high double precision,
    unit varchar,
    PRIMARY KEY (device_type, metric)
)
""",
    )
    op.create_source(
        "readings_raw",
        """
CREATE SOURCE readings_raw (
    data bytea
)
INCLUDE partition AS kafka_partition
INCLUDE offset AS kafka_offset
INCLUDE timestamp AS kafka_timestamp
WITH (
    connector = 'kafka',
    topic = '${TAILRACE_READINGS_TOPIC}',
    properties.bootstrap.server = '${TAILRACE_KAFKA_FOR_ENGINE}',
    scan.startup.mode = 'earliest'
) FORMAT PLAIN ENCODE BYTES
""",
    )


def downgrade() -> None:
    op.drop_source("readings_raw")
    op.drop_table("metric_limits")
    op.drop_table("devices")
