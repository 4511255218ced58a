"""A whole query made soft: what `expressions` does for the expressions of one operator, for a block that PostgreSQL runs.

Each cast, division and function that may fail gives NULL at its node instead of stopping the barrier. The types of operands
inside a block are not known here, so a cast is a call of a function that tries it (about a microsecond a row), where the
expressions of operators are guarded inline. Called by `clauses.recompute`.
"""

from __future__ import annotations

from sqlglot import exp

from engine.compile.expressions import is_literal_cast, soft_division, soft_function
from engine.compile.relations import Environment
from tailrace.errors import TailraceError

TRIED_CASTS = frozenset(
    {
        "smallint", "integer", "bigint", "numeric", "real", "double precision", "boolean", "date", "time without time zone",
        "timestamp without time zone", "timestamp with time zone", "interval", "jsonb", "bytea",
    }
)  # fmt: skip
"""Types to which `rw.try_to_...` casts a value of any type (engine/functions/soft.sql), and arrays of which."""


def soften_block(environment: Environment, tree: exp.Expr) -> exp.Expr:
    """A copy of the query whose expressions cannot fail; what stands in GROUP BY and in the select list changes alike."""
    names: dict[str, str] = {}

    def apply(node: exp.Expr) -> exp.Expr:
        for child in list(node.iter_expressions()):
            new = apply(child)
            if new is not child:
                child.replace(new)
        if isinstance(node, exp.Cast):
            return _tried(environment, node, names) or node
        return soft_division(node) or soft_function(node) or node

    return apply(tree.copy())


def _tried(environment: Environment, node: exp.Cast, names: dict[str, str]) -> exp.Expr | None:
    """The cast as a call of the function that tries it; None where it cannot fail, or types a literal."""
    operand = node.this.unnest()
    if is_literal_cast(node) or isinstance(operand, exp.Null | exp.Array | exp.Literal):
        return None
    written = node.to.sql(dialect="postgres")
    if written not in names:
        names[written] = _function(environment, written)
    called = names[written]
    if not called:
        return None
    tried = exp.Anonymous(this=called, expressions=[node.this.copy()])
    if "(" not in written:
        return tried
    precise = exp.Cast(this=tried, to=node.to.copy())
    if called != "rw.try_to_numeric":
        return precise  # it rounds
    fits = exp.Anonymous(
        this="pg_input_is_valid",
        expressions=[
            exp.cast(tried.copy(), "text", dialect="postgres"),
            exp.Literal.string(node.to.sql(dialect="postgres")),
        ],
    )
    return exp.Case(ifs=[exp.If(this=fits, true=precise)])


def _function(environment: Environment, type_: str) -> str:
    """The function that tries a cast to this type, '' if there is none."""
    try:
        name = environment.describe(f"SELECT NULL::{type_} AS c")[0].type
    except TailraceError:
        return ""
    base, brackets, _ = name.partition("[]")
    if "(" in base:
        base = base[: base.index("(")] + base[base.index(")") + 1 :]
    if base not in TRIED_CASTS:
        return ""
    return f"rw.try_to_{base.replace(' ', '_')}{'_array' if brackets else ''}"
