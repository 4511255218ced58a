"""What no incremental operator maintains: a query block recomputed over the contents of what it reads.

`recompute` is called with a block (a SELECT, a set operation) that its clauses have refused. Relations, CTEs and subqueries in
its FROM become inputs, which are planned as ever; the rest of the block stays as it was written, for PostgreSQL to run, but
that what may fail gives NULL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from engine.compile.cardinality import of_one_row
from engine.compile.clauses.from_clause import scan
from engine.compile.correlation import gives_one_row, is_scalar
from engine.compile.expressions import impure
from engine.compile.relations import refuse_repeated
from engine.compile.scalar_subqueries import MORE_THAN_ONE, ONE_ROW_HINT
from engine.compile.scope import Planner, Queries
from engine.compile.soft_blocks import soften_block
from engine.operators.base import Column, Operator, nulls
from engine.operators.recompute import Recompute, placeholder
from engine.operators.temporal_filter import NOW
from tailrace.errors import TailraceError, UnsupportedFeature
from tailrace.sql.aggregate_calls import aggregate_calls
from tailrace.sql.grouping import without_empty_groups


def recompute(planner: Planner, block: exp.Expr, ctes: Queries, reason: UnsupportedFeature) -> Operator:
    """The block as a Recompute; raises `reason` where not even that maintains it."""
    tree = block.copy()
    tree.set("with_", None)
    _check(planner, tree, ctes, reason)
    inputs: dict[str, Operator] = {}
    if isinstance(tree, exp.Select):
        _plan_subqueries(planner, tree, ctes, inputs)
    for table in [t for t in tree.find_all(exp.Table) if not _is_input(t)]:
        if isinstance(table.this, exp.Func) or _is_local(table, tree):
            continue
        called = f"{table.db}.{table.name}"
        if called not in inputs:
            inputs[called] = _relation(planner, table, ctes)
        name = placeholder(list(inputs).index(called))
        if not table.alias:
            table.set("alias", exp.TableAlias(this=table.this.copy()))
        table.set("this", exp.to_identifier(name))
        table.set("db", None)
        table.set("catalog", None)
    timed = tree.find(exp.CurrentTimestamp) is not None
    tree = tree.transform(lambda n: exp.column(NOW) if isinstance(n, exp.CurrentTimestamp) else n)
    operators = tuple(inputs.values())
    query = _text(tree)
    columns = _described(planner, query, operators)
    query = _softened(planner, tree, columns, operators) or query
    return Recompute(query, columns, operators, timed, reason.feature)


def _text(tree: exp.Expr) -> str:
    return without_empty_groups(aggregate_calls(tree.sql(dialect="postgres")))


def _softened(
    planner: Planner, tree: exp.Expr, columns: Sequence[Column], inputs: Iterable[Operator]
) -> str | None:
    """The query with what may fail made soft; None where PostgreSQL would not read the same from it."""
    query = _text(soften_block(planner.environment, tree))
    try:
        return query if _described(planner, query, inputs) == tuple(columns) else None
    except TailraceError:
        return None


def _check(planner: Planner, tree: exp.Expr, ctes: Queries, reason: UnsupportedFeature) -> None:
    """What would not give the same answer each time, or might fail at a barrier, stays refused."""
    if any(t.args.get("version") for t in tree.find_all(exp.Table)):
        raise reason
    if any((j.method or "").upper() == "ASOF" for j in tree.find_all(exp.Join)):
        raise reason
    if tree.find(exp.Placeholder, exp.Parameter):
        raise reason
    if _is_correlated(tree):
        raise UnsupportedFeature("a correlated subquery in this place of a view")
    called = {n.sql(dialect="postgres").split("(")[0].lower(): n for n in tree.find_all(exp.Func)}
    for name, kinds in planner.environment.function_kinds(sorted(called)).items():
        if name == "proctime" or (kinds and all(k[1] == "v" for k in kinds)):
            raise impure(name, called[name])
    for subquery in tree.find_all(exp.Subquery):
        if is_scalar(subquery) and not gives_one_row(subquery.this, of_one_row(ctes)):
            raise UnsupportedFeature(MORE_THAN_ONE, hint=ONE_ROW_HINT)


def _is_correlated(tree: exp.Expr) -> bool:
    """Does it read an alias that no FROM clause in it defines?"""
    known = {s.alias_or_name for s in tree.find_all(exp.Table, exp.Subquery, exp.Lateral, exp.UDTF, exp.CTE)}
    return any(c.table and c.table not in known for c in tree.find_all(exp.Column))


def _plan_subqueries(planner: Planner, tree: exp.Select, ctes: Queries, inputs: dict[str, Operator]) -> None:
    """Subqueries in FROM, those that read nothing around them, are maintained by themselves."""
    source = tree.args.get("from_")
    items = [source.this] if source is not None else []
    items += [j.this for j in tree.args.get("joins") or []]
    for item in items:
        if not isinstance(item, exp.Subquery) or item.args.get("joins") or not item.alias:
            continue
        operator, _ = planner.query(item.this, ctes)
        name = placeholder(len(inputs))
        inputs[f"({name})"] = operator
        item.replace(exp.Table(this=exp.to_identifier(name), alias=item.args["alias"].copy()))


def _is_input(table: exp.Table) -> bool:
    return isinstance(table.this, exp.Identifier) and table.name.startswith("_input_")


def _is_local(table: exp.Table, tree: exp.Expr) -> bool:
    """Does it read a CTE that is defined inside of the block?"""
    if table.db:
        return False
    node: exp.Expr | None = table
    while node is not None and node is not tree:
        node = node.parent
        defined = node.args.get("with_") if node is not None else None
        if defined is not None and any(c.alias == table.name for c in defined.expressions):
            return True
    return False


def _relation(planner: Planner, table: exp.Table, ctes: Queries) -> Operator:
    if table.name in ctes and not table.db:
        given = ctes[table.name]
        inner = {k: v for k, v in ctes.items() if k != table.name}
        return given if isinstance(given, Operator) else planner.query(given, inner)[0]
    return scan(planner, planner.relation(table.name, table.db))


def _described(planner: Planner, query: str, inputs: Iterable[Operator]) -> tuple[Column, ...]:
    """The columns that PostgreSQL says the query has, over empty inputs."""
    given = ", ".join(
        f"{placeholder(n)} AS (SELECT {nulls(i.visible) or 'NULL'} LIMIT 0)" for n, i in enumerate(inputs)
    )
    now = f"(SELECT NULL::timestamptz AS {NOW}) AS barrier_time"
    query = f"SELECT q.* FROM {now} CROSS JOIN LATERAL ({query}) AS q"
    columns = planner.environment.describe(f"WITH {given} {query}" if given else query)
    refuse_repeated(c.name for c in columns)
    return tuple(Column(c.name, "text" if c.type == "unknown" else c.type) for c in columns)
