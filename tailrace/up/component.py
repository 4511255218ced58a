"""One process of the laptop mode: started through the guard, watched, restarted, stopped.

Job: own a child and its guard (`tailrace.guard`: the child dies when this process does, however it dies).
The child runs in a session of its own, so that Ctrl-C in the terminal reaches only the launcher, which
stops things in order. What the child writes on stderr, and on stdout when nobody listens, goes to its log
file. Callers: the launcher.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO

from tailrace.up.errors import UpError

TAIL_LINES = 12


class Health(StrEnum):
    """What the screen says of a component."""

    WAITING = "waiting"
    STARTING = "starting"
    UP = "up"
    DOWN = "down"
    ENDED = "ended"
    EXTERNAL = "external"


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a component: the child's command line, its environment on top of ours, how to stop it."""

    name: str
    arguments: Sequence[str]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    grace_s: float = 15.0
    orphan_grace_s: float | None = None
    """How long it may take to end when the launcher is gone, so that the next one can start. None: `grace_s`."""

    def guarded(self) -> list[str]:
        """The whole command line, guard included."""
        guard = [sys.executable, "-m", "tailrace.guard", "--stop-signal", self.stop_signal]
        guard += ["--grace", f"{self.grace_s:g}"]
        if self.orphan_grace_s is not None:
            guard += ["--orphan-grace", f"{self.orphan_grace_s:g}"]
        return [*guard, "--", *self.arguments]


class Component:
    """A running child. `on_line`, if given, gets each line of its stdout (in a thread of its own)."""

    def __init__(self, command: Command, *, on_line: Callable[[str], None] | None = None) -> None:
        self.command = command
        self.health = Health.WAITING
        self.restarts = 0
        self._on_line = on_line
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def name(self) -> str:
        """As shown on the screen."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """The guard's process id; the component itself is its child."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start it; returns at once."""
        self.health = Health.STARTING
        with self.command.log_path.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                self.command.guarded(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if self._on_line else log,
                stderr=log,
                env={**os.environ, **self.command.environment},
                text=True,
                start_new_session=True,
            )
        if self._process.stdout is not None:
            self._reader = threading.Thread(
                target=self._read, args=(self._process.stdout,), name=f"{self.name} output", daemon=True
            )
            self._reader.start()

    def _read(self, stdout: IO[str]) -> None:
        assert self._on_line is not None  # noqa: S101 (only started with a listener)
        with stdout:
            for line in stdout:
                self._on_line(line.rstrip("\n"))

    def exit_code(self) -> int | None:
        """None while it runs (or was never started)."""
        return self._process.poll() if self._process else None

    def restart(self) -> None:
        """Start it again after it died."""
        self._release()
        self.restarts += 1
        self.start()

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, or None when it still runs after `timeout_s`."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask it to stop; returns at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, timeout_s: float | None = None) -> int | None:
        """Ask it to stop and wait; the guard kills the child after its grace, and at the worst we kill the
        guard.
        """
        if self._process is None:
            return None
        self.terminate()
        code = self.wait(self.command.grace_s + 5.0 if timeout_s is None else timeout_s)
        if code is None:
            self._process.kill()  # the child goes with its guard (PDEATHSIG, or EOF on its own pipe)
            code = self._process.wait()
        self._release()
        self.health = Health.ENDED
        return code

    def _release(self) -> None:
        """After its end: let the last line of its stdout be handed on, and close the guard's pipe."""
        if self._reader is not None:
            self._reader.join(5.0)
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def failure(self, message: str, *, hint: str | None = None) -> UpError:
        """An error with the last lines of its log."""
        return UpError(message, detail=tail(self.command.log_path), hint=hint, log_path=self.command.log_path)


def tail(path: Path, lines: int = TAIL_LINES) -> str | None:
    """The last lines of a log, or None when it is empty or missing."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return "\n".join(text.rstrip().splitlines()[-lines:]) or None


def wait_until(
    ready: Callable[[], bool],
    component: Component,
    *,
    timeout_s: float,
    what: str,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Poll `ready` until it holds; raise UpError when the component dies first or the time is over."""
    until = clock() + timeout_s
    while not ready():
        code = component.exit_code()
        if code is not None:
            raise component.failure(f"the {component.name} ended with code {code} before {what}")
        if clock() > until:
            raise component.failure(
                f"the {component.name} is not ready after {timeout_s:g} s",
                hint="its log says how far it came; if this machine is only busy, start again: nothing is lost",
            )
        if cancelled():
            raise component.failure(f"stopped while waiting for the {component.name}")
        time.sleep(0.02)
