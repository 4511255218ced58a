"""One run: disturb, wait until the views go on, glance; now and then, and at the end, the full account.

The result is a value; `tests.chaos.show` and the JSON file show it. Called by `python -m tests.chaos` and by the tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from confluent_kafka import KafkaException

from tailrace.config import READINGS
from tests.chaos import account
from tests.chaos.disturbances import DISTURBANCES
from tests.chaos.schedule import Step
from tests.chaos.stack import Stack, running
from tests.chaos.views import examine, glance

RECOVERY_S = 90.0
WARM_S = 60.0
_GLANCE_S = 30.0
_Findings = list[str]


@dataclass(slots=True)
class Outcome:
    """What became of one step. `recovery_s` None: skipped, or it never recovered."""

    step: Step
    skipped: str | None = None
    recovery_s: float | None = None
    findings: _Findings = field(default_factory=list)

    @property
    def verdict(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        return self.findings[0] if self.findings else "ok"


@dataclass(slots=True)
class Result:
    """A whole run."""

    seed: int
    outcomes: list[Outcome] = field(default_factory=list)
    findings: _Findings = field(default_factory=list)
    messages: int = 0
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        return not self.findings and not any(outcome.findings for outcome in self.outcomes)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "passed": self.passed}


def run(
    stack: Stack,
    seed: int,
    steps: Sequence[Step],
    full_every: int,
    tell: Callable[[str, Outcome | None], None],
) -> Result:
    """Run the schedule on a stack that is not yet started. `tell` hears what is done now, and each outcome."""
    result = Result(seed)
    began = time.monotonic()
    tell("starting the stack", None)
    try:
        with running(stack):
            if stack.wait_shown(0, WARM_S) is None:
                result.findings.append(f"start: no reading is shown within {WARM_S:g} s")
            else:
                _disturb(stack, result, steps, full_every, tell)
            if result.passed:
                tell("drawing up the account", None)
                _finish(stack, result)
                tell("stopping the stack", None)
                result.findings += stack.end()
            stack.passed = result.passed
    except (AssertionError, psycopg.Error, KafkaException, OSError) as error:
        result.findings.append(f"{type(error).__name__}: {error}")
    result.seconds = round(time.monotonic() - began, 1)
    return result


def _disturb(
    stack: Stack,
    result: Result,
    steps: Sequence[Step],
    full_every: int,
    tell: Callable[[str, Outcome | None], None],
) -> None:
    known = {each.name: each for each in DISTURBANCES}
    for step in steps:
        disturbance = known[step.name]
        outcome = Outcome(step)
        result.outcomes.append(outcome)
        outcome.skipped = disturbance.missing(stack)
        if outcome.skipped is None:
            tell(f"{step.number}: load for {step.load_s:g} s, then {step}", None)
            time.sleep(step.load_s)
            try:
                stack.make_room_for_all()
                ended_ms, outcome.findings = disturbance.disturb(stack, step.parameters)
                tell(f"{step.number}: {step}: waiting for the views to go on", None)
                outcome.recovery_s = stack.wait_shown(ended_ms, RECOVERY_S)
                outcome.findings += _judge(stack, outcome, full=step.number % full_every == 0)
            except (AssertionError, psycopg.Error, KafkaException, OSError) as error:
                outcome.findings.append(f"{type(error).__name__}: {error}")
        tell("", outcome)
        if outcome.findings:
            return


def _judge(stack: Stack, outcome: Outcome, *, full: bool) -> _Findings:
    if outcome.recovery_s is None:
        return [*stack.loader.died(), f"the views do not go on within {RECOVERY_S:g} s"]
    found = stack.loader.died() + _patiently(lambda: glance(stack))
    return found + (_patiently(lambda: examine(stack)) if full else [])


def _patiently(work: Callable[[], _Findings]) -> _Findings:
    """A connection may still break while something behind it comes back."""
    deadline = time.monotonic() + _GLANCE_S
    while True:
        try:
            return work()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                return [f"the views do not answer: {str(error).strip()}"]
            time.sleep(0.2)


def _finish(stack: Stack, result: Result) -> None:
    """Nobody sends any more: everything must be everywhere."""
    found = stack.loader.stop()
    stack.witness.close()
    found += stack.wait_drained()
    found += _patiently(lambda: glance(stack)) + _patiently(lambda: examine(stack))
    with stack.connect() as connection:
        found += stack.sink.check(connection)
    messages = stack.truth.messages()
    result.messages = len(messages)
    witness = stack.witness
    found += witness.failed[:3]
    found += account.unkept(witness.acknowledged, messages)
    found += account.missent(stack.loader.sent(), len(witness.acknowledged), len(messages))
    ends = dict.fromkeys(range(READINGS.partitions), 0) | {
        m.partition: m.offset + 1 for m in stack.truth.generations[-1]
    }
    if stack.positions() != ends:
        found.append(f"rw_kafka_source_progress: {stack.positions()}, the topic ends at {ends}")
    result.findings += found
