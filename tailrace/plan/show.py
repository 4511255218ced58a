"""A plan for people and for programs. Pure."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from tailrace.plan.plan import Change, Plan, What

_STYLE = {What.CREATED: "green", What.CHANGED: "yellow", What.REBUILT: "cyan", What.DROPPED: "red"}
_SIGN = {What.CREATED: "+", What.CHANGED: "~", What.REBUILT: "↻", What.DROPPED: "-"}


def as_text(plan: Plan) -> RenderableType:
    """Differences, then the statements, then what stands in the way."""
    lines: list[Text] = []
    for change in plan.changes:
        lines += _lines(change)
    if plan.steps:
        lines.append(Text(f"\n{len(plan.steps)} statements, in this order:", style="bold"))
        lines += [Text(f"  {number:>3}  {step}", style="dim") for number, step in enumerate(plan.steps, 1)]
    if plan.drifted:
        said = ", ".join(plan.drifted)
        lines.append(Text(f"\nchanged past the migrations: {said}", style="yellow"))
    if plan.strange:
        said = ", ".join(plan.strange)
        lines.append(
            Text(f"\nneither in the files nor made by a migration, and let alone: {said}", style="dim")
        )
    lines += [Text(f"\nin the way: {obstacle}", style="bold red") for obstacle in plan.obstacles]
    lines.append(Text(f"\n{_counts(plan)}", style="bold"))
    return Group(*lines)


def _lines(change: Change) -> list[Text]:
    head = Text(f"{_SIGN[change.what]} {change.what} ", style=_STYLE[change.what])
    head.append(f"{change.kind} {change.name}", style="bold default")
    if change.rows is not None:
        head.append(f"  reads {change.rows:,} rows", style="dim")
    if change.note:
        head.append(f"  ({change.note})", style="dim")
    lines = [head]
    for title, difference in (("columns", change.columns), ("text", change.sql)):
        if difference:
            lines.append(Text(f"    {title}", style="dim"))
            lines += [Text(f"      {line}", style=_line_style(line)) for line in difference]
    if change.reaches and change.what in (What.CHANGED, What.DROPPED):
        lines.append(Text(f"    reaches {', '.join(change.reaches)}", style="dim"))
    return lines


def _line_style(line: str) -> str:
    return {"+": "green", "-": "red"}.get(line[:1], "dim")


def _counts(plan: Plan) -> str:
    if not plan:
        return f"{plan.unchanged} relations as the files say: nothing to do"
    counts = {what: sum(change.what is what for change in plan.changes) for what in What}
    return ", ".join([*(f"{n} {what}" for what, n in counts.items() if n), f"{plan.unchanged} unchanged"])


def as_json(plan: Plan) -> dict[str, Any]:
    """Plain values: `changes` by relation, `statements` in order."""
    return {
        "changes": [
            {
                "name": change.name,
                "kind": str(change.kind),
                "what": str(change.what),
                "reaches": list(change.reaches),
                "columns": list(change.columns),
                "text": list(change.sql),
                "rows": change.rows,
                "note": change.note,
            }
            for change in plan.changes
        ],
        "statements": [{"step": str(step), "sql": step.sql} for step in plan.steps],
        "unchanged": plan.unchanged,
        "not_ours": list(plan.strange),
        "drifted": list(plan.drifted),
        "obstacles": list(plan.obstacles),
    }
