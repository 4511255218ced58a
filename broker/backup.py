"""`python -m broker.backup DIR`: the broker's state as a tar stream on stdout, while it runs or not.

Logs are only ever appended to, so a copy of the bytes that are there is a broker's state at some moment: the last segment
may be cut within a batch, which the next start cuts off, as after a power cut. What is copied in which order keeps the
rest consistent with the logs, whatever happens meanwhile:

- ends of transactions and groups' offsets first: they never speak of records that the logs do not hold;
- then the logs; indexes are left out and made anew by the next start, which checks every batch on the way;
- producer ids last: none that the logs hold may be given out again.

Caller: `tailrace backup`, which has copied the engine before: the logs hold all that it has read.
"""

from __future__ import annotations

import io
import sys
import tarfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, BinaryIO

_FIRST = ("transactions.json", "offsets.journal")
_LAST = ("broker.json",)
_ARGUMENTS = 2


def write(data_dir: Path, out: IO[bytes]) -> None:
    """Write the topics and what belongs to them. Raises OSError."""
    with tarfile.open(fileobj=out, mode="w|") as archive:
        for name in _FIRST:
            _add(archive, [data_dir / name], data_dir)
        for topic in sorted(
            (data_dir / "topics").glob("[!.]*/topic.json")
        ):  # with a dot: half made, half deleted
            _add(archive, [topic], data_dir)
            for partition in sorted(path for path in topic.parent.glob("*") if path.is_dir()):
                _add_partition(archive, partition, data_dir)
        for name in _LAST:
            _add(archive, [data_dir / name], data_dir)


def _add_partition(archive: tarfile.TarFile, partition: Path, data_dir: Path) -> None:
    """Add the log. All files are opened before the first is copied, so that retention takes none away in between."""
    while True:
        logs = sorted(partition.glob("*.log"))
        if _add(
            archive, [partition / "start.json", partition / "producers.json", *logs], data_dir, wanted=logs
        ):
            return


def _add(archive: tarfile.TarFile, paths: list[Path], data_dir: Path, wanted: Sequence[Path] = ()) -> bool:
    """Add files as long as they are now, those that are not there left out; False, and nothing, if a wanted one is gone."""
    with ExitStack() as opened:
        files: list[tuple[Path, BinaryIO]] = []
        for path in paths:
            try:
                files.append((path, opened.enter_context(path.open("rb"))))
            except FileNotFoundError:
                if path in wanted:
                    return False
        for path, file in files:
            member = archive.gettarinfo(arcname=str(path.relative_to(data_dir)), fileobj=file)
            archive.addfile(member, _Padded(file, member.size))
    return True


class _Padded(io.RawIOBase):
    """A file's first `size` bytes; zeros where it has been cut meanwhile, which no batch begins with."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._file.read(wanted).ljust(wanted, b"\0")
        self._left -= wanted
        return data


def main(arguments: list[str]) -> int:
    """Run the command line; an error is one line on stderr."""
    if len(arguments) != _ARGUMENTS:
        sys.stderr.write("usage: python -m broker.backup DIR\n")
        return 2
    try:
        write(Path(arguments[1]), sys.stdout.buffer)
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
