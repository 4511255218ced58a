"""The command line: ``python -m loader``. Exit code 0 when all went well or it was told to stop, 1 otherwise.

Options and the clock become ``StreamSettings``; the run's summary goes to a file and, as a table, to stdout.
SIGINT and SIGTERM stop the run cleanly: what is queued is flushed, the summary tells what was really sent.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from rich.console import Console

from loader.errors import LoaderError
from loader.fault_plan import aligned_start_ms
from loader.kafka import check_topics, create_topics, make_producer
from loader.outlet import Outlet
from loader.progress import MODES, reporting
from loader.run import Outcome, Run, SystemClock
from loader.schedule import Burst
from loader.settings import StreamSettings
from loader.summary import summarise, summary_table, write_summary

BROKER_ANSWERS_S = 10.0
_DESCRIPTION = """\
Simulate a fleet of devices and send its readings to a Kafka topic.

Each device has three metrics with plausible signals (daily cycle, inertia, noise). Readings arrive out of
order, a few late, twice, or malformed; some devices fail (spike, stuck, silent). The truth about every fault
goes to a topic of its own and, with exact counts of what the broker acknowledged, into the summary.
The same seed and start time give the same stream, byte for byte.
"""
_EXAMPLES = """\
examples:
  python -m loader --create-topics --duration 30
      1,000 devices, 3,000 readings/s, for half a minute, to the broker at 127.0.0.1:9092
  python -m loader --duration 60 --burst 50000:20:10 --summary out.json
      the same, with 50,000 readings/s more for 10 seconds, 20 seconds into the run
  python -m loader --devices 50 --rate 150 --spike-rate 0 --stuck-rate 0 --silent-rate 0
      a small healthy fleet, until Ctrl-C
  python -m loader --progress json | jq .rate
      a line of JSON each second, for programs
"""


def parser() -> argparse.ArgumentParser:
    """The options, with their defaults in the help."""
    options = argparse.ArgumentParser(
        prog="python -m loader",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=_HelpFormatter,
    )
    where = options.add_argument_group("where to")
    where.add_argument(
        "--bootstrap",
        metavar="HOST:PORT",
        default=os.environ.get("TAILRACE_KAFKA", "127.0.0.1:9092"),
        help="the broker; the environment variable TAILRACE_KAFKA sets the default",
    )
    where.add_argument("--topic", default="telemetry.readings", help="topic of the readings")
    where.add_argument("--truth-topic", default="telemetry.truth", help="topic of the truth about faults")
    where.add_argument("--create-topics", action="store_true", help="create the topics if they are missing")
    where.add_argument("--partitions", type=int, default=3, help="of the readings' topic, if created")
    where.add_argument(
        "--patience",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="give up when the broker has acknowledged nothing for so long",
    )
    what = options.add_argument_group("how much")
    what.add_argument("--devices", type=int, default=1000, help="size of the fleet; three metrics each")
    what.add_argument("--rate", type=float, default=3000.0, help="readings per second, in total")
    what.add_argument(
        "--duration", type=float, metavar="SECONDS", help="length of the run (default: endless)"
    )
    what.add_argument(
        "--burst",
        type=_burst,
        action="append",
        default=[],
        metavar="RATE:AT:SECONDS",
        help="RATE readings/s on top, AT seconds into the run, for SECONDS; may be given several times",
    )
    what.add_argument("--seed", type=int, default=1, help="same seed and start time: same stream")
    what.add_argument(
        "--start-time",
        type=_time_ms,
        metavar="ISO",
        help="event time of the start; waited for if in the future. Readings of a start long past count as "
        "late (default: now, or a few seconds later where a short run needs it to have a baseline)",
    )
    faults = options.add_argument_group("what goes wrong (rates: faults per 1,000 devices in 30 seconds)")
    for name, text in (
        ("--spike-rate", "single readings far off, half of them beyond the metric's limits"),
        ("--stuck-rate", "metrics that repeat one value for 21 seconds or more"),
        ("--silent-rate", "devices that send nothing for 25 seconds or more"),
        ("--malformed-share", "of readings: damaged on the way, in 13 ways"),
        ("--duplicate-share", "of readings: sent twice, same event id"),
        ("--late-share", "of readings: held back for 12 to 25 seconds"),
    ):
        field = name.removeprefix("--").replace("-", "_")
        default = StreamSettings.__dataclass_fields__[field].default
        metavar = "SHARE" if name.endswith("share") else "RATE"
        faults.add_argument(name, type=float, default=default, metavar=metavar, help=text)
    told = options.add_argument_group("what it tells")
    told.add_argument("--summary", type=Path, metavar="FILE", help="write the summary there, as JSON")
    told.add_argument(
        "--progress",
        choices=MODES,
        default="auto",
        help="a bar, a line of JSON on stdout each second, or none; auto is a bar on a terminal",
    )
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options_parser = parser()
    options = options_parser.parse_args(arguments)
    console, complaints = Console(), Console(stderr=True)
    try:
        settings = _settings(options)
    except ValueError as error:
        options_parser.error(str(error))
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    for warning in settings.warnings():
        complaints.print(f"[yellow]warning:[/] {warning}", highlight=False, soft_wrap=True)
    outlet = Outlet(
        make_producer(options.bootstrap, options.patience),
        options.topic,
        options.truth_topic,
        stop,
        options.patience,
    )
    try:
        _connect(options)
    except LoaderError as error:
        now_ms = _now_ms()
        outcome = Outcome(started_ms=now_ms, ended_ms=now_ms, error=str(error))
    else:
        if options.start_time is None:
            settings = _starting_soon(settings)
        with reporting(options.progress, options.duration, console) as tell:
            outcome = Run(settings, outlet, SystemClock(stop), stop, on_progress=tell).run()
    summary = summarise(settings, outlet, outcome, options.topic)
    if options.summary:
        write_summary(summary, options.summary)
    if options.progress != "json":
        console.print(summary_table(summary))
    if not summary["kept_up"]:
        complaints.print(
            f"[yellow]warning:[/] sending fell {summary['behind_max_s']:g} s behind the schedule; "
            "nothing was dropped, but readings were older than planned. "
            "Lower --rate, or give the loader more CPU",
            highlight=False,
            soft_wrap=True,
        )
    if outcome.error:
        complaints.print(f"[bold red]error:[/] {outcome.error}", highlight=False, soft_wrap=True)
        return 1
    return 0


class _HelpFormatter(argparse.RawDescriptionHelpFormatter, argparse.ArgumentDefaultsHelpFormatter):
    """Keeps the examples' lines, shows the defaults."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, []) or "(default" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def _settings(options: argparse.Namespace) -> StreamSettings:
    if options.partitions < 1:
        raise ValueError(f"--partitions must be at least 1, got {options.partitions}")
    if not options.patience > 0:
        raise ValueError(f"--patience must be above 0 seconds, got {options.patience:g}")
    return StreamSettings(
        devices=options.devices,
        rate=options.rate,
        seed=options.seed,
        start_ms=_now_ms() if options.start_time is None else options.start_time,
        duration_s=options.duration,
        bursts=tuple(options.burst),
        malformed_share=options.malformed_share,
        duplicate_share=options.duplicate_share,
        late_share=options.late_share,
        spike_rate=options.spike_rate,
        stuck_rate=options.stuck_rate,
        silent_rate=options.silent_rate,
    )


def _starting_soon(settings: StreamSettings) -> StreamSettings:
    """The settings with a start as near as possible: as long from now as building the fleet takes."""
    soon_ms = _now_ms() + 100 + settings.devices // 100
    return replace(settings, start_ms=aligned_start_ms(replace(settings, start_ms=soon_ms)))


def _connect(options: argparse.Namespace) -> None:
    """See to it that the broker answers and has the topics."""
    if options.create_topics:
        create_topics(
            options.bootstrap, {options.topic: options.partitions, options.truth_topic: 1}, BROKER_ANSWERS_S
        )
    check_topics(options.bootstrap, (options.topic, options.truth_topic), BROKER_ANSWERS_S)


def _burst(text: str) -> Burst:
    try:
        return Burst.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _time_ms(text: str) -> int:
    """An ISO 8601 time as milliseconds since the epoch; UTC where it names no zone."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an ISO 8601 time, for example 2026-11-23T23:00:00Z"
        ) from None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
