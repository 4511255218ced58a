"""Writes a migration file of steps: Python as one would write it by hand. Called by `tailrace migrate new`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tailrace.migrate.steps import Action, Step, normalize
from tailrace.project.changes import Changes
from tailrace.sql.kinds import RelationKind

_PLURAL = {RelationKind.INDEX: "indexes"}
_LONGEST_LINE = 90


def write_revision(directory: Path, message: str, below: str | None, changes: Changes) -> Path:
    """Make the file of the next revision; returns its path. Raises FileExistsError, which would take two at a time."""
    revision = _next(below)
    slug = re.sub(r"[^a-z0-9]+", "_", message.lower()).strip("_")[:40] or "changes"
    path = directory / "versions" / f"{revision}_{slug}.py"
    path.parent.mkdir(exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(revision_text(message, revision, below, changes))
    return path


def revision_text(message: str, revision: str, below: str | None, changes: Changes) -> str:
    """The whole file."""
    summary = message.strip().replace("\\", "\\\\").replace('"', "'").rstrip(".")
    parts = [
        f'"""{summary}."""\n\nfrom alembic import op\n',
        f'revision = "{revision}"\ndown_revision = {_quoted(below) if below else None}\n\n',
        f"def upgrade() -> None:\n{_body(changes.upgrade)}\n",
        f"def downgrade() -> None:\n{_body(changes.downgrade)}",
    ]
    return "\n".join(parts)


def _body(steps: Iterable[Step]) -> str:
    return "".join(f"    {_call(step)}\n" for step in steps) or "    pass\n"


def _call(step: Step) -> str:
    kind = step.kind.replace(" ", "_")
    if step.action is Action.CREATE:
        return f"op.create_{kind}({_quoted(step.name)}, {_text(step.sql)})"
    if step.action is Action.DROP:
        return f"op.drop_{kind}({_quoted(step.name)})"
    if step.action is Action.RENAME:
        return f"op.rename_{kind}({_quoted(step.name)}, {_quoted(step.other)})"
    plural = _PLURAL.get(step.kind, f"{kind}s")
    return f"op.swap_{plural}({_quoted(step.name)}, {_quoted(step.other)})"


def _text(sql: str) -> str:
    """A statement as a literal, without the comments at its head; a raw one where it has backslashes."""
    lines = sql.strip().splitlines()
    while lines and (not lines[0].strip() or lines[0].lstrip().startswith("--")):
        lines.pop(0)
    bare = "\n".join(lines).rstrip().removesuffix(";").rstrip()
    if "\n" not in bare and len(bare) <= _LONGEST_LINE and "\\" not in bare:
        return _quoted(bare)
    if '"""' in bare:
        return repr(normalize(sql))
    return f'{"r" if chr(92) in bare else ""}"""\n{bare}\n"""'


def _quoted(text: str) -> str:
    return repr(text) if '"' in text or "\\" in text else f'"{text}"'


def _next(below: str | None) -> str:
    """The number behind the last one; names that are no numbers get one behind them.

    >>> _next("0007"), _next(None), _next("start")
    ('0008', '0001', 'start_1')
    """
    if below is None:
        return "0001"
    match = re.fullmatch(r"(.*?)(\d+)", below)
    if match is None:
        return f"{below}_1"
    return f"{match[1]}{int(match[2]) + 1:0{len(match[2])}d}"
