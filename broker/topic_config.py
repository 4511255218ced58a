"""The settings a topic may have: names, kinds, defaults, checks.

Job: the table, and the merged view of one topic. Settings of Kafka that are not in the table are refused by
name, so that nobody believes in one that does nothing. Pure. Callers: topics, the handlers of configs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from broker.refusal import ErrorCode, Refusal

_BOOLEAN, _STRING, _INT, _LONG, _LIST = 1, 2, 3, 5, 7
_LARGEST: Final = 2**63 - 1
_DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `kind` is the protocol's number for its type."""

    name: str
    default: str
    kind: int
    is_valid: Callable[[str], bool]
    meaning: str


def _between(low: int, high: int) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        digits = text.removeprefix("-")
        return digits.isascii() and digits.isdecimal() and low <= int(text) <= high

    return check


def _one_of(*values: str) -> Callable[[str], bool]:
    return lambda text: text in values


def _policies(text: str) -> bool:
    return bool(text) and set(text.replace(" ", "").split(",")) <= {"delete", "compact"}


def _share(text: str) -> bool:
    try:
        return 0.0 <= float(text) <= 1.0
    except ValueError:
        return False


_TABLE: Final = (
    Setting("cleanup.policy", "delete", _LIST, _policies, "delete old segments, compact by key, or both"),
    Setting(
        "compression.type", "producer", _STRING, _one_of("producer"), "batches stay as the producer sent them"
    ),
    Setting(
        "delete.retention.ms",
        str(_DAY_MS),
        _LONG,
        _between(0, _LARGEST),
        "how long compaction keeps tombstones",
    ),
    Setting("max.message.bytes", "1048588", _INT, _between(0, 2**31 - 1), "greatest size of a batch"),
    Setting(
        "message.timestamp.type", "CreateTime", _STRING, _one_of("CreateTime", "LogAppendTime"), "whose clock"
    ),
    Setting("min.cleanable.dirty.ratio", "0.5", 6, _share, "share of new bytes at which compaction begins"),
    Setting("min.insync.replicas", "1", _INT, _one_of("1"), "there is one node"),
    Setting(
        "retention.bytes",
        "-1",
        _LONG,
        _between(-1, _LARGEST),
        "keep at least this much of a partition; -1: all",
    ),
    Setting(
        "retention.ms",
        str(7 * _DAY_MS),
        _LONG,
        _between(-1, _LARGEST),
        "keep at least this long; -1: for ever",
    ),
    Setting(
        "segment.bytes", str(256 * 2**20), _INT, _between(1024, 2**31 - 1), "size at which a segment ends"
    ),
    Setting("segment.ms", str(7 * _DAY_MS), _LONG, _between(1, _LARGEST), "age at which a segment ends"),
)
SETTINGS: Final[Mapping[str, Setting]] = {setting.name: setting for setting in _TABLE}


def checked(name: str, value: str | None) -> str:
    """`value` if `name` may have it; raises Refusal (INVALID_CONFIG)."""
    setting = SETTINGS.get(name)
    if setting is None:
        raise Refusal(ErrorCode.invalid_config, f"topic setting {name} is not known here")
    if value is None or not setting.is_valid(value):
        raise Refusal(
            ErrorCode.invalid_config, f"topic setting {name} cannot be {value!r}: {setting.meaning}"
        )
    return value


class TopicConfig:
    """The settings of one topic: what was set, and defaults for the rest."""

    def __init__(self, overrides: Mapping[str, str]) -> None:
        self.overrides = dict(overrides)
        values = {name: self.overrides.get(name, setting.default) for name, setting in SETTINGS.items()}
        self.values: Mapping[str, str] = values
        self.compacts = "compact" in values["cleanup.policy"]
        self.deletes = "delete" in values["cleanup.policy"]
        self.delete_retention_ms = int(values["delete.retention.ms"])
        self.max_message_bytes = int(values["max.message.bytes"])
        self.stamps = values["message.timestamp.type"] == "LogAppendTime"
        self.min_dirty_ratio = float(values["min.cleanable.dirty.ratio"])
        self.retention_bytes = int(values["retention.bytes"])
        self.retention_ms = int(values["retention.ms"])
        self.segment_bytes = int(values["segment.bytes"])
        self.segment_ms = int(values["segment.ms"])
