"""`python -m engine.flow --data-dir D`: the flow process. Started by the supervisor; prints `ready` when it works."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from engine.flow.process import run_flow
from engine.layout import DATABASE, Layout


def main() -> int:
    """Run the first database's flow until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m engine.flow", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    layout = Layout(parser.parse_args().data_dir)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )

    def ready() -> None:
        print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line

    return run_flow(layout, DATABASE, ready)


if __name__ == "__main__":
    sys.exit(main())
