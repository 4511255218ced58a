"""A whole engine for tests: `python -m engine` on a free port, ended by its guard with the test run."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.layout import Layout

_READY = "engine ready: "


@dataclass(frozen=True, slots=True)
class EngineServer:
    """A running engine: where clients reach it, where its state is, and its processes' pids."""

    url: str
    layout: Layout

    def pid(self, name: str) -> int | None:
        """Pid of "supervisor", "postgres", "flow", "delivery" or "wire"; None while it is down."""
        pid = json.loads(self.layout.status_path.read_bytes())[name]
        return None if pid is None else int(pid)

    def log(self, name: str) -> str:
        return (self.layout.log_dir / f"{name}.log").read_text(errors="replace")


@contextmanager
def running_engine(data_dir: Path, *options: str) -> Iterator[EngineServer]:
    """An engine that has said that it is ready. A second one on the same directory goes on from its state."""
    command = [sys.executable, "-m", "engine", "--data-dir", str(data_dir), "--port", "0", *options]
    guard = [sys.executable, "-m", "tailrace.guard", "--grace", "30", "--", *command]
    error_path = data_dir.with_name(data_dir.name + ".stderr")
    with (
        error_path.open("ab") as errors,
        subprocess.Popen(
            guard, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline().strip()
            assert line.startswith(_READY), error_path.read_text(errors="replace")
            yield EngineServer(line.removeprefix(_READY), Layout(data_dir))
        finally:
            process.terminate()
            process.wait(45)
