"""Tailrace's own broker for tests: started, stopped, killed and started again on one data directory."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from tests.support.processes import alive, free_port, wait_until

_START_S = 20.0
_STOP_S = 15.0


class BrokerProcess:
    """One data directory and one port, with a broker on them or none. As a context manager it is running."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.data_dir = directory / "data"
        self.log = directory / "broker.log"
        self.options = options
        self.port = free_port()
        self.pid = 0
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when the broker has said that it is ready; fails the test with its log otherwise."""
        read, write = os.pipe()
        guard = [sys.executable, "-m", "tailrace.guard", "--grace", "10", "--pid-fd", str(write), "--"]
        broker = [sys.executable, "-m", "broker", "--data-dir", str(self.data_dir), "--port", str(self.port)]
        with self.log.open("ab") as output:
            self._guard = subprocess.Popen(
                [*guard, *broker, *self.options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                pass_fds=[write],
            )
        os.close(write)
        with os.fdopen(read) as told:
            self.pid = int(told.readline())
        self._wait_ready()

    def _wait_ready(self) -> None:
        assert self._guard is not None
        assert self._guard.stdout is not None
        said = b""
        while b"\n" not in said:
            readable, _, _ = select.select([self._guard.stdout], [], [], _START_S)
            piece = os.read(self._guard.stdout.fileno(), 4096) if readable else b""
            assert piece, f"the broker said {said!r} and no more\n{self.log.read_text()}"
            said += piece
        assert said.decode().strip() == f"READY {self.bootstrap}"

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self._gone()

    def stop(self) -> int:
        """Ask it to end, and wait until it has; its exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._gone()

    def restart(self) -> None:
        self.stop()
        self.start()

    def running(self) -> bool:
        return alive(self.pid)

    def _gone(self) -> int:
        assert self._guard is not None
        assert self._guard.stdin is not None
        assert self._guard.stdout is not None
        code = self._guard.wait(_STOP_S)
        self._guard.stdin.close()
        self._guard.stdout.close()
        self._guard = None
        wait_until(lambda: not alive(self.pid), what="the broker's end")
        return code

    def __enter__(self) -> BrokerProcess:
        self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._guard is not None:
            if self.running():
                self.stop()
            else:
                self._gone()
