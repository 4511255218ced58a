"""ALTER as clients meet it: names in every list at once, statements prepared before, a change of a view without a gap."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from tailrace import migrate
from tests.clients.conftest import LiveRelay
from tests.clients.test_psql import PSQL, listed, psql

REVISIONS = {
    "0001_first": '''
"""Readings and a view over them."""
from alembic import op
revision, down_revision = "0001", None

def upgrade() -> None:
    op.create_table("readings", "CREATE TABLE readings (id int PRIMARY KEY, site varchar)")
    op.create_materialized_view("by_site",
        "CREATE MATERIALIZED VIEW by_site AS SELECT site, count(*) AS n FROM readings GROUP BY site")

def downgrade() -> None:
    op.drop_materialized_view("by_site")
    op.drop_table("readings")
''',
    "0002_take_over": '''
"""Count them twice, without a moment in which nobody can read by_site."""
from alembic import op
revision, down_revision = "0002", "0001"
NEW = "CREATE MATERIALIZED VIEW by_site_new AS SELECT site,"

def upgrade() -> None:
    op.create_materialized_view("by_site_new", f"{NEW} count(*) * 2 AS n FROM readings GROUP BY site")
    op.swap_materialized_views("by_site", "by_site_new")
    op.drop_materialized_view("by_site_new")
    op.rename_table("readings", "all_readings")

def downgrade() -> None:
    op.rename_table("all_readings", "readings")
    op.create_materialized_view("by_site_new", f"{NEW} count(*) AS n FROM readings GROUP BY site")
    op.swap_materialized_views("by_site", "by_site_new")
    op.drop_materialized_view("by_site_new")
''',
}  # fmt: skip


@pytest.fixture
def client(live: LiveRelay) -> Iterator[psycopg.Connection]:
    with psycopg.connect(live.url, autocommit=True) as connection:
        yield connection


def test_tags_notices_and_lists(live: LiveRelay, client: psycopg.Connection) -> None:
    notices: list[str] = []
    client.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    client.execute("CREATE TABLE t (id int PRIMARY KEY, g int)")
    client.execute("CREATE MATERIALIZED VIEW a AS SELECT g FROM t")
    client.execute("CREATE MATERIALIZED VIEW b AS SELECT g, 1 AS one FROM t")
    client.execute("CREATE VIEW over_a AS SELECT g FROM a")
    assert client.execute("ALTER TABLE t RENAME TO u").statusmessage == "ALTER_TABLE"
    assert client.execute("ALTER MATERIALIZED VIEW a SWAP WITH b").statusmessage == "ALTER_MATERIALIZED_VIEW"
    assert notices == [
        'still attached to what was "a" and is now "b": view over_a; rebuild them if they should follow the name "a"'
    ]
    assert client.execute("SHOW TABLES").fetchall() == [("public.u",)]
    assert client.execute("SHOW CREATE MATERIALIZED VIEW a").fetchall() == [
        ("public.a", "CREATE MATERIALIZED VIEW a AS SELECT g, 1 AS one FROM u AS t")
    ]
    assert client.execute("SHOW CREATE VIEW over_a").fetchall() == [
        ("public.over_a", "CREATE VIEW over_a AS SELECT g FROM b AS a")
    ]
    with pytest.raises(errors.UndefinedTable, match="table, source, sink or view not found: t"):
        client.execute("DESCRIBE t")
    with pytest.raises(errors.WrongObjectType, match="one is a table, the other a materialized view"):
        client.execute("ALTER TABLE u SWAP WITH a")
    client.execute("BEGIN READ ONLY")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        client.execute("ALTER TABLE u RENAME TO t")
    client.execute("ROLLBACK")
    with psycopg.connect(live.url.replace("root@", "dashboard@"), autocommit=True) as reader:
        assert reader.execute("SELECT * FROM u").fetchall() == []
        with pytest.raises(errors.InsufficientPrivilege):
            reader.execute("ALTER TABLE u RENAME TO t")


def test_statements_prepared_before(live: LiveRelay) -> None:
    with psycopg.connect(live.url, autocommit=True, prepare_threshold=0) as client:
        client.execute("CREATE TABLE a (id int PRIMARY KEY)")
        client.execute("CREATE TABLE b (id int PRIMARY KEY)")
        for _ in range(7):
            client.execute("INSERT INTO a VALUES (%s)", (1,))
            assert client.execute("SELECT * FROM a").fetchall() == [(1,)]
            assert len(client.execute("SHOW CREATE TABLE a").fetchall()) == 1
        client.execute("ALTER TABLE a SWAP WITH b")
        assert client.execute("SELECT * FROM a").fetchall() == []
        client.execute("INSERT INTO a VALUES (%s)", (2,))
        assert client.execute("SELECT * FROM b").fetchall() == [(1,)]
        client.execute("ALTER TABLE a RENAME TO c")
        for statement in ("SELECT * FROM a", "SHOW CREATE TABLE a"):
            with pytest.raises(errors.UndefinedTable):
                client.execute(statement)
        with pytest.raises(errors.UndefinedTable):
            client.execute("INSERT INTO a VALUES (%s)", (3,))
        assert client.execute("SELECT * FROM c").fetchall() == [(2,)]


@pytest.mark.skipif(PSQL is None, reason="psql is not installed")
def test_psql_shows_the_new_names(live: LiveRelay) -> None:
    psql(
        live.relay,
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        "CREATE INDEX by_g ON t (g)",
        "CREATE MATERIALIZED VIEW m AS SELECT g FROM t",
        "CREATE VIEW v AS SELECT g FROM t",
    )
    output = psql(
        live.relay, "ALTER TABLE t RENAME TO things", "ALTER INDEX by_g RENAME TO things_by_g",
        "ALTER MATERIALIZED VIEW m RENAME TO gs", "ALTER VIEW v RENAME TO w",
    )  # fmt: skip
    assert output.split() == ["ALTER_TABLE", "ALTER_INDEX", "ALTER_MATERIALIZED_VIEW", "ALTER_VIEW"]
    assert listed(psql(live.relay, r"\d")) == {"things": "table", "gs": "materialized view", "w": "view"}
    assert listed(psql(live.relay, r"\di")) == {"things_by_g": "index"}
    assert 'Table "public.things"' in psql(live.relay, r"\d things")
    assert psql(live.relay, "SHOW INDEXES FROM things", aligned=False) == "things_by_g|things|g ASC|id|g\n"
    assert "FROM things AS t" in psql(live.relay, r"\d+ gs")
    assert 'Did not find any relation named "t"' in psql(live.relay, r"\d t", check=False)


def test_a_migration_takes_over_from_the_view_that_is_read(live: LiveRelay, tmp_path: Path) -> None:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(
        "from alembic import context\nfrom tailrace.migrate.environment import run\nrun(context)\n"
    )
    for name, text in REVISIONS.items():
        (tmp_path / "versions" / f"{name}.py").write_text(text)
    migrate.upgrade(live.url, "0001", directory=tmp_path)
    with psycopg.connect(live.url, autocommit=True) as client:
        client.execute("INSERT INTO readings VALUES (1, 'a'), (2, 'a')")
        client.execute("FLUSH")
        migrate.upgrade(live.url, directory=tmp_path)
        assert client.execute("SELECT * FROM by_site").fetchall() == [("a", 4)]
        client.execute("INSERT INTO all_readings VALUES (3, 'a')")
        client.execute("FLUSH")
        assert client.execute("SELECT * FROM by_site").fetchall() == [("a", 6)]
        migrate.downgrade(live.url, "0001", directory=tmp_path)
        assert client.execute("SELECT * FROM by_site").fetchall() == [("a", 3)]
        assert client.execute("SELECT count(*) FROM readings").fetchone() == (3,)
    migrate.downgrade(live.url, directory=tmp_path)


def test_comments_are_shown_and_stay_with_the_object(live: LiveRelay, client: psycopg.Connection) -> None:
    client.execute('CREATE TABLE t (id int PRIMARY KEY, "G g" int)')
    client.execute("CREATE MATERIALIZED VIEW m AS SELECT id FROM t")
    assert client.execute("COMMENT ON TABLE public.t IS 'it''s; all'").statusmessage == "COMMENT"
    client.execute("COMMENT ON COLUMN t.\"G g\" IS 'two words'")
    client.execute("COMMENT ON MATERIALIZED VIEW m IS 'ids'")
    client.execute("ALTER TABLE t RENAME TO u")
    assert [(row[0], row[3]) for row in client.execute("DESCRIBE u")] == [
        ("id", None), ('"G g"', "two words"), ("_rw_timestamp", None), ("primary key", None),
        ("distribution key", None), ("table description", "it's; all"),
    ]  # fmt: skip
    assert [row[3] for row in client.execute("SHOW COLUMNS FROM u")] == [None, "two words", None]
    described = "SELECT objsubid, description FROM rw_catalog.rw_description ORDER BY 2"
    assert client.execute(described).fetchall() == [(None, "ids"), (None, "it's; all"), (2, "two words")]
    client.execute("COMMENT ON TABLE u IS NULL")
    client.execute("COMMENT ON COLUMN public.u.\"G g\" IS ''")
    assert client.execute(described).fetchall() == [(None, "ids")]


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("COMMENT ON TABLE nothing IS 'x'", errors.UndefinedTable, 'relation "nothing" does not exist'),
        (
            "COMMENT ON TABLE m IS 'x'",
            errors.WrongObjectType,
            '"m" is not a table: it is a materialized view',
        ),
        ("COMMENT ON COLUMN v.id IS 'x'", errors.WrongObjectType, "it is a view"),
        ("COMMENT ON COLUMN t.x IS 'x'", errors.UndefinedColumn, 'column "x" does not exist in "t"'),
        ("COMMENT ON COLUMN t._row_id IS 'x'", errors.UndefinedColumn, "_row_id"),
        ("COMMENT ON COLUMN id IS 'x'", errors.SyntaxError, "Invalid column: id"),
        ("COMMENT ON COLUMN other.t.id IS 'x'", errors.UndefinedTable, 'relation "other.t" does not exist'),
        ("COMMENT ON INDEX i IS 'x'", errors.FeatureNotSupported, "COMMENT ON INDEX"),
        ("COMMENT ON TABLE t IS 5", errors.SyntaxError, 'at or near "5"'),
        ("COMMENT ON TABLE t IS 'x' 'y'", errors.SyntaxError, "at or near \"'y'\""),
        ("COMMENT ON TABLE t", errors.SyntaxError, "end of input"),
    ],
)
def test_comments_that_are_refused(
    live: LiveRelay, client: psycopg.Connection, statement: str, error: type[psycopg.Error], message: str
) -> None:
    for sql in ("TABLE t (id int)", "MATERIALIZED VIEW m AS SELECT id FROM t", "VIEW v AS SELECT id FROM t"):
        client.execute(f"CREATE {sql}")
    with pytest.raises(error, match=message):
        client.execute(statement)
    assert client.execute("SELECT * FROM rw_catalog.rw_description").fetchall() == []


@pytest.mark.skipif(PSQL is None, reason="psql is not installed")
def test_psql_shows_comments_and_indexes(live: LiveRelay) -> None:
    psql(
        live.relay,
        "CREATE TABLE t (id int PRIMARY KEY, g int)",
        "CREATE INDEX by_g ON t (g)",
        "CREATE MATERIALIZED VIEW m AS SELECT g, count(*) AS n FROM t GROUP BY g",
        "CREATE INDEX by_n ON m (n)",
        "CREATE VIEW v AS SELECT g FROM t",
        "COMMENT ON TABLE t IS 'things'",
        "COMMENT ON COLUMN t.g IS 'their group'",
        "COMMENT ON MATERIALIZED VIEW m IS 'how many'",
    )
    for command in (r"\d t", r"\d+ t"):
        assert '"by_g" btree (g)' in psql(live.relay, command), command
    assert '"by_n" btree' in psql(live.relay, r"\d m")
    assert "Indexes" not in psql(live.relay, r"\d v")
    assert "their group" in psql(live.relay, r"\d+ t")
    assert "things" in psql(live.relay, r"\dt+")
    assert "how many" in psql(live.relay, r"\dm+")
    assert psql(live.relay, "SHOW INDEXES FROM m", aligned=False) == "by_n|m|n ASC|g|n\n"
    assert (
        psql(live.relay, "SHOW COLUMNS FROM t", aligned=False)
        == "id|integer|false|\ng|integer|false|their group\n_rw_timestamp|timestamp with time zone|true|\n"
    )
