"""`WITH c AS CHANGELOG FROM t`: the CTE put in the place of its name, so that hidden columns can be named. Pure."""

from __future__ import annotations

from sqlglot import exp

from tailrace.sql.event_syntax import CHANGELOG, is_changelog

SUFFIX = " changelog"
"""What the resolved name of a relation ends with where its changes are meant."""
OPERATION, ROW_ID = "changelog_op", "_changelog_row_id"


def inline_changelogs(query: exp.Expr) -> exp.Expr:
    """Each use of such a CTE as `t FOR VERSION AS OF changelog AS c`.

    >>> from tailrace.sql.dialect import parse_query
    >>> inline_changelogs(parse_query("WITH c AS CHANGELOG FROM s.t SELECT * FROM c AS d")).sql("risingwave")
    'SELECT * FROM s.t FOR VERSION AS OF CHANGELOG AS d'
    """
    for cte in list(query.find_all(exp.CTE)):
        table = _changelog_of(cte.this)
        if table is None:
            continue
        holder, scope = cte.parent, cte.parent.parent if cte.parent is not None else None
        if holder is None or scope is None:
            continue
        for use in list(scope.find_all(exp.Table)):
            if use.name == cte.alias and not use.db and use is not table:
                use.replace(_instead(table, use))
        cte.pop()
        if not holder.expressions:
            holder.pop()
    return query


def _changelog_of(query: exp.Expr) -> exp.Table | None:
    source = query.args.get("from_") if isinstance(query, exp.Select) else None
    return source.this if source is not None and is_changelog(source.this) else None


def _instead(table: exp.Table, use: exp.Table) -> exp.Table:
    new = table.copy()
    new.set("version", exp.Version(this="VERSION", kind="AS OF", expression=exp.var(CHANGELOG)))
    new.set(
        "alias", use.args["alias"].copy() if use.args.get("alias") else exp.TableAlias(this=use.this.copy())
    )
    new.set("joins", use.args.get("joins"))
    return new
