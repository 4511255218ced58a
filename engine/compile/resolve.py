"""Names: TUMBLE and stars expanded, every column qualified with the alias it belongs to, by sqlglot."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify

from engine.compile.scope import Planner
from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.dialect import TailraceSQL
from tailrace.sql.windows import expand_windows


def resolve(planner: Planner, query: exp.Query) -> exp.Query:
    """Expand TUMBLE and stars, and qualify every column; unknown columns are reported by name."""
    tree = expand_windows(query.copy())
    schema: dict[str, object] = {}
    ctes = {c.alias for c in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Func):
            raise UnsupportedFeature(f"table function {table.this.name.lower()}() in a view")
        if table.db and table.db not in ("public",):
            raise UnsupportedFeature(
                f'schema "{table.db}" in a view', hint="views read relations of schema public"
            )
        if table.name in ctes:
            continue
        table.set("db", None)
        relation = planner.relation(table.name)
        schema[table.name] = {c.name: "text" for c in planner.visible(relation)}
    try:
        return qualify(  # type: ignore[return-value]
            tree, schema=schema, dialect=TailraceSQL, quote_identifiers=True
        )
    except OptimizeError as error:
        raise InvalidStatement(str(error).splitlines()[0], sqlstate="42703") from error


def relations_of(query: exp.Expr) -> list[str]:
    """The relation names that a query reads directly, CTE names left out, in order of appearance."""
    tree = expand_windows(query.copy())
    ctes = {c.alias for c in tree.find_all(exp.CTE)}
    found = [t.name for t in tree.find_all(exp.Table) if t.name and not (t.name in ctes and not t.db)]
    return list(dict.fromkeys(found))
