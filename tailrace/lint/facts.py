"""What several rules ask of a statement. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from tailrace.catalogue import Catalogue, SqlObject
from tailrace.sql.dialect import AppendOnlyProperty, EmitOnWindowCloseProperty
from tailrace.sql.kinds import RelationKind
from tailrace.sql.names import ObjectName

RANKS = (exp.RowNumber, exp.Rank, exp.DenseRank)


def is_maintained(item: SqlObject) -> bool:
    """Whether its query runs for ever: a materialized view, or a sink AS SELECT."""
    return item.kind in (RelationKind.MATERIALIZED_VIEW, RelationKind.SINK) and item.query is not None


def options(item: SqlObject) -> dict[str, str]:
    """The options of WITH, keys in lower case."""
    properties = item.tree.args.get("properties")
    found = properties.expressions if properties else []
    return {p.this.sql().lower(): p.args["value"].name for p in found if type(p) is exp.Property}


def emits_on_close(item: SqlObject) -> bool:
    """EMIT ON WINDOW CLOSE."""
    return item.tree.find(EmitOnWindowCloseProperty) is not None


def has_watermark(item: SqlObject) -> bool:
    """WATERMARK FOR among the columns."""
    return item.tree.find(exp.WatermarkColumnConstraint) is not None


def reads_endless(item: SqlObject, catalogue: Catalogue) -> bool:
    """Whether a source, or an append-only table, is behind it: input that never ends."""
    behind = (catalogue.objects[n] for n in catalogue.upstream(item.name))
    return any(o.kind is RelationKind.SOURCE or _is_append_only_table(o) for o in behind)


def is_append_only(name: ObjectName, catalogue: Catalogue, seen: frozenset[ObjectName] = frozenset()) -> bool:
    """Whether rows of the relation are never taken back, as far as its text shows; False in doubt."""
    item = catalogue.objects.get(name)
    if item is None or name in seen:
        return False
    if item.kind is RelationKind.SOURCE:
        formats = [p.this.name.upper() for p in item.tree.find_all(exp.FileFormatProperty)]
        return not {"UPSERT", "DEBEZIUM"} & set(formats)
    if item.kind is RelationKind.TABLE or item.query is None:
        return _is_append_only_table(item)
    if emits_on_close(item):
        return True
    return not _takes_back(item.query) and all(
        is_append_only(n, catalogue, seen | {name}) for n in _driving(item)
    )


def selects(query: exp.Expr) -> Iterator[exp.Select]:
    """All SELECTs of a statement, the outermost first."""
    yield from query.find_all(exp.Select)


def is_aggregated(select: exp.Select) -> bool:
    """GROUP BY, DISTINCT or an aggregate in its own list."""
    if select.args.get("group") or select.args.get("distinct"):
        return True
    found = (a for e in select.expressions for a in e.find_all(exp.AggFunc))
    return any(not isinstance(a.parent, exp.Window) and a.find_ancestor(exp.Select) is select for a in found)


def is_temporal(table: exp.Expr) -> bool:
    """`FOR SYSTEM_TIME AS OF PROCTIME()`."""
    return isinstance(table, exp.Table) and table.args.get("version") is not None


def _driving(item: SqlObject) -> tuple[ObjectName, ...]:
    """The relations whose changes reach the result: right sides of temporal joins are only looked up."""
    looked_up = {t.name.lower() for t in item.tree.find_all(exp.Table) if is_temporal(t)}
    return tuple(n for n in item.reads if n.name not in looked_up)


def _takes_back(query: exp.Query) -> bool:
    for select in selects(query):
        distinct = select.args.get("distinct")
        if select.args.get("group") or (distinct is not None and not distinct.args.get("on")):
            return True
        if distinct is None and is_aggregated(select):
            return True
        if any(j.side and not is_temporal(j.this) for j in select.args.get("joins") or []):
            return True
    if any(u.args.get("distinct") for u in query.find_all(exp.SetOperation)):
        return True
    return query.find(exp.Window, exp.CurrentTimestamp, exp.Limit, exp.Exists) is not None


def _is_append_only_table(item: SqlObject) -> bool:
    return item.kind is RelationKind.TABLE and item.tree.find(AppendOnlyProperty) is not None
