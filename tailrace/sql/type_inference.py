"""Types without PostgreSQL: names as its catalog has them, and the types of constants. Pure; used by `tailrace.sql.types`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sqlglot import exp

UNKNOWN = "unknown"
"""The type of a bare string or NULL, which takes that of its company."""

_CANONICAL = {
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "decimal": "numeric",
    "dec": "numeric",
    "float": "double precision",
    "float8": "double precision",
    "double": "double precision",
    "float4": "real",
    "bool": "boolean",
    "varchar": "character varying",
    "string": "character varying",
    "text": "character varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "int256": "rw_int256",
}
_LADDER = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
"""Numbers, each of which becomes any later one without being asked."""


def canonical(type_: str) -> str:
    """The name that PostgreSQL's format_type gives, varchar for text; composed and unknown names stay as they are.

    >>> canonical("INT8[]"), canonical("Timestamp With Time Zone")
    ('bigint[]', 'timestamp with time zone')
    """
    match = re.fullmatch(r"\s*(.*?)\s*((?:\[\])*)", type_, re.DOTALL)
    base, arrays = (match[1], match[2]) if match else (type_, "")
    lowered = re.sub(r"\s+", " ", base.lower())
    if '"' in base:
        return base + arrays
    return _CANONICAL.get(lowered, lowered) + arrays


def common_type(types: Iterable[str | None]) -> str | None:
    """The one type that values of these types have together; None where PostgreSQL has to be asked.

    >>> common_type(["integer", "unknown", "numeric"]), common_type(["integer[]", "bigint[]"])
    ('numeric', 'bigint[]')
    """
    found = UNKNOWN
    for type_ in types:
        if type_ is None:
            return None
        if type_ in (UNKNOWN, found):
            continue
        if found == UNKNOWN:
            found = type_
        elif found in _LADDER and type_ in _LADDER:
            found = max(found, type_, key=_LADDER.index)
        elif found.endswith("[]") and type_.endswith("[]"):
            element = common_type((found.removesuffix("[]"), type_.removesuffix("[]")))
            if element is None:
                return None
            found = f"{element}[]"
        else:
            return None
    return found


def constant_type(
    node: exp.Expr,
    row: Callable[[list[str]], str],
    call: Callable[[str, list[str | None]], str | None],
) -> str | None:
    """The type of a constant or cast expression, None if it cannot be told from the text alone.

    `row` names the type of a row of given types, `call` the result type of a function with arguments of given types.
    """

    def of(inner: exp.Expr) -> str | None:
        return constant_type(inner, row, call)

    if isinstance(node, exp.Paren | exp.Neg):
        return of(node.this)
    if isinstance(node, exp.Null):
        return UNKNOWN
    if isinstance(node, exp.Boolean):
        return "boolean"
    if isinstance(node, exp.Literal):
        return UNKNOWN if node.is_string else _number_type(node.name)
    if isinstance(node, exp.Cast):
        return canonical(node.to.sql(dialect="postgres"))
    if isinstance(node, exp.Array):
        element = common_type(of(e) for e in node.expressions)
        return None if element is None else ("character varying" if element == UNKNOWN else element) + "[]"
    is_row = isinstance(node, exp.Anonymous) and node.name.lower() == "row"
    if isinstance(node, exp.Tuple) or is_row:
        fields = [of(e) for e in node.expressions]
        known = [f for f in fields if f is not None]
        if len(known) < len(fields):
            return None
        return row(["character varying" if f == UNKNOWN else f for f in known])
    if isinstance(node, exp.Anonymous):
        return call(node.name.lower(), [of(e) for e in node.expressions])
    return None


def _number_type(text: str) -> str:
    if not text.isdigit():
        return "double precision" if "e" in text.lower() else "numeric"
    value = int(text)
    return "integer" if value < 2**31 else "bigint" if value < 2**63 else "numeric"
