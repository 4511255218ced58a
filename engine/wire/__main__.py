"""`python -m engine.wire --data-dir D --host H --port P`: run the front door until SIGTERM or SIGINT.

Prints `ready` on stdout once clients can connect; logs to stderr. Started by the engine's supervisor.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import ssl
import sys
import time
from pathlib import Path

from engine.layout import Layout
from engine.wire.access import tls_context
from engine.wire.connection import Backend
from engine.wire.server import Server
from tailrace.errors import TailraceError

log = logging.getLogger("engine.wire")


async def serve(layout: Layout, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
    """Listen on host:port until a signal to stop. Raises TailraceError if that cannot be had."""
    server = Server(
        Backend(layout.postgres_endpoint(), layout.flow_socket, layout.client_password(), tls=tls)
    )
    await server.start(host, port)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    log.info("listening on %s:%d", host, server.port)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await stopped.wait()
    await server.stop()


def main(argv: list[str] | None = None) -> int:
    """Parse arguments, run, and turn a refusal into one line and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m engine.wire", description="The engine's front door.")
    parser.add_argument("--data-dir", type=Path, required=True, help="the engine's data directory")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--port", type=int, default=4566, help="port to listen on (default %(default)s)")
    parser.add_argument("--tls-cert", type=Path, help="certificate to encrypt with, in PEM format")
    parser.add_argument("--tls-key", type=Path, help="its key")
    arguments = parser.parse_args(argv)
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)sZ %(levelname)s %(name)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
    )
    logging.Formatter.converter = time.gmtime
    try:
        tls = tls_context(arguments.tls_cert, arguments.tls_key)
        asyncio.run(serve(Layout(arguments.data_dir), arguments.host, arguments.port, tls))
    except TailraceError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
