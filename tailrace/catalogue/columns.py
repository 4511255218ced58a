"""The columns of an object: names, types where the text tells them, where they come from, and those that there are not. Pure.

sqlglot's optimizer does the work (scopes, types, lineage) on a `prepared` query. What it cannot read leaves things unknown; it
never makes a problem. Called by the catalogue, in the order of dependence.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.lineage import Node, lineage
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope
from sqlglot.schema import MappingSchema

from tailrace.catalogue.objects import Column, SqlObject
from tailrace.catalogue.prepared import prepared
from tailrace.catalogue.relation import Analysis, Origin
from tailrace.catalogue.unknown_columns import Known, unknown_columns
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName, folded

_INCLUDED = {
    "partition": "varchar",
    "offset": "varchar",
    "timestamp": "timestamptz",
    "key": "bytea",
    "payload": "jsonb",
}

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # a type that it does not know is no news to a user


def analyse(item: SqlObject, known: Mapping[ObjectName, tuple[Column, ...] | None]) -> Analysis:
    """Look through one object; `known` has the columns of everything before it (None, or no entry: not known)."""
    if item.kind is RelationKind.INDEX:
        return Analysis(None, problems=tuple(unknown_columns(item, item.tree.this, known)))
    if item.query is None:
        return Analysis(_declared(item) if item.kind is not RelationKind.SINK else _of_input(item, known))
    query = prepared(item.query)
    problems = tuple(unknown_columns(item, query, known))
    if problems:
        return Analysis(None, problems=problems)
    names = _listed(item)
    try:
        columns, origins = _outputs(query, known)
    except (SqlglotError, RecursionError, KeyError, AttributeError, ValueError):
        return Analysis(tuple(Column(n) for n in names) or None)
    if names and columns is not None:
        origins = {new: origins.get(old.name, ()) for new, old in zip(names, columns, strict=False)}
        columns = tuple(Column(new, old.type) for new, old in zip(names, columns, strict=False))
    return Analysis(columns, origins)


def _declared(item: SqlObject) -> tuple[Column, ...] | None:
    """The columns that a TABLE or SOURCE lists, with what INCLUDE adds; None where a schema registry or `*` says them."""
    schema = item.tree.this
    if not isinstance(schema, exp.Schema) or any(isinstance(e, exp.Star) for e in schema.expressions):
        return None
    found = [
        Column(
            folded(c.this), c.args["kind"].sql(dialect=TailraceSQL).lower() if c.args.get("kind") else None
        )
        for c in schema.expressions
        if isinstance(c, exp.ColumnDef)
    ]
    for include in item.tree.find_all(exp.IncludeProperty):
        what = include.this.name.lower()
        alias = include.args.get("alias")
        if alias is not None:
            found.append(Column(folded(alias), _INCLUDED.get(what)))
    return tuple(found)


def _of_input(item: SqlObject, known: Known) -> tuple[Column, ...] | None:
    return known.get(item.reads[0]) if item.reads else None


def _listed(item: SqlObject) -> list[str]:
    """The names in `CREATE VIEW v (a, b) AS`."""
    schema = item.tree.this
    if not isinstance(schema, exp.Schema):
        return []
    return [folded(c.this if isinstance(c, exp.ColumnDef) else c) for c in schema.expressions]


def _outputs(
    query: exp.Query, known: Known
) -> tuple[tuple[Column, ...] | None, dict[str, tuple[Origin, ...]]]:
    schema = MappingSchema(_schema(query, known), dialect=TailraceSQL, normalize=False)
    tree = qualify(
        query.copy(),
        schema=schema,
        dialect=TailraceSQL,
        validate_qualify_columns=False,
        identify=False,
        quote_identifiers=False,
    )
    for node in list(tree.find_all(exp.JSONExtractScalar)):  # ->> is text, which sqlglot does not say
        node.replace(exp.cast(node.copy(), "varchar"))
    annotated = annotate_types(tree, schema=schema, dialect=TailraceSQL)
    if any(s.is_star for s in annotated.selects):
        return None, {}
    columns = tuple(Column(s.alias_or_name, _type(s)) for s in annotated.selects)
    scope = build_scope(annotated)
    if scope is None:
        return columns, {}
    nodes = lineage(None, annotated, schema, dialect=TailraceSQL, scope=scope, trim_selects=False, copy=False)
    return columns, {name: _origins(node) for name, node in nodes.items()}


def _schema(query: exp.Query, known: Known) -> dict[str, object]:
    found: dict[str, object] = {}
    for table in query.find_all(exp.Table):
        columns = known.get(_object_name(table.name))
        if columns:
            found[table.name] = {c.name: _data_type(c.type) for c in columns}
    return found


def _object_name(flat: str) -> ObjectName:
    schema, _, name = flat.rpartition(".")
    return ObjectName(name, schema)


def _data_type(type_: str | None) -> exp.DataType:
    try:
        return exp.DataType.build(type_ or "unknown", dialect=TailraceSQL)
    except SqlglotError:
        return exp.DataType.build("unknown")


def _type(select: exp.Expr) -> str | None:
    """The type that sqlglot found, as it is written in SQL; None where it found none, or a family of types only."""
    found = select.type
    if found is None or found.this in (exp.DType.UNKNOWN, exp.DType.NULL):
        return None
    return str(found.sql(dialect=TailraceSQL)).lower()


def _origins(node: Node) -> tuple[Origin, ...]:
    found: dict[Origin, None] = {}
    for leaf in _leaves(node):
        table = leaf.expression
        if isinstance(table, exp.Table) and "." in leaf.name:
            found[_object_name(table.name), leaf.name.rpartition(".")[2].strip('"')] = None
    return tuple(found)


def _leaves(node: Node) -> list[Node]:
    return [node] if not node.downstream else [leaf for below in node.downstream for leaf in _leaves(below)]
