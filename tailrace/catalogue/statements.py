"""From the text of a file to its CREATE statements. Pure; a statement that cannot be read becomes a Problem, the others stay."""

from __future__ import annotations

import re

from sqlglot import exp
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from tailrace.catalogue.objects import Problem, SqlObject
from tailrace.errors import TailraceError
from tailrace.sql.dialect import TailraceSQL, parse_statement
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName, folded, references
from tailrace.sql.sinks import is_create_sink, parse_create_sink

_LINE = re.compile(r"line (\d+)", re.IGNORECASE)
_PUBLIC = "public"


def read_statements(text: str, path: str) -> tuple[list[SqlObject], list[Problem]]:
    """The objects that `text` creates, in its order, and what is wrong with the rest.

    >>> [str(o.name) for o in read_statements("CREATE VIEW a AS SELECT 1; CREATE VIEW b AS SELECT * FROM a", "f.sql")[0]]
    ['a', 'b']
    """
    try:
        pieces = _pieces(text)
    except TokenError as error:
        return [], [Problem("syntax", str(error).splitlines()[0], path, _line_in(str(error)) or 1)]
    objects: list[SqlObject] = []
    problems: list[Problem] = []
    for start, end in pieces:
        piece, line = text[start:end], text.count("\n", 0, start) + 1
        try:
            objects.append(_object(piece, path, line))
        except TailraceError as error:
            blank = len(piece) - len(piece.lstrip())
            said = _line_in(error.message)
            at = line + (said - 1 if said else piece.count("\n", 0, blank))
            problems.append(Problem("syntax", error.message, path, at, error.hint or ""))
    return objects, problems


def bare(name: ObjectName) -> ObjectName:
    """A name without the schema that is searched anyway."""
    return ObjectName(name.name) if name.schema == _PUBLIC else name


def _pieces(text: str) -> list[tuple[int, int]]:
    """Where each statement stands, comments before it included, its semicolon not."""
    found, start, is_open = [], 0, False
    for token in TailraceSQL().tokenize(text):
        if token.token_type is TokenType.SEMICOLON:
            if is_open:
                found.append((start, token.start))
            start, is_open = token.end + 1, False
        else:
            is_open = True
    return [*found, (start, len(text))] if is_open else found


def _object(sql: str, path: str, line: int) -> SqlObject:
    if is_create_sink(sql):
        return _sink(sql, path, line)
    tree = parse_statement(sql)
    kind = _kind(tree)
    if not isinstance(tree, exp.Create) or kind is None:
        raise TailraceError(
            "not a CREATE TABLE, SOURCE, VIEW, MATERIALIZED VIEW, INDEX or SINK",
            hint="the files hold what there is; anything else (ALTER, INSERT, GRANT) belongs into a migration",
        )
    if kind is RelationKind.INDEX:
        name = ObjectName(folded(tree.this.this))
        read = [reference.name for reference in references(tree.this.args["table"])]
    else:
        table = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        name = ObjectName(folded(table.this), folded(table.args["db"]) if table.args.get("db") else "")
        read = [r.name for r in references(tree.expression)] if isinstance(tree.expression, exp.Query) else []
    return SqlObject(kind, bare(name), path, line, sql, tree, tuple(dict.fromkeys(map(bare, read))))


def _sink(sql: str, path: str, line: int) -> SqlObject:
    sink = parse_create_sink(sql)
    query = parse_statement(sink.query) if sink.query is not None else None
    read = (
        [ObjectName(sink.source, sink.source_schema)]
        if sink.source is not None
        else [r.name for r in references(query)]
        if query is not None
        else []
    )
    table = exp.to_table(sink.name)
    tree = exp.Create(this=table, kind="SINK", expression=query)
    into = bare(ObjectName(sink.into, sink.into_schema)) if sink.into is not None else None
    names = tuple(dict.fromkeys(map(bare, read)))
    return SqlObject(
        RelationKind.SINK, bare(ObjectName(sink.name, sink.schema)), path, line, sql, tree, names, into
    )


def _kind(tree: exp.Expr) -> RelationKind | None:
    if not isinstance(tree, exp.Create):
        return None
    word = str(tree.args.get("kind") or "").upper()
    if word == "VIEW" and tree.find(exp.MaterializedProperty):
        return RelationKind.MATERIALIZED_VIEW
    return {
        "TABLE": RelationKind.TABLE,
        "SOURCE": RelationKind.SOURCE,
        "VIEW": RelationKind.VIEW,
        "INDEX": RelationKind.INDEX,
    }.get(word)


def _line_in(message: str) -> int:
    """The line that an error names; 0 if it names none."""
    found = _LINE.search(message)
    return int(found[1]) if found else 0
