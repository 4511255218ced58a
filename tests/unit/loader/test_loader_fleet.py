"""The fleet: a registry that is stable, and signals that stay well inside their limits."""

from __future__ import annotations

import numpy as np
import pytest

from loader.fleet import DEVICE_TYPES, METRICS_PER_DEVICE, Fleet
from loader.signals import DAY_S, SeriesStatistics, Signals


def test_same_seed_same_registry_and_a_smaller_fleet_is_its_beginning() -> None:
    rows = Fleet(500, 3).device_rows()
    assert rows == Fleet(500, 3).device_rows()
    assert rows[:20] == Fleet(20, 3).device_rows()
    assert rows != Fleet(500, 4).device_rows()


def test_registry_rows_fit_together() -> None:
    fleet = Fleet(500, 3)
    devices, limits = fleet.device_rows(), fleet.limit_rows()
    assert len({row.device_id for row in devices}) == 500
    assert {row.device_type for row in devices} == {row.device_type for row in limits}
    assert len(limits) == len({row[:2] for row in limits}) == METRICS_PER_DEVICE * len(DEVICE_TYPES)
    assert all(row.low < row.high and row.unit for row in limits)


def test_an_empty_fleet_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 device, got 0"):
        Fleet(0, 1)


def test_a_healthy_day_stays_clear_of_the_limits() -> None:
    fleet = Fleet(300, 5)
    signals = Signals(fleet, day_offset_s=0.0)
    rng = np.random.default_rng(0)
    series = np.arange(fleet.series)
    clear = 0.1 * (fleet.high - fleet.low)
    for t in np.arange(0, DAY_S, 600.0):
        values = signals.read(series, np.full(fleet.series, t), rng.random((3, fleet.series)))
        assert (values > fleet.low + clear).all()
        assert (values < fleet.high - clear).all()


def test_a_sensor_resolves_its_own_noise() -> None:
    fleet = Fleet(50, 5)
    assert (10.0**-fleet.decimals <= fleet.noise / 4).all()


def test_a_signal_has_inertia() -> None:
    """What a series reads a second later is nearer than what it reads an hour later."""
    fleet = Fleet(500, 5)
    signals = Signals(fleet, day_offset_s=0.0)
    rng = np.random.default_rng(0)
    series = np.arange(fleet.series)

    def read(t: float) -> np.ndarray:
        return signals.read(series, np.full(fleet.series, t), rng.random((3, fleet.series))) / fleet.noise

    first, soon, later = read(1.0), read(2.0), read(600.0)
    assert np.std(soon - first) < 0.95 * np.std(later - first)


def test_running_statistics_are_those_of_the_values() -> None:
    statistics = SeriesStatistics(3)
    values = np.random.default_rng(1).random((20, 2)) * 100
    for row in values:
        statistics.add(np.array([0, 2]), row)
    for series, column in ((0, 0), (2, 1)):
        assert statistics.mean[series] == pytest.approx(values[:, column].mean())
        assert statistics.deviation(series) == pytest.approx(values[:, column].std(ddof=1))
    assert statistics.deviation(1) == 0.0
