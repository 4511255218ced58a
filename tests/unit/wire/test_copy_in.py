"""The client's part of a COPY FROM STDIN: whatever the pieces, PostgreSQL gets the rows and the end, and nothing else is lost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.copy_in import CopyStream, statement
from engine.wire.plans import CopyIn
from engine.wire.protocol import SYNC, encode, encode_query, naming
from tailrace.errors import TailraceError

ROWS = [["7", "table", "id", "f"], ["7", "table", "G g", "f"], ["7", "table", "twice", "t"]]


@given(
    st.lists(
        st.binary(max_size=40).map(lambda body: encode(b"d", body)) | st.sampled_from([SYNC, encode(b"H")])
    ),
    st.sampled_from([encode(b"c"), encode(b"f", b"why\0")]),
    st.lists(st.integers(min_value=1, max_value=30)),
)
def test_pieces_make_no_difference(messages: list[bytes], end: bytes, sizes: list[int]) -> None:
    behind = encode_query("SELECT 1")
    whole = b"".join(messages) + end + behind
    stream, inbox, passed, position = CopyStream(), bytearray(), b"", 0
    for size in (*sizes, len(whole)):
        inbox += whole[position : position + size]
        position += size
        passed += stream.take(inbox)
    assert passed == b"".join(m for m in messages if m[:1] == b"d") + end
    assert bytes(inbox) == behind
    assert (stream.flowing, stream.rest) == (False, 0)


def test_a_row_that_is_half_sent_is_finished_after_the_end() -> None:
    stream, row = CopyStream(), encode(b"d", b"0123456789")
    assert stream.take(bytearray(row[:8])) == row[:8]
    stream.flowing = False
    inbox = bytearray(row[8:] + row)
    assert stream.take(inbox) == row[8:]
    assert (bytes(inbox), stream.rest) == (row, 0)


@pytest.mark.parametrize("wrong", [encode_query("SELECT 1"), b"d\0\0\0\3", encode(b"P", b"\0\0")])
def test_other_messages_are_a_violation(wrong: bytes) -> None:
    with pytest.raises(TailraceError) as caught:
        CopyStream().take(bytearray(encode(b"d", b"x") + wrong))
    assert caught.value.sqlstate == "08P01"


@pytest.mark.parametrize(
    ("into", "columns"), [((), '"id", "G g"'), (("G g",), '"G g"'), (("G g", "id"), '"G g", "id"')]
)
def test_the_statement_for_postgresql(into: tuple[str, ...], columns: str) -> None:
    plan = CopyIn(None, "t", into, "FROM STDIN csv")
    assert statement(plan, ROWS) == f"COPY engine.table_7 ({columns}) FROM STDIN csv"


@pytest.mark.parametrize(("into", "sqlstate"), [("twice", "42P10"), ("none", "42703")])
def test_a_column_that_takes_nothing_is_refused(into: str, sqlstate: str) -> None:
    with pytest.raises(TailraceError) as caught:
        statement(CopyIn(None, "t", (into,), "FROM STDIN"), ROWS)
    assert caught.value.sqlstate == sqlstate


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ('relation "engine.table_7" does not exist', 'relation "t" does not exist'),
        (
            'column "a" of relation "table_7" is a generated column',
            'column "a" of relation "t" is a generated column',
        ),
        ('invalid input: "table_70"', 'invalid input: "table_70"'),
    ],
)
def test_errors_name_the_relation(message: str, shown: str) -> None:
    body = f"SERROR\0M{message}\0sengine\0ttable_7\0WCOPY table_7, line 1\0\0".encode()
    assert naming(body, "table_7", "t") == f"SERROR\0M{shown}\0spublic\0tt\0WCOPY t, line 1\0\0".encode()
