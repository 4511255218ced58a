"""TUMBLE and HOP as plain SQL: a table function over a relation becomes a query that adds window_start and window_end.

Windows are aligned to the Unix epoch, shifted by the optional last argument (RisingWave docs, "Time windows"). Used by the
compiler (views) and by `to_postgres` (ad-hoc queries), so that both agree to the microsecond.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from tailrace.errors import InvalidStatement, UnsupportedFeature

_EPOCH = "1970-01-01 00:00:00+00"
HOPS = "_hop"
"""The alias of the constant list of numbers that HOP joins each row with."""
MAX_HOPS = 10_000

_UNITS_US = {
    "microsecond": 1,
    "us": 1,
    "millisecond": 1_000,
    "ms": 1_000,
    "second": 1_000_000,
    "sec": 1_000_000,
    "s": 1_000_000,
    "minute": 60_000_000,
    "min": 60_000_000,
    "m": 60_000_000,
    "hour": 3_600_000_000,
    "h": 3_600_000_000,
    "day": 86_400_000_000,
    "d": 86_400_000_000,
    "week": 604_800_000_000,
    "w": 604_800_000_000,
}


def expand_windows(query: exp.Expr) -> exp.Expr:
    """Replace every TUMBLE(relation, time, size[, offset]) and HOP(relation, time, hop, size[, offset]) by a subquery.

    >>> import sqlglot
    >>> tree = sqlglot.parse_one("SELECT * FROM TUMBLE(t, ts, INTERVAL '10 seconds')", read="risingwave")
    >>> expand_windows(tree).sql("postgres")[:67]
    "SELECT * FROM (SELECT t.*, DATE_BIN(INTERVAL '10 SECONDS', t.ts, '1"

    Raises InvalidStatement for wrong arguments and UnsupportedFeature for the other window functions.
    """
    for table in list(query.find_all(exp.Table)):
        function = table.this
        if not isinstance(function, exp.Func):
            continue
        name = (function.this if isinstance(function, exp.Anonymous) else function.sql_name()).upper()
        if name in ("SESSION", "GAP_FILL"):
            raise UnsupportedFeature(f"window function {name}", hint="use TUMBLE or HOP")
        if name not in ("TUMBLE", "HOP"):
            continue
        source, time, intervals = _arguments(name, function.expressions)
        alias = table.alias or source.name
        column = exp.column(time.this.copy(), table=source.this.copy())
        inner = _tumble(source, column, intervals) if name == "TUMBLE" else _hop(source, column, intervals)
        subquery = inner.subquery(alias, copy=False)
        subquery.set("joins", table.args.get("joins"))
        table.replace(subquery)
    return query


def date_bin(size: exp.Expr, timestamp: exp.Expr, offset: exp.Expr | None = None) -> exp.Expr:
    """The start of the window of `size` that holds `timestamp`; the literal epoch takes the timestamp's own type."""
    if offset is not None:
        timestamp = exp.paren(exp.Sub(this=timestamp.copy(), expression=offset.copy()))
    arguments = [size.copy(), timestamp.copy(), exp.Literal.string(_EPOCH)]
    start: exp.Expr = exp.Anonymous(this="date_bin", expressions=arguments)
    return start if offset is None else exp.Add(this=start, expression=offset.copy())


def interval_us(interval: exp.Expr) -> int | None:
    """The length of an interval literal in microseconds; None for anything else, months and years included.

    >>> interval_us(exp.Interval(this=exp.Literal.string("10"), unit=exp.var("SECONDS")))
    10000000
    """
    unit = ""
    if isinstance(interval, exp.Interval) and interval.this is not None:
        unit = interval.args["unit"].name if interval.args.get("unit") is not None else ""
        literal = interval.this
    elif isinstance(interval, exp.Cast) and interval.to.is_type("interval"):
        literal = interval.this
    elif isinstance(interval, exp.Literal) and interval.is_string:
        literal = interval
    else:
        return None
    if not isinstance(literal, exp.Literal):
        return None
    text = f"{literal.name} {unit}".strip().lower()
    total = 0.0
    clock = re.search(r"(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?", text)
    if clock:
        total += (int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3] or 0)) * 1_000_000
        text = text.replace(clock[0], "")
    rest = re.sub(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)", "", text)
    bare = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*", rest)
    if bare:  # a number without a unit counts seconds
        total += float(bare[1]) * 1_000_000
    elif rest.strip():
        return None
    for number, word in re.findall(r"([+-]?\d+(?:\.\d+)?)\s*([a-z]+)", text):
        factor = _UNITS_US.get(word, _UNITS_US.get(word.removesuffix("s")))
        if factor is None:
            return None
        total += float(number) * factor
    return round(total)


def _arguments(name: str, given: Sequence[exp.Expr]) -> tuple[exp.Column, exp.Column, list[exp.Expr]]:
    shape = (
        "(relation, time column, size [, offset])"
        if name == "TUMBLE"
        else "(relation, time column, hop, size [, offset])"
    )
    least = 3 if name == "TUMBLE" else 4
    if len(given) not in (least, least + 1) or not isinstance(given[0], exp.Column):
        raise InvalidStatement(f"{name} takes {shape}")
    if not isinstance(given[1], exp.Column):
        raise InvalidStatement(f"the second argument of {name} must be a column")
    for position, interval in enumerate(given[2:]):
        length = interval_us(interval)
        if length is None:
            raise InvalidStatement(
                f"the sizes of {name} must be interval literals of fixed length, got {interval.sql(dialect='postgres')}",
                hint=f"write {name}{shape} with intervals such as INTERVAL '10 seconds'",
            )
        if length <= 0 and position < least - 2:
            raise InvalidStatement(f"the sizes of {name} must be positive")
    sizes = [exp.cast(g.copy(), "interval") if isinstance(g, exp.Literal) else g for g in given[2:]]
    return given[0], given[1], sizes


def _tumble(source: exp.Column, time: exp.Column, intervals: Sequence[exp.Expr]) -> exp.Select:
    size, *offset = intervals
    start = date_bin(size, time, *offset)
    return _select(source, start, size)


def _hop(source: exp.Column, time: exp.Column, intervals: Sequence[exp.Expr]) -> exp.Select:
    """Each row in size / hop windows: the first one that holds it, and the ones a hop later each; a NULL time is in none."""
    hop, size, *offset = intervals
    hop_us, size_us = interval_us(hop) or 0, interval_us(size) or 0
    if size_us % hop_us:
        raise InvalidStatement(
            f"Invalid arguments for HOP window function: window_size {size.sql(dialect='postgres')} "
            f"cannot be divided by window_slide {hop.sql(dialect='postgres')}"
        )
    count = size_us // hop_us
    if count > MAX_HOPS:
        raise UnsupportedFeature(
            f"HOP with {count} windows for each row", hint=f"at most {MAX_HOPS}: take a longer hop"
        )
    earlier = exp.paren(exp.Sub(this=size.copy(), expression=hop.copy()))
    first = date_bin(hop, exp.paren(exp.Sub(this=time.copy(), expression=earlier)), *offset)
    later = exp.Mul(this=exp.column("n", table=HOPS), expression=hop.copy())
    inner = _select(source, exp.Add(this=first, expression=later), size)
    numbers = exp.values([(n,) for n in range(count)], alias=HOPS, columns=["n"])
    return inner.join(numbers, join_type="cross").where(time.copy().is_(exp.null()).not_())


def _select(source: exp.Column, start: exp.Expr, size: exp.Expr) -> exp.Select:
    inner = exp.select(exp.Column(this=exp.Star(), table=source.this.copy()))
    inner = inner.select(exp.alias_(start, "window_start"))
    inner = inner.select(exp.alias_(exp.Add(this=start.copy(), expression=size.copy()), "window_end"))
    return inner.from_(exp.Table(this=source.this.copy(), db=source.args.get("table")))
