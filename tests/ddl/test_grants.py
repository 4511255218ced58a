"""Users, owners and rights: PostgreSQL enforces what GRANT gives; statements about objects are their owners' and root's."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from engine.wire.plans import Lookup
from engine.wire.show import plan_describe, plan_show
from tailrace.errors import InvalidStatement, PermissionDenied, UndefinedObject, UnsupportedFeature
from tests.support.flow import FlowUnderTest

USER = "ann of the tests"


@pytest.fixture
def user(engine: FlowUnderTest) -> Iterator[str]:
    """A role such as CREATE USER makes; it may do what it is granted."""
    role = sql.Identifier(USER)
    with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
        try:
            yield f'"{USER}"'
        finally:
            engine.clear()
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


def may(engine: FlowUnderTest, relation: str, right: str) -> object:
    return engine.client.execute("SELECT has_table_privilege(%s, %s, %s)", (USER, relation, right)).fetchone()


def test_rights_on_relations_are_given_and_taken(engine: FlowUnderTest, user: str) -> None:
    engine.ddl(
        "CREATE TABLE t (k int)",
        "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t",
        f"GRANT SELECT, INSERT ON TABLE t TO {user} WITH GRANT OPTION GRANTED BY root",
        f"GRANT ALL PRIVILEGES ON ALL MATERIALIZED VIEWS IN SCHEMA public TO {user}",
    )
    assert may(engine, "t", "SELECT WITH GRANT OPTION, UPDATE") == (True,)
    assert may(engine, "t", "UPDATE") == (False,)
    assert may(engine, "m", "SELECT") == (True,)
    engine.ddl(
        f"REVOKE GRANT OPTION FOR ALL ON t FROM {user}",
        f"REVOKE SELECT ON ALL MATERIALIZED VIEWS IN SCHEMA public FROM {user}",
    )
    assert may(engine, "t", "SELECT WITH GRANT OPTION") == (False,)
    assert may(engine, "t", "SELECT") == (True,)
    assert may(engine, "m", "SELECT") == (False,)
    for statement, error in {
        f"GRANT INSERT ON m TO {user}": InvalidStatement,
        f"GRANT SELECT ON nothing TO {user}": UndefinedObject,
        "GRANT SELECT ON t TO nobody": UndefinedObject,
        f"GRANT INSERT ON SCHEMA public TO {user}": InvalidStatement,
        f"GRANT USAGE ON SECRET s TO {user}": UnsupportedFeature,
    }.items():
        with pytest.raises(error):
            engine.ddl(statement)


def test_statements_about_an_object_are_its_owners(engine: FlowUnderTest, user: str) -> None:
    engine.ddl("CREATE TABLE t (k int)", "CREATE INDEX i ON t (k)")

    def as_user(statement: str) -> None:
        engine.statements.execute(statement, user=USER)

    for statement in (
        "CREATE TABLE u (k int)",
        "CREATE VIEW v AS SELECT * FROM t",
        "DROP TABLE t",
        "ALTER TABLE t RENAME TO u",
    ):
        with pytest.raises(PermissionDenied):
            as_user(statement)
    engine.ddl(f"GRANT CREATE ON SCHEMA public TO {user}")
    with pytest.raises(PermissionDenied, match="has no SELECT on table t"):
        as_user("CREATE MATERIALIZED VIEW m AS SELECT * FROM t")
    engine.ddl(f"ALTER TABLE t OWNER TO {user}")
    as_user("CREATE MATERIALIZED VIEW m AS SELECT * FROM t")
    assert may(engine, "m", "SELECT") == (True,)
    assert engine.rows(
        "SELECT c.relname, pg_get_userbyid(c.relowner) FROM rw_catalog.pg_class AS c "
        "WHERE c.relname IN ('t', 'i', 'm') ORDER BY 1"
    ) == [("i", USER), ("m", USER), ("t", USER)]
    as_user("DROP TABLE t CASCADE")


def test_show_lists_what_a_user_owns_or_has_a_right_on(engine: FlowUnderTest, user: str) -> None:
    engine.ddl("CREATE TABLE t (k int)", "CREATE TABLE hidden (k int)", "CREATE INDEX i ON t (k)")
    engine.ddl("CREATE INDEX hidden_i ON hidden (k)", "CREATE SECRET s WITH (backend = 'meta') AS 'x'")

    def shown(statement: str) -> list[object]:
        plan = plan_describe(statement) if statement.startswith("DESCRIBE") else plan_show(statement)
        assert isinstance(plan, Lookup)
        with psycopg.connect(engine.server.dsn(dbname=engine.database), autocommit=True) as client:
            client.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(USER)))
            return [row[0] for row in client.execute(plan.sql).fetchall()]

    assert shown("SHOW TABLES") == shown("SHOW INDEXES") == shown("DESCRIBE t") == shown("SHOW SECRETS") == []
    engine.ddl(f"GRANT SELECT ON t TO {user}", f"ALTER SECRET s OWNER TO {user}")
    assert shown("SHOW TABLES") == ["public.t"]
    assert shown("SHOW INDEXES") == ["i"]
    assert shown("SHOW SECRETS") == ["public.s"]
    assert shown("DESCRIBE t")[0] == "k"
    assert shown("DESCRIBE pg_matviews")[0] == "schemaname"
    engine.ddl("ALTER SECRET s OWNER TO root", "DROP SECRET s")


def test_rights_that_new_objects_give_by_default(engine: FlowUnderTest, user: str) -> None:
    engine.ddl(
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {user} WITH GRANT OPTION",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL PRIVILEGES ON MATERIALIZED VIEWS TO {user}",
        f"ALTER DEFAULT PRIVILEGES GRANT CREATE ON SCHEMAS TO {user}",
        "CREATE SCHEMA other",
        "CREATE TABLE t (k int)",
        "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t",
        "CREATE MATERIALIZED VIEW other.m AS SELECT count(*) AS n FROM t",
    )
    assert may(engine, "t", "SELECT WITH GRANT OPTION") == may(engine, "m", "SELECT") == (True,)
    assert may(engine, "t", "INSERT") == may(engine, "other.m", "SELECT") == (False,)
    rows = engine.rows(f"SELECT has_schema_privilege('{USER}', 'other', 'CREATE')")
    assert rows == [(True,)]
    engine.reopen()
    engine.ddl(
        f"ALTER DEFAULT PRIVILEGES REVOKE GRANT OPTION FOR SELECT ON TABLES FROM {user}",
        f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM {user}",
        f"ALTER DEFAULT PRIVILEGES REVOKE ALL ON MATERIALIZED VIEWS FROM {user}",
        "CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM t",
        "CREATE TABLE u (k int)",
        "CREATE SCHEMA third",
    )
    assert may(engine, "u", "SELECT WITH GRANT OPTION") == may(engine, "n", "SELECT") == (False,)
    assert may(engine, "u", "SELECT") == may(engine, "t", "SELECT WITH GRANT OPTION") == (True,)
    assert engine.rows(f"SELECT has_schema_privilege('{USER}', 'third', 'CREATE')") == [(False,)]
    engine.ddl("DROP SCHEMA other CASCADE", "DROP SCHEMA third")
    for statement, error in {
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON SINKS TO {user}": UnsupportedFeature,
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SCHEMAS TO {user}": InvalidStatement,
        f"ALTER DEFAULT PRIVILEGES GRANT INSERT ON SOURCES TO {user}": InvalidStatement,
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO nobody": UndefinedObject,
    }.items():
        with pytest.raises(error):
            engine.ddl(statement)
