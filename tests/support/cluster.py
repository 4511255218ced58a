"""RisingWave and Redpanda from compose.yaml, where a Docker engine runs."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

SQL_URL = "postgresql://root@127.0.0.1:4566/dev"
KAFKA = "127.0.0.1:9092"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The two URLs that everything is pointed at."""

    sql_url: str = SQL_URL
    kafka: str = KAFKA


def why_no_docker() -> str | None:
    """Why compose.yaml cannot be started here; None when it can."""
    if shutil.which("docker") is None:
        return "no Docker here: the program docker was not found"
    for question in (["docker", "info"], ["docker", "compose", "version"]):
        answer = subprocess.run(question, capture_output=True, text=True, check=False, timeout=30)
        if answer.returncode != 0:
            last = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"no Docker here: `{' '.join(question)}` says: {last}"
    return None
