"""SQL files as objects: names, order, columns with types, and each kind of mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tailrace.catalogue import Catalogue, fingerprint, load, read_statements
from tailrace.errors import InvalidStatement, UndefinedObject
from tailrace.lineage import as_json, as_mermaid, column_lineage, relation_lineage
from tailrace.sql.kinds import RelationKind

SQL = Path(__file__).parents[3] / "sql"

BASE = """\
CREATE TABLE t (a int, "B" varchar, ts timestamptz);
-- Of those.
CREATE MATERIALIZED VIEW v AS SELECT a, count(*) AS n FROM t GROUP BY a;
"""


def catalogue(text: str) -> Catalogue:
    return Catalogue(*read_statements(text, "f.sql"))


def problems(text: str) -> list[tuple[str, int, str]]:
    return [(p.code, p.line, p.message) for p in catalogue(text).problems]


@pytest.fixture(scope="module")
def product() -> Catalogue:
    return load([SQL])


def test_the_products_files_hold_together(product: Catalogue) -> None:
    assert product.problems == ()
    assert len(product.order) == len(list(SQL.rglob("*.sql")))
    place = {name: at for at, name in enumerate(product.order)}
    assert all(place[read] < place[name] for name in place for read in product.inputs(name))


def test_columns_types_and_origins(product: Catalogue) -> None:
    baselines = product.named("baselines").name
    columns = product.columns(baselines)
    assert columns is not None
    assert [c.name for c in columns] == ["device_id", "metric", "samples", "mean", "deviation"]
    assert {c.name: c.type for c in columns}["mean"] == "double precision"
    assert {o[1] for o in product.analyses[baselines].origins["mean"]} == {"samples", "total"}
    assert all(c.type for c in product.columns(product.named("messages").name) or ())
    windows = product.columns(product.named("device_activity_10s").name)
    assert windows is not None
    assert str(windows[1]) == "window_start timestamptz"


def test_objects_of_one_file() -> None:
    found = catalogue(BASE + "CREATE INDEX i ON v (n); CREATE SINK s INTO t2 FROM v WITH (type = 'upsert');")
    assert [(o.kind, str(o.name), o.first_line) for o in found.objects.values()] == [
        (RelationKind.TABLE, "t", 1),
        (RelationKind.MATERIALIZED_VIEW, "v", 3),
        (RelationKind.INDEX, "i", 4),
        (RelationKind.SINK, "s", 4),
    ]
    assert "Of those." in found.named("v").comments
    assert [str(n) for n in found.readers(found.named("v").name)] == ["i", "s"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE MATERIALIZED VIEW w AS\nSELECT nn FROM v;",
         ("unknown_column", 5, "column nn of v does not exist, did you mean n?")),
        ("CREATE MATERIALIZED VIEW w AS\nSELECT x.n\nFROM v AS y;",
         ("unknown_column", 5, "x.n: there is no x in FROM")),
        ("CREATE VIEW w AS SELECT 1 FROM v WHERE EXISTS (SELECT 1 FROM t WHERE t.a = v.b)",
         ("unknown_column", 4, "column b of v does not exist")),
        ("CREATE VIEW w AS WITH c AS (SELECT a AS d FROM t) SELECT a FROM c",
         ("unknown_column", 4, "column a of c does not exist")),
        ("CREATE INDEX i ON v (m)",
         ("unknown_column", 4, "column m of v does not exist")),
        ("CREATE MATERIALIZED VIEW w AS\nSELECT a\nFROM vv;",
         ("unknown_relation", 6, "materialized view w reads vv, which no file creates")),
        ("CREATE VIEW v AS SELECT 1 AS one;",
         ("duplicate_object", 4, "view v is declared in f.sql:3 already")),
        ("CREATE VIEW x AS SELECT a FROM y; CREATE VIEW y AS SELECT a FROM x;",
         ("cycle", 4, "reads itself: x -> y -> x")),
        ("\nCREATE VIEW x AS SELECT FROM WHERE;",
         ("syntax", 5, None)),
        ("INSERT INTO t VALUES (1)",
         ("syntax", 4, "not a CREATE TABLE, SOURCE, VIEW, MATERIALIZED VIEW, INDEX or SINK")),
    ],
)  # fmt: skip
def test_a_mistake_is_found_at_its_line(text: str, expected: tuple[str, int, str | None]) -> None:
    ((code, line, message),) = problems(BASE + text)
    assert (code, line) == expected[:2]
    if expected[2] is not None:
        assert message == expected[2]


@pytest.mark.parametrize(
    "text",
    [
        "CREATE VIEW w AS SELECT x.v FROM t CROSS JOIN LATERAL (SELECT t.a + 1 AS v) AS x",
        "CREATE VIEW w AS SELECT window_start, count(*) AS k FROM TUMBLE(t, ts, INTERVAL '1 minute') GROUP BY window_start",
        "CREATE VIEW w AS SELECT t.a, l.k FROM t JOIN v FOR SYSTEM_TIME AS OF PROCTIME() AS l (b, k) ON t.a = l.b",
        "CREATE VIEW w AS WITH c AS CHANGELOG FROM t SELECT a, changelog_op FROM c",
        "CREATE VIEW w AS SELECT a AS k, count(*) FROM t GROUP BY k ORDER BY k",
        "CREATE VIEW w AS SELECT * FROM unnest(ARRAY[1, 2]) AS u (x) WHERE x > 1",
        'CREATE VIEW w AS SELECT "B", _row_id FROM t',
        "CREATE VIEW w AS SELECT a FROM (SELECT *, 1 AS one FROM t) AS s WHERE one = 1",
        "CREATE VIEW w AS SELECT s.* FROM (SELECT a FROM t UNION ALL SELECT a FROM v) AS s WHERE s.a > 0",
        "CREATE VIEW w AS SELECT name FROM rw_catalog.rw_relations",
        "CREATE VIEW w AS SELECT (SELECT max(n) FROM v WHERE v.a = t.a) AS most FROM t",
        "CREATE VIEW w AS SELECT t FROM t",
    ],
)
def test_what_is_right_is_let_alone(text: str) -> None:
    assert problems(BASE + text) == []


def test_two_and_more_problems_are_one_error() -> None:
    with pytest.raises(InvalidStatement, match="2 problems in the SQL files") as caught:
        catalogue(BASE + "CREATE VIEW w AS SELECT b FROM v; CREATE VIEW x AS SELECT c FROM v;").check()
    assert caught.value.detail is not None
    assert "f.sql:4: column b of v does not exist" in caught.value.detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE VIEW v AS SELECT a::int FROM t", "create view public.v as select cast(A as integer) from t as t;"),
        ("CREATE MATERIALIZED VIEW v AS SELECT a FROM TUMBLE(t, ts, INTERVAL '1 minute')",
         "CREATE MATERIALIZED VIEW v AS SELECT a /* x */ FROM TUMBLE(t, ts, INTERVAL '1 minute') AS t"),
        ("CREATE TABLE t (a varchar)", "CREATE TABLE IF NOT EXISTS t (a character varying)"),
        ("CREATE SINK s FROM v WITH (a = 'b', c = 'd')", "create sink s from v with (c = 'd', a = 'b')"),
    ],
)  # fmt: skip
def test_spellings_have_one_fingerprint(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CREATE VIEW v AS SELECT 'a'", "CREATE VIEW v AS SELECT 'A'"),
        ("CREATE VIEW v AS SELECT a FROM t", "CREATE VIEW v AS SELECT a FROM t AS u"),
        ("CREATE MATERIALIZED VIEW v AS SELECT a FROM t", "CREATE VIEW v AS SELECT a FROM t"),
        ("CREATE MATERIALIZED VIEW v AS SELECT a FROM t", "CREATE MATERIALIZED VIEW v AS SELECT a FROM t EMIT ON WINDOW CLOSE"),
        ("CREATE TABLE t (a int)", "CREATE TABLE t (a int) APPEND ONLY"),
        ("CREATE SINK s FROM v WITH (a = 'b')", "CREATE SINK s FROM v WITH (a = 'c')"),
        ("CREATE MATERIALIZED VIEW v WITH (retention_seconds = 1) AS SELECT a FROM t",
         "CREATE MATERIALIZED VIEW v WITH (retention_seconds = 2) AS SELECT a FROM t"),
    ],
)  # fmt: skip
def test_meanings_have_their_own(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_lineage_up_and_down(product: Catalogue) -> None:
    found = relation_lineage(product, "readings_10s")
    names = {str(p) for p in found.points}
    assert {"readings_raw", "devices", "readings", "baselines", "anomalies_zscore", "alerts"} <= names
    assert "rejects" not in names
    assert {(str(e.origin), str(e.reader)) for e in found.edges} >= {
        ("readings", "readings_10s"),
        ("anomalies", "alerts"),
    }
    assert ("readings", "anomalies_zscore") not in {(str(e.origin), str(e.reader)) for e in found.edges}
    assert as_json(found, product)["relations"][0]["file"].endswith("readings_raw.sql")


def test_lineage_of_a_column(product: Catalogue) -> None:
    found = column_lineage(product, "baselines", "mean")
    edges = [f"{e.origin} -> {e.reader}" for e in found.edges]
    assert "readings_10s.total -> baselines.mean" in edges
    assert "readings_raw.data -> messages.value" in edges
    assert "baselines.mean -> anomalies_zscore.detail" in edges
    assert not [e for e in edges if "device_id" in e]
    with pytest.raises(UndefinedObject, match='"baselines" has no column "men"'):
        column_lineage(product, "baselines", "men")
    with pytest.raises(UndefinedObject, match="did you mean baselines"):
        column_lineage(product, "baseline", "mean")


def test_mermaid_names_every_relation_once() -> None:
    found = catalogue(BASE)
    text = as_mermaid(relation_lineage(found), found)
    assert text.splitlines() == ["flowchart LR", '    n0[("t")]', '    n1["v"]', "    n0 --> n1"]
