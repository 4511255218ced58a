"""The guard: its command never outlives the one who wanted it, and its end is told truthfully."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.processes import alive, wait_until

LINUX = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="PDEATHSIG and subreapers are Linux's"
)

# Says its pid once it is up, then which signal ended it; sleeps in short turns, so that a trap runs at once.
FOREVER = "echo $$; while :; do sleep 0.02; done"
TRAPPING = f"trap 'echo got INT; exit 3' INT; trap 'echo got TERM; exit 4' TERM; {FOREVER}"
DEAF = f"trap '' INT TERM; {FOREVER}"


def guard_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tailrace.guard", *arguments]


@contextmanager
def guarded(*arguments: str, script: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A guard over `sh -c script`, and the pid that the script says."""
    command = guard_command(*arguments, "--", "sh", "-c", script)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as guard:
        try:
            assert guard.stdout is not None
            yield guard, int(guard.stdout.readline())
        finally:
            guard.kill()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A guard whose stdin stays open until it ends by itself."""
    with subprocess.Popen(
        guard_command(*arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as guard:
        code = guard.wait(20)
        assert guard.stdout is not None
        assert guard.stderr is not None
        return subprocess.CompletedProcess(arguments, code, guard.stdout.read(), guard.stderr.read())


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 128 + 9)])
def test_exit_code_is_the_commands(script: str, code: int) -> None:
    assert run("--", "sh", "-c", script).returncode == code


def test_command_that_does_not_exist(tmp_path: Path) -> None:
    result = run("--", str(tmp_path / "nothing"))
    assert result.returncode == 127
    assert "cannot start" in result.stderr
    assert "No such file" in result.stderr


def test_command_that_may_not_run(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("text")
    assert run("--", str(tmp_path / "plain")).returncode == 126


def test_without_command() -> None:
    result = run("--grace", "1")
    assert result.returncode == 2
    assert "no command" in result.stderr


def test_options_of_the_command_are_left_alone() -> None:
    assert run("--", "echo", "--grace", "--", "x").stdout == "--grace -- x\n"


def test_command_reads_nothing_and_has_its_own_session() -> None:
    result = run(
        "--", "sh", "-c", "cat; ps -o sid= -p $$ 2>/dev/null || cut -d' ' -f6 /proc/$$/stat; echo $$"
    )
    session, pid = result.stdout.split()
    assert session == pid


def test_pid_is_told() -> None:
    read, write = os.pipe()
    command = guard_command("--pid-fd", str(write), "--", "sh", "-c", "echo $$")
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(write,), text=True
    ) as guard:
        os.close(write)
        assert guard.stdout is not None
        assert os.read(read, 32).decode() == guard.stdout.readline()
        assert os.read(read, 32) == b""
        os.close(read)


@pytest.mark.parametrize(("name", "code"), [("INT", 3), ("TERM", 4)])
def test_end_of_stdin_sends_the_stop_signal(name: str, code: int) -> None:
    with guarded("--stop-signal", name, script=TRAPPING) as (guard, pid):
        assert guard.communicate(timeout=10)[0] == f"got {name}\n"
        assert guard.returncode == code
        assert not alive(pid)


@pytest.mark.parametrize(
    ("number", "stop_signal", "told"),
    [
        (signal.SIGTERM, "TERM", "TERM"),
        (signal.SIGTERM, "INT", "INT"),
        (signal.SIGINT, "TERM", "INT"),
        (signal.SIGHUP, "TERM", "TERM"),
    ],
)
def test_signals_are_passed_on(number: int, stop_signal: str, told: str) -> None:
    with guarded("--stop-signal", stop_signal, script=TRAPPING) as (guard, _):
        guard.send_signal(number)
        assert guard.stdout is not None
        assert guard.stdout.read() == f"got {told}\n"
        assert guard.wait(10) in {3, 4}


def test_deaf_command_is_killed_after_the_grace_time() -> None:
    with guarded("--grace", "0.3", script=DEAF) as (guard, pid):
        guard.terminate()
        assert guard.wait(10) == 128 + 9
        assert not alive(pid)


def test_orphans_have_a_grace_of_their_own() -> None:
    with guarded("--grace", "600", "--orphan-grace", "0.3", script=DEAF) as (guard, pid):
        assert guard.stdin is not None
        guard.stdin.close()
        assert guard.wait(10) == 128 + 9
        assert not alive(pid)


@LINUX
def test_guard_killed() -> None:
    with guarded(script=DEAF) as (guard, pid):
        guard.kill()
        wait_until(lambda: not alive(pid), 5)


@pytest.mark.parametrize("deaf", [False, True])
def test_parent_killed(deaf: bool) -> None:
    script = DEAF if deaf else TRAPPING
    command = guard_command("--grace", "0.3", "--", "sh", "-c", script)
    source = (
        "import subprocess, sys\n"
        f"guard = subprocess.Popen({command!r}, stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(guard.pid, flush=True)\n"
        "guard.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(parent.stdout.readline()), int(parent.stdout.readline())]
        parent.kill()
    for pid in pids:
        wait_until(lambda pid=pid: not alive(pid), 5)


def test_what_the_command_leaves_in_its_group_ends() -> None:
    result = run("--grace", "5", "--", "sh", "-c", "sleep 600 >/dev/null & echo $!; exit 3")
    assert result.returncode == 3
    assert not alive(int(result.stdout))


@LINUX
def test_orphans_that_left_the_group_end(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    orphan = f"trap '' TERM; echo $$ > {noted}; while :; do sleep 0.02; done"
    script = f'setsid sh -c "$1" & while [ ! -s {noted} ]; do sleep 0.02; done; exit 3'
    assert run("--grace", "0.3", "--", "sh", "-c", script, "sh", orphan).returncode == 3
    assert not alive(int(noted.read_text()))
