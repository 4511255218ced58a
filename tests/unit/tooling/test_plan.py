"""Plans: what differs between a database and the files, what that reaches, and what stands in the way."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tailrace.catalogue import Catalogue, read_statements
from tailrace.errors import TailraceError
from tailrace.plan import Deployed, Plan, What, make_plan
from tailrace.plan.show import as_json, as_text
from tailrace.project.files import Relation, relation_of

FILES = {
    "t": "-- Rows.\nCREATE TABLE t (id int PRIMARY KEY, site varchar, v int);",
    "s": "CREATE SOURCE s (id int) WITH (connector = 'kafka', topic = '${TOPIC}') FORMAT PLAIN ENCODE JSON;",
    "low": "CREATE MATERIALIZED VIEW low AS\nSELECT id, site, v\nFROM t\nWHERE v < 10;",
    "by_site": "CREATE MATERIALIZED VIEW by_site AS SELECT site, count(*) AS n FROM low GROUP BY site;",
    "by_site_n": "CREATE INDEX by_site_n ON by_site (n);",
    "out": "CREATE SINK out FROM by_site WITH (connector = 'kafka', primary_key = 'site') FORMAT UPSERT ENCODE JSON;",
}
CHANGED = "CREATE MATERIALIZED VIEW low AS\nSELECT id, site, v, v * 2 AS twice\nFROM t\nWHERE v < 20;"


def relations(**texts: str) -> dict[str, Relation]:
    return {name: relation_of(text) for name, text in {**FILES, **texts}.items() if text}


def planned(there: dict[str, Relation], wanted: dict[str, Relation], **options: object) -> Plan:
    text = "\n".join(relation.sql for relation in wanted.values())
    catalogue = Catalogue(*read_statements(text, "f.sql"))
    columns = {"low": {"id": "integer", "site": "varchar", "v": "integer"}}
    deployed = Deployed(there, columns, {"t": 1000, "low": 10, "by_site": 3}, **options)  # type: ignore[arg-type]
    return make_plan(deployed, wanted, relations(), catalogue, {"TOPIC": "orders"})


def test_what_is_deployed_with_its_variables_and_in_other_spelling_is_unchanged() -> None:
    there = relations(
        s=FILES["s"].replace("${TOPIC}", "orders"),
        low="create materialized view low as select id, site, v from t as t where v < 10",
    )
    plan = planned(there, relations())
    assert not plan
    assert (plan.unchanged, plan.steps, plan.drifted, plan.obstacles) == (6, (), (), ())


def test_a_changed_view_and_what_it_reaches() -> None:
    plan = planned(relations(), relations(low=CHANGED, more="CREATE VIEW more AS SELECT site FROM by_site"))
    found = {change.name: change for change in plan.changes}
    assert {name: change.what for name, change in found.items()} == {
        "more": What.CREATED,
        "low": What.CHANGED,
        "by_site": What.REBUILT,
        "by_site_n": What.REBUILT,
        "out": What.REBUILT,
    }
    low = found["low"]
    assert low.reaches == ("by_site", "by_site_n", "more", "out")
    assert low.columns == ("+ twice int",)
    assert [line for line in low.sql if line[0] != " "] == [
        "-SELECT id, site, v", "+SELECT id, site, v, v * 2 AS twice", "-WHERE v < 10", "+WHERE v < 20",
    ]  # fmt: skip
    assert (low.rows, found["by_site"].rows) == (1000, 10)
    assert "delivered once more" in found["out"].note
    assert plan.unchanged == 2
    assert "swap materialized view low with low_new" in map(str, plan.steps)


def test_what_nobody_knows_is_let_alone_unless_it_is_in_the_way() -> None:
    mine = {"mine": relation_of("CREATE MATERIALIZED VIEW mine AS SELECT n FROM by_site")}
    plan = planned({**relations(), **mine}, relations(), unread=frozenset({"sub"}))
    assert (plan.changes, plan.strange, plan.obstacles) == ((), ("mine", "sub"), ())
    plan = planned({**relations(), **mine}, relations(low=CHANGED))
    assert plan.obstacles == (
        "mine, which no migration made, reads by_site: drop it first, or put it into the files",
    )


def test_changes_past_the_migrations_are_told() -> None:
    there = relations(low=CHANGED)
    del there["out"]
    plan = planned(there, relations())
    assert plan.drifted == ("low", "out")
    assert {change.name: change.what for change in plan.changes}["out"] is What.CREATED


def test_dropped() -> None:
    plan = planned(relations(), relations(out="", by_site_n=""))
    assert [(change.name, change.what) for change in plan.changes] == [
        ("by_site_n", What.DROPPED), ("out", What.DROPPED),
    ]  # fmt: skip


def test_a_changed_table_is_refused() -> None:
    with pytest.raises(TailraceError, match="table t has changed"):
        planned(relations(), relations(t="CREATE TABLE t (id int PRIMARY KEY, site varchar, v bigint)"))


def test_what_is_shown() -> None:
    plan = planned(relations(), relations(low=CHANGED))
    output = io.StringIO()
    Console(file=output, width=200).print(as_text(plan))
    text = output.getvalue()
    assert "~ changed materialized view low  reads 1,000 rows" in text
    assert "reaches by_site, by_site_n, out" in text
    assert "1 changed, 3 rebuilt, 2 unchanged" in text
    document = json.loads(json.dumps(as_json(plan)))
    assert document["statements"][0]["step"] == "create materialized view low_new"
