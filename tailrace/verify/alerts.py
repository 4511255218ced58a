"""Do the alerts on the topic say what `anomalies` says?

The newest message of each key, tombstones being a key's end, must be the view's row of that anomaly_id, column by column.
Alerts are delivered behind the view, at least once: so both are read again until they agree or time is up. A key that the view
does not hold and that was last written before this run is another deployment's and counts as earlier, not as wrong.
`compare` is pure; `AlertReader` reads the topic. Caller: the launcher's report.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from confluent_kafka import KafkaError, TopicPartition

from tailrace.verify.recount import BrokerError, open_consumer, partitions_of

EXAMPLES: Final = 5
_READ_S: Final = 10.0
_MORE_S: Final = 0.2

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alert:
    """The newest message of a key: when the broker took it (seconds since the epoch), and its document."""

    at_s: float
    document: Row | None


@dataclass(frozen=True, slots=True)
class Alerts:
    """The comparison. `messages` are all that were read, repeated ones included; the rest are anomaly ids."""

    anomalies: int
    keys: int
    messages: int
    earlier: int
    missing: tuple[str, ...] = ()
    withdrawn_in_vain: tuple[str, ...] = ()
    different: tuple[str, ...] = ()

    @property
    def agree(self) -> bool:
        """Whether the topic's final state is the view's."""
        return not (self.missing or self.withdrawn_in_vain or self.different)

    @property
    def problems(self) -> list[str]:
        """A sentence for each way in which they differ."""
        told = (
            ("anomalies without an alert", self.missing),
            ("alerts that the view does not hold", self.withdrawn_in_vain),
            ("alerts that differ from the view", self.different),
        )
        return [f"{what}: {len(ids):,} ({', '.join(ids[:EXAMPLES])})" for what, ids in told if ids]

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "anomalies": self.anomalies,
            "keys": self.keys,
            "messages": self.messages,
            "earlier": self.earlier,
            "missing": len(self.missing),
            "not_in_view": len(self.withdrawn_in_vain),
            "different": len(self.different),
        }


def compare(view: Mapping[str, Row], topic: Mapping[str, Alert], messages: int, since_s: float) -> Alerts:
    """`view`: anomaly_id -> row; `topic`: key -> newest alert, tombstones left out; the run began at `since_s`."""
    extra = [key for key in topic if key not in view]
    return Alerts(
        anomalies=len(view),
        keys=len(topic),
        messages=messages,
        earlier=sum(topic[key].at_s < since_s for key in extra),
        missing=tuple(sorted(view.keys() - topic.keys())),
        withdrawn_in_vain=tuple(sorted(key for key in extra if topic[key].at_s >= since_s)),
        different=tuple(
            sorted(k for k, row in view.items() if k in topic and topic[k].document != _as_sunk(row))
        ),
    )


def _as_sunk(row: Row) -> dict[str, Any]:
    """A row as ENCODE JSON writes it: times as UTC with microseconds."""
    return {
        name: value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }


class AlertReader:
    """The topic's newest message by key, read on from where the last `read` ended."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.messages = 0
        self.newest: dict[str, Alert] = {}
        self._consumer = open_consumer(bootstrap, "tailrace-verify", **{"enable.partition.eof": True})
        self._open = set(partitions_of(self._consumer, topic))
        self._consumer.assign([TopicPartition(topic, number, 0) for number in self._open])

    def read(self) -> None:
        """Read what there is: the first time to the end of every partition, then what comes within 0.2 s. Raises BrokerError."""
        until = time.monotonic() + _READ_S
        while True:
            batch = self._consumer.consume(5_000, timeout=_MORE_S)
            for message in batch:
                self._take(message)
            if not batch and not self._open:
                return
            if not batch and time.monotonic() > until:
                raise BrokerError("the alerts' topic does not answer", hint="is the broker running?")

    def close(self) -> None:
        self._consumer.close()

    def _take(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            if error.code() == KafkaError._PARTITION_EOF:
                self._open.discard(message.partition())
                return
            if not error.retriable():
                raise BrokerError(
                    "reading the alerts failed", detail=str(error), hint="is the broker running?"
                )
            return
        self.messages += 1
        key, value = (message.key() or b"").decode(), message.value()
        if value is None:
            self.newest.pop(key, None)
        else:
            self.newest[key] = Alert(message.timestamp()[1] / 1000, json.loads(value))
