"""CREATE TABLE as a value: columns and key. Pure.

Read by `engine.ddl.create_table` and `engine.ddl.alter_table`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from engine.compile.relations import refuse_repeated
from engine.ddl.names import ColumnDefinition, column_definition
from engine.ddl.watermark import TableWatermark, declared_watermark
from engine.operators.base import nulls
from engine.operators.project import sql
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.batch import to_postgres
from tailrace.sql.dialect import AppendOnlyProperty, parse_query
from tailrace.sql.names import folded

_IMPURE = {"proctime", "random", "now", "current_timestamp", "clock_timestamp", "gen_random_uuid"}


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column as the catalog keeps it; `default` and `generated` are PostgreSQL text, columns unqualified in the latter."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    generated: str | None = None

    def to_json(self) -> dict[str, object]:
        """What the catalog's body keeps of it."""
        extra = {"not_null": self.not_null, "default": self.default, "generated": self.generated}
        return {
            "name": self.name,
            "type": self.type,
            "hidden": False,
            **{k: v for k, v in extra.items() if v},
        }

    @staticmethod
    def from_json(value: dict[str, object]) -> StoredColumn:
        """The inverse."""
        default, generated = value.get("default"), value.get("generated")
        return StoredColumn(
            str(value["name"]), str(value["type"]), bool(value.get("not_null")),
            str(default) if default else None, str(generated) if generated else None,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """`key` is () where rows are known by a hidden id."""

    columns: tuple[ColumnDefinition, ...]
    key: tuple[str, ...]
    append_only: bool
    watermark: TableWatermark | None = None


def table_definition(tree: exp.Create) -> TableDefinition:
    """The definition that a CREATE TABLE with typed columns holds. Raises InvalidStatement or UnsupportedFeature."""
    definitions, key, watermark = _elements(tree)
    _check_generated(definitions, key)
    return TableDefinition(tuple(definitions), key, is_append_only(tree), watermark)


def declared_key(tree: exp.Create) -> tuple[str, ...]:
    """The primary key as CREATE TABLE says it, unchecked; () without one."""
    found: list[str] = []
    for element in tree.this.expressions if isinstance(tree.this, exp.Schema) else ():
        if isinstance(element, exp.PrimaryKey):
            found += _key_names(element)
        elif isinstance(element, exp.ColumnDef) and any(
            isinstance(c.kind, exp.PrimaryKeyColumnConstraint) for c in element.args.get("constraints") or ()
        ):
            found.append(folded(element.this))
    return tuple(found)


def _key_names(key: exp.PrimaryKey) -> tuple[str, ...]:
    return tuple(folded(e.this if isinstance(e, exp.Ordered | exp.Column) else e) for e in key.expressions)


def is_append_only(tree: exp.Create) -> bool:
    """Does CREATE TABLE say APPEND ONLY?"""
    properties = tree.args.get("properties")
    return any(
        isinstance(p, AppendOnlyProperty) for p in (properties.expressions if properties is not None else ())
    )


def postgres_expression(expression: exp.Expr) -> exp.Expr:
    """A scalar expression of RisingWave's as PostgreSQL's."""
    return parse_query(to_postgres(exp.select(expression.copy()).sql(dialect="risingwave"))).expressions[0]  # type: ignore[no-any-return]


def over(expression: str, row: str) -> str:
    """A stored expression with its columns taken from the record `row`.

    >>> over('"a" + 1', "NEW")
    'NEW."a" + 1'
    """

    def placed(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and not node.table:
            return exp.column(
                exp.to_identifier(node.name, quoted=True), table=exp.to_identifier(row, quoted=False)
            )
        return node

    tree = parse_query(f"SELECT {expression}").expressions[0]
    return sql(tree.transform(placed))


def quoted_columns(expression: exp.Expr) -> exp.Expr:
    """The expression with every column name folded and quoted, so that it stands on its own."""

    def quoted(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column):
            return exp.column(exp.to_identifier(folded(node.this), quoted=True))
        return node

    return expression.transform(quoted)


def empty_row(columns: Iterable[StoredColumn | ColumnDefinition]) -> str:
    """A FROM item with NULLs of these columns, for describing expressions over them."""
    return f"(SELECT {nulls(columns)}) AS i"


def _elements(
    tree: exp.Create,
) -> tuple[list[ColumnDefinition], tuple[str, ...], TableWatermark | None]:
    definitions: list[ColumnDefinition] = []
    watermark = None
    key: tuple[str, ...] = ()
    for element in tree.this.expressions if isinstance(tree.this, exp.Schema) else ():
        if isinstance(element, exp.ColumnDef):
            definitions.append(column_definition(element))
        elif isinstance(element, exp.PrimaryKey):
            if key:
                raise _several_keys()
            key = _key_names(element)
        elif isinstance(element, exp.WatermarkColumnConstraint):
            watermark = declared_watermark(element)
        else:
            raise UnsupportedFeature(f"{element.sql(dialect='postgres')} in CREATE TABLE")
    refuse_repeated([d.name for d in definitions])
    declared = tuple(d.name for d in definitions if d.primary_key)
    if len(declared) > 1 or (declared and key):
        raise _several_keys()
    key = key or declared
    unknown = [k for k in key if k not in {d.name for d in definitions}]
    if unknown:
        raise InvalidStatement(
            f'column "{unknown[0]}" named in the primary key does not exist', sqlstate="42703"
        )
    return definitions, key, watermark


def _several_keys() -> InvalidStatement:
    return InvalidStatement(
        "multiple primary keys are not allowed", sqlstate="42P16", hint="PRIMARY KEY (a, b) for a composite one"
    )  # fmt: skip


def _check_generated(definitions: list[ColumnDefinition], key: tuple[str, ...]) -> None:
    generated = {d.name for d in definitions if d.generated is not None}
    for definition in definitions:
        if definition.generated is None:
            continue
        if definition.generated.find(exp.CurrentTimestamp):
            raise InvalidStatement(
                "Failed to bind expression: now()", sqlstate="0A000", hint="AS proctime() is the time of the insert"
            )  # fmt: skip
        for column in definition.generated.find_all(exp.Column):
            if folded(column.this) in generated:
                raise InvalidStatement(
                    "Generated can not reference another generated column. But here generated column "
                    f'"{definition.name}" referenced another generated column "{folded(column.this)}"',
                    sqlstate="42P17",
                )
        if definition.name in key and _is_impure(definition.generated):
            raise InvalidStatement(
                "Generated columns with impure expressions should not be part of the primary key. "
                f'Here column "{definition.name}" is defined as part of the primary key.',
                sqlstate="42P17",
            )


def _is_impure(expression: exp.Expr) -> bool:
    return any(
        (f.name if isinstance(f, exp.Anonymous) else f.sql_name()).lower() in _IMPURE
        for f in expression.find_all(exp.Func)
    )
