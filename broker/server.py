"""The listening socket, the lock on the data directory, start and stop. Caller: `python -m broker`, tests."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

from broker.connection import Connection
from broker.node import Node
from broker.options import Options
from broker.upkeep import keep_up

logger = logging.getLogger(__name__)


class StartError(Exception):
    """The broker cannot start: what is wrong, and the next step."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


async def serve(options: Options, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; `ready` gets the port. Raises StartError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    _allow_many_files()
    lock = _lock(options.data_dir)
    try:
        node = _open(options)
        server = await _listen(node)
        node.port = server.sockets[0].getsockname()[1]
        tasks = [asyncio.ensure_future(work(node)) for work in (keep_up, _close_silent)]
        ready(node.port)
        await stop.wait()
        logger.info("stopping")
        server.close()
        for task in tasks:
            task.cancel()
        for connection in tuple(node.connections):
            connection.transport.abort()
        await node.flusher.stop()
        node.close()
    finally:
        os.close(lock)


def _open(options: Options) -> Node:
    try:
        return Node(options)
    except (OSError, ValueError, KeyError) as error:
        raise StartError(
            f"the data in {options.data_dir} cannot be opened: {error}",
            "make room or mend what it names, or choose another directory with --data-dir",
        ) from error


async def _close_silent(node: Node) -> None:
    """End the connections of clients that have gone without a word, or stopped in the middle of one."""
    options = node.options
    while True:
        await asyncio.sleep(min(options.stalled_s, options.idle_s) / 4)
        for connection in tuple(node.connections):
            connection.close_if_silent(asyncio.get_running_loop().time(), options.idle_s, options.stalled_s)


async def _listen(node: Node) -> asyncio.Server:
    options = node.options
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: Connection(node),
            options.host,
            options.port,
            family=socket.AF_INET,
        )
    except OSError as error:
        raise StartError(
            f"cannot listen on {options.host}:{options.port}: {error.strerror}",
            "stop what listens there, or choose another port with --port",
        ) from error
    return server


def _lock(data_dir: Path) -> int:
    """The descriptor that holds the lock; raises StartError when another broker holds it."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES) and (data_dir / "lock").exists():
            raise StartError(
                f"another broker uses {data_dir}",
                "stop it first, or choose another directory with --data-dir",
            ) from error
        raise StartError(
            f"{data_dir} cannot be used: {error.strerror}", "choose another directory with --data-dir"
        ) from error
    return lock


def _allow_many_files() -> None:
    """Every client holds a descriptor open, segments up to MAX_OPEN: take as many as we may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if most == resource.RLIM_INFINITY else min(most, 65_536)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
