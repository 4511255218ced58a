"""Faults and anomalies: what is found, what is missed, what is a false alarm."""

from __future__ import annotations

from tailrace.verify.matching import RULES, Anomaly, Fault, Stream, score

STREAM = Stream(1000.0, 1060.0)


def fault(kind: str, starts_at: float, ends_at: float, *rules: str, metric: str | None = "m") -> Fault:
    return Fault(kind, "dev-1", metric, starts_at, ends_at, frozenset(rules))


def anomaly(rule: str, ts: float, *, device: str = "dev-1", metric: str | None = "m") -> Anomaly:
    return Anomaly(rule, device, metric, ts)


def numbers(faults: list[Fault], anomalies: list[Anomaly], rule: str) -> tuple[int, int, int]:
    result = score(faults, anomalies, STREAM)[rule]
    return result.expected, result.found, result.false_alarms


def test_every_rule_is_told_of_even_without_anything() -> None:
    assert {
        rule: (each.expected, each.found, each.false_alarms) for rule, each in score([], [], STREAM).items()
    } == dict.fromkeys(RULES, (0, 0, 0))


def test_fault_is_found_once_however_many_rows_tell_of_it() -> None:
    rows = [anomaly("stuck", ts) for ts in (1010.0, 1019.0, 1025.0)]
    assert numbers([fault("stuck", 1005, 1030, "stuck")], rows, "stuck") == (1, 1, 0)


def test_the_time_around_a_fault_is_its_own() -> None:
    spike = fault("spike", 1030, 1030, "zscore")
    for ts, found in ((1019.9, 0), (1020.0, 1), (1045.0, 1), (1045.1, 0)):
        assert numbers([spike], [anomaly("zscore", ts)], "zscore") == (1, found, 1 - found)


def test_another_device_or_metric_does_not_count() -> None:
    spike = fault("spike", 1030, 1030, "threshold")
    rows = [anomaly("threshold", 1030, device="dev-2"), anomaly("threshold", 1030, metric="other")]
    assert numbers([spike], rows, "threshold") == (1, 0, 2)


def test_a_spike_within_the_limits_explains_either_rule_but_is_expected_only_by_its_own() -> None:
    spike = fault("spike", 1030, 1030, "zscore")
    rows = [anomaly("threshold", 1030), anomaly("zscore", 1030)]
    assert numbers([spike], rows, "threshold") == (0, 0, 0)
    assert numbers([spike], rows, "zscore") == (1, 1, 0)


def test_a_stuck_phase_does_not_explain_a_spike() -> None:
    assert numbers([fault("stuck", 1005, 1030, "stuck")], [anomaly("zscore", 1031)], "zscore") == (0, 0, 1)


def test_silence_matches_the_device_as_a_whole() -> None:
    silence = fault("silent", 1012, 1045, "silent", metric=None)
    assert numbers([silence], [anomaly("silent", 1020, metric=None)], "silent") == (1, 1, 0)


def test_the_end_of_the_stream_is_neither_alarm_nor_find() -> None:
    ending = [anomaly("silent", ts, metric=None) for ts in (1056.0, 1060.0, 1070.0)]
    assert numbers([], ending, "silent") == (0, 0, 0)
    assert numbers([fault("silent", 1050, 1060, "silent", metric=None)], ending, "silent") == (1, 0, 0)
    assert numbers([], [anomaly("silent", 1055.0, metric=None)], "silent") == (0, 0, 1)


def test_rows_of_an_earlier_run_do_not_count() -> None:
    assert numbers([], [anomaly("threshold", 999.0)], "threshold") == (0, 0, 0)


def test_fault_too_short_for_its_rule_is_not_expected_but_explains() -> None:
    assert numbers([fault("stuck", 1050, 1060)], [anomaly("stuck", 1059)], "stuck") == (0, 0, 0)


def test_misses_and_false_alarms_are_shown_as_examples() -> None:
    spike = fault("spike", 1030, 1030, "threshold")
    result = score([spike], [anomaly("threshold", 1059)], STREAM)["threshold"]
    assert (result.missed, result.unexplained) == ((spike,), (anomaly("threshold", 1059),))
