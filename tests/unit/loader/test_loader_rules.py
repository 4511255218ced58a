"""On the loader's stream, the pipeline's rules find every fault and raise next to no false alarms."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from reference_rules import Findings, ReferencePipeline

from loader.fault_plan import aligned_start_ms
from loader.faults import Fault, FaultKind
from loader.fleet import Fleet
from loader.schedule import Burst
from loader.settings import StreamSettings
from loader.stream import Stream

SHORT_RUN = StreamSettings(
    devices=60,
    rate=180,
    seed=1,
    start_ms=1_795_478_000_000,
    duration_s=30.0,
    spike_rate=300,
    stuck_rate=100,
    silent_rate=100,
)


@dataclass
class Verdict:
    """What was injected, what of it was not found, and what was raised without a reason."""

    injected: dict[FaultKind, int]
    missed: list[tuple[str, Fault]] = field(default_factory=list)
    false_alarms: list[object] = field(default_factory=list)


def judge(settings: StreamSettings, lag_s: float = 0.0) -> Verdict:
    settings = replace(settings, start_ms=aligned_start_ms(settings))
    pipeline = ReferencePipeline(Fleet(settings.devices, settings.seed), settings.start_ms, lag_s)
    faults: list[Fault] = []
    for tick in Stream(settings).ticks():
        pipeline.take(tick)
        faults += tick.faults
    assert settings.duration_s is not None
    stop_ms = settings.start_ms + round(settings.duration_s * 1000)
    return compare([fault.stopped(stop_ms) for fault in faults], pipeline.findings)


def compare(faults: list[Fault], findings: Findings) -> Verdict:
    verdict = Verdict({kind: sum(fault.kind is kind for fault in faults) for kind in FaultKind})
    explained: set[object] = set()
    for fault in faults:
        for rule in ("threshold", "zscore", "stuck", "silent"):
            own = {found for found in getattr(findings, rule) if belongs(rule, found, fault)}
            explained |= {(rule, found) for found in own}
            if rule in fault.rules and not own:
                verdict.missed.append((rule, fault))
    for rule in ("threshold", "zscore", "stuck", "silent"):
        verdict.false_alarms += {(rule, found) for found in getattr(findings, rule)} - explained
    return verdict


def belongs(rule: str, found: object, fault: Fault) -> bool:
    if isinstance(found, str):
        return rule in fault.rules and found == fault.event_id
    assert isinstance(found, tuple)
    assert fault.ends_at_ms is not None
    if rule != fault.kind or found[:-1] != ((fault.device_id, fault.metric)[: len(found) - 1]):
        return False
    return fault.starts_at_ms - 2_000 < found[-1] * 1000 <= fault.ends_at_ms + 10_000


@pytest.mark.parametrize(("offset_ms", "lag_s"), [(0, 0.0), (2_500, 0.8), (5_000, 0.0), (7_500, 0.8)])
def test_every_fault_of_half_a_minute_is_found_whenever_it_starts(offset_ms: int, lag_s: float) -> None:
    settings = replace(SHORT_RUN, start_ms=SHORT_RUN.start_ms + offset_ms, seed=offset_ms)
    verdict = judge(settings, lag_s)
    assert verdict.injected == {FaultKind.SPIKE: 18, FaultKind.STUCK: 6, FaultKind.SILENT: 6}
    assert verdict.missed == []
    assert verdict.false_alarms == []


def test_a_run_without_time_for_a_baseline_has_no_spikes_that_nobody_could_find() -> None:
    settings = replace(SHORT_RUN, start_ms=SHORT_RUN.start_ms + 6_000)
    assert aligned_start_ms(settings) > settings.start_ms
    spikes = [f for tick in Stream(settings).ticks() for f in tick.faults if f.kind is FaultKind.SPIKE]
    assert spikes == []


@pytest.mark.parametrize(
    ("at_s", "duration_s"), [(3.0, 30.0), (10.0, 45.0), (40.0, 80.0)], ids=["early", "middle", "later"]
)
def test_a_burst_hides_no_fault_and_raises_no_alarm(at_s: float, duration_s: float) -> None:
    settings = replace(SHORT_RUN, duration_s=duration_s, bursts=(Burst(2_000, at_s, 10),))
    verdict = judge(settings)
    assert verdict.injected[FaultKind.STUCK] >= 5
    assert verdict.injected[FaultKind.SPIKE] >= 10
    assert verdict.missed == []
    assert verdict.false_alarms == []


def test_faults_that_come_back_to_the_same_devices_are_still_found() -> None:
    settings = replace(SHORT_RUN, devices=12, rate=36, duration_s=200.0, spike_rate=300)
    verdict = judge(settings)
    assert verdict.injected[FaultKind.SPIKE] > 18
    assert verdict.missed == []
    assert verdict.false_alarms == []


def test_a_healthy_fleet_raises_no_alarm() -> None:
    verdict = judge(replace(SHORT_RUN, duration_s=40.0, spike_rate=0, stuck_rate=0, silent_rate=0))
    assert verdict == Verdict(dict.fromkeys(FaultKind, 0))
