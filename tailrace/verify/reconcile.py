"""Do the accounts agree? The loader's, the topic's, and the views'.

Job: turn counts into sentences about what differs; no sentence means reconciled. Pure. Caller: the
launcher's report.

Three independent accounts of one run: the loader counts what the broker acknowledged;
`tailrace.verify.recount` reads the topic and judges each message in Python; the views count in SQL. All
must agree to the message, and every kind of fault that was injected must have been found by its rules, with
false alarms below a tenth of what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tailrace.verify.matching import Score
from tailrace.verify.recount import Recount

FALSE_ALARM_SHARE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Counts:
    """What the views say of one run; `rejects` by reason adds up to `rejected`; `late` is a part of
    `ingested`.
    """

    messages: int
    ingested: int
    rejected: int
    duplicates: int
    late: int
    rejects: Mapping[str, int] = field(default_factory=dict)

    def minus(self, before: Counts) -> Counts:
        """The part that came after `before`."""
        reasons = {reason: count - before.rejects.get(reason, 0) for reason, count in self.rejects.items()}
        return Counts(
            messages=self.messages - before.messages,
            ingested=self.ingested - before.ingested,
            rejected=self.rejected - before.rejected,
            duplicates=self.duplicates - before.duplicates,
            late=self.late - before.late,
            rejects={reason: count for reason, count in sorted(reasons.items()) if count},
        )


def _off(what: str, wanted: int, got: int, names: tuple[str, str]) -> list[str]:
    if wanted == got:
        return []
    return [f"{what}: {names[0]} {wanted:,}, {names[1]} {got:,} ({got - wanted:+,})"]


def account_differences(
    produced: int, views: Counts, topic: Recount | None, *, shortened: bool = False
) -> list[str]:
    """What does not add up; `topic` None: it could not be read, or with `shortened` no longer holds the whole run."""
    accounted = views.ingested + views.rejected + views.duplicates
    problems = _off("readings", produced, accounted, ("produced", "ingested + rejected + duplicates"))
    problems += _off("view messages", produced, views.messages, ("produced", "rows"))
    problems += _off(
        "rejects by reason", views.rejected, sum(views.rejects.values()), ("rejected", "their sum")
    )
    if views.late > views.ingested:
        problems.append(f"late: {views.late:,} is more than the {views.ingested:,} ingested")
    if topic is None and shortened:
        return problems
    if topic is None:
        return [*problems, "the topic could not be read again"]
    seen = ("recount of the topic", "views")
    problems += _off("messages in the topic", produced, topic.messages, ("produced", "recount"))
    problems += _off("ingested", topic.valid, views.ingested, seen)
    problems += _off("duplicates", topic.duplicates, views.duplicates, seen)
    for reason in sorted(topic.rejects.keys() | views.rejects.keys()):
        problems += _off(f"rejected as {reason}", topic.rejects[reason], views.rejects.get(reason, 0), seen)
    return problems


def loader_differences(sent: Mapping[str, Any], views: Counts) -> list[str]:
    """What the loader says it sent by kind, against the views; `sent` is the summary's
    `acknowledged_by_kind`.
    """
    names = ("loader", "views")
    problems = _off("duplicates", int(sent.get("duplicates", 0)), views.duplicates, names)
    malformed: Mapping[str, int] = sent.get("malformed", {})
    for reason in sorted(malformed.keys() | views.rejects.keys()):
        problems += _off(
            f"rejected as {reason}", malformed.get(reason, 0), views.rejects.get(reason, 0), names
        )
    return problems


def rule_differences(scores: Mapping[str, Score]) -> list[str]:
    """Rules that found nothing of what was injected, or raised too many false alarms."""
    problems = []
    for rule, result in scores.items():
        if result.expected and not result.found:
            problems.append(f"rule {rule}: none of {result.expected} injected faults found")
        if result.false_alarms and result.false_alarms >= FALSE_ALARM_SHARE * result.found:
            share = f"{result.false_alarms} false alarms against {result.found} found"
            problems.append(f"rule {rule}: {share} (wanted under 10%)")
    return problems
