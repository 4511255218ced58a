"""`python -m broker`: the broker in the foreground, until Ctrl-C.

Called by people and by `tailrace up`. Ready is one line on stdout; what happens is told on stderr.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import logging
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    # kio imports hypothesis where that is installed, as in a checkout: a second of start that serves no broker.
    sys.modules.setdefault("hypothesis", None)  # type: ignore[arg-type]

from broker.options import Options
from broker.server import StartError, serve

_DESCRIPTION = """\
Run a Kafka broker of one node that keeps its topics on disk.

It prints READY HOST:PORT on stdout when it serves, and runs in the foreground until Ctrl-C or SIGTERM.
"""

_EPILOG = """\
what is safe:
  Every acknowledged batch has been handed to the operating system: killing the broker (kill -9) loses none.
  A power cut or a crash of the machine can lose what was written since the last fsync (--flush-ms); with
  --flush-ms 0 it loses nothing that was acknowledged to a producer with acks=all. Group offsets and ends of
  transactions are fsynced every few seconds.

who may connect:
  There is no authentication and no encryption: whoever reaches the port may do anything. Hence it listens
  on this machine's own addresses only, unless --open-to-everyone is given.

exit code: 0 stopped as asked, 1 could not start (the reason and the cure are on stderr), 2 wrong options
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _options(arguments)
    _log_to_stderr()
    try:
        asyncio.run(serve(options, lambda port: _tell_ready(options.host, port)))
    except StartError as error:
        sys.stderr.write(f"error: {error}\nhint: {error.hint}\n")
        return 1
    return 0


def _tell_ready(host: str, port: int) -> None:
    sys.stdout.write(f"READY {host}:{port}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> Options:
    parser = _parser()
    given = parser.parse_args(arguments)
    if not _is_loopback(given.host) and not given.open_to_everyone:
        parser.error(
            f"--host {given.host} lets other machines in, without any authentication; "
            "add --open-to-everyone if that is meant"
        )
    return Options(
        data_dir=given.data_dir,
        host=given.host,
        port=given.port,
        advertised_host=given.advertised_host,
        flush_ms=given.flush_ms,
        max_disk_bytes=given.max_disk,
        max_request_bytes=given.max_request,
        max_memory_bytes=given.max_memory,
        max_connections=given.max_connections,
        idle_s=given.idle_s,
        auto_create=given.auto_create,
        default_partitions=given.partitions,
        upkeep_ms=given.upkeep_ms,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m broker",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, required=True, metavar="D", help="where topics live; made if missing")
    add("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    add("--port", type=_port, default=9092, help="port to listen on (9092); 0 takes any free one")
    add("--advertised-host", metavar="H", help="the name clients are told to connect to (that of --host)")
    add("--open-to-everyone", action="store_true", help="allow a --host that other machines can reach")
    add(
        "--flush-ms",
        type=_size,
        default=200,
        metavar="MS",
        help="fsync at most this long after a write (200); 0: at once",
    )
    add(
        "--max-disk",
        type=_size,
        metavar="BYTES",
        help="refuse writes, as to be tried again, while the logs hold more (no limit); K, M, G may follow",
    )
    add(
        "--max-request",
        type=_size,
        default=100 << 20,
        metavar="BYTES",
        help="greatest size of a request (100M)",
    )
    add(
        "--max-memory",
        type=_size,
        default=256 << 20,
        metavar="BYTES",
        help="read clients one by one while requests and answers on their way take more (256M)",
    )
    add("--max-connections", type=_count, default=1_000, metavar="N", help="turn away clients beyond (1000)")
    add("--idle-s", type=_count, default=600, metavar="S", help="close connections silent for so long (600)")
    add("--auto-create", action="store_true", help="make topics that clients ask for and allow to be made")
    add("--partitions", type=_count, default=1, metavar="N", help="of topics made without a number (1)")
    add("--upkeep-ms", type=_count, default=5_000, metavar="MS", help="time between retention checks (5000)")
    return parser


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port: wanted 0 to 65535")
    return int(text)


def _size(text: str) -> int:
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:].upper(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number, with or without K, M or G")
    return int(digits) * factor


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 on")
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
