"""What the command line may decide. Caller: `python -m broker`, tests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """Sizes in bytes, times in ms. `flush_ms` 0: fsync before acks=all is answered."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 9092
    advertised_host: str | None = None
    flush_ms: int = 200
    max_disk_bytes: int | None = None
    max_request_bytes: int = 100 << 20
    max_memory_bytes: int = 256 << 20
    max_connections: int = 1_000
    idle_s: int = 600
    stalled_s: int = 60
    upkeep_ms: int = 5_000
    auto_create: bool = False
    default_partitions: int = 1
