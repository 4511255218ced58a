"""Readings as bytes: the one place that knows the message format.

A value is JSON of about 133 bytes: event_id, device_id, metric, value, ts (ISO 8601, milliseconds, UTC).
The key is the device id, so a device's messages keep to one partition. Pure; used by ``loader.stream``, for
every message, so the format is one ``%`` template rather than a JSON library (which could not keep a
value's decimals either).
"""

from __future__ import annotations

from datetime import UTC, datetime

from loader.fleet import METRICS_PER_DEVICE, Fleet, Floats, Ints

_EVENT_ID = "%s-%06x-%06x"
_TEMPLATE = '{"event_id":"' + _EVENT_ID + '","device_id":"%s","metric":"%s","value":%.*f,"ts":"%s.%03dZ"}'


class Encoder:
    """Encodes the readings of one run of a fleet."""

    def __init__(self, fleet: Fleet, run_tag: str) -> None:
        self._run_tag = run_tag
        self._device_ids = fleet.device_ids
        self._keys = [device_id.encode() for device_id in fleet.device_ids]
        self._metric_names = fleet.metric_names()
        self._metric_index = fleet.metric_index
        self._decimals = fleet.decimals
        self._second_texts: dict[int, str] = {}

    def event_id(self, series: int, n: int) -> str:
        """The id of the n-th reading of a series: unique in the run, and across runs by the run's tag."""
        return _EVENT_ID % (self._run_tag, series, n)

    def keys(self, series: Ints) -> list[bytes]:
        """The message keys, in order."""
        keys = self._keys
        return [keys[device] for device in (series // METRICS_PER_DEVICE).tolist()]

    def values(self, series: Ints, n: Ints, readings: Floats, ts_ms: Ints) -> list[bytes]:
        """The message values, in order; ``ts_ms`` is event time since the epoch."""
        seconds = ts_ms // 1000
        second_texts = self._texts(seconds)
        device_ids, names, run_tag = self._device_ids, self._metric_names, self._run_tag
        return [
            (
                _TEMPLATE
                % (
                    run_tag,
                    one,
                    number,
                    device_ids[one // METRICS_PER_DEVICE],
                    names[metric],
                    decimals,
                    reading,
                    second_texts[second],
                    millis,
                )
            ).encode()
            for one, number, metric, decimals, reading, second, millis in zip(
                series.tolist(),
                n.tolist(),
                self._metric_index[series].tolist(),
                self._decimals[series].tolist(),
                readings.tolist(),
                seconds.tolist(),
                (ts_ms - seconds * 1000).tolist(),
                strict=True,
            )
        ]

    def _texts(self, seconds: Ints) -> dict[int, str]:
        """The texts of these whole seconds (kept, since nearly all messages fall into the same few)."""
        texts = self._second_texts
        if len(texts) > 1000:
            texts.clear()
        for second in set(seconds.tolist()) - texts.keys():
            texts[second] = f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"
        return texts
