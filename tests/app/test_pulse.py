"""Samples of ingest: freshness, rates, and a pipeline that begins anew; and the examples in the docstrings."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from app import cards, formats, settings
from app.pulse import Pulse, Sample
from app.queries.ingest import Partition

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def sample(second: float, *messages: int, age_s: float = 0.1) -> Sample:
    at = START + timedelta(seconds=second)
    newest = at - timedelta(seconds=age_s)
    return Sample(
        at,
        tuple(Partition(number, count, count - 1, newest, newest) for number, count in enumerate(messages)),
    )


def pulse_of(*samples: Sample) -> Pulse:
    pulse = Pulse()
    for each in samples:
        pulse.add(each)
    return pulse


def test_one_sample_has_freshness_but_no_rate() -> None:
    view = pulse_of(sample(0, 10, 20, age_s=0.25)).view()
    assert view.now.messages == 30
    assert view.freshness() == [0.25]
    assert view.rates() == {}
    assert view.throughput() == []


def test_rates_are_the_growth_over_five_seconds() -> None:
    view = pulse_of(*(sample(second, 100 * second, 10 * second) for second in range(10))).view()
    assert view.rates() == {0: 100.0, 1: 10.0}
    assert view.throughput() == [110.0] * 9


def test_after_a_pause_the_rate_is_over_the_pause() -> None:
    view = pulse_of(sample(0, 0), sample(60, 600)).view()
    assert view.rates() == {0: 10.0}


def test_a_partition_that_appears_counts_from_zero() -> None:
    view = pulse_of(sample(0, 10), sample(1, 10, 5)).view()
    assert view.rates() == {0: 0.0, 1: 5.0}


def test_fewer_messages_begin_anew() -> None:
    view = pulse_of(sample(0, 1_000), sample(1, 2_000), sample(2, 5)).view()
    assert len(view.samples) == 1
    assert view.rates() == {}


def test_no_messages_have_no_freshness() -> None:
    assert pulse_of(sample(0)).view().now.freshness_s is None


def test_clocks_that_disagree_do_not_make_an_age_negative() -> None:
    assert sample(0, 1, age_s=-0.2).freshness_s == 0.0


@pytest.mark.parametrize("module", [cards, formats, settings])
def test_docstring_examples(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0
