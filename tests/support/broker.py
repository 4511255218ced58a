"""The embedded broker for tests: on a free port, its topics beside its log, ended by its guard with the test run."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import free_port, wait_until


@contextmanager
def running_broker(log: Path) -> Iterator[str]:
    """The bootstrap address of a new, empty broker."""
    port = free_port()
    data_dir = log.with_suffix(".data")
    command = [sys.executable, "-m", "broker", "--data-dir", str(data_dir), "--port", str(port)]
    guard = [sys.executable, "-m", "tailrace.guard", "--grace", "2", "--", *command]
    with (
        log.open("wb") as output,
        subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=output, stderr=output) as broker,
    ):
        try:
            wait_until(lambda: _listens(port) or broker.poll() is not None, 20, f"broker on port {port}")
            assert broker.poll() is None, log.read_text()
            yield f"127.0.0.1:{port}"
        finally:
            broker.terminate()
            broker.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
