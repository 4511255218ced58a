"""What is told of outcomes: a line each, the differences of those that fail, and JUnit's XML for CI. Pure but for the file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree

from rich.text import Text

from tailrace.cases.bench import Outcome


def line_of(outcome: Outcome) -> Text:
    """One line, and the differences under it."""
    passed = not outcome.problems
    line = Text("  ok     " if passed else "  FAILED ", style="green" if passed else "bold red")
    line.append(str(outcome.case), style="not bold default" if passed else "bold default")
    line.append(f"  {outcome.seconds:.2f} s", style="dim not bold")
    for problem in outcome.problems:
        line.append(f"\n           {problem}", style="not bold default")
    return line


def summary(outcomes: Iterable[Outcome]) -> Text:
    """The count."""
    listed = list(outcomes)
    failed = sum(bool(outcome.problems) for outcome in listed)
    said = f"{len(listed) - failed} passed" + (f", {failed} failed" if failed else "")
    views = len({outcome.case.view for outcome in listed})
    return Text(
        f"{said}; {views} views, {sum(o.seconds for o in listed):.1f} s",
        style="bold red" if failed else "bold green",
    )


def write_junit(outcomes: Iterable[Outcome], path: Path) -> None:
    """A testsuite with a testcase for each, classname being the view."""
    listed = list(outcomes)
    suite = ElementTree.Element(
        "testsuite",
        name="tailrace",
        tests=str(len(listed)),
        failures=str(sum(bool(o.problems) for o in listed)),
        time=f"{sum(o.seconds for o in listed):.3f}",
    )
    for outcome in listed:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=outcome.case.view,
            name=outcome.case.name,
            file=str(outcome.case.path),
            time=f"{outcome.seconds:.3f}",
        )
        if outcome.problems:
            failure = ElementTree.SubElement(case, "failure", message=outcome.problems[0])
            failure.text = "\n".join(outcome.problems)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
