"""Files in, a catalogue out: the only part of this package that reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tailrace.catalogue.catalogue import Catalogue
from tailrace.catalogue.objects import Problem, SqlObject
from tailrace.catalogue.statements import read_statements
from tailrace.errors import TailraceError


def load(paths: Iterable[Path]) -> Catalogue:
    """The catalogue of files and folders (`*.sql` below them).

    Mistakes in the files are in the catalogue's `problems`. Raises TailraceError for a path that is not there.
    """
    objects: list[SqlObject] = []
    problems: list[Problem] = []
    for file in sql_files(paths):
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            problems.append(Problem("syntax", "is not UTF-8 text", _shown(file), line, "save it as UTF-8"))
            continue
        made, wrong = read_statements(text, _shown(file))
        objects += made
        problems += wrong
    return Catalogue(objects, problems)


def sql_files(paths: Iterable[Path]) -> list[Path]:
    """The SQL files at and below `paths`, sorted, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(sorted(path.rglob("*.sql"))))
        elif path.is_file():
            found[path] = None
        else:
            raise TailraceError(f"{path} is not there", hint="name a SQL file or a folder of them")
    return list(found)


def _shown(file: Path) -> str:
    """The path as a user would write it here."""
    absolute = file.resolve()
    here = Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(file)
