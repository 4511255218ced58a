"""From files to migrations: what has changed, in which order it is rebuilt, and that the written file does just that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.errors import TailraceError
from tailrace.migrate import history
from tailrace.migrate.steps import Action
from tailrace.project import Project, compare, read_relations, replay, start_project, write_revision
from tailrace.project.files import Relation, in_order, readers, relation_of
from tailrace.project.replay import apply

FILES = {
    "devices": "-- who\nCREATE TABLE devices (id int PRIMARY KEY, site varchar);",
    "raw": "CREATE SOURCE raw (id int, v int) WITH (connector = 'kafka', topic = '${TOPIC}') FORMAT PLAIN ENCODE JSON;",
    "calm": "CREATE MATERIALIZED VIEW calm AS SELECT raw.id, v FROM raw WHERE v < 10;",
    "by_site": "CREATE MATERIALIZED VIEW by_site AS SELECT site, sum(v) AS v "
    "FROM calm JOIN devices AS d ON d.id = calm.id GROUP BY site;",
    "by_site_v": "CREATE INDEX by_site_v ON by_site (v);",
    "named": "CREATE VIEW named AS WITH calm AS (SELECT 1 AS x) SELECT x, site FROM calm, by_site WHERE site <> 'a\\b';",
    "out": "CREATE SINK out FROM by_site "
    "WITH (connector = 'kafka', topic = 't', primary_key = 'site') FORMAT UPSERT ENCODE JSON;",
}
CHANGED = "CREATE MATERIALIZED VIEW calm AS SELECT raw.id, v, 'new' AS x FROM raw WHERE v < 20"


def relations(**texts: str) -> dict[str, Relation]:
    return {name: relation_of(text) for name, text in {**FILES, **texts}.items() if text}


def lines(steps: tuple) -> list[str]:
    return [str(step) for step in steps]


def after(steps: tuple, start: dict[str, Relation]) -> dict[str, Relation]:
    """What the steps leave; a DROP of what is still read is refused, as a database does."""
    state = dict(start)
    for step in steps:
        if step.action is Action.DROP:
            assert not readers(state, [step.name]), f"{step} would be refused"
        if step.action is Action.CREATE:
            assert step.name not in state
            assert relation_of(step.sql).reads <= state.keys() | {"raw"}
        apply(step, state)
    return state


def same(left: dict[str, Relation], right: dict[str, Relation]) -> bool:
    return left.keys() == right.keys() and all(left[name].same_as(right[name]) for name in left)


def test_what_a_relation_reads() -> None:
    found = relations()
    assert {name: sorted(relation.reads) for name, relation in found.items()} == {
        "devices": [],
        "raw": [],
        "calm": ["raw"],
        "by_site": ["calm", "devices"],
        "by_site_v": ["by_site"],
        "named": ["by_site"],
        "out": ["by_site"],
    }
    assert readers(found, ["calm"]) == {"by_site", "by_site_v", "named", "out"}


def test_a_changed_view_takes_everything_that_reads_it_along() -> None:
    old, new = relations(), relations(calm=CHANGED)
    changes = compare(old, new)
    assert (changes.new, changes.changed, changes.gone) == ((), ("calm",), ())
    assert set(changes.rebuilt) == {"by_site", "by_site_v", "named", "out"}
    assert lines(changes.upgrade) == [
        "create materialized view calm_new",
        "create materialized view by_site_new",
        "create index by_site_v_new",
        "create view named_new",
        "swap materialized view calm with calm_new",
        "swap materialized view by_site with by_site_new",
        "swap view named with named_new",
        "drop sink out",
        "drop view named_new",
        "drop index by_site_v",
        "drop materialized view by_site_new",
        "drop materialized view calm_new",
        "rename index by_site_v_new to by_site_v",
        "create sink out",
    ]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        ({"calm": CHANGED}, "changed"),
        ({"named": ""}, "gone"),
        ({"more": "CREATE VIEW more AS SELECT id FROM calm"}, "new"),
        ({"calm": CHANGED, "named": "", "more": "CREATE VIEW more AS SELECT id FROM calm"}, "all at once"),
        ({"by_site_v": "CREATE INDEX by_site_v ON by_site (site)"}, "an index"),
        ({"out": FILES["out"].replace("'t'", "'u'")}, "a sink"),
        ({"raw": FILES["raw"].replace("v int", "v bigint")}, "a source"),
        (
            {
                "calm": CHANGED.replace("FROM raw", "FROM fine AS raw"),
                "fine": "CREATE VIEW fine AS SELECT * FROM raw",
            },
            "a new one below",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_there_and_back(texts: dict[str, str], kind: str, tmp_path: Path) -> None:
    old, new = relations(), relations(**texts)
    changes = compare(old, new)
    assert changes
    assert same(after(changes.upgrade, old), new)
    assert same(after(changes.downgrade, new), old)

    start_project(tmp_path / "p")
    migrations = Project.at(tmp_path / "p").migrations
    first = write_revision(migrations, "The first", None, compare({}, old))
    assert first.name == "0001_the_first.py"
    write_revision(migrations, 'Then "this"', "0001", changes)
    written = history(migrations)
    assert [revision.revision for revision in written] == ["0001", "0002"]
    assert written[1].upgrade == changes.upgrade or lines(written[1].upgrade) == lines(changes.upgrade)
    assert same(replay(written), new)
    assert not compare(replay(written), new)


def test_layout_comments_and_repeated_aliases_are_no_change() -> None:
    other = "-- other words\nCREATE  MATERIALIZED VIEW calm AS\n    SELECT raw.id, v FROM raw AS raw -- all\n WHERE v < 10"
    assert not compare(relations(), relations(calm=other))


def test_what_is_refused() -> None:
    for texts, message in (
        ({"devices": "CREATE TABLE devices (id int PRIMARY KEY)"}, "table devices has changed"),
        ({"calm": "CREATE VIEW calm AS SELECT id, v FROM raw"}, "was a materialized view"),
        ({"calm": CHANGED, "calm_new": "CREATE VIEW calm_new AS SELECT 1 AS a"}, "calm_new is taken"),
    ):
        with pytest.raises(TailraceError, match=message):
            compare(relations(), relations(**texts))
    circle = relations(calm="CREATE VIEW calm AS SELECT site FROM named")
    with pytest.raises(TailraceError, match=r"read each other: .*by_site"):
        in_order(circle)


def test_problems_tell_file_and_line(tmp_path: Path) -> None:
    texts = {
        "a.sql": "-- first\nCREATE VIEW a AS\nSELECT FROM WHERE",
        "b.sql": "CREATE VIEW other AS SELECT 1 AS x",
        "c.sql": "CREATE VIEW IF NOT EXISTS c AS SELECT 1",
        "d.sql": "CREATE VIEW d AS\nSELECT x\nFROM othr",
        "deep/other.sql": "CREATE VIEW other AS SELECT 2 AS x",
        "e.sql": "SELECT 1",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "f.sql").write_bytes(b"\xff")
    _, problems = read_relations(tmp_path)
    told = {Path(problem.path).name: str(problem) for problem in problems}
    assert told.keys() == {"a.sql", "b.sql", "c.sql", "d.sql", "other.sql", "e.sql", "f.sql"}
    assert "a.sql:3: syntax error" in told["a.sql"]
    assert "call the file other.sql" in told["b.sql"]
    assert "d.sql:3: view d reads othr, which no file creates (did you mean other?)" in told["d.sql"]
    assert "is declared in" in told["other.sql"]


def test_the_product_is_a_project_whose_migrations_say_what_its_files_say() -> None:
    project = Project.at(None)
    found, problems = read_relations(project.sql)
    assert problems == []
    assert not compare(replay(history(project.migrations)), found)


def test_a_new_project_is_well_formed_and_is_not_put_over_another(tmp_path: Path) -> None:
    start_project(tmp_path / "p")
    found, problems = read_relations(Project.at(tmp_path / "p").sql)
    assert (sorted(found), problems) == (["orders", "revenue"], [])
    with pytest.raises(TailraceError, match="is not empty"):
        start_project(tmp_path / "p")
    with pytest.raises(TailraceError, match="no project"):
        Project.at(tmp_path / "q")
