"""COPY ... FROM STDIN and TO STDOUT through the front door: a COPY means what the INSERTs of its rows would mean, or nothing."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import errors
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

from engine.catalog.schema import COPY_GRANTS
from engine.wire import copy_rows
from engine.wire.protocol import SYNC, Cancel, decode_fields, encode, encode_cancel, encode_query
from tests.clients.conftest import LiveRelay
from tests.clients.test_psql import PSQL, psql
from tests.clients.test_raw_bytes import Wire, bind, describe, execute, parse

FLUSH = encode(b"H")
DONE = encode(b"c")


def data(*rows: str) -> bytes:
    """One CopyData a row."""
    return b"".join(encode(b"d", f"{row}\n".encode()) for row in rows)


def fail(reason: str = "no more") -> bytes:
    return encode(b"f", reason.encode() + b"\0")


@pytest.fixture
def client(live: LiveRelay) -> Iterator[psycopg.Connection]:
    with psycopg.connect(live.url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def wire(live: LiveRelay) -> Iterator[Wire]:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    wire = Wire(live.relay.port)
    wire.log_in(live.engine.database)
    yield wire
    wire.close()


def copy(client: psycopg.Connection, statement: str, text: str) -> None:
    with client.cursor().copy(statement) as stream:
        stream.write(text)


# What a COPY means


def test_a_view_over_a_copied_table_is_its_batch(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, g int, v float)", "CREATE TABLE log (g int, v int) APPEND ONLY"
    )
    live.engine.view("groups", "SELECT g, count(*) AS n, sum(v) AS s, max(id) AS m FROM t GROUP BY g")
    live.engine.view("joined", "SELECT log.g, log.v, t.id FROM log JOIN t ON log.g = t.g")
    for start in (0, 500, 200):
        with client.cursor().copy("COPY t FROM STDIN") as stream:
            for number in range(start, start + 700):
                stream.write_row((number % 900, number % 7, number / 3))
        copy(client, "COPY log FROM STDIN", "".join(f"{n % 9}\t{n}\n" for n in range(40)))
        client.execute("FLUSH")
        live.engine.check()
    client.execute("DELETE FROM t WHERE g = 3")
    copy(client, "COPY t (id, g) FROM STDIN", "1\t3\n2\t3\n1\t4\n")
    client.execute("FLUSH")
    live.engine.check()


def test_the_last_row_of_a_key_wins(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (a int, b varchar, v int, PRIMARY KEY (a, b))")
    live.engine.view("sums", "SELECT a, sum(v) AS s FROM t GROUP BY a")
    client.execute("INSERT INTO t VALUES (1, 'x', 1), (2, NULL, 2)")
    copy(client, "COPY t FROM STDIN", "1\tx\t10\n1\ty\t20\n2\t\\N\t30\n1\tx\t11\n2\t\\N\t31\n")
    client.execute("FLUSH")
    assert live.rows("SELECT * FROM t ORDER BY a, b") == [(1, "x", 11), (1, "y", 20), (2, None, 31)]
    live.engine.check()


def test_defaults_generated_columns_and_column_lists(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl(
        'CREATE TABLE "T x" (id int, "V v" int DEFAULT 7, twice int AS (id * 2), at varchar DEFAULT \'now\')'
    )
    copy(client, 'COPY "T x" FROM STDIN', "1\t2\there\n")
    copy(
        client, 'COPY public."T x" ("V v", id) FROM STDIN WITH (FORMAT csv, HEADER match)', '"V v",id\n3,4\n'
    )
    copy(client, "COPY \"T x\" (id) FROM STDIN WITH (DELIMITER '|', NULL '-')", "6\n-\n")
    assert live.rows('SELECT * FROM "T x" ORDER BY id') == [
        (1, 2, 2, "here"),
        (4, 3, 8, "now"),
        (6, 7, 12, "now"),
        (None, 7, None, "now"),
    ]
    with pytest.raises(errors.UndefinedColumn, match='column "_row_id" of relation "T x" does not exist'):
        copy(client, 'COPY "T x" (id, _row_id) FROM STDIN', "1\t1\n")
    with pytest.raises(errors.Error, match="generated column"):
        copy(client, 'COPY "T x" (id, twice) FROM STDIN', "1\t2\n")


def test_text_csv_and_binary_go_in_and_come_out(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v varchar, f float, at timestamptz, j jsonb, b bytea)",
        "CREATE MATERIALIZED VIEW m AS SELECT * FROM t",
        "CREATE VIEW v AS SELECT * FROM t",
    )
    types = ["int4", "varchar", "float8", "timestamptz", "jsonb", "bytea"]
    with client.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as stream:
        stream.set_types(types)
        stream.write_row(
            (
                1,
                'tab\tquote"new\nline\\',
                1.5,
                datetime(2026, 1, 1, tzinfo=UTC),
                Jsonb({"a": [1]}),
                b"\x00\xff",
            )
        )
        stream.write_row((2, None, float("inf"), None, None, b""))
        stream.write_row((3, "", None, None, None, None))
    client.execute("FLUSH")
    expected = client.execute("SELECT * FROM t ORDER BY id").fetchall()
    assert [row[1] for row in expected] == ['tab\tquote"new\nline\\', None, ""]
    for options in ("", "WITH (FORMAT csv, HEADER)", "(FORMAT binary)"):
        for relation in ("t", "m", "v", "(SELECT * FROM m WHERE id > 0)"):
            with client.cursor().copy(f"COPY {relation} TO STDOUT {options}") as out:
                content = b"".join(out)
            client.execute("DELETE FROM t")
            with client.cursor().copy(f"COPY t FROM STDIN {options}") as back:
                back.write(content)
            client.execute("FLUSH")
            assert client.execute("SELECT * FROM t ORDER BY id").fetchall() == expected, (options, relation)
    live.engine.check()


def test_an_append_only_table_takes_rows_and_keeps_refusing_other_changes(
    live: LiveRelay, client: psycopg.Connection
) -> None:
    live.engine.ddl(
        "CREATE TABLE log (a int) APPEND ONLY",
        "CREATE TABLE brief (a int) APPEND ONLY WITH (retention_seconds = 3600)",
    )
    copy(client, "COPY log FROM STDIN", "1\n1\n")
    copy(client, "COPY brief FROM STDIN", "2\n")
    assert live.rows("SELECT * FROM brief") == [(2,)]
    with pytest.raises(errors.FeatureNotSupported, match="append-only"):
        client.execute("DELETE FROM log")
    assert live.rows("SELECT * FROM log") == [(1,), (1,)]


# What is refused


@pytest.mark.parametrize(
    ("statement", "error", "message"),
    [
        ("COPY v FROM STDIN", errors.WrongObjectType, 'cannot copy into view "v"'),
        ("COPY m FROM STDIN", errors.WrongObjectType, 'cannot copy into materialized view "m"'),
        ("COPY s FROM STDIN", errors.WrongObjectType, 'cannot copy into source "s"'),
        ("COPY nothing FROM STDIN", errors.UndefinedTable, 'relation "nothing" does not exist'),
        ("COPY engine.objects FROM STDIN", errors.UndefinedTable, 'relation "objects" does not exist'),
        ("COPY pg_class FROM STDIN", errors.WrongObjectType, 'cannot copy into system table "pg_class"'),
        ("COPY t (x) FROM STDIN", errors.UndefinedColumn, 'column "x" of relation "t" does not exist'),
        (
            "COPY t FROM STDIN (FORMAT parquet)",
            errors.InvalidParameterValue,
            'COPY format "parquet" not recognized',
        ),
        ("COPY t FROM '/etc/passwd'", errors.FeatureNotSupported, "COPY FROM a file or program"),
        ("COPY (SELECT 1) FROM STDIN", errors.SyntaxError, "syntax error"),
    ],
)
def test_refusals(
    live: LiveRelay, client: psycopg.Connection, monkeypatch: pytest.MonkeyPatch,
    statement: str, error: type[psycopg.Error], message: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("engine.ddl.create_source.start_positions", lambda _spec: {})
    options = "(connector = 'kafka', topic = 't', properties.bootstrap.server = 'nowhere:1') FORMAT PLAIN ENCODE JSON"
    live.engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY)",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE MATERIALIZED VIEW m AS SELECT id FROM t",
        f"CREATE SOURCE s (id int) WITH {options}",
    )
    with pytest.raises(error, match=message) as caught:
        copy(client, statement, "1\n")
    assert "table_" not in str(caught.value.diag.message_primary)
    copy(client, "COPY t FROM STDIN", "1\n")
    assert live.rows("SELECT * FROM t") == [(1,)]


def test_the_read_only_role_and_a_read_only_transaction(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    with (
        psycopg.connect(live.url.replace("root@", "dashboard@"), autocommit=True) as reader,
        pytest.raises(errors.InsufficientPrivilege, match="role dashboard may only read"),
    ):
        copy(reader, "COPY t FROM STDIN", "1\n")
    client.execute("BEGIN READ ONLY")
    with pytest.raises(errors.ReadOnlySqlTransaction):
        copy(client, "COPY t FROM STDIN", "1\n")
    with pytest.raises(errors.InFailedSqlTransaction):
        copy(client, "COPY t FROM STDIN", "1\n")
    client.execute("ROLLBACK")
    copy(client, "COPY t FROM STDIN", "1\n")
    assert live.rows("SELECT * FROM t") == [(1,)]


def test_the_table_behind_is_not_shown_and_not_for_changing(
    live: LiveRelay, client: psycopg.Connection
) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    table = f"engine.table_{live.rows('SELECT id FROM rw_catalog.rw_tables')[0][0]}"
    for relation in ("tables", "columns", "column_privileges"):
        shown = client.execute(
            f"SELECT table_name FROM information_schema.{relation} WHERE table_schema <> 'pg_catalog'"
        )
        assert not [name for (name,) in shown if re.match(r"table_\d", name)], relation
    for query in ("SELECT nspname FROM pg_namespace", "SHOW SCHEMAS"):
        assert ("engine",) not in client.execute(query).fetchall()
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET id = 1"):
        with pytest.raises(errors.InsufficientPrivilege):
            client.execute(statement)


def test_a_database_of_an_older_version_gets_the_rights(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY, g int AS (id + 1))", "CREATE TABLE u (v int)")
    superuser = live.engine.flow.connection
    superuser.execute("REVOKE INSERT ON ALL TABLES IN SCHEMA engine FROM root")
    with pytest.raises(errors.InsufficientPrivilege):
        copy(client, "COPY t FROM STDIN", "1\n")
    superuser.execute(COPY_GRANTS)
    copy(client, "COPY t FROM STDIN", "1\n")
    copy(client, "COPY u FROM STDIN", "2\n")
    assert live.rows("SELECT * FROM t, u") == [(1, 2, 2)]


# All or nothing


def test_a_bad_row_aborts_the_copy_and_names_the_table(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL)")
    live.engine.view("m", "SELECT count(*) AS n FROM t")
    with pytest.raises(errors.InvalidTextRepresentation) as caught:
        copy(client, "COPY t FROM STDIN", "1\t1\n2\tx\n3\t3\n")
    assert caught.value.diag.context == 'COPY t, line 2, column v: "x"'
    with pytest.raises(errors.NotNullViolation, match='column "v" of relation "t"') as missing:
        copy(client, "COPY t FROM STDIN", "1\t1\n2\t\\N\n")
    assert (missing.value.diag.schema_name, missing.value.diag.table_name) == ("public", "t")
    assert client.info.transaction_status == TransactionStatus.IDLE
    client.execute("FLUSH")
    assert live.rows("SELECT * FROM m") == [(0,)]
    copy(client, "COPY t FROM STDIN WITH (ON_ERROR ignore)", "1\t1\n2\tx\n3\t3\n")
    client.execute("FLUSH")
    assert live.rows("SELECT * FROM m") == [(2,)]


def test_a_client_that_breaks_off_leaves_nothing(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    with pytest.raises(ZeroDivisionError), client.cursor().copy("COPY t FROM STDIN") as stream:
        stream.write("1\n2\n")
        raise ZeroDivisionError
    assert client.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_cancel_reaches_a_copy_whose_client_says_nothing(
    live: LiveRelay, client: psycopg.Connection
) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    with (
        pytest.raises(errors.QueryCanceled, match="user request"),
        client.cursor().copy("COPY t FROM STDIN") as stream,
    ):
        stream.write("1\n")
        client.cancel_safe(timeout=10)
    assert client.execute("SELECT count(*) FROM t").fetchone() == (0,)
    copy(client, "COPY t FROM STDIN", "1\n")


def test_implicit_flush_waits_for_the_barrier(live: LiveRelay, client: psycopg.Connection) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY)")
    live.engine.view("m", "SELECT count(*) AS n FROM t")
    client.execute("SET rw_implicit_flush = true")
    copy(client, "COPY t FROM STDIN", "1\n2\n")
    assert live.rows("SELECT n FROM m") == [(2,)]
    assert live.relay.flow.requests == [{"op": "flush"}]
    with client.cursor().copy("COPY t TO STDOUT") as out:
        assert list(out.rows()) == [("1",), ("2",)]


# The sub-protocol


def test_messages_in_one_piece_and_byte_by_byte(live: LiveRelay, wire: Wire) -> None:
    whole = (
        encode_query("COPY t FROM STDIN")
        + data("1\ta")
        + FLUSH
        + SYNC
        + encode(b"d", b"2\t")
        + encode(b"d", b"b\n")
        + DONE
    )
    wire.send(whole)
    assert wire.kinds() == b"GCZ"
    wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in encode_query("DELETE FROM t") + whole.replace(b"1\ta", b"3\tc"):
        wire.send(bytes((byte,)))
    assert (wire.kinds(), wire.kinds()) == (b"CZ", b"GCZ")
    assert live.rows("SELECT * FROM t ORDER BY id") == [(2, "b"), (3, "c")]


def test_several_statements_in_a_string(live: LiveRelay, wire: Wire) -> None:
    wire.send(encode_query("COPY t FROM STDIN; SELECT 1; COPY t FROM STDIN; COPY t TO STDOUT"))
    wire.send(data("1\ta") + DONE + data("2\tb") + DONE)
    assert wire.kinds() == b"GCTDCGCHddcCZ"
    wire.send(encode_query("COPY t FROM STDIN; SELECT 1") + data("x\ty") + DONE + encode_query("SELECT 2"))
    assert (wire.kinds(), wire.kinds()) == (b"GEZ", b"TDCZ")


def test_the_extended_protocol(live: LiveRelay, wire: Wire) -> None:
    start = parse("", "COPY t FROM STDIN") + bind("", "") + describe("P", "") + execute("")
    for messages in (
        start + data("1\ta") + DONE + SYNC,
        start + SYNC + FLUSH + data("2\tb") + SYNC + DONE + SYNC,  # libpq: Sync before it knows of the COPY
    ):
        wire.send(messages)
        assert wire.kinds() == b"12nGCZ"
    wire.send(start + data("3\tc", "x\tx", "4\td") + DONE + SYNC + encode_query("SELECT 1"))
    assert (wire.kinds(), wire.kinds()) == (b"12nGEZ", b"TDCZ")
    wire.send(start + fail() + parse("", "SELECT 1") + SYNC)
    assert wire.kinds() == b"12nGEZ"
    wire.send(parse("", "COPY nothing FROM STDIN") + bind("", "") + execute("") + data("1\t1") + DONE + SYNC)
    assert wire.kinds() == b"12EZ"
    assert live.rows("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b")]


def test_implicit_flush_in_the_extended_protocol_waits_at_sync(live: LiveRelay, wire: Wire) -> None:
    live.engine.view("m", "SELECT count(*) AS n FROM t")
    wire.send(encode_query("SET rw_implicit_flush = true"))
    assert wire.kinds() == b"CZ"
    wire.send(parse("", "COPY t FROM STDIN") + bind("", "") + execute("") + SYNC + data("1\ta") + DONE + SYNC)
    assert wire.kinds() == b"12GCZ"
    assert live.rows("SELECT n FROM m") == [(1,)]
    wire.send(parse("", "COPY t FROM STDIN") + bind("", "") + execute("") + fail() + SYNC)
    assert wire.kinds() == b"12GEZ"
    assert live.relay.flow.requests == [{"op": "flush"}]


def test_a_prepared_copy_follows_the_name(live: LiveRelay, wire: Wire) -> None:
    live.engine.ddl("CREATE TABLE u (v varchar PRIMARY KEY, id int)")
    run = bind("", "c") + execute("") + data("1\t2") + DONE + SYNC
    wire.send(parse("c", "COPY t FROM STDIN") + run)
    assert wire.kinds() == b"12GCZ"
    live.engine.ddl("ALTER TABLE t SWAP WITH u")
    wire.send(run)
    assert wire.kinds() == b"2GCZ"
    assert (live.rows("SELECT * FROM u"), live.rows("SELECT * FROM t")) == ([(1, "2")], [("1", 2)])
    live.engine.ddl("ALTER TABLE t RENAME TO w")
    wire.send(run)
    assert wire.kinds() == b"2EZ"


def test_copy_fail_says_why(wire: Wire) -> None:
    wire.send(encode_query("COPY t FROM STDIN") + data("1\ta") + fail("the file ended early"))
    messages = wire.until_ready()
    fields = decode_fields(messages[1][1])
    assert (fields["C"], fields["M"]) == ("57014", "COPY from stdin failed: the file ended early")


def test_what_follows_an_error_is_ignored_even_in_the_middle_of_a_row(live: LiveRelay, wire: Wire) -> None:
    half = encode(b"d", b"2\t" + b"b" * 100_000 + b"\n")
    wire.send(encode_query("COPY t FROM STDIN") + data("wrong\ta") + half[:5_000])
    assert wire.kinds() == b"GEZ"
    wire.send(half[5_000:60_000])
    wire.send(half[60_000:] + data("3\tc") + DONE + encode_query("SELECT 1"))
    assert wire.kinds() == b"TDCZ"
    assert live.rows("SELECT * FROM t") == []


def test_other_messages_during_a_copy_end_the_connection(live: LiveRelay, wire: Wire) -> None:
    wire.send(encode_query("COPY t FROM STDIN") + data("1\ta") + encode_query("SELECT 1"))
    assert wire.read()[0] == b"G"
    assert wire.ended()["C"] == "08P01"
    wait_for_lock(live)
    assert live.rows("SELECT * FROM t") == []


@pytest.mark.parametrize("last", [b"", encode(b"d", b"2\tb\n" * 100)[:50], encode(b"X")])
def test_a_client_that_dies_leaves_nothing(live: LiveRelay, wire: Wire, last: bytes) -> None:
    wire.send(encode_query("COPY t FROM STDIN") + data("1\ta"))
    assert wire.read()[0] == b"G"
    wire.send(last)
    wire.close()
    wait_for_lock(live)
    assert live.rows("SELECT * FROM t") == []


def wait_for_lock(live: LiveRelay) -> None:
    """Insert as soon as no COPY has its turn at the table any more."""
    live.engine.run("INSERT INTO t VALUES (7, 'x')")
    live.engine.run("DELETE FROM t WHERE id = 7")


def test_a_client_that_falls_silent_is_given_up(
    live: LiveRelay, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_rows, "COPY_IDLE_S", 0.05)
    wire.send(encode_query("COPY t FROM STDIN") + data("1\ta"))
    messages = wire.until_ready()
    assert [kind for kind, _ in messages] == [b"G", b"E", b"Z"]
    assert decode_fields(messages[1][1])["M"] == "COPY from stdin failed: no row came for 0.05 s"
    wire.send(data("2\tb") + DONE + encode_query("COPY t FROM STDIN") + encode(b"d", b"3\tc\n")[:7])
    assert wire.read()[0] == b"G"
    assert wire.ended()["M"] == "COPY from stdin failed: no more of a row came for 0.05 s"
    wait_for_lock(live)


def test_a_cancel_in_the_middle_of_a_row_takes_effect_at_its_end(live: LiveRelay) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    wire, other = Wire(live.relay.port), Wire(live.relay.port)
    key = dict(wire.log_in(live.engine.database))[b"K"]
    row = encode(b"d", b"1\t" + b"a" * 1000 + b"\n")
    wire.send(encode_query("COPY t FROM STDIN") + row[:100])
    assert wire.read()[0] == b"G"
    other.send(encode_cancel(Cancel(struct.unpack("!i", key[:4])[0], key[4:])))
    assert other.socket.recv(1) == b""
    wire.send(row[100:])
    (kind, body), _ready = wire.until_ready()
    assert (kind, decode_fields(body)["C"]) == (b"E", "57014")
    other.close()
    wire.close()


def test_a_slow_server_holds_the_client_back(live: LiveRelay, wire: Wire) -> None:
    table = live.rows("SELECT id FROM rw_catalog.rw_tables")[0][0]
    row = encode(b"d", b"1\t" + b"x" * 60_000 + b"\n")
    with live.engine.flow.connection.transaction():
        live.engine.flow.connection.execute(
            "SELECT pg_advisory_xact_lock(4566, %s)", (table,)
        )  # the table's turn
        wire.send(encode_query("COPY t FROM STDIN"))
        assert wire.read()[0] == b"G"
        wire.socket.settimeout(0.5)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += wire.socket.send((row * 20)[sent % len(row) :])
                assert sent < 200_000_000, "nobody held the client back"
        (connection,) = [c for c in live.relay.server.connections if c.blocked]
        assert connection.waiting_bytes < 2_000_000
    wire.socket.settimeout(20)
    wire.send(row[sent % len(row) :] + data("2\tb") + DONE)
    assert wire.kinds() == b"CZ"
    assert live.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,)]


def test_a_row_longer_than_any_message_that_is_kept_passes_through(
    live: LiveRelay, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.wire.session.protocol.MAX_MESSAGE_BYTES", 100_000)
    wire.send(
        encode_query("COPY t FROM STDIN")
        + encode(b"d", b"".join(b"%d\tx\n" % n for n in range(60_000)))
        + DONE
    )
    assert wire.kinds() == b"GCZ"
    assert live.rows("SELECT count(*) FROM t") == [(60_000,)]


# psql


@pytest.mark.skipif(PSQL is None, reason="psql is not installed")
def test_psql_copies_files_both_ways(live: LiveRelay, tmp_path: Path) -> None:
    live.engine.ddl("CREATE TABLE t (id int PRIMARY KEY, v varchar)")
    source, target = tmp_path / "in.csv", tmp_path / "out.tsv"
    source.write_text('v,id\n"a, b",1\nold,2\nnew,2\n')
    output = psql(
        live.relay, rf"\copy t (v, id) from '{source}' with (format csv, header)", rf"\copy t to '{target}'"
    )
    assert "COPY 3" in output
    assert sorted(target.read_text().splitlines()) == ["1\ta, b", "2\tnew"]
    source.write_text("3\tx\nwrong\ty\n")
    output = psql(live.relay, rf"\copy t from '{source}'", check=False)
    assert 'invalid input syntax for type integer: "wrong"' in output
    assert "COPY t, line 2, column id" in output
    assert live.rows("SELECT count(*) FROM t") == [(2,)]
