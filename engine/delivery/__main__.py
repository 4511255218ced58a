"""`python -m engine.delivery --data-dir D`: delivers what sinks have logged. Started by the supervisor, apart from flow and
wire, so that a dead target stops nothing else; says `ready` when it works.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path


def main() -> int:
    """Run until SIGTERM or SIGINT; a lost database ends the process with 1, and the supervisor starts it again."""
    parser = argparse.ArgumentParser(prog="python -m engine.delivery", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    data_dir = parser.parse_args().data_dir
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    print("ready", flush=True)  # noqa: T201 - the supervisor waits for this line

    import psycopg  # the clients take a moment to load: nobody has to wait for that

    from engine.delivery.service import Service
    from engine.layout import Layout

    try:
        Service(Layout(data_dir).dsn(), stop).run()
    except psycopg.Error as error:
        logging.getLogger("engine.delivery").error("stopping: %s", str(error).strip())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
