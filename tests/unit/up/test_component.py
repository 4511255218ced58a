"""A process under the guard, as the launcher sees it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tailrace.up.commands import as_role
from tailrace.up.component import Command, Component, Health, tail, wait_until
from tailrace.up.errors import UpError
from tests.support.processes import wait_until as eventually

TALKER = (
    "import sys, time; print('hello', flush=True); print('oops', file=sys.stderr, flush=True); time.sleep(60)"
)


def component(tmp_path: Path, code: str, heard: list[str] | None = None) -> Component:
    command = Command("talker", [sys.executable, "-c", code], tmp_path / "talker.log", grace_s=2.0)
    return Component(command, on_line=heard.append if heard is not None else None)


def test_life(tmp_path: Path) -> None:
    heard: list[str] = []
    talker = component(tmp_path, TALKER, heard)
    assert (talker.exit_code(), talker.health) == (None, Health.WAITING)
    talker.start()
    wait_until(lambda: heard == ["hello"], talker, timeout_s=20, what="hello")
    assert talker.exit_code() is None
    assert talker.stop() == 128 + signal.SIGTERM
    assert talker.health is Health.ENDED
    assert tail(tmp_path / "talker.log") == "oops"


def test_death_before_ready_shows_its_log(tmp_path: Path) -> None:
    broken = component(tmp_path, "import sys; sys.exit('no such thing')")
    broken.start()
    with pytest.raises(UpError, match="ended with code 1 before greeting") as caught:
        wait_until(lambda: False, broken, timeout_s=20, what="greeting")
    assert caught.value.detail == "no such thing"
    assert caught.value.log_path == tmp_path / "talker.log"
    broken.stop()


def test_too_slow(tmp_path: Path) -> None:
    slow = component(tmp_path, "import time; time.sleep(60)")
    slow.start()
    with pytest.raises(UpError, match=r"not ready after 0\.1 s"):
        wait_until(lambda: False, slow, timeout_s=0.1, what="greeting")
    slow.stop()


def test_killed_and_started_again(tmp_path: Path) -> None:
    heard: list[str] = []
    talker = component(tmp_path, TALKER, heard)
    talker.start()
    wait_until(lambda: len(heard) == 1, talker, timeout_s=20, what="hello")
    assert talker.pid is not None
    os.kill(talker.pid, signal.SIGKILL)
    eventually(lambda: talker.exit_code() is not None, 20)
    talker.restart()
    wait_until(lambda: len(heard) == 2, talker, timeout_s=20, what="hello again")
    assert talker.restarts == 1
    talker.stop()


def test_never_started(tmp_path: Path) -> None:
    assert component(tmp_path, "pass").stop() is None


def test_dashboard_role() -> None:
    assert (
        as_role("postgresql://root@127.0.0.1:4566/dev", "dashboard")
        == "postgresql://dashboard@127.0.0.1:4566/dev"
    )
