"""The account of one run: what `report.json` holds and the summary table shows.

Pure: built from values by the launcher, written by it. The keys produced, ingested, rejected, duplicates,
late, views, rules, freshness_ms and reconciled are fixed: scripts read them. All counts are of this run
alone, also when the data directory holds earlier ones; `views` are rows as they stand at the end,
`views_before` as they stood at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tailrace.verify.alerts import Alerts
from tailrace.verify.matching import Score
from tailrace.verify.reconcile import Counts, account_differences, loader_differences, rule_differences
from tailrace.verify.recount import Recount


@dataclass(frozen=True, slots=True)
class Report:
    """Everything known of a finished run. `failures` are sentences about what broke (a component, a
    time-out).
    """

    produced: int
    counts: Counts
    recount: Recount | None
    views: Mapping[str, int]
    views_before: Mapping[str, int]
    scores: Mapping[str, Score]
    freshness: Mapping[str, Any]
    details: Mapping[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()
    sent_by_kind: Mapping[str, Any] | None = None
    alerts: Alerts | None = None
    """None: not compared; `failures` say why."""
    shortened: bool = False
    """The topic's retention took messages of this run, so that the recount is left out."""

    @property
    def problems(self) -> list[str]:
        """Why the run does not reconcile; empty when it does."""
        return [
            *self.failures,
            *account_differences(self.produced, self.counts, self.recount, shortened=self.shortened),
            *(loader_differences(self.sent_by_kind, self.counts) if self.sent_by_kind else ()),
            *rule_differences(self.scores),
            *(self.alerts.problems if self.alerts else ()),
        ]

    @property
    def reconciled(self) -> bool:
        """Whether every reading is accounted for and the rules did their work."""
        return not self.problems

    def as_json(self) -> dict[str, Any]:
        """The report's document."""
        return {
            "produced": self.produced,
            "ingested": self.counts.ingested,
            "rejected": self.counts.rejected,
            "duplicates": self.counts.duplicates,
            "late": self.counts.late,
            "views": dict(self.views),
            "rules": {rule: result.as_json() for rule, result in self.scores.items()},
            "freshness_ms": {key: self.freshness.get(key) for key in ("p50", "p99", "samples")},
            "reconciled": self.reconciled,
            "problems": self.problems,
            "rejects": dict(self.counts.rejects),
            "alerts": self.alerts.as_json() if self.alerts else None,
            "topic_recount": self.recount.as_json() if self.recount else None,
            "views_before": dict(self.views_before),
            "freshness": {key: value for key, value in self.freshness.items() if key not in _FIXED},
            "rule_examples": {
                rule: {
                    "missed": [fault.as_json() for fault in result.missed],
                    "unexplained": [anomaly.as_json() for anomaly in result.unexplained],
                }
                for rule, result in self.scores.items()
                if result.missed or result.unexplained
            },
            **self.details,
        }


_FIXED = frozenset({"p50", "p99", "samples", "final"})
