"""Producer ids and the cluster's id: numbers that must never be given out twice, in `broker.json`.

Ids are reserved by the thousand, so that giving one out writes nothing. Callers: the broker, transactions.
"""

from __future__ import annotations

import base64
import json
import uuid
from pathlib import Path
from typing import Any, Final

from broker.files import write_whole
from broker.refusal import ErrorCode, disk

FORMAT: Final = 1
_BLOCK: Final = 1000


class ProducerIds:
    """The counter, and the id of this cluster of one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stored: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else _fresh()
        if self._stored["format"] != FORMAT:
            raise ValueError(f"{path}: wanted format {FORMAT}, got {self._stored['format']}")
        self._next = self._stored["producer_ids_below"]
        if not path.exists():
            self._reserve()

    @property
    def cluster_id(self) -> str:
        """22 characters, as Kafka's."""
        return str(self._stored["cluster_id"])

    def next(self) -> int:
        """A number never given out before. Raises Refusal when the disk refuses to reserve more of them."""
        if self._next >= self._stored["producer_ids_below"]:
            with disk(ErrorCode.coordinator_not_available):
                self._reserve()
        self._next += 1
        return int(self._next) - 1

    def _reserve(self) -> None:
        stored = {**self._stored, "producer_ids_below": self._next + _BLOCK}
        write_whole(self._path, json.dumps(stored).encode())
        self._stored = stored


def _fresh() -> dict[str, Any]:
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    return {"format": FORMAT, "cluster_id": cluster_id, "producer_ids_below": 0}
