"""Which injected faults the anomaly rules found, and which anomalies nothing explains.

Job: compare the loader's truth with the rows of `anomalies`. Pure; times are seconds since the epoch (event
time). Caller: the launcher's report.

**Found.** A fault is found by a rule when an anomaly of that rule, for the same device (and metric, where
both name one), has its time in [starts_at - 10 s, ends_at + 15 s]: windows of 10 s are aligned to the
clock, not to the fault, and a silence is known 5 s after its window.

**Expected.** The truth names for each fault, as it really lasted, the rules that must find it
(`loader.faults`: a stuck phase that covers a whole window of the stream; a silence that could be reported
before the stream ended). This module takes that list as it is: nothing that was or was not found changes
what was expected.

**False alarms.** Anomaly rows of the run that no fault of a fitting kind explains. Each row counts,
although a found fault counts once however many rows tell of it. A silence that the rule could report only
after the stream had ended is the stream's end, not the device's: it counts neither as an alarm nor as a
find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

BEFORE_S: Final = 10.0
AFTER_S: Final = 15.0
SILENT_JUDGED_S: Final = 5.0
"""The silent rule reports this long after the last window with data."""
EXAMPLES: Final = 20

RULES: Final = ("threshold", "zscore", "stuck", "silent")

EXPLAINS: Final[Mapping[str, frozenset[str]]] = {
    "threshold": frozenset({"spike"}),
    "zscore": frozenset({"spike"}),
    "stuck": frozenset({"stuck"}),
    "silent": frozenset({"silent"}),
}
"""Rule -> kinds of fault that explain its anomalies, besides those whose truth names the rule. A spike
beyond the limits is far off the baseline too, and one within them may or may not cross 8 deviations: both
rules may speak of any spike.
"""


@dataclass(frozen=True, slots=True)
class Fault:
    """One injected fault: [starts_at, ends_at] in event time; `metric` None means the whole device."""

    kind: str
    device_id: str
    metric: str | None
    starts_at: float
    ends_at: float
    expected: frozenset[str]

    def as_json(self) -> dict[str, Any]:
        """For the report's examples."""
        return {
            "kind": self.kind,
            "device_id": self.device_id,
            "metric": self.metric,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
        }


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One row of `anomalies`; `metric` None means the whole device."""

    rule: str
    device_id: str
    metric: str | None
    ts: float

    def as_json(self) -> dict[str, Any]:
        """For the report's examples."""
        return {"rule": self.rule, "device_id": self.device_id, "metric": self.metric, "ts": self.ts}


@dataclass(frozen=True, slots=True)
class Stream:
    """What was really produced: from when to when in event time."""

    starts_at: float
    ends_at: float


@dataclass(frozen=True, slots=True)
class Score:
    """One rule against the truth; `missed` and `unexplained` are examples, at most 20 each."""

    expected: int
    found: int
    false_alarms: int
    missed: tuple[Fault, ...] = ()
    unexplained: tuple[Anomaly, ...] = ()

    def as_json(self) -> dict[str, int]:
        """The issue's three numbers."""
        return {"expected": self.expected, "found": self.found, "false_alarms": self.false_alarms}


def counts(anomaly: Anomaly, stream: Stream) -> bool:
    """Whether an anomaly belongs to this run and says something of the fleet, not of the stream's end."""
    if anomaly.ts < stream.starts_at:
        return False
    return anomaly.rule != "silent" or anomaly.ts + SILENT_JUDGED_S <= stream.ends_at


def _fits(fault: Fault, anomaly: Anomaly) -> bool:
    if fault.metric is not None and anomaly.metric is not None and fault.metric != anomaly.metric:
        return False
    return fault.starts_at - BEFORE_S <= anomaly.ts <= fault.ends_at + AFTER_S


def score(faults: Iterable[Fault], anomalies: Iterable[Anomaly], stream: Stream) -> dict[str, Score]:
    """Score every rule: the four of the product, and any other that an anomaly or the truth names."""
    truth: dict[str, list[Fault]] = defaultdict(list)
    for fault in faults:
        truth[fault.device_id].append(fault)
    spoken: dict[tuple[str, str], list[Anomaly]] = defaultdict(list)
    for anomaly in anomalies:
        if counts(anomaly, stream):
            spoken[anomaly.rule, anomaly.device_id].append(anomaly)
    named = {rule for group in truth.values() for fault in group for rule in fault.expected}
    others = sorted((named | {rule for rule, _ in spoken}) - set(RULES))
    return {rule: _score_rule(rule, truth, spoken) for rule in (*RULES, *others)}


def _score_rule(
    rule: str, truth: Mapping[str, list[Fault]], spoken: Mapping[tuple[str, str], list[Anomaly]]
) -> Score:
    expected = [fault for group in truth.values() for fault in group if rule in fault.expected]
    missed = [
        fault
        for fault in expected
        if not any(_fits(fault, anomaly) for anomaly in spoken.get((rule, fault.device_id), ()))
    ]
    unexplained = [
        anomaly
        for (name, device_id), group in spoken.items()
        if name == rule
        for anomaly in group
        if not any(_explains(fault, rule) and _fits(fault, anomaly) for fault in truth.get(device_id, ()))
    ]
    return Score(
        expected=len(expected),
        found=len(expected) - len(missed),
        false_alarms=len(unexplained),
        missed=tuple(missed[:EXAMPLES]),
        unexplained=tuple(unexplained[:EXAMPLES]),
    )


def _explains(fault: Fault, rule: str) -> bool:
    return rule in fault.expected or fault.kind in EXPLAINS.get(rule, frozenset())
