"""A run: pacing, backpressure, stopping, and counts that are the broker's and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Any

import orjson
import pytest

from loader.outlet import Outlet
from loader.run import Outcome, Progress, Run
from loader.settings import StreamSettings
from loader.summary import summarise

SETTINGS = StreamSettings(
    devices=60, rate=180, seed=2, start_ms=1_795_478_000_000, duration_s=30.0, spike_rate=200, silent_rate=50
)


@dataclass
class FakeClock:
    """Time that passes only by sleeping, and by ``drag_s`` whenever it is asked for."""

    now_s: float = 0.0
    drag_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        self.now_s += self.drag_s
        return self.now_s

    def wall_ms(self) -> int:
        return SETTINGS.start_ms - 500 + round(self.now_s * 1000)

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self.now_s += seconds


@dataclass
class FakeMessage:
    topic_name: str
    payload: bytes

    def topic(self) -> str:
        return self.topic_name

    def value(self) -> bytes:
        return self.payload


@dataclass
class FakeProducer:
    """A broker that acknowledges ``per_poll`` messages a poll, and from the ``fails_from``-th on refuses them."""

    room: int = 10_000
    per_poll: int = 10_000
    fails_from: float = float("inf")
    queue: list[tuple[str, bytes, Callable[[Any, Any], None]]] = field(default_factory=list)
    taken: list[tuple[str, bytes, bytes, int]] = field(default_factory=list)
    buffer_errors: int = 0

    def produce(self, topic: str, value: bytes, key: bytes, *, on_delivery: Any, timestamp: int) -> None:
        if len(self.queue) >= self.room:
            self.buffer_errors += 1
            raise BufferError
        self.queue.append((topic, value, on_delivery))
        self.taken.append((topic, key, value, timestamp))

    def poll(self, timeout: float) -> int:
        done, self.queue = self.queue[: self.per_poll], self.queue[self.per_poll :]
        for topic, value, report in done:
            refused = len(self.taken) >= self.fails_from
            report("refused by the test" if refused else None, FakeMessage(topic, value))
        return len(done)

    def flush(self, timeout: float) -> int:
        self.poll(timeout)
        return len(self.queue)

    def purge(self) -> None:
        self.fails_from = 0

    def __len__(self) -> int:
        return len(self.queue)


@dataclass
class Ran:
    outcome: Outcome
    summary: dict[str, Any]
    clock: FakeClock
    progress: list[Progress]


def run(
    producer: FakeProducer, clock: FakeClock | None = None, stop_at_s: float = 1e9, patience_s: float = 30.0
) -> Ran:
    clock = clock or FakeClock()
    stop = Event()
    progress: list[Progress] = []

    def tell(now: Progress) -> None:
        progress.append(now)
        if now.at_s >= stop_at_s:
            stop.set()

    outlet = Outlet(producer, "readings", "truth", stop, patience_s)
    outcome = Run(SETTINGS, outlet, clock, stop, on_progress=tell).run()
    return Ran(outcome, summarise(SETTINGS, outlet, outcome, "readings"), clock, progress)


def test_all_that_is_due_is_sent_on_time_and_counted() -> None:
    producer = FakeProducer()
    ran = run(producer)
    summary, kinds = ran.summary, ran.summary["acknowledged_by_kind"]
    readings = [message for message in producer.taken if message[0] == "readings"]
    truth = [orjson.loads(message[2]) for message in producer.taken if message[0] == "truth"]
    assert summary["produced"] == summary["due"] == len(readings)
    assert kinds["valid"] + kinds["duplicates"] + sum(kinds["malformed"].values()) == summary["produced"]
    assert kinds["late"] == sum(
        stamp - _ts_ms(value) > 10_000 for _, _, value, stamp in readings if _whole(value)
    )
    assert summary["failed"] == 0
    assert summary["kept_up"]
    assert summary["truth_produced"] == len(truth) == len(summary["faults"]) > 0
    assert [told["fault_id"] for told in truth] == [told["fault_id"] for told in summary["faults"]]
    assert max(ran.clock.slept_s[1:]) <= 0.0201
    assert ran.clock.slept_s[0] == 0.5
    assert len(ran.progress) == pytest.approx(30, abs=1)
    assert summary["first_ts"] < summary["last_ts"]


def test_a_full_queue_slows_the_run_down_but_drops_nothing() -> None:
    producer = FakeProducer(room=3, per_poll=1)
    summary = run(producer).summary
    assert producer.buffer_errors > 0
    assert summary["produced"] == summary["due"]


def test_a_run_that_cannot_keep_up_says_so_and_sends_everything() -> None:
    wanted = run(FakeProducer()).summary["produced"]
    summary = run(FakeProducer(), FakeClock(drag_s=0.03)).summary
    assert summary["produced"] == wanted
    assert not summary["kept_up"]
    assert summary["behind_max_s"] > 5
    assert summary["achieved_rate"] < 0.8 * summary["target_rate"]


def test_stopping_early_tells_what_was_sent_until_then() -> None:
    ran = run(FakeProducer(), stop_at_s=10.0)
    summary = ran.summary
    assert summary["stopped_early"]
    assert summary["error"] is None
    assert ran.outcome.at_s == pytest.approx(10.0, abs=1.1)
    assert summary["produced"] == summary["due"]
    assert {fault["kind"] for fault in summary["faults"]} == {"silent", "stuck"}
    for fault in summary["faults"]:
        assert fault["ends_at"] <= summary["ended_at"]
        assert fault["rules"] == []


def test_refused_messages_end_the_run_and_are_not_counted_as_produced() -> None:
    ran = run(FakeProducer(fails_from=1000))
    assert "did not take a message: refused by the test" in str(ran.outcome.error)
    assert ran.summary["produced"] < 1000
    assert ran.summary["failed"] > 0
    assert ran.summary["produced"] + ran.summary["failed_by_topic"]["readings"] == ran.summary["due"]


def test_a_broker_that_goes_silent_is_given_up_after_a_while() -> None:
    producer = FakeProducer(room=50, per_poll=0)
    ran = run(producer, patience_s=0.05)
    assert "acknowledged nothing for 0.05 s" in str(ran.outcome.error)
    assert ran.summary["produced"] == 0


def _whole(value: bytes) -> bool:
    try:
        return isinstance(_ts_ms(value), int)
    except (ValueError, KeyError, TypeError):
        return False


def _ts_ms(value: bytes) -> int:
    from datetime import datetime

    message = orjson.loads(value)
    float(message["value"])
    assert {"event_id", "device_id", "metric"} <= message.keys() or _missing()
    return round(datetime.fromisoformat(message["ts"]).timestamp() * 1000)


def _missing() -> bool:
    raise KeyError
