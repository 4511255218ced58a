"""Schedules, settings and the truth's own arithmetic."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from loader.faults import Fault, FaultKind, iso, window_end_ms
from loader.schedule import Burst, Schedule
from loader.settings import StreamSettings

T0 = 1_795_478_000_000
SETTINGS = StreamSettings(devices=1000, rate=3000, seed=1, start_ms=T0, duration_s=30.0)


def test_due_counts_the_steady_rate_and_the_bursts() -> None:
    schedule = Schedule(100.0, (Burst(900.0, 10.0, 5.0), Burst(1000.0, 12.0, 1.0)))
    assert [schedule.due(t) for t in (0, 10, 11, 13, 15, 20)] == [0, 1000, 2000, 5000, 7000, 7500]


def test_moments_are_the_inverse_of_due() -> None:
    schedule = Schedule(100.0, (Burst(900.0, 10.0, 5.0),))
    times = np.array([0.5, 9.99, 10.01, 14.2, 15.0, 300.0])
    due = np.array([schedule.due(t) for t in times])
    assert schedule.moments(due) == pytest.approx(times)


def test_a_burst_is_read_from_text() -> None:
    assert Burst.parse("50000:10:2.5") == Burst(50_000.0, 10.0, 2.5)


@pytest.mark.parametrize("text", ["", "5", "1:2", "a:b:c", "0:1:1", "10:-1:1", "10:1:0"])
def test_a_bad_burst_is_refused_with_an_explanation(text: str) -> None:
    with pytest.raises(ValueError, match="RATE"):
        Burst.parse(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"devices": 0}, "devices must be at least 1, got 0"),
        ({"rate": 0.0}, "rate must be above 0"),
        ({"rate": float("nan")}, "rate must be above 0"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"duration_s": 0.0}, "duration must be above 0"),
        ({"late_share": 0.6}, "together at most 0.5"),
        ({"late_share": -0.1}, "at least 0"),
        ({"stuck_rate": -1.0}, "fault rates must be 0 or more"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(SETTINGS, **change)


def test_settings_that_cannot_show_a_fault_are_warned_of() -> None:
    assert SETTINGS.warnings() == []
    assert "no stuck faults" in replace(SETTINGS, rate=1500.0).warnings()[0]
    assert "may look silent" in replace(SETTINGS, rate=500.0).warnings()[0]


def fault(kind: FaultKind, starts_s: float, ends_s: float | None) -> Fault:
    ends_at_ms = None if ends_s is None else T0 + round(ends_s * 1000)
    return Fault("f", kind, "dev-000001", None, T0 + round(starts_s * 1000), ends_at_ms, (kind.value,))


@pytest.mark.parametrize(
    ("kind", "starts_s", "ends_s", "stop_s", "ended_s", "expected"),
    [
        pytest.param("stuck", 3, 26, 30, 26, True, id="stuck, over"),
        pytest.param("stuck", 3, None, 30, 30, True, id="stuck, until the end"),
        pytest.param("stuck", 3, 26, 19.9, 19.9, False, id="stuck, no whole window"),
        pytest.param("silent", 3, 29, 40, 29, True, id="silent, over"),
        pytest.param("silent", 3, 29, 15.9, 15.9, False, id="silent, not reported yet"),
        pytest.param("silent", 3, 29, 16, 16, True, id="silent, just reported"),
    ],
)
def test_a_stopped_fault_expects_only_what_it_lasted_for(
    kind: str, starts_s: float, ends_s: float | None, stop_s: float, ended_s: float, expected: bool
) -> None:
    stopped = fault(FaultKind(kind), starts_s, ends_s).stopped(T0 + round(stop_s * 1000))
    assert stopped.ends_at_ms == T0 + ended_s * 1000
    assert stopped.rules == ((kind,) if expected else ())


def test_times_are_told_in_utc_with_milliseconds() -> None:
    assert iso(1_795_475_777_123) == "2026-11-23T23:16:17.123Z"
    assert window_end_ms(T0) == T0
    assert window_end_ms(T0 + 1) == T0 + 10_000
