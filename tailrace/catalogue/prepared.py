"""A query as sqlglot's optimizer understands it: RisingWave's own items of FROM become plain ones with the same columns. Pure.

    TUMBLE(t, ts, size)                     (SELECT *, ts AS window_start, ts AS window_end FROM t) AS t
    t FOR SYSTEM_TIME AS OF PROCTIME()      t
    WITH c AS CHANGELOG FROM t              SELECT *, 1 AS changelog_op FROM t
    s.t                                     "s.t"

The result is for looking at columns, never for running. Used by `columns`.
"""

from __future__ import annotations

from sqlglot import exp

from tailrace.catalogue.statements import bare
from tailrace.sql.event_syntax import is_changelog
from tailrace.sql.names import Reference, references


def prepared(query: exp.Query) -> exp.Query:
    """A copy of `query`, rewritten; lines of its names are kept."""
    tree = query.copy()
    for reference in list(references(tree)):
        _replace(reference)
    return tree


def _replace(reference: Reference) -> None:
    table, named = reference.table, reference.identifier
    flat = exp.Table(this=_flat(reference))
    alias = table.args.get("alias")
    if reference.windowed:
        function = str(table.this.this).upper() if isinstance(table.this, exp.Anonymous) else ""
        columns: list[exp.Expr] = [exp.Star()]
        if function in ("TUMBLE", "HOP"):
            time = table.this.expressions[1]
            columns += [exp.alias_(time.copy(), f"window_{end}") for end in ("start", "end")]
        inner = exp.Select(expressions=columns).from_(flat, copy=False)
        shown = alias or exp.TableAlias(this=named.copy())
        keep = {k: table.args.get(k) for k in ("joins", "laterals", "pivots") if table.args.get(k)}
        table.replace(exp.Subquery(this=inner, alias=shown, **keep))
        return
    if is_changelog(table):
        select = table.find_ancestor(exp.Select)
        if select is not None:
            select.append("expressions", exp.alias_(exp.Literal.number(1), "changelog_op"))
    table.set("version", None)
    table.set("db", None)
    if alias is None and flat.name != named.name:
        table.set("alias", exp.TableAlias(this=named.copy()))
    table.set("this", flat.this)


def _flat(reference: Reference) -> exp.Identifier:
    """The relation's name, schema included, as one identifier."""
    name = bare(reference.name)
    flat = exp.to_identifier(str(name), quoted=True)
    flat.meta.update(reference.identifier.meta)
    return flat
