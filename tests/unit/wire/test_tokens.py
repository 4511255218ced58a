"""Where statements end and what their words are."""

from __future__ import annotations

import pytest

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
        ("select 1 -- ; no\n; x", ["select 1", "x"]),
        ("/* ; /* ; */ ; */ select 1; x", ["select 1", "x"]),
        ("select $1; x", ["select $1", "x"]),
        ("select 'open; x", ["select 'open; x"]),
        ("select /* open; x", ["select /* open; x"]),
        ("select $a$open; x", ["select $a$open; x"]),
        ("select a$b; x", ["select a$b", "x"]),
    ],
)
def test_split(sql: str, statements: list[str]) -> None:
    assert split_statements(sql) == statements


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
