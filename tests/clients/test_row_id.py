"""`_row_id`, the hidden key of a table without a primary key: it can be named, and no star shows it."""

from __future__ import annotations

import psycopg
import pytest

from tests.clients.conftest import LiveRelay


def test_it_can_be_named_and_no_star_shows_it(live: LiveRelay) -> None:
    with psycopg.connect(live.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE t (a int, b int)")
        connection.execute("CREATE TABLE keyed (a int PRIMARY KEY)")
        connection.execute("INSERT INTO t VALUES (3, 0)")
        connection.execute("INSERT INTO t VALUES (1, 0), (2, 0)")
        in_order = [(3, 0), (1, 0), (2, 0)]
        assert connection.execute("SELECT * FROM t ORDER BY _row_id").fetchall() == in_order
        assert (
            connection.execute(
                "SELECT x.a, x.b FROM public.t AS x WHERE _row_id > %s ORDER BY x._row_id", (0,)
            ).fetchall()
            == in_order
        )
        simple = connection.pgconn.exec_(b"SELECT a FROM t ORDER BY _row_id DESC LIMIT 1")
        assert simple.get_value(0, 0) == b"2"
        assert connection.execute("SELECT count(DISTINCT _row_id) FROM t").fetchone() == (3,)
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT _row_id FROM keyed")
