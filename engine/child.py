"""One process of the engine, kept running: started through a guard, restarted with back-off when it ends.

Assumes a running asyncio loop on POSIX. Used by the supervisor, which decides what runs and in which order
it stops.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from engine.bounded_log import BoundedLog
from tailrace.errors import TailraceError

FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0
STEADY_S = 30.0  # up this long, a process has earned a quick restart again
_KILL_MARGIN_S = 3.0

_log = logging.getLogger("engine.supervisor")


class ChildError(TailraceError):
    """A process that never became ready: its configuration is wrong, and trying again does not help."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run. `prepare` makes the command, before each start; `ready` returns when the process serves.

    Both may block (they run in a thread) and raise TailraceError; `ready` is given a function that tells
    whether the process is still alive. Without `ready` the process says so itself, by a line "ready".
    `attempts` is how often in a row it may fail alike before it has ever been ready.
    """

    name: str
    prepare: Callable[[], Sequence[str]]
    ready: Callable[[Callable[[], bool]], None] | None = None
    stop_signal: str = "TERM"
    grace_s: float = 10.0
    cwd: str | None = None
    environment: Mapping[str, str] | None = None
    attempts: int = 5


class Child:
    """`run` keeps the process up until `stop`. `pid` is the process, not its guard; None while it is down."""

    def __init__(
        self, spec: ChildSpec, log_dir: Path, changed: Callable[[], None], after: Child | None = None
    ) -> None:
        self.name = spec.name
        self.pid: int | None = None
        self.ready = asyncio.Event()
        self._spec = spec
        self._changed = changed
        self._after = after
        self._log = BoundedLog(log_dir / f"{spec.name}.log")
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._ever_ready = False

    async def run(self) -> None:
        """Returns after `stop`. Raises TailraceError when the process cannot be brought up the first time."""
        delay_s = FIRST_DELAY_S
        failures: list[str] = []
        try:
            while not self._stopping.is_set():
                await self._wait_for_other()
                started_at = time.monotonic()
                reason = await self._attempt()
                if self._stopping.is_set():
                    return
                if not self._ever_ready:
                    failures = [*failures, reason] if failures and failures[-1] == reason else [reason]
                    if len(failures) >= self._spec.attempts:
                        raise self._failure(reason)
                if time.monotonic() - started_at >= STEADY_S:
                    delay_s = FIRST_DELAY_S
                _log.warning("%s %s; starting it again in %.1f s", self.name, self._report(reason), delay_s)
                await _wait(self._stopping, delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
        finally:
            self._log.close()
            self._stopped.set()

    async def stop(self) -> None:
        """Ask the process to end and wait until it has; kill it when it does not."""
        self._stopping.set()
        process = self._process
        if process is not None and process.returncode is None:
            process.terminate()
        if not await _wait(self._stopped, self._spec.grace_s + _KILL_MARGIN_S):
            _log.warning("%s does not stop; killing it", self.name)
            if process is not None and process.returncode is None:
                process.kill()
            await self._stopped.wait()

    async def _wait_for_other(self) -> None:
        if self._after is not None:
            waiting = [asyncio.ensure_future(event.wait()) for event in (self._after.ready, self._stopping)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in waiting:
                future.cancel()

    async def _attempt(self) -> str:
        """One life of the process; returns how it ended. A first preparation that fails is raised."""
        if self._stopping.is_set():
            return "stopped"
        self._log.forget()
        try:
            command = await asyncio.to_thread(self._spec.prepare)
        except (TailraceError, OSError) as error:
            if self._ever_ready:
                return f"cannot be prepared: {error}"
            if isinstance(error, TailraceError):
                raise
            raise TailraceError(
                f"cannot prepare {self.name}: {error}", hint="see --help on --data-dir"
            ) from error
        if self._stopping.is_set():
            return "stopped"
        process = await self._start(command)
        collecting = asyncio.create_task(self._collect(process))
        announcing = asyncio.create_task(self._announce(process))
        try:
            code = await process.wait()
            await asyncio.wait([collecting, announcing], timeout=1.0)
        finally:
            collecting.cancel()
            announcing.cancel()
            self._process = self.pid = None
            self.ready.clear()
            self._changed()
        return _ending(code)

    async def _start(self, command: Sequence[str]) -> asyncio.subprocess.Process:
        pid_read, pid_write = os.pipe()
        guard = ["--stop-signal", self._spec.stop_signal, "--grace", str(self._spec.grace_s)]
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tailrace.guard", *guard, "--pid-fd", str(pid_write), "--", *command),
                stdin=subprocess.PIPE,  # its end tells the guard that we are gone
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self._spec.cwd,
                env=self._spec.environment,
                pass_fds=(pid_write,),
                start_new_session=True,
            )
        finally:
            os.close(pid_write)
        self._process = process
        if self._stopping.is_set():
            process.terminate()
        raw = await asyncio.to_thread(os.read, pid_read, 32)
        os.close(pid_read)
        self.pid = int(raw) if raw else None
        self._changed()
        return process

    async def _collect(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None  # noqa: S101
        while data := await process.stdout.read(1 << 16):
            lines = self._log.feed(data)
            if self._spec.ready is None and not self.ready.is_set() and "ready" in lines:
                self._set_ready()

    async def _announce(self, process: asyncio.subprocess.Process) -> None:
        """Wait for a process that does not say itself that it is ready."""
        if self._spec.ready is None:
            return
        try:
            await asyncio.to_thread(
                self._spec.ready, lambda: process.returncode is None and not self._stopping.is_set()
            )
        except (TailraceError, psycopg.Error, OSError) as error:
            if process.returncode is None and not self._stopping.is_set():
                self._log.feed(f"supervisor: {error}\n".encode())
                process.terminate()
        else:
            if process.returncode is None:
                self._set_ready()

    def _set_ready(self) -> None:
        self._ever_ready = True
        self.ready.set()
        _log.info("%s is ready (pid %s)", self.name, self.pid)

    def _report(self, reason: str) -> str:
        return "; ".join([reason, *(f"| {line}" for line in self._log.tail()[-3:])])

    def _failure(self, reason: str) -> ChildError:
        lines = "".join(f"\n  {line}" for line in self._log.tail())
        return ChildError(
            f"{self.name} {reason} {self._spec.attempts} times in a row before it was ready:{lines}",
            hint=f"its whole log: {self._log.path}",
        )


def _ending(code: int) -> str:
    number = code - 128 if code > 128 else -code
    if code < 0 or code > 128:
        try:
            return f"was ended by {signal.Signals(number).name}"
        except ValueError:
            pass
    return f"ended with exit code {code}"


async def _wait(event: asyncio.Event, timeout_s: float) -> bool:
    """Whether the event was set in time."""
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    return True
