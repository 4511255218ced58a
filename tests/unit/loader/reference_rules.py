"""The pipeline's rules, re-implemented message by message, to judge what they would make of a stream.

An independent reading of sql/: classification of messages, first copy wins, and the four anomaly rules over
aligned 10-second windows, with ``now`` moving on as messages arrive (``lag_s`` behind, for a pipeline that
is). What is ever raised counts, even where the engine would take it back later.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from loader.fleet import Fleet
from loader.stream import Tick

WINDOW_S = 10
GRACE_S = 5.0
FIELDS = ("event_id", "device_id", "metric", "value", "ts")


def reject_reason(payload: bytes) -> str | None:
    """Why the pipeline must reject a message; None for a valid one."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        return "not_utf8"
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return "not_json"
    if not isinstance(message, dict):
        return "not_object"
    if any(message.get(name) is None for name in FIELDS):
        return "missing_field"
    if not isinstance(message["value"], int | float):
        return "bad_value"
    try:
        datetime.fromisoformat(message["ts"])
    except ValueError:
        return "bad_timestamp"
    return None


@dataclass
class Sums:
    """Accumulators of a window, or of all closed windows."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.squares += value * value
        self.low = min(self.low, value)
        self.high = max(self.high, value)

    def merge(self, other: Sums) -> None:
        self.n += other.n
        self.total += other.total
        self.squares += other.squares

    @property
    def mean(self) -> float:
        return self.total / self.n

    @property
    def deviation(self) -> float:
        variance = (self.squares - self.total * self.total / self.n) / (self.n - 1)
        return math.sqrt(max(variance, 0.0))


@dataclass
class Findings:
    """What the rules raised: event ids for threshold and zscore, (device, metric, window end) for stuck,
    (device, silent since) for silent; and the counts.
    """

    threshold: set[str] = field(default_factory=set)
    zscore: set[str] = field(default_factory=set)
    stuck: set[tuple[str, str, int]] = field(default_factory=set)
    silent: set[tuple[str, int]] = field(default_factory=set)
    valid: int = 0
    duplicates: int = 0
    late: int = 0
    rejects: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class ReferencePipeline:
    """Feed ticks with ``take``; read ``findings``."""

    def __init__(self, fleet: Fleet, start_ms: int, lag_s: float = 0.0) -> None:
        self.findings = Findings()
        self._start_s = start_ms / 1000
        self._lag_s = lag_s
        types = {row.device_id: row.device_type for row in fleet.device_rows()}
        limits = {(row.device_type, row.metric): (row.low, row.high) for row in fleet.limit_rows()}
        self._limits = {
            (d, m): span for d, kind in types.items() for (k, m), span in limits.items() if k == kind
        }
        self._seen: set[str] = set()
        self._closed: dict[tuple[str, str], Sums] = defaultdict(Sums)
        self._open: dict[tuple[str, str], dict[int, Sums]] = defaultdict(dict)
        self._windows: dict[tuple[str, str, int], Sums] = defaultdict(Sums)
        self._active: set[tuple[str, int]] = set()
        self._judgements: list[tuple[int, str]] = []

    def take(self, tick: Tick) -> None:
        now = self._start_s + tick.at_s
        for payload in tick.values:
            reason = reject_reason(payload)
            if reason:
                self.findings.rejects[reason] += 1
                continue
            message = orjson.loads(payload)
            if message["event_id"] in self._seen:
                self.findings.duplicates += 1
                continue
            self._seen.add(message["event_id"])
            self.findings.valid += 1
            self._reading(message, now)
        while self._judgements and self._judgements[0][0] + GRACE_S < now - self._lag_s:
            end, device = heapq.heappop(self._judgements)
            if (device, end + WINDOW_S) not in self._active:
                self.findings.silent.add((device, end))

    def _reading(self, message: dict[str, object], now: float) -> None:
        device, metric, value = (
            str(message["device_id"]),
            str(message["metric"]),
            float(str(message["value"])),
        )
        ts = datetime.fromisoformat(str(message["ts"])).timestamp()
        self.findings.late += now - ts > 10.0
        end = (math.floor(ts / WINDOW_S) + 1) * WINDOW_S
        key = (device, metric)
        low, high = self._limits[key]
        event_id = str(message["event_id"])
        if not low <= value <= high:
            self.findings.threshold.add(event_id)
        baseline = self._baseline(key, now - self._lag_s)
        if baseline.n >= 15:
            off = abs(value - baseline.mean)
            if off > 8 * baseline.deviation and off > 0.008 * abs(baseline.mean) + 1e-6:
                self.findings.zscore.add(event_id)
        if end < now - GRACE_S:
            self._closed[key].add(value)
        else:
            self._open[key].setdefault(end, Sums()).add(value)
        window = self._windows[(*key, end)]
        window.add(value)
        if window.n >= 5 and window.low == window.high:
            self.findings.stuck.add((*key, end))
        if (device, end) not in self._active:
            self._active.add((device, end))
            heapq.heappush(self._judgements, (end, device))

    def _baseline(self, key: tuple[str, str], now: float) -> Sums:
        waiting = self._open[key]
        for end in [end for end in waiting if end < now - GRACE_S]:
            self._closed[key].merge(waiting.pop(end))
        return self._closed[key]
