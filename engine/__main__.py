"""`python -m engine`: the embedded engine in the foreground, until Ctrl-C.

Called by people and by `tailrace up`. Ready is one line on stdout; what happens is told on stderr.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path

from engine.layout import Layout
from engine.supervisor import EngineOptions, run
from tailrace.errors import TailraceError

_DESCRIPTION = """\
Run the embedded engine: RisingWave's SQL dialect, views maintained incrementally, on PostgreSQL.

It starts five processes and keeps them up (PostgreSQL; flow: maintains the views; delivery: writes what sinks
send; databases: keeps flows of further databases; wire: serves clients), prints one line on stdout when it
serves, and runs in the foreground until Ctrl-C or SIGTERM, which stop everything in order.
"""

_EPILOG = """\
then:
  psql -h 127.0.0.1 -p 4566 -U root -d dev        any PostgreSQL client or driver will do
    CREATE TABLE t (id int PRIMARY KEY, v int);
    CREATE MATERIALIZED VIEW s AS SELECT sum(v) FROM t;
    INSERT INTO t VALUES (1, 10); FLUSH; SELECT * FROM s;

who may connect:
  On this machine everybody whose user has no password, as root has none at first. To let other machines in,
  listen there, encrypt, and give users passwords (SCRAM-SHA-256):
    python -m engine ... --host 0.0.0.0 --tls-cert server.crt --tls-key server.key
    CREATE USER ann WITH PASSWORD '...'; GRANT CONNECT ON DATABASE dev TO ann; GRANT SELECT ON ...

in the data directory:
  logs/{postgres,flow,delivery,databases,wire}.log  what each process says; bounded
  engine.json                                     pids and URL while it runs
  removing the directory removes all state

environment:
  TAILRACE_POSTGRES_DSN                           use this PostgreSQL (18 or newer) instead of the one that
  comes along

exit code: 0 stopped as asked, 1 could not start (the reason and the cure are on stderr), 2 wrong options
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    engine = EngineOptions(
        Layout(options.data_dir), options.host, options.port, options.tls_cert, options.tls_key
    )
    return serve(engine)


def serve(options: EngineOptions) -> int:
    """Run the engine in the foreground; returns the exit code, after telling on stderr what went wrong."""
    _log_to_stderr()
    try:
        return run(options)
    except TailraceError as error:
        sys.stderr.write(f"error: {error.message}\n")
        if error.hint:
            sys.stderr.write(f"hint: {error.hint}\n")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        required=True,
        metavar="D",
        help="where all state lives; made if missing; one engine at a time",
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (127.0.0.1: this machine only; others want --tls-cert and --tls-key)",
    )
    parser.add_argument(
        "--tls-cert", type=Path, metavar="FILE", help="certificate to encrypt connections with, in PEM format"
    )
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its key, in PEM format")
    parser.add_argument(
        "--port", type=_port, default=4566, help="port to listen on (4566); 0 takes any free one"
    )
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: wanted 0 to 65535")
    return int(text)


def _log_to_stderr() -> None:
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
