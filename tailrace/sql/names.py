"""Names of relations: a schema, or none, and a name; and the places where a query holds them. Pure.

Used by everything that reads or rewrites references to relations: the engine's DDL and compiler, renames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlglot import exp

WINDOW_FUNCTIONS = frozenset({"TUMBLE", "HOP", "SESSION", "GAP_FILL"})
"""Table functions whose first argument is a relation."""


@dataclass(frozen=True, slots=True, order=True)
class ObjectName:
    """A name as PostgreSQL folds it; `schema` is '' where none is written and the search path decides.

    >>> str(ObjectName("t")), str(ObjectName("t", "s")), ObjectName("t", "S").sql
    ('t', 's.t', '"S"."t"')
    """

    name: str
    schema: str = ""

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name

    @property
    def sql(self) -> str:
        """As quoted identifiers."""
        return ".".join(_quoted(part) for part in (self.schema, self.name) if part)


def folded(node: exp.Expr) -> str:
    """An identifier as PostgreSQL folds it: lower case unless quoted."""
    return node.name if node.args.get("quoted") else node.name.lower()


@dataclass(frozen=True, slots=True)
class Reference:
    """A place of a query that names a relation: a table, or (`windowed`) the first argument of TUMBLE and its like."""

    node: exp.Expr
    identifier: exp.Identifier
    table: exp.Table

    @property
    def windowed(self) -> bool:
        return self.node is not self.table

    @property
    def name(self) -> ObjectName:
        schema = self.node.args.get("table" if self.windowed else "db")
        return ObjectName(folded(self.identifier), folded(schema) if isinstance(schema, exp.Expr) else "")

    def set_schema(self, schema: str) -> None:
        """Write the schema before the name, in place of the one that may stand there."""
        self.node.set("table" if self.windowed else "db", exp.to_identifier(schema, quoted=True))


def references(query: exp.Expr, hidden: frozenset[str] = frozenset()) -> Iterator[Reference]:
    """The relations that a query names, CTEs left out: one hides what it is called like from what comes after it."""
    defined = query.args.get("with_")
    if isinstance(defined, exp.With):
        for cte in defined.expressions:
            inside = hidden | {cte.alias} if defined.args.get("recursive") else hidden
            yield from references(cte.this, inside)
            hidden |= {cte.alias}
    if isinstance(query, exp.Table):
        found = _reference(query)
        if found is not None and (found.name.schema or found.identifier.name not in hidden):
            yield found
    for child in query.iter_expressions():
        if child is not defined:
            yield from references(child, hidden)


def qualify(query: exp.Expr, schema_of: Callable[[ObjectName], str | None]) -> None:
    """Write into `query` the schemas of the relations that it names without one; those without answer stay.

    >>> import sqlglot
    >>> tree = sqlglot.parse_one("SELECT * FROM t JOIN x.u ON true", read="risingwave")
    >>> qualify(tree, lambda name: "public")
    >>> tree.sql("risingwave")
    'SELECT * FROM "public".t JOIN x.u ON TRUE'
    """
    for reference in list(references(query)):
        schema = None if reference.name.schema else schema_of(reference.name)
        if schema is not None:
            reference.set_schema(schema)


def _reference(table: exp.Table) -> Reference | None:
    named = table.this
    if isinstance(named, exp.Identifier):
        return Reference(table, named, table)
    if not isinstance(named, exp.Func):
        return None
    function = named.this if isinstance(named, exp.Anonymous) else named.sql_name()
    argument = next(iter(named.expressions), None)
    if (
        str(function).upper() in WINDOW_FUNCTIONS
        and isinstance(argument, exp.Column)
        and isinstance(argument.this, exp.Identifier)
    ):
        return Reference(argument, argument.this, table)
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
