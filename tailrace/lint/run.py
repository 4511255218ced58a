"""All rules over a catalogue; what a comment excuses is left out. Pure.

`-- lint: ignore CODE reason`, anywhere in or before a statement, excuses that statement from that rule. An excuse
without a reason, for an unknown rule, or for nothing, is a finding itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.lint.rule import Finding, Severity
from tailrace.lint.rules import RULES
from tailrace.sql.names import ObjectName

_IGNORE = re.compile(r"--\s*lint:\s*ignore\b[ \t]*(\w*)[ \t]*([^\n]*)")
COST = "costly"


def lint(
    catalogue: Catalogue, costs: Mapping[ObjectName, tuple[str, ...]] | None = None
) -> tuple[Finding, ...]:
    """Everything found, in the order of files: what does not hold at all (`Catalogue.problems`) as errors, then the rules'.

    `costs` are the operators of each view that an engine calls O(group) or O(state), if one was asked.
    """
    found = [
        Finding(p.code, Severity.ERROR, p.path, p.line, "", p.message, p.hint) for p in catalogue.problems
    ]
    for item in catalogue.objects.values():
        own = [*_by_rules(item, catalogue), *_by_cost(item, (costs or {}).get(item.name, ()))]
        found += _excused(item, own, asked=costs is not None)
    return tuple(sorted(found, key=lambda f: (f.path, f.line, f.code)))


def _by_rules(item: SqlObject, catalogue: Catalogue) -> Iterator[Finding]:
    for rule in RULES:
        for node, message in rule.check(item, catalogue):
            line = item.first_line if node is None else item.line_of(node)
            yield Finding(rule.code, rule.severity, item.path, line, str(item.name), message, rule.instead)


def _by_cost(item: SqlObject, operators: Iterable[str]) -> Iterator[Finding]:
    for operator in operators:
        yield Finding(
            COST,
            Severity.WARNING,
            item.path,
            item.first_line,
            str(item.name),
            f"EXPLAIN: {operator}",
            'See docs/cost.md, "What reads a group, or everything".',
        )


def _excused(item: SqlObject, found: list[Finding], *, asked: bool) -> Iterator[Finding]:
    excuses = list(_IGNORE.finditer(item.sql))
    codes = {match[1] for match in excuses if match[2].strip()}
    for finding in found:
        if finding.code not in codes:
            yield finding
    raised = {finding.code for finding in found}
    known = {rule.code for rule in RULES} | {COST}
    for match in excuses:
        if match[1] not in known:
            message, instead = (
                f"there is no rule {match[1] or 'of no name'}",
                "tailrace lint --rules lists them",
            )
        elif not match[2].strip():
            message, instead = f"the excuse for {match[1]} has no reason", "-- lint: ignore RULE reason"
        elif match[1] not in raised and (asked or match[1] != COST):
            message, instead = f"the excuse for {match[1]} excuses nothing", "take it out"
        else:
            continue
        line = item.line + item.sql.count("\n", 0, match.start())
        yield Finding("excuse", Severity.WARNING, item.path, line, str(item.name), message, instead)
