"""A statement's meaning as a short text: equal when only layout, comments, case, or spellings of one thing differ. Pure.

What a relation is called from the outside is no part of it: neither its own schema `public`, nor an alias that repeats the name
(`FROM readings AS readings`, which RENAME and SWAP leave behind in stored definitions).
"""

from __future__ import annotations

import hashlib

from sqlglot import exp

from tailrace.errors import TailraceError
from tailrace.sql.dialect import parse_statement
from tailrace.sql.names import Reference, folded, references
from tailrace.sql.sinks import is_create_sink, parse_create_sink


def fingerprint(sql: str) -> str:
    """16 hexadecimal digits.

    >>> fingerprint("create view v as select a from t as t -- all") == fingerprint("CREATE VIEW v AS SELECT A FROM public.t;")
    True
    >>> fingerprint("CREATE VIEW v AS SELECT a FROM t") == fingerprint("CREATE VIEW v AS SELECT b FROM t")
    False

    A text that cannot be parsed is compared as it is, layout aside.
    """
    return hashlib.sha256(canonical(sql).encode()).hexdigest()[:16]


def canonical(sql: str) -> str:
    """The text that is summed up: the syntax tree, written out."""
    try:
        if is_create_sink(sql):
            return _sink(sql)
        return _node(_plain(parse_statement(sql)))
    except TailraceError:
        return " ".join(sql.split()).removesuffix(";").rstrip()


def _sink(sql: str) -> str:
    sink = parse_create_sink(sql)
    query = _node(_plain(parse_statement(sink.query))) if sink.query is not None else sink.source
    parts = (sink.name, query, sink.into, sink.into_columns, sorted(sink.options.items()))
    return repr((*parts, sink.format, sink.encode, sorted(sink.encode_options.items()), sink.key_encode))


def _plain(tree: exp.Expr) -> exp.Expr:
    """`tree` without what says nothing."""
    for reference in list(references(tree)):
        if reference.name.schema == "public":
            reference.node.set("table" if reference.windowed else "db", None)
        _drop_alias(reference)
    if isinstance(tree, exp.Create):
        tree.set("exists", None)
        named = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        if isinstance(named, exp.Table) and named.db == "public":
            named.set("db", None)
    return tree


def _drop_alias(reference: Reference) -> None:
    alias = reference.table.args.get("alias")
    if (
        isinstance(alias, exp.TableAlias)
        and alias.this is not None
        and not alias.columns
        and folded(alias.this) == folded(reference.identifier)
    ):
        reference.table.set("alias", None)


def _node(value: object) -> str:
    if isinstance(value, exp.Identifier):
        return folded(value)
    if isinstance(value, exp.Var):
        return value.name.lower()
    if isinstance(value, exp.Expr):
        said = (f"{k}={_node(v)}" for k, v in sorted(value.args.items()) if v not in (None, False, []))
        return f"{value.key}({' '.join(said)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_node, value))}]"
    return value.lower() if isinstance(value, str) and value.isupper() else repr(value)
