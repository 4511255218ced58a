"""`python -m tests.chaos --seed S -n N`, as `make chaos` calls it. Exit code 0: nothing lost, nothing twice; else 1."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.chaos.disturbances import DISTURBANCES, named
from tests.chaos.run import run
from tests.chaos.schedule import schedule
from tests.chaos.show import Screen, ending, summary
from tests.chaos.stack import Settings, Stack, why_no_small_disks


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    seed = secrets.randbelow(1_000_000) if options.seed is None else options.seed
    console = Console()
    chosen = named(options.only)
    if not chosen:
        names = ", ".join(each.name for each in DISTURBANCES)
        raise SystemExit(f"no disturbance has {options.only!r} in its name; there are: {names}")
    steps = schedule(seed, options.number, chosen)
    if options.list:
        for step in steps:
            console.print(f"{step.number:>3}  {step}", highlight=False)
        return 0
    directory = Path(tempfile.mkdtemp(prefix=f"tailrace-chaos-{seed}-"))
    fills_disks = any(step.name.startswith("full disk") for step in steps)
    why_not = why_no_small_disks(directory) if fills_disks else None
    again = f"make chaos SEED={seed} N={options.number} RATE={options.rate} DEVICES={options.devices}"
    again += f" ONLY='{options.only}'" if options.only else ""
    console.print(
        f"chaos: seed {seed}, {options.number} disturbances, {options.rate:,} readings/s, in {directory}"
    )
    if why_not:
        console.print(f"full disks are left out: {why_not}")
    stack = Stack(
        directory, Settings(options.devices, options.rate, seed), small_disks=fills_disks and why_not is None
    )
    with Screen(console, options.number) as screen:
        result = run(stack, seed, steps, options.full_every, screen.tell)
    report = options.report or directory / "chaos.json"
    report.write_text(json.dumps(result.as_json(), indent=2, default=str) + "\n")
    console.print(summary(result))
    console.print(ending(result, again, directory), highlight=False, soft_wrap=True)
    if result.passed:
        shutil.rmtree(directory, ignore_errors=True)
    return 0 if result.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=int, help="the same seed gives the same schedule (default: a new one, printed)"
    )
    parser.add_argument("-n", "--number", type=int, default=20, help="disturbances (20)")
    parser.add_argument("--rate", type=int, default=5000, help="readings per second (5000)")
    parser.add_argument("--devices", type=int, default=1000, help="size of the fleet (1000)")
    parser.add_argument(
        "--full-every", type=int, default=10, help="the full account after every so many (10), and at the end"
    )
    parser.add_argument(
        "--only", metavar="TEXT", help="draw only from the disturbances that have TEXT in their name"
    )
    parser.add_argument("--list", action="store_true", help="print the schedule and do nothing")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the result there, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
