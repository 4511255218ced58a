"""Anomalies as alerts on a topic."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_sink(
        "alerts",
        """
CREATE SINK alerts FROM anomalies
WITH (
    connector = 'kafka',
    topic = '${TAILRACE_ALERTS_TOPIC}',
    properties.bootstrap.server = '${TAILRACE_KAFKA_FOR_ENGINE}',
    primary_key = 'anomaly_id'
) FORMAT UPSERT ENCODE JSON KEY ENCODE TEXT
""",
    )


def downgrade() -> None:
    op.drop_sink("alerts")
