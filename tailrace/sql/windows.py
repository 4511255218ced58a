"""TUMBLE as plain SQL: a table function over a relation becomes a projection that adds window_start and window_end.

Windows are aligned to the Unix epoch (RisingWave docs, "Time windows"); an optional fourth argument shifts them.
Used by the compiler (views) and by `to_postgres` (ad-hoc queries), so that both agree to the microsecond.
"""

from __future__ import annotations

from sqlglot import exp

from tailrace.errors import InvalidStatement, UnsupportedFeature

_EPOCH = "1970-01-01 00:00:00+00"


def date_bin(size: exp.Expr, timestamp: exp.Expr, offset: exp.Expr | None = None) -> exp.Expr:
    """`date_bin(size, timestamp, epoch [+ offset])`; the literal epoch takes the timestamp's own type."""
    origin: exp.Expr = exp.Literal.string(_EPOCH)
    if offset is not None:
        origin = exp.Add(this=exp.cast(origin, "timestamptz"), expression=offset.copy())
    return exp.Anonymous(this="date_bin", expressions=[size.copy(), timestamp.copy(), origin])


def expand_tumble(query: exp.Expr) -> exp.Expr:
    """Replace every TUMBLE(relation, time column, size[, offset]) by a subquery.

    >>> import sqlglot
    >>> tree = sqlglot.parse_one("SELECT * FROM TUMBLE(t, ts, INTERVAL '10 seconds')", read="risingwave")
    >>> expand_tumble(tree).sql("postgres")[:67]
    "SELECT * FROM (SELECT t.*, date_bin(INTERVAL '10 SECONDS', t.ts, '1"

    Raises InvalidStatement for wrong arguments and UnsupportedFeature for the other window functions.
    """
    for table in list(query.find_all(exp.Table)):
        function = table.this
        if not isinstance(function, exp.Func):
            continue
        name = (function.this if isinstance(function, exp.Anonymous) else function.sql_name()).upper()
        if name != "TUMBLE":
            if name in {"HOP", "SESSION", "GAP_FILL"}:
                raise UnsupportedFeature(f"window function {name}", hint="use TUMBLE")
            continue
        arguments = function.expressions
        if len(arguments) not in (3, 4) or not isinstance(arguments[0], exp.Column):
            raise InvalidStatement("TUMBLE takes (relation, time column, size [, offset])")
        source, time, size = arguments[:3]
        if not isinstance(time, exp.Column):
            raise InvalidStatement("the second argument of TUMBLE must be a column")
        offset = arguments[3] if len(arguments) == 4 else None
        alias = table.alias or source.name
        column = exp.column(time.this.copy(), table=source.this.copy())
        start = date_bin(size, column, offset)
        inner = exp.select(exp.Column(this=exp.Star(), table=source.this.copy()))
        inner = inner.select(exp.alias_(start, "window_start"))
        inner = inner.select(exp.alias_(exp.Add(this=start.copy(), expression=size.copy()), "window_end"))
        inner = inner.from_(exp.Table(this=source.this.copy(), db=source.args.get("table")))
        subquery = inner.subquery(alias, copy=False)
        subquery.set("joins", table.args.get("joins"))
        table.replace(subquery)
    return query
