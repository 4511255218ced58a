"""Statements as values: names and texts agree, variables are filled in, layout does not count."""

from __future__ import annotations

import pytest

from tailrace.migrate.errors import MigrationInvalidError
from tailrace.migrate.steps import Action, Step, create, drop, normalize, render
from tailrace.sql.kinds import RelationKind


def test_create_keeps_the_text_as_written() -> None:
    step = create(RelationKind.MATERIALIZED_VIEW, "v", "\nCREATE MATERIALIZED  VIEW v AS\n  SELECT 1\n")
    assert step == Step(
        Action.CREATE, RelationKind.MATERIALIZED_VIEW, "v", "CREATE MATERIALIZED  VIEW v AS\n  SELECT 1"
    )
    assert str(step) == "create materialized view v"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (RelationKind.VIEW, "CREATE VIEW vv AS SELECT 1"),
        (RelationKind.VIEW, "CREATE MATERIALIZED VIEW v AS SELECT 1"),
        (RelationKind.VIEW, "CREATE OR REPLACE VIEW v AS SELECT 1"),
        (RelationKind.TABLE, "CREATE TABLE IF NOT EXISTS v (a int)"),
        (RelationKind.VIEW, "DROP VIEW v"),
    ],
)
def test_create_refuses_a_text_of_something_else(kind: RelationKind, text: str) -> None:
    with pytest.raises(MigrationInvalidError, match=f"must start with CREATE {kind.upper()} v"):
        create(kind, "v", text)


def test_drop_never_cascades() -> None:
    assert drop(RelationKind.MATERIALIZED_VIEW, "v").sql == "DROP MATERIALIZED VIEW v"


def test_layout_and_comments_do_not_count_but_literals_do() -> None:
    text = "CREATE VIEW v AS -- why\n  SELECT '--  kept',\n\t1;\n"
    assert normalize(text) == "CREATE VIEW v AS SELECT '--  kept', 1"
    assert (
        create(RelationKind.VIEW, "v", text).checksum
        == create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT '--  kept', 1").checksum
    )
    assert (
        create(RelationKind.VIEW, "v", text).checksum
        != create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT '-- kept', 1").checksum
    )


def test_a_variable_cannot_end_its_literal() -> None:
    assert render("topic = '${TOPIC}'", {"TOPIC": "it's"}) == "topic = 'it''s'"


def test_an_unknown_variable_is_named() -> None:
    with pytest.raises(MigrationInvalidError, match="TOPIC is not set"):
        render("'${TOPIC}'", {"OTHER": ""})
