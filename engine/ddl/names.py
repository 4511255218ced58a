"""Parsed DDL in the terms that the statements need: object names, columns, options."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.operators.base import Column, nulls
from tailrace.errors import InvalidStatement, TailraceError, UnsupportedFeature
from tailrace.sql.names import ObjectName, folded

SERVERLESS = "cloud.serverless_backfill_enabled"


def serverless_refused(instead: str) -> InvalidStatement:
    """The refusal of an option that RisingWave's cloud has."""
    return InvalidStatement(
        "Serverless Backfill is disabled", sqlstate="0A000", hint=f"leave {SERVERLESS} out: {instead}"
    )


def object_name(node: exp.Expr | None) -> ObjectName:
    """The name that a table node holds."""
    table = node.this if isinstance(node, exp.Schema) else node
    if not isinstance(table, exp.Table) or not table.name:
        raise InvalidStatement("a name is expected")
    if table.catalog:
        raise TailraceError(
            f'cross-database references are not implemented: "{table.catalog}.{table.db}.{table.name}"',
            sqlstate="0A000",
            hint="connect to that database",
        )
    schema = table.args.get("db")
    return ObjectName(folded(table.this), folded(schema) if schema is not None else "")


def refusal(name: str, columns: Iterable[Column]) -> str:
    """The query of a visible view that has columns and refuses to be read: relation `name` is for materialized views."""
    shown = nulls(c for c in columns if not c.hidden)
    return f"SELECT {shown} WHERE engine.refuse_source({exp.Literal.string(name).sql()})"


def options(create: exp.Create) -> dict[str, str]:
    """WITH (key = 'value', ...) as text; keys may be dotted."""
    found: dict[str, str] = {}
    properties = create.args.get("properties")
    for item in properties.expressions if properties is not None else ():
        if type(item) is exp.Property:
            key = property_name(item)
            if key in found:
                raise InvalidStatement(f"Duplicated option: {key}", hint="give it once")
            value = item.args["value"]
            found[key] = value.name if isinstance(value, exp.Literal) else value.sql(dialect="postgres")
    return found


def property_name(item: exp.Property) -> str:
    """The key of an option, which may be dotted, in lower case."""
    return str(item.this.sql(dialect="postgres").strip('"').replace('"', "").lower())


@dataclass(frozen=True, slots=True)
class ColumnDefinition:
    """A column of CREATE TABLE or CREATE SOURCE; expressions are trees."""

    name: str
    type: str
    not_null: bool = False
    primary_key: bool = False
    default: exp.Expr | None = None
    generated: exp.Expr | None = None


def column_definition(node: exp.ColumnDef) -> ColumnDefinition:
    """One column; types that RisingWave refuses are refused here too."""
    kind = node.args.get("kind")
    name = folded(node.this)
    if kind is None:
        raise InvalidStatement(f'column "{name}" has no type')
    type_ = column_type(kind)
    not_null = primary = False
    default = generated = None
    for constraint in node.args.get("constraints") or ():
        what = constraint.kind
        if isinstance(what, exp.PrimaryKeyColumnConstraint):
            primary = True
        elif isinstance(what, exp.NotNullColumnConstraint):
            not_null = not what.args.get("allow_null")
        elif isinstance(what, exp.DefaultColumnConstraint):
            default = what.this
        elif isinstance(what, exp.ComputedColumnConstraint | exp.GeneratedAsRowColumnConstraint):
            generated = what.this
        else:
            raise UnsupportedFeature(f"column constraint {what.sql(dialect='postgres')}")
    return ColumnDefinition(name, type_, not_null, primary, default, generated)


def column_type(kind: exp.Expr) -> str:
    """A type as PostgreSQL text."""
    text = kind.sql(dialect="postgres")
    if (
        isinstance(kind, exp.DataType)
        and kind.this in (exp.DataType.Type.VARCHAR, exp.DataType.Type.CHAR)
        and kind.expressions
    ):
        raise UnsupportedFeature(f"{text}: a length", hint="use VARCHAR")
    if text.upper() in ("SERIAL", "BIGSERIAL", "SMALLSERIAL", "CHAR"):
        raise UnsupportedFeature(f"type {text}", hint="use BIGINT or VARCHAR")
    if isinstance(kind, exp.DataType) and kind.this in (exp.DataType.Type.STRUCT, exp.DataType.Type.MAP):
        raise UnsupportedFeature(f"type {kind.this.value}", hint="use JSONB")
    return text


def signature(function: CatalogObject) -> str:
    """The function as PostgreSQL tells it from others."""
    return f"{function.visible}({', '.join(t for _, t in function.body['arguments'])})"
