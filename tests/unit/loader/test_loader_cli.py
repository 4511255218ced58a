"""The command line: help that teaches, errors that say what to do, progress for programs."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import orjson
import pytest
from rich.console import Console

from loader.cli import main, parser
from loader.progress import reporting
from loader.run import Progress
from loader.schedule import Burst


def test_help_shows_defaults_and_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: telemetry.readings)" in text
    assert "(default: endless)" in text
    assert "default: None" not in text
    assert "examples:" in text
    assert "--burst 50000:20:10" in text


def test_options_are_read() -> None:
    given = [
        "--burst",
        "100:1:2",
        "--burst",
        "200:3:4",
        "--start-time",
        "2026-11-23T23:00:00Z",
        "--rate",
        "12",
    ]
    options = parser().parse_args(given)
    assert options.burst == [Burst(100, 1, 2), Burst(200, 3, 4)]
    assert options.start_time == datetime(2026, 11, 23, 23, tzinfo=UTC).timestamp() * 1000
    assert parser().parse_args(["--start-time", "2026-11-23T23:00:00"]).start_time == options.start_time


def test_the_environment_names_the_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILRACE_KAFKA", "example.org:9093")
    assert parser().parse_args([]).bootstrap == "example.org:9093"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--burst", "5"], "wanted RATE:AT:SECONDS"),
        (["--start-time", "yesterday"], "not an ISO 8601 time"),
        (["--devices", "0"], "devices must be at least 1, got 0"),
        (["--late-share", "0.9"], "together at most 0.5"),
        (["--partitions", "0"], "--partitions must be at least 1, got 0"),
        (["--patience", "0"], "--patience must be above 0 seconds, got 0"),
    ],
)
def test_bad_options_are_refused_with_an_explanation(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


PROGRESS = Progress(at_s=1.0, produced=3000, rate=2999.96, outstanding=5, failed=0, behind_s=0.0004)


def test_progress_as_json_is_a_line_a_program_can_read(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with reporting("json", 30.0, Console(file=io.StringIO())) as tell:
        tell(PROGRESS)
    line = capfdbinary.readouterr().out
    assert line.endswith(b"}\n")
    assert orjson.loads(line) == {
        "at_s": 1.0,
        "produced": 3000,
        "rate": 3000.0,
        "outstanding": 5,
        "failed": 0,
        "behind_s": 0.0,
    }


@pytest.mark.parametrize(
    ("mode", "terminal", "shown"), [("auto", True, True), ("auto", False, False), ("none", True, False)]
)
def test_the_bar_is_for_terminals(mode: str, terminal: bool, shown: bool) -> None:
    written = io.StringIO()
    with reporting(mode, 30.0, Console(file=written, force_terminal=terminal, width=120)) as tell:
        tell(PROGRESS)
    assert ("3,000 acknowledged" in written.getvalue()) == shown
