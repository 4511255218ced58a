"""The history against sql/: replayed, it gives exactly the current files; backwards, nothing; released, it never changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.migrate import history
from tailrace.migrate.errors import MigrationInvalidError
from tailrace.migrate.lock import checksum, extend, read
from tailrace.migrate.steps import Action, Step, create, normalize, rename, swap
from tailrace.sql import parse_statement
from tailrace.sql.kinds import RelationKind
from tailrace.sql.rename import rename_created

SQL = Path(__file__).parents[3] / "sql"
REVISIONS = history()


def apply(step: Step, relations: dict[str, str]) -> None:
    """What a step makes of the relations' texts; a relation's own name in its text moves with a RENAME or SWAP."""
    if step.action is Action.CREATE:
        assert step.name not in relations
        relations[step.name] = normalize(step.sql)
    elif step.action is Action.DROP:
        del relations[step.name]
    else:
        assert step.action is Action.RENAME or step.other in relations
        moved = {step.other: rename_created(relations.pop(step.name), step.other)}
        if step.action is Action.SWAP:
            moved[step.name] = rename_created(relations.pop(step.other), step.name)
        relations.update(moved)


def test_a_replay_follows_names() -> None:
    relations: dict[str, str] = {}
    apply(create(RelationKind.VIEW, "v", "CREATE VIEW v AS SELECT 1"), relations)
    apply(create(RelationKind.VIEW, "v_new", "CREATE VIEW v_new AS SELECT 2"), relations)
    apply(swap(RelationKind.VIEW, "v", "v_new"), relations)
    apply(rename(RelationKind.VIEW, "v_new", "old"), relations)
    assert relations == {"v": "CREATE VIEW v AS SELECT 2", "old": "CREATE VIEW old AS SELECT 1"}


def test_replayed_from_the_start_the_history_gives_what_sql_says() -> None:
    relations: dict[str, str] = {}
    for revision in REVISIONS:
        for step in revision.upgrade:
            apply(step, relations)
    assert relations == {path.stem: normalize(path.read_text()) for path in SQL.rglob("*.sql")}


@pytest.mark.parametrize("revision", REVISIONS, ids=lambda r: r.revision)
def test_the_way_back_undoes_the_way_there(revision) -> None:
    there = [(step.kind, step.name) for step in revision.upgrade if step.action is Action.CREATE]
    back = [(step.kind, step.name) for step in revision.downgrade if step.action is Action.DROP]
    assert back == there[::-1]


def test_the_history_is_one_line() -> None:
    assert [revision.down_revision for revision in REVISIONS] == [None, *(r.revision for r in REVISIONS[:-1])]


def test_released_revisions_are_as_they_were() -> None:
    locked = read()
    assert locked == extend(locked, REVISIONS), "run python -m tailrace.migrate.lock to add the new revision"


def test_the_lock_takes_new_revisions_and_refuses_changed_ones() -> None:
    first, *rest = REVISIONS
    assert extend({}, REVISIONS)[first.revision] == checksum(first)
    with pytest.raises(MigrationInvalidError, match=f"revision {first.revision} was changed"):
        extend({first.revision: "other"}, REVISIONS)
    with pytest.raises(MigrationInvalidError, match=f"revision {first.revision} is gone"):
        extend({first.revision: checksum(first)}, rest)


@pytest.mark.parametrize("path", sorted(SQL.rglob("*.sql")), ids=lambda path: path.stem)
def test_a_file_is_one_statement_with_a_comment_that_says_what_for(path: Path) -> None:
    text = path.read_text()
    assert parse_statement(text.replace("${", "").replace("}", "")).key == "create"
    assert text.startswith("-- ")
    comment = " ".join(line.removeprefix("--") for line in text.splitlines() if line.startswith("--"))
    assert "ead " in comment or "Used by" in comment, "say who reads it"
