"""Freshness on a fake clock: pairs of what was created and what was shown."""

from __future__ import annotations

import pytest

from tailrace.monitor.estimator import Estimator, Histogram, Second, percentile, recovered_after_s

START = 1_000_000.0


def estimator() -> Estimator:
    """Warm-up over: the first message came at START, measured from START on."""
    made = Estimator(warm_up_ms=0)
    made.message(9, START)
    made.poll(START, {9: START})
    return made


def test_message_is_fresh_at_the_first_poll_that_shows_it() -> None:
    measured = estimator()
    measured.message(0, START + 100)
    measured.poll(START + 110, {0: START + 99})
    assert measured.waiting == 1
    measured.poll(START + 125, {0: START + 100})
    assert measured.waiting == 0
    assert measured.summary() == {"p50": 0.0, "p99": 25.0, "samples": 2, "unseen": 0}


def test_message_read_after_the_poll_that_showed_it_counts_alike() -> None:
    measured = estimator()
    measured.poll(START + 110, {0: START + 99})
    measured.poll(START + 125, {0: START + 100})
    measured.poll(START + 400, {0: START + 300})
    measured.message(0, START + 100)
    assert measured.histogram.percentile(1.0) == 25.0


def test_each_partition_waits_for_its_own_timestamp() -> None:
    measured = estimator()
    measured.message(0, START + 100)
    measured.message(1, START + 100)
    measured.poll(START + 120, {0: START + 200, 1: START + 50})
    assert (measured.waiting, measured.histogram.total) == (1, 2)
    measured.poll(START + 180, {1: START + 100})
    assert measured.histogram.percentile(1.0) == 80.0


def test_messages_of_the_warm_up_are_not_measured() -> None:
    measured = Estimator(warm_up_ms=2_000)
    measured.message(0, START)
    measured.message(0, START + 1_999)
    measured.message(0, START + 2_000)
    measured.poll(START + 2_010, {0: START + 2_000})
    assert measured.summary() == {"p50": 10.0, "p99": 10.0, "samples": 1, "unseen": 0}


def test_what_no_poll_shows_is_told_as_unseen() -> None:
    measured = estimator()
    measured.message(0, START + 5)
    assert measured.summary()["unseen"] == 1


def test_messages_out_of_order_in_a_partition() -> None:
    measured = estimator()
    for created in (START + 30, START + 10, START + 20):
        measured.message(0, created)
    measured.poll(START + 40, {0: START + 20})
    assert measured.waiting == 1
    measured.poll(START + 50, {0: START + 30})
    assert measured.waiting == 0


def test_old_polls_are_forgotten_and_the_timeline_stays() -> None:
    measured = estimator()
    for second in range(1, 200):
        at = START + second * 1_000
        measured.message(0, at)
        measured.poll(at + 40, {0: at})
        if second % 10 == 0:
            measured.seconds(last=5)
    timeline = measured.seconds()
    assert len(measured._polls) < 70
    assert [row.at_s for row in timeline] == list(range(200))
    assert {row.p50 for row in timeline[1:]} == {40.0}


def test_view_that_forgets_a_partition_does_not_go_back() -> None:
    measured = estimator()
    measured.poll(START + 10, {0: START + 5})
    measured.poll(START + 20, {})
    measured.message(0, START + 5)
    assert measured.waiting == 0


@pytest.mark.parametrize(
    ("share", "wanted"), [(0.0001, 1.0), (0.5, 50.0), (0.505, 51.0), (0.99, 99.0), (1.0, 100.0)]
)
def test_percentiles(share: float, wanted: float) -> None:
    histogram = Histogram()
    for value in range(1, 101):
        histogram.add(value)
    assert histogram.percentile(share) == wanted
    assert percentile([float(value) for value in range(1, 101)], share) == wanted


def test_histogram_of_nothing_and_of_extremes() -> None:
    histogram = Histogram()
    assert histogram.percentile(0.5) is None
    histogram.add(-3.0)
    histogram.add(1e9)
    assert (histogram.percentile(0.5), histogram.percentile(1.0)) == (0.0, 120_000.0)


def timeline(*p99: float) -> list[Second]:
    return [Second(at_s, 10.0, value, 100) for at_s, value in enumerate(p99)]


def test_recovery_after_a_burst() -> None:
    calm, stale = 100.0, 3_000.0
    assert recovered_after_s(timeline(calm, calm, calm, calm), 2.0) == 0.0
    assert recovered_after_s(timeline(calm, stale, stale, stale, calm, calm), 2.0) == 2.0
    assert recovered_after_s(timeline(calm, stale, calm, stale), 2.0) is None
