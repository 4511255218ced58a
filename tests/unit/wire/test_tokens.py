"""Where statements end and what their words are."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire.tokens import Kind, split_statements, tokens


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ; ;", []),
        ("select 1", ["select 1"]),
        ("select 1;select 2;", ["select 1", "select 2"]),
        ("select ';' ; select \"a;b\"", ["select ';'", 'select "a;b"']),
        ("select 'it''s;' ; x", ["select 'it''s;'", "x"]),
        (r"select e'\';' ; x", [r"select e'\';'", "x"]),
        ("select $$a;b$$; x", ["select $$a;b$$", "x"]),
        ("select $q$ $$; $q$; x", ["select $q$ $$; $q$", "x"]),
        ("select 1 -- ; no\n; x", ["select 1 -- ; no", "x"]),
        ("select 1 -- ;", ["select 1 -- ;"]),
        ("-- only ;\n; /* this ; */", []),
        ("select 'E';x", ["select 'E'", "x"]),
        ("select name' ; ' ; x", ["select name' ; '", "x"]),
        ("/* ; /* ; */ ; */ select 1; x", ["/* ; /* ; */ ; */ select 1", "x"]),
        ("select $1; x", ["select $1", "x"]),
        ("select 'open; x", ["select 'open; x"]),
        ("select /* open; x", ["select /* open; x"]),
        ("select $a$open; x", ["select $a$open; x"]),
        ("select a$b; x", ["select a$b", "x"]),
        ("1$a$;$a$; x$a$; y", ["1$a$;$a$", "x$a$", "y"]),
        (r"select E'\';; x", [r"select E'\';; x"]),
        ("$a$'$a$e$a$; y", ["$a$'$a$e$a$", "y"]),
    ],
)
def test_split(sql: str, statements: list[str]) -> None:
    assert split_statements(sql) == statements


@given(
    st.lists(
        st.sampled_from(["'", '"', "$", "$a$", ";", "--", "\n", "/*", "*/", "e", "E'", "x", " ", "\\", "1"])
    )
)
def test_split_agrees_with_the_lexer(pieces: list[str]) -> None:
    sql = "".join(pieces)
    ends = [token.start for token in tokens(sql) if token.text == ";" and token.kind is Kind.SYMBOL]
    parts = [sql[start + 1 : end].strip() for start, end in pairwise((-1, *ends, len(sql)))]
    assert split_statements(sql) == [part for part in parts if next(tokens(part), None) is not None]


def test_kinds_and_values() -> None:
    found = list(tokens("""SET "A""b" = 'c''d', E'x', 1.5e3 :: word -- end"""))
    assert [token.kind for token in found] == [
        Kind.WORD, Kind.QUOTED, Kind.SYMBOL, Kind.STRING, Kind.SYMBOL, Kind.STRING, Kind.SYMBOL, Kind.NUMBER,
        Kind.SYMBOL, Kind.SYMBOL, Kind.WORD,
    ]  # fmt: skip
    assert found[1].name == 'A"b'
    assert found[3].value == "c'd"
    assert found[7].text == "1.5e3"
    assert found[10].word == "WORD"
