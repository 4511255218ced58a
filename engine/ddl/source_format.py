"""FORMAT, ENCODE and INCLUDE as CREATE SOURCE, and CREATE TABLE with a connector, write them."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from engine.connectors.formats import Format, Included
from engine.connectors.generator import GENERATORS
from engine.ddl.context import DdlContext
from engine.ddl.names import options, property_name
from engine.functions.composed import provide
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.names import folded
from tailrace.sql.types import StructType

_TYPES = {
    "partition": "varchar",
    "offset": "varchar",
    "timestamp": "timestamptz",
    "key": "bytea",
    "payload": "jsonb",
    "header": "bytea",
}
"""What INCLUDE takes, and the type that it has."""
_HEADER = StructType((("key", "character varying"), ("value", "bytea")))


def connector_of(tree: exp.Create) -> str:
    """The connector, in lower case; '' without one."""
    return options(tree).get("connector", "").lower()


def format_of(tree: exp.Create) -> Format | None:
    """What the statement says; None where a generator's does not say it."""
    name = encode = ""
    handling: dict[str, str] = {}
    for item in _properties(tree):
        if isinstance(item, exp.FileFormatProperty):
            name = item.this.name.lower()
        elif isinstance(item, exp.EncodeProperty):
            encode = item.this.name.lower()
            given = item.args.get("properties")
            handling = {
                property_name(each): _value(each.args["value"])
                for each in (given.expressions if given else ())
            }
    if name and encode:
        return Format(name, encode, handling)
    connector = connector_of(tree)
    if connector in GENERATORS:
        return None
    if connector not in ("", "kafka"):
        raise UnsupportedFeature(
            f"connector '{connector}'", hint="use connector = 'kafka', 'datagen' or 'nexmark'"
        )
    raise InvalidStatement("a source needs FORMAT and ENCODE", hint="FORMAT PLAIN ENCODE JSON")


def _value(node: exp.Expr) -> str:
    return str(node.this).lower() if isinstance(node, exp.Boolean) else str(node.name)


def included_names(tree: exp.Create) -> list[Included]:
    """The columns that INCLUDE adds."""
    return [Included(_name(item), _origin(item)) for item in _includes(tree)]


def included_columns(context: DdlContext, tree: exp.Create) -> list[tuple[str, str, str, str]]:
    """Name, type, origin and header of the columns that INCLUDE adds."""
    return [(_name(i), _type(context, i), _origin(i), _inner(i)) for i in _includes(tree)]


def _properties(tree: exp.Create) -> list[exp.Expr]:
    properties = tree.args.get("properties")
    return list(properties.expressions) if properties is not None else []


def _includes(tree: exp.Create) -> Iterator[exp.IncludeProperty]:
    for item in _properties(tree):
        if isinstance(item, exp.IncludeProperty):
            origin = _origin(item)
            if origin not in _TYPES:
                raise InvalidStatement(
                    f"additional column type {origin} is not supported for connector {connector_of(tree)}, "
                    f"acceptable column types: {', '.join(_TYPES)}"
                )
            if item.args.get("column_def") is not None and origin != "header":
                raise InvalidStatement(f'Only header column can have inner field, but got "{origin}"')
            yield item


def _origin(item: exp.IncludeProperty) -> str:
    return str(item.this.name).lower()


def _inner(item: exp.IncludeProperty) -> str:
    """The header that is named."""
    column = item.args.get("column_def")
    return str(column.this.name) if column is not None else ""


def _name(item: exp.IncludeProperty) -> str:
    alias = item.args.get("alias")
    if alias is not None:
        return folded(alias)
    column = item.args.get("column_def")
    kind = column.args.get("kind") if column is not None else None
    parts = [_origin(item), _inner(item), kind.sql(dialect="postgres").lower() if kind is not None else ""]
    return "_".join(["_rw_kafka", *filter(None, parts)])


def _type(context: DdlContext, item: exp.IncludeProperty) -> str:
    if _origin(item) == "header" and not _inner(item):
        provide(context.connection, [_HEADER])
        return f"{_HEADER.name}[]"
    column = item.args.get("column_def")
    kind = column.args.get("kind") if column is not None else None
    if kind is None:
        return _TYPES[_origin(item)]
    if kind.this not in (exp.DataType.Type.VARCHAR, exp.DataType.Type.VARBINARY, exp.DataType.Type.TEXT):
        shown = kind.sql(dialect="postgres").lower()
        raise InvalidStatement(f"invalid additional column data type: {shown}", hint="varchar or bytea")
    return "bytea" if kind.this is exp.DataType.Type.VARBINARY else "varchar"
