"""Each view as a materialized view on an engine of its own: what is there before it and what comes after both count.

By the runner of `tailrace test`, from the same case files. With TAILRACE_TEST_SQL_URL they run in a database made for them on the
engine given there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tailrace.cases import Bench, Case, fresh_database, load_cases
from tailrace.catalogue import load
from tests.sql.relations import RELATIONS
from tests.support.engine import running_engine

HERE = Path(__file__).parent
CASES = load_cases([HERE])


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    catalogue = load([HERE.parents[1] / "sql"])
    given = os.environ.get("TAILRACE_TEST_SQL_URL")
    if given:
        with fresh_database(given) as url, Bench(url, catalogue, CASES) as bench:
            yield bench
        return
    with (
        running_engine(tmp_path_factory.mktemp("views") / "state") as server,
        Bench(server.url, catalogue, CASES) as bench,
    ):
        yield bench


@pytest.mark.parametrize("case", [case for case in CASES if case.view != "messages"], ids=str)
def test_case(bench: Bench, case: Case) -> None:
    check(bench, case)


def test_messages_of_all_cases_at_once(bench: Bench) -> None:
    """One offset a case: a bad message does not hurt those beside it."""
    cases = [case for case in CASES if case.view == "messages"]
    rows, expect = [], []
    for offset, case in enumerate(cases):
        ((row,),) = case.given.values()
        assert case.expect is not None
        rows.append({**row, "kafka_offset": str(offset)})
        expect.append({**case.expect[0], "kafka_offset": offset})
    half = len(rows) // 2
    given, then = {"readings_raw": rows[:half]}, {"readings_raw": rows[half:]}
    check(bench, replace(cases[0], given=given, then=then, expect=expect))


def check(bench: Bench, case: Case) -> None:
    outcome = bench.run(case)
    assert not outcome.problems, "\n".join(outcome.problems)
    if outcome.shown:
        assert list(outcome.shown[0]) == list(RELATIONS[case.view].columns)
