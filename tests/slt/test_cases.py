"""Our own cases on the embedded engine, or on the server that TAILRACE_TEST_SQL_URL names; and the page made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slt.compatibility import CASES, PAGE, page, read
from tests.slt.databases import Databases
from tests.slt.execute import Options
from tests.slt.outcome import Status
from tests.slt.report import Report
from tests.slt.runner import run_file


@pytest.fixture(scope="module")
def databases(engine: str) -> Iterator[Databases]:
    """One database for all the cases, emptied in between: a database is a process of its own, and takes its time to start."""
    with Databases(engine).fresh(CASES) as url:
        yield Databases(url, separate=False)


@pytest.mark.parametrize("file", sorted(CASES.glob("*.slt")), ids=lambda file: file.stem)
def test_case(file: Path, databases: Databases) -> None:
    label = "risingwave" if os.environ.get("TAILRACE_TEST_SQL_URL") else "tailrace"
    with databases.fresh(file) as url:
        report = Report.of(CASES, run_file(file, url, Options(frozenset({"postgres", label}))))
    assert any(record.status is Status.PASSED for record in report.records)
    assert not report.failed, "\n" + report.causes()


def test_the_compatibility_page_says_what_the_cases_assert() -> None:
    assert PAGE.read_text() == page(read()), "run `make compatibility`"


def test_every_behaviour_is_described() -> None:
    lacking = [(f.file, b.name) for f in read() for b in f.behaviours if not b.description]
    assert lacking == []
