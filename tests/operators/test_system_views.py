"""Plain views over the catalogs: made, read, and made again when a newer Tailrace makes the catalogs anew."""

from __future__ import annotations

from tests.support.flow import FlowUnderTest


def test_a_view_over_the_catalogs_outlives_them(engine: FlowUnderTest) -> None:
    engine.ddl(
        "CREATE TABLE t (a int)",
        "CREATE VIEW listed AS SELECT name, append_only FROM rw_tables",
        "CREATE VIEW counted AS SELECT count(*) AS n FROM listed",
    )
    assert engine.rows("SELECT * FROM listed") == [("t", False)]
    engine.flow.connection.execute("UPDATE engine.version SET visible = 'older'")
    engine.flow.connection.commit()
    engine.reopen()
    assert engine.rows("SELECT * FROM listed") == [("t", False)]
    assert engine.rows("SELECT * FROM counted") == [(1,)]
