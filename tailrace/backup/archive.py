"""What a back-up file is: a compressed tar with a head, the launcher's state, the engine's and the broker's part, and an end.

The head says what made it, before anything is unpacked; the end says that nothing is missing. The parts are written
and made usable by `python -m engine.backup` and `python -m broker.backup`: what lies in them is theirs to know.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tailrace.errors import TailraceError

FORMAT: Final = 1
HEAD: Final = "tailrace-backup.json"
END: Final = "tailrace-backup-end.json"
ENGINE: Final = "engine"
BROKER: Final = "broker"
STATE_FILES: Final = ("state.json", "report.json")


class BackupError(TailraceError):
    """A back-up that cannot be taken, or a file that cannot be restored."""

    sqlstate = "58000"


def engine_description() -> dict[str, Any]:
    """Versions and platform of the engine that is installed here."""
    answer = run_engine("describe")
    described: dict[str, Any] = json.loads(answer)
    return described


def run_engine(verb: str, *arguments: str) -> bytes:
    """Run `python -m engine.backup`; raises BackupError with its own words."""
    done = subprocess.run(
        [sys.executable, "-m", "engine.backup", verb, *arguments], capture_output=True, check=False
    )
    if done.returncode != 0:
        raise failure("the engine's part", done.stderr)
    return done.stdout


def failure(what: str, told: bytes) -> BackupError:
    """The error that a part's program has told on stderr: one JSON object, or any text."""
    text = told.decode(errors="replace").strip()
    try:
        known = json.loads(text.splitlines()[-1])
        return BackupError(f"{what}: {known['message']}", sqlstate=known["sqlstate"], hint=known["hint"])
    except (ValueError, KeyError, TypeError, IndexError):
        return BackupError(
            f"{what}: {text or 'its program ended without a word'}", hint="see the lines above"
        )


def size_of(folder: Path) -> int:
    """Bytes of all files below `folder` now; files may come and go meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue
        total += status.st_size if not path.is_dir() else 0
    return total
