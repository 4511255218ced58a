"""History is never rewritten: migrations/versions.lock holds a checksum of what each released revision does.

`python -m tailrace.migrate.lock` adds new revisions and refuses to change old ones; a test compares. What is
summed up is each revision's statements, comments and layout aside, and its place in the history.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tailrace.errors import TailraceError
from tailrace.migrate.api import Revision, history, package_directory
from tailrace.migrate.errors import MigrationInvalidError
from tailrace.migrate.steps import normalize

LOCK_NAME = "versions.lock"


def checksum(revision: Revision) -> str:
    """What a revision does in both directions, as 64 hexadecimal digits."""
    parts = [revision.revision, revision.down_revision or "base"]
    for step in (*revision.upgrade, *revision.downgrade):
        parts += [step.action, step.kind, step.name, normalize(step.sql)]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def extend(locked: dict[str, str], revisions: Iterable[Revision]) -> dict[str, str]:
    """The lock with new revisions added; raises MigrationInvalidError when a locked one has changed."""
    found = {revision.revision: checksum(revision) for revision in revisions}
    for name, expected in locked.items():
        if found.get(name) != expected:
            what = "was changed" if name in found else "is gone"
            raise MigrationInvalidError(
                f"revision {name} {what} after it was released",
                hint="restore it, and put the change into a new revision",
            )
    return found


def read(directory: Path | None = None) -> dict[str, str]:
    """The committed checksums by revision; empty when there is no lock yet."""
    path = (directory or package_directory()) / LOCK_NAME
    locked: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return locked


def main() -> int:
    """Add what is new to the lock of the installed migrations."""
    try:
        lock = extend(read(), history())
    except TailraceError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    (package_directory() / LOCK_NAME).write_text(json.dumps(lock, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
