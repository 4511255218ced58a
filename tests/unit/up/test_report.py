"""The account: what adds up, and which sentence says what does not."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from tailrace.up.report import Report
from tailrace.verify.matching import Score
from tailrace.verify.reconcile import Counts
from tailrace.verify.recount import Recount

COUNTS = Counts(
    messages=110, ingested=100, rejected=7, duplicates=3, late=4, rejects={"not_json": 5, "bad_value": 2}
)
FRESH = {"p50": 40.0, "p99": 90.0, "samples": 12, "unseen": 0}


def topic(messages: int = 110, valid: int = 100, duplicates: int = 3, not_json: int = 5) -> Recount:
    return Recount(messages, valid, duplicates, Counter(not_json=not_json, bad_value=2))


def report(**changes: Any) -> Report:
    standing: dict[str, Any] = {
        "produced": 110,
        "counts": COUNTS,
        "recount": topic(),
        "views": {"messages": 110},
        "views_before": {"messages": 0},
        "scores": {"stuck": Score(10, 10, 0)},
        "freshness": FRESH,
        "sent_by_kind": {"duplicates": 3, "malformed": {"not_json": 5, "bad_value": 2, "not_utf8": 0}},
    }
    return Report(**{**standing, **changes})


def test_everything_adds_up() -> None:
    document = orjson.loads(orjson.dumps(report().as_json()))
    assert document["problems"] == []
    assert {
        key: document[key] for key in ("produced", "ingested", "rejected", "duplicates", "late", "reconciled")
    } == {
        "produced": 110,
        "ingested": 100,
        "rejected": 7,
        "duplicates": 3,
        "late": 4,
        "reconciled": True,
    }
    assert document["views"] == {"messages": 110}
    assert document["rules"] == {"stuck": {"expected": 10, "found": 10, "false_alarms": 0}}
    assert document["freshness_ms"] == {"p50": 40.0, "p99": 90.0, "samples": 12}


def problems(**changes: Any) -> list[str]:
    found = report(**changes)
    assert found.reconciled == (not found.problems)
    return found.problems


def test_a_lost_message_is_named_by_each_account() -> None:
    assert problems(produced=111) == [
        "readings: produced 111, ingested + rejected + duplicates 110 (-1)",
        "view messages: produced 111, rows 110 (-1)",
        "messages in the topic: produced 111, recount 110 (-1)",
    ]


def test_two_errors_that_cancel_out_are_still_seen() -> None:
    assert problems(recount=topic(valid=101, not_json=4)) == [
        "ingested: recount of the topic 101, views 100 (-1)",
        "rejected as not_json: recount of the topic 4, views 5 (+1)",
    ]


def test_the_loader_is_asked_too() -> None:
    assert problems(sent_by_kind={"duplicates": 2, "malformed": {"not_json": 5, "bad_value": 2}}) == [
        "duplicates: loader 2, views 3 (+1)"
    ]


def test_a_topic_that_cannot_be_read_does_not_reconcile() -> None:
    assert problems(recount=None) == ["the topic could not be read again"]


def test_a_rule_that_found_nothing() -> None:
    assert problems(scores={"silent": Score(4, 0, 0)}) == ["rule silent: none of 4 injected faults found"]
    assert problems(scores={"silent": Score(4, 1, 0)}) == []


def test_false_alarms_from_a_tenth_of_the_found_on() -> None:
    assert problems(scores={"zscore": Score(20, 20, 1)}) == []
    assert problems(scores={"zscore": Score(20, 20, 2)}) == [
        "rule zscore: 2 false alarms against 20 found (wanted under 10%)"
    ]
    assert problems(scores={"zscore": Score(0, 0, 1)}) != []


def test_a_component_that_failed_is_a_problem() -> None:
    assert problems(failures=("the loader ended with code 1",)) == ["the loader ended with code 1"]


def test_counts_of_this_run_are_the_difference() -> None:
    later = Counts(220, 200, 15, 5, 4, {"not_json": 5, "bad_value": 2, "not_utf8": 8})
    assert later.minus(COUNTS) == Counts(110, 100, 8, 2, 0, {"not_utf8": 8})
