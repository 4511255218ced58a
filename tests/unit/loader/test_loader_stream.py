"""The stream: repeatable to the byte, with the disorder and damage that it promises."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import pairwise

import numpy as np
import orjson
import pytest
from reference_rules import ReferencePipeline, reject_reason

from loader.fleet import METRICS_PER_DEVICE, Fleet
from loader.malformed import REASONS, VARIANTS
from loader.schedule import Burst
from loader.settings import StreamSettings
from loader.stream import TICK_S, Kind, Stream, Tick
from tailrace.verify.recount import Recount

SETTINGS = StreamSettings(devices=100, rate=300, seed=7, start_ms=1_795_478_000_000, duration_s=40.0)


def ticks_of(settings: StreamSettings) -> list[Tick]:
    return list(Stream(settings).ticks())


def digest(settings: StreamSettings) -> str:
    hashed = hashlib.sha256()
    for tick in Stream(settings).ticks():
        hashed.update(repr((tick.at_s, tick.keys, tick.values, tick.kinds.tolist(), tick.faults)).encode())
    return hashed.hexdigest()


@pytest.fixture(scope="module")
def ticks() -> list[Tick]:
    return ticks_of(SETTINGS)


@pytest.fixture(scope="module")
def usual_digest() -> str:
    return digest(SETTINGS)


def messages(ticks: list[Tick]) -> list[tuple[float, Kind, bytes, bytes]]:
    return [
        (tick.at_s, Kind(kind), key, value)
        for tick in ticks
        for kind, key, value in zip(tick.kinds.tolist(), tick.keys, tick.values, strict=True)
    ]


def delay_s(at_s: float, value: bytes) -> float:
    ts = datetime.fromisoformat(orjson.loads(value)["ts"]).timestamp()
    return SETTINGS.start_ms / 1000 + at_s - ts


def test_same_settings_give_the_same_bytes_in_the_same_order(usual_digest: str) -> None:
    assert digest(SETTINGS) == usual_digest


@pytest.mark.parametrize(
    "change", [{"seed": 8}, {"start_ms": SETTINGS.start_ms + 1}, {"rate": 301.0}, {"late_share": 0.004}]
)
def test_other_settings_give_another_stream(change: dict[str, float], usual_digest: str) -> None:
    assert digest(replace(SETTINGS, **change)) != usual_digest


def test_a_second_run_repeats_no_event_id(ticks: list[Tick]) -> None:
    def ids(run: list[Tick]) -> set[str]:
        return {orjson.loads(v)["event_id"] for _, kind, _, v in messages(run) if kind is not Kind.MALFORMED}

    later = ticks_of(replace(SETTINGS, start_ms=SETTINGS.start_ms + 60_000))
    assert not ids(ticks) & ids(later)


def test_messages_are_keyed_by_device_and_typed_as_promised(ticks: list[Tick]) -> None:
    for _, kind, key, value in messages(ticks):
        if kind is Kind.MALFORMED:
            continue
        message = orjson.loads(value)
        assert list(message) == ["event_id", "device_id", "metric", "value", "ts"]
        assert key.decode() == message["device_id"]
        assert isinstance(message["value"], float)
        assert 110 < len(value) < 160


def test_the_rate_is_kept_and_sending_is_spread_over_the_ticks(ticks: list[Tick]) -> None:
    sent = np.array([len(tick.values) for tick in ticks])
    assert len(ticks) == round(40.0 / TICK_S)
    assert sent.sum() == pytest.approx(40 * 300, rel=0.03)
    per_second = sent[100:].reshape(-1, 50).sum(axis=1)
    assert per_second.min() > 250
    assert sent.max() < 30


def test_a_series_reports_steadily() -> None:
    healthy = replace(SETTINGS, spike_rate=0, stuck_rate=0, silent_rate=0, malformed_share=0, late_share=0)
    times: dict[str, list[float]] = {}
    for _, kind, _, value in messages(ticks_of(healthy)):
        if kind is Kind.VALID:
            message = orjson.loads(value)
            series = message["device_id"] + message["metric"]
            times.setdefault(series, []).append(datetime.fromisoformat(message["ts"]).timestamp())
    assert len(times) == SETTINGS.series
    gaps = np.concatenate([np.diff(sorted(one)) for one in times.values()])
    # A reading that is still on its way at the end leaves no gap; one within does not exist.
    assert gaps.min() >= 0.799
    assert gaps.max() <= 1.201 + 1.0


def test_most_readings_are_out_of_order_and_a_few_are_clearly_late(ticks: list[Tick]) -> None:
    delays = np.array([delay_s(at, v) for at, kind, _, v in messages(ticks) if kind is Kind.VALID])
    late = delays > 10
    assert 0.0005 < late.mean() < 0.004
    assert delays[late].min() > 11.9
    assert delays[late].max() < 25.1
    assert delays[~late].min() >= 0
    assert delays[~late].max() < 2.1
    order = [orjson.loads(v)["ts"] for _, kind, _, v in messages(ticks) if kind is Kind.VALID]
    inversions = np.mean([first > second for first, second in pairwise(order)])
    assert 0.1 < inversions < 0.5


def test_duplicates_repeat_an_earlier_message_under_the_same_key(ticks: list[Tick]) -> None:
    seen: set[tuple[bytes, bytes]] = set()
    duplicates = 0
    for _, kind, key, value in messages(ticks):
        if kind is Kind.DUPLICATE:
            duplicates += 1
            assert (key, value) in seen
        else:
            assert (key, value) not in seen or kind is Kind.MALFORMED
            seen.add((key, value))
    assert duplicates == pytest.approx(0.005 * 12_000, rel=0.4)


def test_malformed_messages_are_of_every_variant_and_counted_by_their_reason(ticks: list[Tick]) -> None:
    details = [
        detail
        for tick in ticks
        for kind, detail in zip(tick.kinds.tolist(), tick.details.tolist(), strict=True)
        if kind == Kind.MALFORMED
    ]
    assert set(details) == set(range(len(VARIANTS)))
    pipeline = ReferencePipeline(Fleet(SETTINGS.devices, SETTINGS.seed), SETTINGS.start_ms)
    for tick in ticks:
        pipeline.take(tick)
    expected = Counter(VARIANTS[detail].reason for detail in details)
    assert Counter(pipeline.findings.rejects) == expected
    kinds = Counter(kind for _, kind, _, _ in messages(ticks))
    assert pipeline.findings.valid == kinds[Kind.VALID] + kinds[Kind.SPIKE]
    assert pipeline.findings.duplicates == kinds[Kind.DUPLICATE]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_each_variant_is_rejected_for_its_reason_by_both_readers(variant: object, ticks: list[Tick]) -> None:
    good = next(value for _, kind, _, value in messages(ticks) if kind is Kind.VALID)
    bad = variant.damage(good)  # type: ignore[attr-defined]
    reason = variant.reason  # type: ignore[attr-defined]
    assert reason in REASONS
    assert reject_reason(good) is None
    assert reject_reason(bad) == reason
    recount = Recount()
    recount.add(bad)
    assert dict(recount.rejects) == {reason: 1}


def test_a_burst_comes_on_top_for_its_length_only() -> None:
    settings = replace(SETTINGS, duration_s=12.0, bursts=(Burst(6_000, 4, 4),))
    sent = np.array([len(tick.values) for tick in ticks_of(settings)]).reshape(-1, 50).sum(axis=1)
    assert sent[5:8] == pytest.approx([6_300] * 3, rel=0.1)
    assert sent[:4].max() < 400
    assert sent[10:].max() < 600


def test_a_burst_over_a_tiny_fleet_takes_several_readings_of_a_series_in_a_tick() -> None:
    settings = replace(SETTINGS, devices=1, rate=3, duration_s=4.0, bursts=(Burst(3_000, 1, 2),))
    valid = [orjson.loads(v) for _, kind, _, v in messages(ticks_of(settings)) if kind is Kind.VALID]
    assert len({message["event_id"] for message in valid}) == len(valid) > 5_000
    assert len({message["metric"] for message in valid}) == METRICS_PER_DEVICE


def test_a_silent_device_sends_nothing_and_a_stuck_one_repeats_itself(ticks: list[Tick]) -> None:
    faults = [fault for tick in ticks for fault in tick.faults]
    sent = [
        (orjson.loads(value), datetime.fromisoformat(orjson.loads(value)["ts"]).timestamp() * 1000)
        for _, kind, _, value in messages(ticks)
        if kind is not Kind.MALFORMED
    ]
    kinds = Counter(fault.kind.value for fault in faults)
    assert kinds["silent"] >= 1
    assert kinds["stuck"] >= 1
    assert kinds["spike"] >= 2
    for fault in faults:
        assert fault.ends_at_ms is not None
        during = [
            message
            for message, ts_ms in sent
            if message["device_id"] == fault.device_id
            and fault.metric in (None, message["metric"])
            and fault.starts_at_ms <= ts_ms <= fault.ends_at_ms
        ]
        if fault.kind == "silent":
            assert during == []
        elif fault.kind == "stuck":
            assert len(during) > 15
            assert len({message["value"] for message in during}) == 1
        else:
            assert [message["event_id"] for message in during] == [fault.event_id]


def test_spikes_are_in_the_plain_and_half_of_them_within_limits() -> None:
    settings = replace(SETTINGS, spike_rate=100)
    run = ticks_of(settings)
    fleet = Fleet(settings.devices, settings.seed)
    types = {row.device_id: row.device_type for row in fleet.device_rows()}
    limits = {(row.device_type, row.metric): (row.low, row.high) for row in fleet.limit_rows()}
    by_id = {orjson.loads(v)["event_id"]: orjson.loads(v) for _, k, _, v in messages(run) if k is Kind.SPIKE}
    spikes = [fault for tick in run for fault in tick.faults if fault.kind == "spike"]
    assert {fault.event_id for fault in spikes} == set(by_id)
    for fault in spikes:
        assert fault.event_id is not None
        message = by_id[fault.event_id]
        low, high = limits[types[message["device_id"]], message["metric"]]
        assert (low <= message["value"] <= high) == (fault.rules == ("zscore",))
    assert Counter(len(fault.rules) for fault in spikes) == {1: len(spikes) // 2, 2: len(spikes) // 2}
