"""EXPLAIN of a CREATE statement: the operators of a view or sink with what they cost, or what a table or an index stores.

Nothing is made, and whether the name is taken is not asked, as in RisingWave.
"""

from __future__ import annotations

from sqlglot import exp

from engine.ddl.context import DdlContext, Reply
from engine.ddl.create_view import explain_view, is_materialized
from engine.ddl.names import object_name, options
from engine.ddl.table_definition import table_definition
from engine.operators.project import sql
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import folded


def explain_create(context: DdlContext, tree: exp.Create) -> Reply:
    """EXPLAIN CREATE MATERIALIZED VIEW, TABLE or INDEX."""
    kind = (tree.args.get("kind") or "").upper()
    if kind == "VIEW" and is_materialized(tree):
        lines = explain_view(context, tree)
    elif kind == "TABLE" and tree.expression is None and "connector" not in options(tree):
        lines = [_table(tree)]
    elif kind == "INDEX":
        lines = [_index(context, tree)]
    else:
        raise UnsupportedFeature(
            "EXPLAIN of this statement", hint="EXPLAIN CREATE MATERIALIZED VIEW, or EXPLAIN SELECT"
        )
    return Reply("EXPLAIN", ("QUERY PLAN",), [(line,) for line in lines])


def _table(tree: exp.Create) -> str:
    definition = table_definition(tree)
    columns = ", ".join(c.name for c in definition.columns)
    key = ", ".join(definition.key or ("_row_id",))
    kind = "append-only" if definition.append_only else "retractable"
    return f"Table {object_name(tree.this)} ({columns}) key ({key}) {kind}"


def _index(context: DdlContext, tree: exp.Create) -> str:
    index = tree.this
    if not isinstance(index, exp.Index) or index.this is None:
        raise InvalidStatement("CREATE INDEX name ON relation (columns)")
    target = context.existing(object_name(index.args["table"]))
    parameters = index.args.get("params")
    items = parameters.args.get("columns") or [] if parameters is not None else []
    return f"Index {folded(index.this)} on {target.kind} {target.name} ({', '.join(sql(i) for i in items)})"
