"""What the user asked of `tailrace up`, as one value.

Pure: parsing and defaults, no I/O. Made by the CLI, read by everything under `tailrace.up`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailrace import config
from tailrace.up.errors import UpError

METRICS_PER_DEVICE = 3


@dataclass(frozen=True, slots=True)
class Burst:
    """A time of higher load: `rate` readings/s from `at_s` behind the loader's start, for `seconds`."""

    rate: int
    at_s: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.rate}:{self.at_s:g}:{self.seconds:g}"


def parse_burst(text: str) -> Burst:
    """Read RATE:AT:SECONDS, as in 50000:15:10. Raises UpError."""
    match = re.fullmatch(r"(\d+):(\d+(?:\.\d+)?):(\d+(?:\.\d+)?)", text)
    if match is None or int(match[1]) == 0 or float(match[3]) == 0:
        raise UpError(
            f"--burst {text} is not a burst",
            detail="wanted RATE:AT:SECONDS, three positive numbers",
            hint="for 50,000 readings/s for 10 s, 15 s after the start: --burst 50000:15:10",
        )
    return Burst(int(match[1]), float(match[2]), float(match[3]))


def parse_time(text: str) -> int:
    """Seconds of 90s, 30m, 6h or 7d. Raises UpError."""
    match = re.fullmatch(r"([1-9]\d*)([smhd])", text)
    if match is None:
        raise UpError(
            f"--topic-retention {text} is not a time",
            detail="wanted a number with s, m, h or d behind it",
            hint="for six hours: --topic-retention 6h",
        )
    return int(match[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]


def parse_size(text: str) -> int:
    """Bytes of 500M, 10G or a plain number. Raises UpError."""
    match = re.fullmatch(r"([1-9]\d*)([KMG]?)", text.upper())
    if match is None:
        raise UpError(
            f"--topic-retention-bytes {text} is not a size",
            detail="wanted a number, with or without K, M or G behind it",
            hint="for a gibibyte of each partition: --topic-retention-bytes 1G",
        )
    return int(match[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[match[2]]


@dataclass(frozen=True, slots=True)
class Options:
    """All of `tailrace up`'s options; None means "the default is found out at start".

    A port of 0 takes any free one. SQL is served at `sql_host`, encrypted by `tls_cert` and `tls_key`.
    `sql_url` and `kafka` point to a running engine and broker, which are
    then neither started nor stopped.
    """

    devices: int = 1000
    rate: int = 3000
    duration_s: float | None = None
    burst: Burst | None = None
    seed: int | None = None
    data_dir: Path = config.DATA_DIR
    report_path: Path | None = None
    sql_url: str | None = None
    kafka: str | None = None
    broker_port: int = config.BROKER_PORT
    sql_port: int = config.SQL_PORT
    sql_host: str = config.HOST
    tls_cert: Path | None = None
    tls_key: Path | None = None
    dashboard_port: int = config.DASHBOARD_PORT
    dashboard: bool = True
    loader: bool = True
    keep_going: bool = False
    topic_retention_s: int | None = None
    topic_retention_bytes: int | None = None

    @property
    def report_file(self) -> Path:
        """Where the report goes."""
        return self.report_path or self.data_dir / "report.json"

    @property
    def interval_s(self) -> float:
        """Seconds between two readings of one metric of one device, on average."""
        return self.devices * METRICS_PER_DEVICE / self.rate

    def as_json(self) -> dict[str, Any]:
        """The settings, for the report."""
        return {
            "devices": self.devices,
            "rate": self.rate,
            "duration_s": self.duration_s,
            "burst": str(self.burst) if self.burst else None,
            "embedded_engine": self.sql_url is None,
            "embedded_broker": self.kafka is None,
        }
