"""The fleet: which devices exist, what they measure, and what is normal for each of them.

Everything follows from the number of devices and the seed, so the registry that ``tailrace up`` seeds
(``device_rows``, ``limit_rows``) and the readings that ``loader.stream`` generates agree without talking to
each other. Pure: no I/O, no clock. Called by ``loader.stream``, by ``tailrace up`` and by tests.

A device has three metrics. A *series* is one metric of one device: series ``3 * device + j`` is metric
``j`` of the device's type. The limits of a metric are wide: a healthy signal, daily cycle included, stays
in the inner half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

METRICS_PER_DEVICE = 3
SITES = ("aarau", "bergen", "cork", "delft", "essen", "florence", "ghent", "hull")

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Metric:
    """How one metric behaves, in its own unit.

    A device's base level lies within ``level`` +- ``spread``; the daily cycle swings it by up to ``daily``;
    ``noise`` is the standard deviation of the sensor's noise (the inertia of the process is a fixed share
    of it, see ``loader.signals``). ``decimals`` is the sensor's resolution, fine against the noise so that
    a healthy sensor never looks stuck. ``low`` and ``high`` are the limits outside which a reading is
    alarming.
    """

    name: str
    unit: str
    level: float
    spread: float
    daily: float
    noise: float
    decimals: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DeviceType:
    """A kind of device and its three metrics."""

    name: str
    metrics: tuple[Metric, Metric, Metric]


DEVICE_TYPES = (
    DeviceType(
        "pump",
        (
            Metric("vibration", "mm/s", 2.5, 0.3, 0.15, 0.05, 3, 0.1, 7.1),
            Metric("pressure", "bar", 6.0, 0.5, 0.15, 0.04, 3, 2.0, 10.0),
            Metric("temperature", "degC", 55.0, 4.0, 2.0, 0.3, 2, 15.0, 95.0),
        ),
    ),
    DeviceType(
        "cold_room",
        (
            Metric("temperature", "degC", 4.0, 0.6, 0.5, 0.08, 2, -4.0, 12.0),
            Metric("humidity", "percent", 70.0, 4.0, 2.0, 0.4, 2, 45.0, 95.0),
            Metric("compressor_current", "A", 8.0, 0.8, 0.4, 0.1, 2, 1.0, 15.0),
        ),
    ),
    DeviceType(
        "power_meter",
        (
            Metric("voltage", "V", 230.0, 2.0, 1.5, 0.4, 2, 190.0, 270.0),
            Metric("current", "A", 40.0, 6.0, 4.0, 0.5, 2, 5.0, 75.0),
            Metric("frequency", "Hz", 50.0, 0.01, 0.01, 0.01, 4, 49.0, 51.0),
        ),
    ),
)


class DeviceRow(NamedTuple):
    """A row of table ``devices``."""

    device_id: str
    device_type: str
    site: str


class LimitRow(NamedTuple):
    """A row of table ``metric_limits``."""

    device_type: str
    metric: str
    low: float
    high: float
    unit: str


class Fleet:
    """A fleet of ``devices`` devices; the same seed gives the same fleet, a smaller one is its beginning.

    Arrays by device: ``type_index``, ``site_index``, ``device_ids``. Arrays by series: ``base``, ``daily``,
    ``daily_phase`` (in days), ``noise``, ``low``, ``high``, ``decimals``, ``metric_index``.
    """

    def __init__(self, devices: int, seed: int) -> None:
        if devices < 1:
            raise ValueError(f"a fleet needs at least 1 device, got {devices}")
        self.devices = devices
        self.seed = seed
        self.series = devices * METRICS_PER_DEVICE
        draws = np.random.default_rng([seed, 1]).random((devices, 2 + 3 * METRICS_PER_DEVICE))
        self.type_index: Ints = (draws[:, 0] * len(DEVICE_TYPES)).astype(np.int64)
        self.site_index: Ints = (draws[:, 1] * len(SITES)).astype(np.int64)
        self.device_ids = [f"dev-{number:06d}" for number in range(devices)]

        def by_series(field: str) -> Floats:
            table = np.array([[float(getattr(m, field)) for m in kind.metrics] for kind in DEVICE_TYPES])
            return table[self.type_index].reshape(-1)

        level_draw, swing_draw, phase_draw = (
            draws[:, 2 + k * METRICS_PER_DEVICE : 2 + (k + 1) * METRICS_PER_DEVICE].reshape(-1)
            for k in range(3)
        )
        self.base: Floats = by_series("level") + by_series("spread") * (2 * level_draw - 1)
        self.daily: Floats = by_series("daily") * (0.5 + 0.5 * swing_draw)
        # Highest at 14:00 UTC, two hours more or less: there sin(2 pi (day - 1/3)) has its maximum.
        self.daily_phase: Floats = -1 / 3 + (phase_draw - 0.5) / 6
        self.noise = by_series("noise")
        self.low = by_series("low")
        self.high = by_series("high")
        self.decimals: Ints = by_series("decimals").astype(np.int64)
        # Position of a series in the tables of metric names: type * 3 + metric.
        self.metric_index: Ints = (
            self.type_index[:, None] * METRICS_PER_DEVICE + np.arange(METRICS_PER_DEVICE)
        ).reshape(-1)

    @staticmethod
    def metric_names() -> list[str]:
        """Names by ``metric_index``."""
        return [metric.name for kind in DEVICE_TYPES for metric in kind.metrics]

    def series_name(self, series: int) -> tuple[str, str]:
        """The (device_id, metric) of a series."""
        return self.device_ids[series // METRICS_PER_DEVICE], self.metric_names()[self.metric_index[series]]

    def device_rows(self) -> list[DeviceRow]:
        """The rows of table ``devices``, in the order of their ids."""
        return [
            DeviceRow(device_id, DEVICE_TYPES[kind].name, SITES[site])
            for device_id, kind, site in zip(
                self.device_ids, self.type_index.tolist(), self.site_index.tolist(), strict=True
            )
        ]

    @staticmethod
    def limit_rows() -> list[LimitRow]:
        """The rows of table ``metric_limits``, for all device types (whether or not the fleet has one)."""
        return [
            LimitRow(kind.name, metric.name, metric.low, metric.high, metric.unit)
            for kind in DEVICE_TYPES
            for metric in kind.metrics
        ]
