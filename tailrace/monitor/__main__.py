"""`python -m tailrace.monitor`: measure freshness until told to stop, as JSON lines on stdout.

Prints `ready`, then twice a second a line with the summary so far and the newest seconds, and behind
SIGTERM or SIGINT a last line with `"final": true` and the whole timeline. Caller: the launcher.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time

import orjson

from tailrace import config
from tailrace.monitor.estimator import Estimator
from tailrace.monitor.reader import Tail, View, measure

SHOWN_S = 40


def _emit(document: dict[str, object]) -> None:
    sys.stdout.write(orjson.dumps(document).decode() + "\n")
    sys.stdout.flush()


def _report(estimator: Estimator) -> None:
    newest = [second.as_json() for second in estimator.seconds(last=SHOWN_S)]
    _emit({**estimator.summary(), "timeline": newest})


def main() -> int:
    """Measure until a signal comes."""
    parser = argparse.ArgumentParser(prog="python -m tailrace.monitor", description=__doc__)
    parser.add_argument("--kafka", default=config.kafka())
    parser.add_argument("--sql-url", default=config.sql_url())
    parser.add_argument("--topic", default=config.READINGS.name)
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    estimator = Estimator()
    tail = Tail(options.kafka, options.topic, since_ms=time.time() * 1000)
    view = View(options.sql_url)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        measure(tail, view, estimator, stopped=stop.is_set, report=_report)
    finally:
        view.close()
        tail.close()
    timeline = [second.as_json() for second in estimator.seconds()]
    _emit({**estimator.summary(), "timeline": timeline, "final": True})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
