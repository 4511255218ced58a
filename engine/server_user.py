"""The user that PostgreSQL runs as: ourselves, or under root, which it refuses, an unprivileged one.

Under root the server must reach its binaries and its cluster although they may lie below private
directories (a virtual environment in a mode-0700 directory is usual). No permission of such a directory is
changed: the server is given CAP_DAC_READ_SEARCH instead, where the kernel grants it. Assumes util-linux's
setpriv for that. Used by `engine.postgres`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tailrace.errors import TailraceError

_CANDIDATES = ("postgres", "nobody")
_READ_SEARCH = (
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    # PostgreSQL asks access(2) of its binaries, which by default ignores any capability of all but root
    "--securebits=+no_setuid_fixup",
)
_CURE = (
    "run as an ordinary user; or put the virtual environment and --data-dir where every user may pass"
    " (chmod o+x on the directories above);"
    " or give the DSN of a running PostgreSQL 18 in TAILRACE_POSTGRES_DSN"
)


@dataclass(frozen=True, slots=True)
class ServerUser:
    """`prefix` goes before a command to run it as this user; empty when that is who we are."""

    uid: int
    gid: int
    prefix: tuple[str, ...]

    def own(self, path: Path) -> None:
        """Hand one file or directory of ours over to this user."""
        if self.prefix:
            os.chown(path, self.uid, self.gid)


def server_uid(cluster: Path) -> tuple[int, int]:
    """(uid, gid) for the server: ourselves; as root, the owner of the cluster, else postgres or nobody."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    if cluster.exists() and cluster.stat().st_uid != 0:
        status = cluster.stat()
        return status.st_uid, status.st_gid
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise TailraceError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_CANDIDATES)} to run it as",
        hint=_CURE,
    )


def choose_server_user(postgres: Path, cluster: Path, uid: int, gid: int) -> ServerUser:
    """How to run `postgres` on the existing directory `cluster` as this user; found out by trying.

    Raises TailraceError when it cannot reach both.
    """
    if uid == os.geteuid():
        return ServerUser(uid, gid, ())
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise TailraceError(
            "PostgreSQL does not run as root, and setpriv (util-linux) is missing", hint=_CURE
        )
    base = (setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig=KILL")
    for extra in ((), _READ_SEARCH):
        user = ServerUser(uid, gid, (*base, *extra, "--"))
        if _reaches(user, postgres, cluster):
            return user
    raise TailraceError(
        f"PostgreSQL does not run as root, and user {pwd.getpwuid(uid).pw_name} cannot reach {postgres}"
        f" and {cluster}: a directory above is private, and dac_read_search is not granted here",
        hint=_CURE,
    )


def _reaches(user: ServerUser, postgres: Path, cluster: Path) -> bool:
    script = 'cd "$1" && test -x "$2" && exec "$2" --version'
    trial = subprocess.run(
        [*user.prefix, "/bin/sh", "-c", script, "sh", str(cluster), str(postgres)],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return trial.returncode == 0
