"""Findings for people, for programs, and as annotations of a pull request on GitHub. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tailrace.lint.rule import Finding, Severity
from tailrace.lint.rules import RULES

_STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_GITHUB = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def fails(findings: Iterable[Finding]) -> bool:
    """Whether a check has to fail: for anything but notes."""
    return any(finding.severity is not Severity.NOTE for finding in findings)


def as_text(findings: tuple[Finding, ...], objects: int) -> RenderableType:
    """A line and its advice for each, then the count."""
    lines: list[Text] = []
    for finding in findings:
        line = Text(f"{finding.path}:{finding.line}: ")
        line.append(f"{finding.severity} {finding.code}", style=_STYLE[finding.severity])
        lines += [line.append(f": {finding.message}")]
        if finding.instead:
            lines.append(Text(f"    {finding.instead}", style="dim"))
    counts = {s: sum(f.severity is s for f in findings) for s in Severity}
    said = ", ".join(f"{n} {s}{'s' if n > 1 else ''}" for s, n in counts.items() if n)
    return Group(*lines, Text(f"{objects} objects: {said or 'nothing to object to'}", style="bold"))


def as_json(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """One object a finding."""
    return [asdict(finding) for finding in findings]


def as_github(findings: Iterable[Finding]) -> str:
    """Workflow commands, a line each."""
    return "\n".join(
        f"::{_GITHUB[f.severity]} file={f.path},line={f.line},title={f.code}::"
        + f"{f.message}. {f.instead}".replace("%", "%25").replace("\n", "%0A")
        for f in findings
    )


def rules_table() -> Table:
    """All rules: code, severity, why, what to do instead."""
    table = Table("rule", "", "why", "instead")
    for rule in RULES:
        table.add_row(
            rule.code, Text(rule.severity, style=_STYLE[rule.severity]), f"{rule.why}.", rule.instead
        )
    return table
