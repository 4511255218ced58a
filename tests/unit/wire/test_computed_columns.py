"""INSERT without a list of columns into a table with generated ones gets a list; all others are left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from engine.wire.computed_columns import ComputedColumns, catalog_changed
from engine.wire.plans import Forward


class Catalog:
    """Answers as PostgreSQL would, and counts the questions."""

    def __init__(self) -> None:
        self.questions: list[str] = []

    async def ask(self, question: str) -> list[list[str | None]]:
        self.questions.append(question)
        return [["computed"], ["Odd"]] if "DISTINCT" in question else [['["a", "B c", "d"]']]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    catalog_changed()
    yield
    catalog_changed()


def placed(catalog: Catalog, statement: str) -> str:
    columns = ComputedColumns("dev", catalog.ask)
    plan = Forward(statement)
    return plan.sql if columns.leaves(plan) else asyncio.run(columns.placed(plan)).sql


@pytest.mark.parametrize(
    ("statement", "result"),
    [
        (
            "INSERT INTO computed VALUES (1, 'x', 2)",
            'INSERT INTO computed ("a", "B c", "d") VALUES (1, \'x\', 2)',
        ),
        (
            "insert into Computed values (f(1, 2), '(,'), (3, 4)",
            'insert into Computed ("a", "B c") values (f(1, 2), \'(,\'), (3, 4)',
        ),
        (
            'INSERT INTO public."Odd" (SELECT 1, 2, 3)',
            'INSERT INTO public."Odd" ("a", "B c", "d") (SELECT 1, 2, 3)',
        ),
        ("INSERT INTO computed (a) VALUES (1)", None),
        ("INSERT INTO plain VALUES (1)", None),
        ("SELECT 'INSERT INTO computed VALUES (1)'", None),
        ("INSERT INTO computed DEFAULT VALUES", None),
    ],
)
def test_a_list_is_put_in_where_it_is_needed(statement: str, result: str | None) -> None:
    assert placed(Catalog(), statement) == (result or statement)


def test_the_catalog_is_asked_once_until_it_changes() -> None:
    catalog = Catalog()
    for _ in range(3):
        placed(catalog, "INSERT INTO plain VALUES (1)")
    assert len(catalog.questions) == 1
    catalog_changed()
    placed(catalog, "INSERT INTO plain VALUES (1)")
    assert len(catalog.questions) == 2
