"""A small pipeline standing still: plain tables with the names and columns of the views that the page reads.

Everything follows from `now` and the seed, so a test knows each figure beforehand: 12 devices with 3
metrics, one reading a second each, a spike (dev-000003, temperature), a stuck signal (dev-000005,
humidity), a silent device (dev-000007). `advance` adds one second, as the engine would at a barrier.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta

import psycopg

SEED = 7
DEVICES = 12
PARTITIONS = 6
REJECTS = {"not_json": 21, "missing_field": 9, "bad_value": 5, "bad_timestamp": 2}
DUPLICATES = 14
LATE = 9

KINDS: dict[str, dict[str, tuple[str, float, float, float, float]]] = {
    # metric: unit, level, noise, low, high
    "pump": {
        "vibration": ("mm/s", 2.5, 0.05, 0.1, 7.1),
        "pressure": ("bar", 6.0, 0.04, 2.0, 10.0),
        "temperature": ("degC", 55.0, 0.3, 15.0, 95.0),
    },
    "cold_room": {
        "temperature": ("degC", 4.0, 0.12, -4.0, 12.0),
        "humidity": ("percent", 70.0, 0.4, 45.0, 95.0),
        "compressor_current": ("A", 8.0, 0.1, 1.0, 15.0),
    },
}
SITES = ("harbour", "north mill", "valley")

SCHEMA = """
CREATE TABLE devices (device_id varchar PRIMARY KEY, device_type varchar, site varchar);
CREATE TABLE metric_limits (device_type varchar, metric varchar, low double precision, high double precision,
    unit varchar, PRIMARY KEY (device_type, metric));
CREATE TABLE readings (event_id varchar, device_id varchar, metric varchar, value double precision, ts timestamptz,
    kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz, device_type varchar, site varchar,
    unit varchar, low double precision, high double precision, late boolean);
CREATE INDEX readings_by_device ON readings (device_id, metric, ts);
CREATE TABLE readings_10s (device_id varchar, metric varchar, window_start timestamptz,
    window_end timestamptz, samples bigint, total double precision, total_squares double precision, average double precision,
    minimum double precision, maximum double precision, deviation double precision,
    last_ts timestamptz);
CREATE INDEX readings_10s_by_device ON readings_10s (device_id, metric, window_start);
CREATE TABLE latest_readings (device_id varchar, metric varchar, value double precision, ts timestamptz,
    kafka_timestamp timestamptz, PRIMARY KEY (device_id, metric));
CREATE TABLE rejects (kafka_partition int, kafka_offset bigint, kafka_timestamp timestamptz,
    reject_reason varchar, payload bytea);
CREATE TABLE anomalies (anomaly_id varchar PRIMARY KEY, rule varchar, device_id varchar, metric varchar,
    ts timestamptz, detected_at timestamptz, value double precision, detail varchar);
CREATE TABLE ingest_lag (kafka_partition int PRIMARY KEY, messages bigint, last_offset bigint,
    last_kafka_timestamp timestamptz, last_ts timestamptz);
CREATE TABLE pipeline_counts (stage varchar PRIMARY KEY, "rows" bigint);
"""


class Pipeline:
    """The tables of one database, filled up to `now`; `counts` are the expected totals."""

    def __init__(
        self, dsn: str, now: datetime | None = None, minutes: int = 6, *, empty: bool = False
    ) -> None:
        self.now = now or datetime.now(UTC)
        self.connection = psycopg.connect(dsn, autocommit=True)
        self.connection.execute(SCHEMA)
        self.connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO dashboard")
        self._random = random.Random(SEED)
        self._sequence = 0
        self.counts = dict.fromkeys(("messages", "readings", "rejects", "duplicates", "late", "anomalies"), 0)
        if not empty:
            self._register()
            self._read(self.now - timedelta(minutes=minutes), self.now)
            self._reject()
            self._find()
        self._account()

    def close(self) -> None:
        """Let go of the database."""
        self.connection.close()

    def advance(self, now: datetime | None = None) -> None:
        """One second more of readings from every device (the silent one included: it is back)."""
        since, self.now = self.now, now or datetime.now(UTC)
        self._read(since, self.now)
        self._account()

    def _register(self) -> None:
        kinds = list(KINDS)
        with self.connection.cursor() as cursor:
            for number in range(DEVICES):
                row = (f"dev-{number:06d}", kinds[number % 2], SITES[number % 3])
                cursor.execute("INSERT INTO devices VALUES (%s, %s, %s)", row)
            for kind, metrics in KINDS.items():
                for metric, (unit, _, _, low, high) in metrics.items():
                    cursor.execute(
                        "INSERT INTO metric_limits VALUES (%s, %s, %s, %s, %s)",
                        (kind, metric, low, high, unit),
                    )

    def _read(self, since: datetime, until: datetime) -> None:
        rows = []
        for step in range(1, int((until - since).total_seconds()) + 1):
            at = since + timedelta(seconds=step)
            age_s = (self.now - at).total_seconds()
            for number in range(DEVICES):
                if number == 7 and 40 < age_s < 90:
                    continue
                kind = list(KINDS)[number % 2]
                for metric, (unit, level, noise, low, high) in KINDS[kind].items():
                    value = self._value(number, metric, at, age_s, level, noise)
                    self._sequence += 1
                    rows.append(
                        (
                            f"event-{self._sequence}", f"dev-{number:06d}", metric, value, at, number % PARTITIONS,
                            self._sequence, at + timedelta(milliseconds=5), kind, SITES[number % 3], unit, low, high,
                            False,
                        )
                    )  # fmt: skip
        with self.connection.cursor() as cursor, cursor.copy("COPY readings FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        self.counts["readings"] += len(rows)
        self.connection.execute(
            """
            BEGIN;
            TRUNCATE readings_10s;
            INSERT INTO readings_10s
            SELECT device_id, metric, date_bin('10 s', ts, 'epoch'), date_bin('10 s', ts, 'epoch') + interval '10 s',
                count(*), sum(value), sum(value * value), avg(value), min(value), max(value),
                stddev_samp(value), max(ts)
            FROM readings GROUP BY 1, 2, 3;
            TRUNCATE latest_readings;
            INSERT INTO latest_readings
            SELECT DISTINCT ON (device_id, metric) device_id, metric, value, ts, kafka_timestamp
            FROM readings ORDER BY device_id, metric, ts DESC;
            COMMIT;
            """
        )

    def _value(
        self, number: int, metric: str, at: datetime, age_s: float, level: float, noise: float
    ) -> float:
        if (number, metric) == (5, "humidity") and age_s < 60:
            return level
        value = level + 4 * noise * math.sin(at.timestamp() / 50 + number) + self._random.gauss(0, noise)
        if (number, metric) == (3, "temperature") and 70 < age_s <= 73:
            value += 9.5
        if (number, metric) == (2, "vibration") and 150 < age_s <= 151:
            value += 1.1
        return round(value, 3)

    def _reject(self) -> None:
        with self.connection.cursor() as cursor:
            for reason, messages in REJECTS.items():
                for number in range(messages):
                    row = (
                        number % PARTITIONS,
                        number,
                        self.now - timedelta(seconds=number),
                        reason,
                        b"{broken",
                    )
                    cursor.execute("INSERT INTO rejects VALUES (%s, %s, %s, %s, %s)", row)
        self.counts["rejects"] = sum(REJECTS.values())
        self.counts["duplicates"] = DUPLICATES
        self.counts["late"] = LATE

    def _find(self) -> None:
        self.connection.execute(
            """
            INSERT INTO anomalies
            SELECT 'threshold:' || event_id, 'threshold', device_id, metric, ts, kafka_timestamp + interval '40 ms',
                value, 'above the limit of ' || high
            FROM readings WHERE value > high;
            INSERT INTO anomalies
            SELECT 'zscore:' || event_id, 'zscore', device_id, metric, ts, kafka_timestamp + interval '40 ms',
                value, '11.2 deviations from the mean of 2.5'
            FROM readings WHERE metric = 'vibration' AND value > 3.3;
            INSERT INTO anomalies
            SELECT 'stuck:' || device_id || window_start, 'stuck', device_id, metric, window_start, window_end,
                average, samples || ' equal values'
            FROM readings_10s WHERE minimum = maximum AND samples >= 5;
            """
        )
        silent_since = self.now - timedelta(seconds=90)
        self.connection.execute(
            "INSERT INTO anomalies VALUES (%s, 'silent', 'dev-000007', NULL, %s, %s, NULL, 'no readings')",
            ("silent:dev-000007", silent_since, silent_since + timedelta(seconds=5)),
        )
        row = self.connection.execute("SELECT count(*) FROM anomalies").fetchone()
        assert row is not None
        self.counts["anomalies"] = row[0]

    def _account(self) -> None:
        counts = self.counts
        counts["messages"] = counts["readings"] + counts["rejects"] + counts["duplicates"]
        with self.connection.transaction(), self.connection.cursor() as cursor:
            cursor.execute("DELETE FROM pipeline_counts")
            cursor.executemany("INSERT INTO pipeline_counts VALUES (%s, %s)", list(counts.items()))
            cursor.execute("DELETE FROM ingest_lag")
            cursor.execute(
                """
                INSERT INTO ingest_lag
                SELECT kafka_partition, count(*), max(kafka_offset), max(kafka_timestamp), max(ts)
                FROM readings GROUP BY 1
                """
            )
            cursor.execute(
                "UPDATE ingest_lag SET messages = messages + %s WHERE kafka_partition = 0",
                (counts["rejects"] + counts["duplicates"],),
            )
