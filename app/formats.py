"""Numbers and times as people read them: thousands separators, units, UTC.

Pure functions; every time is an aware datetime and is shown in UTC, whatever the viewer's clock says.
Called by the sections and charts.
"""

from __future__ import annotations

from datetime import UTC, datetime

NOTHING = "–"

SYMBOLS = {"degC": "°C", "degF": "°F", "percent": "%", "ohm": "Ω"}


def count(number: int) -> str:
    """
    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,}"


def rate(per_second: float | None) -> str:
    """
    >>> rate(3012.4), rate(0.25), rate(None)
    ('3,012 /s', '0.2 /s', '–')
    """
    if per_second is None:
        return NOTHING
    return f"{per_second:,.0f} /s" if per_second >= 10 else f"{per_second:.1f} /s"


def age(seconds: float | None) -> str:
    """How long ago, in the two largest units at most.

    >>> age(0.0864), age(1.25), age(75), age(7_260), age(200_000), age(None)
    ('86 ms', '1.2 s', '1 min 15 s', '2 h 1 min', '2 d 7 h', '–')
    """
    if seconds is None:
        return NOTHING
    seconds = max(seconds, 0.0)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, name, part, part_name in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min")):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part} {part_name}"
    return f"{whole // 60} min {whole % 60} s"


def age_coarse(seconds: float) -> str:
    """How long ago in one unit, for a column.

    >>> age_coarse(0.2), age_coarse(42.6), age_coarse(119), age_coarse(7_300), age_coarse(200_000)
    ('0 s', '43 s', '1 min', '2 h', '2 d')
    """
    whole = max(round(seconds), 0)
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {name}"
    return f"{whole} s"


def clock(moment: datetime) -> str:
    """
    >>> clock(datetime(2026, 11, 23, 23, 16, 17, 123000, UTC))
    '23:16:17'
    """
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def moment(at: datetime) -> str:
    """
    >>> moment(datetime(2026, 11, 23, 23, 16, 17, 123000, UTC))
    '2026-11-23 23:16:17.123 UTC'
    """
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def unit(name: str | None) -> str:
    """The symbol of a unit; a unit without a known symbol is shown as it is written.

    >>> unit("degC"), unit("hPa"), unit(None)
    ('°C', 'hPa', '')
    """
    return SYMBOLS.get(name, name) if name else ""


def quantity(value: float | None, unit_name: str | None) -> str:
    """A value with its unit, to four significant digits or to the whole number.

    >>> quantity(21.3712, "degC"), quantity(101325.2, "Pa"), quantity(-0.00031, None), quantity(None, "Pa")
    ('21.37 °C', '101,325 Pa', '-0.00031', '–')
    """
    if value is None:
        return NOTHING
    text = f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
    return f"{text} {unit(unit_name)}".rstrip()
