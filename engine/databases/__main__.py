"""`python -m engine.databases --data-dir D`: makes and drops databases, and runs the flows of all but the first.

Started by the engine's supervisor; prints `ready` when it takes statements. What a flow needs is loaded only when there is
another database than the first.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

from engine.databases.host import Host
from engine.layout import Layout


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m engine.databases", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    layout = Layout(parser.parse_args().data_dir)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    host = Host(layout)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: host.stop())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    host.open()
    print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line
    host.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
