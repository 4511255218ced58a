"""Run one command so that it never outlives the process that wanted it.

    python -m tailrace.guard [--stop-signal INT|TERM|QUIT] [--grace S] [--orphan-grace S] [--pid-fd N] -- CMD ARGS...

The parent starts the guard with stdin=PIPE and keeps the pipe open. Whatever ends the parent, kill -9
included, closes the pipe: the guard reads EOF and stops the command (stop signal, then KILL after the grace
time, which may be another one then: what nobody waits for need not finish in order). A guard that is itself
killed by -9 takes the command with it on Linux (PDEATHSIG); elsewhere the pipe is all there is.

The command runs in its own session, so that Ctrl-C in a terminal reaches only the launcher, which stops its
children in order. SIGTERM asks for the stop signal, SIGINT and SIGHUP likewise end the command. What the
command leaves behind (its process group and, on Linux, every orphan below it) is stopped too before the
guard exits with the command's exit code (128 + N if signal N ended it, 127 if it was not found, 126 if it
could not be started).

Assumes POSIX. Used by the launcher, the engine's supervisor and the tests; stdlib only, because each use
pays its start.
"""

from __future__ import annotations

import argparse
import errno
import os
import select
import signal
import sys
import time
from collections.abc import Callable

_LINUX = sys.platform.startswith("linux")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STOP_SIGNALS = {"INT": signal.SIGINT, "TERM": signal.SIGTERM, "QUIT": signal.SIGQUIT}
_HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
_LEFTOVER_GRACE_S = 5.0
_LEFTOVER_POLL_S = 0.02


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        os.setsid()
    except PermissionError:
        pass  # already a group leader: started by hand from a shell, which then may signal us as any job
    set_on_process = _prctl()
    if set_on_process is not None:
        set_on_process(_PR_SET_CHILD_SUBREAPER, 1)
    orphan_grace_s = options.grace if options.orphan_grace is None else options.orphan_grace
    stop_signal = _STOP_SIGNALS[options.stop_signal]
    guard = _Guard(options.command, stop_signal, options.grace, orphan_grace_s, set_on_process)
    return guard.run(options.pid_fd)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        usage="python -m tailrace.guard [options] -- CMD ARGS...",
        description="Run CMD; stop it when stdin reaches EOF, and never let it outlive this process.",
    )
    parser.add_argument(
        "--stop-signal", choices=sorted(_STOP_SIGNALS), default="TERM", help="sent first (TERM)"
    )
    parser.add_argument("--grace", type=float, default=10.0, metavar="S", help="seconds before KILL (10)")
    parser.add_argument(
        "--orphan-grace", type=float, metavar="S", help="the same when the parent is gone (as --grace)"
    )
    parser.add_argument(
        "--pid-fd", type=int, metavar="N", help="write the command's pid to this descriptor, close it"
    )
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:split])
    options.command = arguments[split + 1 :]
    if not options.command:
        parser.error("no command: give it after --")
    return options


class _Guard:
    """One command from start to end. `run` is called once."""

    def __init__(
        self,
        command: list[str],
        stop_signal: int,
        grace_s: float,
        orphan_grace_s: float,
        prctl: Callable[[int, int], None] | None,
    ) -> None:
        self._command = command
        self._stop_signal = stop_signal
        self._grace_s = grace_s
        self._orphan_grace_s = orphan_grace_s
        self._prctl = prctl
        self._pid = 0
        self._status: int | None = None
        self._kill_at: float | None = None

    def run(self, pid_fd: int | None) -> int:
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write)
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        for number in _HANDLED:
            signal.signal(number, _noted)
        failure = self._start(pid_fd)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        if failure is not None:
            os.waitpid(self._pid, 0)
            print(f"guard: cannot start {self._command[0]}: {os.strerror(failure)}", file=sys.stderr)  # noqa: T201
            return 127 if failure == errno.ENOENT else 126
        self._watch(wake_read)
        self._stop_leftovers()
        assert self._status is not None  # noqa: S101
        code = os.waitstatus_to_exitcode(self._status)
        return code if code >= 0 else 128 - code

    def _start(self, pid_fd: int | None) -> int | None:
        """Fork and exec; None when the command runs, else the errno of the failure."""
        error_read, error_write = os.pipe()
        guard_pid = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            self._become_command(guard_pid, error_write)
        os.close(error_write)
        raw = os.read(error_read, 16)  # EOF once exec has closed the other end
        os.close(error_read)
        if pid_fd is not None:
            if not raw:
                os.write(pid_fd, b"%d\n" % self._pid)
            os.close(pid_fd)
        return int(raw) if raw else None

    def _become_command(self, guard_pid: int, error_write: int) -> None:
        """In the child: never returns."""
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            for number in (*_HANDLED, *_IGNORED_BY_PYTHON):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
            if self._prctl is not None:
                self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
                if os.getppid() != guard_pid:  # the guard died before the line above could take effect
                    os._exit(1)
            os.execvp(self._command[0], self._command)  # noqa: S606 - the command is what the guard is for
        except OSError as error:
            os.write(error_write, b"%d" % (error.errno or errno.EINVAL))
        finally:
            os._exit(127)

    def _watch(self, wake_read: int) -> None:
        """Until the command has ended: pass signals on, act on EOF, kill when the grace time is over."""
        waiting = [wake_read] if os.isatty(0) else [wake_read, 0]
        while self._status is None:
            timeout_s = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
            readable, _, _ = select.select(waiting, [], [], timeout_s)
            if wake_read in readable:
                self._handle_signals(os.read(wake_read, 256))
            if 0 in readable and not _read_or_eof():
                waiting.remove(0)
                self._grace_s = self._orphan_grace_s
                self._stop(self._stop_signal)
            if self._kill_at is not None and time.monotonic() >= self._kill_at:
                self._kill_at = None
                self._signal_group(signal.SIGKILL)
            self._reap()

    def _handle_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number == signal.SIGINT:
                self._stop(signal.SIGINT)
            elif number in (signal.SIGTERM, signal.SIGHUP):
                self._stop(self._stop_signal)

    def _stop(self, number: int) -> None:
        if self._status is None:
            os.kill(self._pid, number)
        if self._kill_at is None:
            self._kill_at = time.monotonic() + self._grace_s

    def _reap(self) -> None:
        """Collect whatever has ended: the command, and orphans that came to us as their subreaper."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status

    def _stop_leftovers(self) -> None:
        """End the rest of the command's group and the orphans below us: TERM, then KILL."""
        deadline = time.monotonic() + min(self._grace_s, _LEFTOVER_GRACE_S)
        asked: set[int] = set()
        self._signal_group(signal.SIGTERM)
        while True:
            self._reap()
            orphans = _children()
            if not orphans and not self._signal_group(0):
                return
            number = signal.SIGKILL if time.monotonic() >= deadline else signal.SIGTERM
            if number == signal.SIGKILL:
                self._signal_group(number)
            for pid in orphans:
                if number == signal.SIGKILL or pid not in asked:
                    asked.add(pid)
                    _signal(os.kill, pid, number)
            if time.monotonic() >= deadline + 2:
                return  # unkillable (uninterruptible sleep): nothing more can be done from here
            time.sleep(_LEFTOVER_POLL_S)

    def _signal_group(self, number: int) -> bool:
        """False when no process of the command's group is left."""
        return _signal(os.killpg, self._pid, number)


def _read_or_eof() -> bytes:
    try:
        return os.read(0, 4096)
    except OSError:
        return b""  # a socket for stdin, reset by the parent's end


def _signal(send: Callable[[int, int], None], target: int, number: int) -> bool:
    try:
        send(target, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # macOS says so of a group of which only zombies are left
    return True


def _children() -> list[int]:
    """Pids of our direct children; empty where the kernel does not tell."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:  # noqa: PTH123
            return [int(pid) for pid in children.read().split()]
    except OSError:
        return []


def _prctl() -> Callable[[int, int], None] | None:
    """Linux's prctl(option, value), loaded before the fork; None elsewhere."""
    if not _LINUX:
        return None
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)

    def prctl(option: int, value: int) -> None:
        if library.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")

    return prctl


def _noted(_number: int, _frame: object) -> None:
    """A signal wakes the loop through the wake-up descriptor; nothing is done in the handler."""


if __name__ == "__main__":
    sys.exit(main())
