"""One signal: readings, their 10-second windows, and the anomalies on them.

`specification` is fixed for a metric and unit; `datasets` holds everything that changes. Bands are drawn
from window to window at the windows' middles and break where a window is missing, so that silence looks
like silence. Called by app.sections.signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from app import formats, rules
from app.queries.anomalies import Anomaly
from app.queries.devices import Metric
from app.queries.signal import Reading, Window

WINDOW = timedelta(seconds=10)
SIGNAL_COLOUR = "#2a83a3"
LIMIT_COLOUR = "#b9505f"
LIMIT_NEAR = 0.35
"""A limit is drawn when it lies at most this share of the signal's range beyond it: a far one flattens it."""


@lru_cache(maxsize=64)
def specification(metric: str, unit: str) -> dict[str, Any]:
    """The chart without data. Its data sets are named frame, limits, windows, readings and anomalies."""
    x = alt.X(
        "at:T",
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(title=None, format="%H:%M:%S", labelOverlap=True, tickCount=8, grid=False),
    )
    y_title = f"{metric} ({formats.unit(unit)})" if unit else metric
    y_scale, y_axis = (
        alt.Scale(zero=False, nice=True, padding=8),
        alt.Axis(title=y_title, tickCount=6, format=",.6~g"),
    )
    windows = alt.Chart(alt.NamedData("windows"))
    window_tooltip = [
        alt.Tooltip("label:N", title="Window (UTC)"),
        alt.Tooltip("average:Q", format=".4~g", title="Average"),
        alt.Tooltip("deviation:Q", format=".3~g", title="Standard deviation"),
        alt.Tooltip("minimum:Q", format=".4~g", title="Minimum"),
        alt.Tooltip("maximum:Q", format=".4~g", title="Maximum"),
        alt.Tooltip("samples:Q", title="Readings"),
    ]

    def y(column: str) -> Any:
        return alt.Y(f"{column}:Q", scale=y_scale, axis=y_axis)

    layers = [
        alt.Chart(alt.NamedData("frame")).mark_point(opacity=0, size=0).encode(x=x),
        windows.mark_area(color=SIGNAL_COLOUR, opacity=0.10).encode(x=x, y=y("minimum"), y2="maximum:Q"),
        windows.mark_area(color=SIGNAL_COLOUR, opacity=0.16).encode(x=x, y=y("lower"), y2="upper:Q"),
        alt.Chart(alt.NamedData("limits"))
        .mark_rule(color=LIMIT_COLOUR, strokeDash=[6, 4], opacity=0.8)
        .encode(y=y("limit"), tooltip=[alt.Tooltip("name:N", title="Limit")]),
        alt.Chart(alt.NamedData("readings"))
        .mark_circle(color=SIGNAL_COLOUR, size=16)
        .encode(
            x=x,
            y=y("value"),
            opacity=alt.condition("datum.late", alt.value(0.9), alt.value(0.45)),
            tooltip=[
                alt.Tooltip("label:N", title="Reading (UTC)"),
                alt.Tooltip("value:Q", format=".5~g", title=y_title),
                alt.Tooltip("arrival:N", title="Arrived"),
            ],
        ),
        windows.mark_line(
            color=SIGNAL_COLOUR, strokeWidth=2, point=alt.OverlayMarkDef(opacity=0, size=120)
        ).encode(x=x, y=y("average"), tooltip=window_tooltip),
        *_anomaly_layers(x, y),
    ]
    chart = alt.layer(*layers).properties(height=310)
    specification: dict[str, Any] = chart.to_dict()
    return specification


def _anomaly_layers(x: Any, y: Any) -> list[Any]:
    names = list(rules.COLOURS)
    legend = alt.Legend(
        title=None,
        orient="top",
        direction="horizontal",
        columns=alt.ExprRef("width < 340 ? 2 : 4"),  # on a phone the rules would not fit in a row
        symbolSize=110,
        symbolOpacity=1,
    )
    colour = alt.Color(
        "rule:N", scale=alt.Scale(domain=names, range=list(rules.COLOURS.values())), legend=legend
    )
    shape = alt.Shape(
        "rule:N", scale=alt.Scale(domain=names, range=list(rules.SHAPES.values())), legend=legend
    )
    tooltip = [
        alt.Tooltip("rule:N", title="Anomaly"),
        alt.Tooltip("label:N", title="At (UTC)"),
        alt.Tooltip("shown_value:N", title="Value"),
        alt.Tooltip("detail:N", title="Why"),
        alt.Tooltip("found:N", title="Found after"),
    ]
    anomalies = alt.Chart(alt.NamedData("anomalies"))
    return [
        anomalies.mark_rule(strokeWidth=1.5, opacity=0.35).encode(x=x, color=colour, tooltip=tooltip),
        anomalies.mark_point(size=130, filled=True, opacity=1, stroke="white", strokeWidth=1).encode(
            x=x, y=y("value"), color=colour, shape=shape, tooltip=tooltip
        ),
    ]


def datasets(
    shown: tuple[datetime, datetime],
    readings: Sequence[Reading],
    windows: Sequence[Window],
    anomalies: Sequence[Anomaly],
    metric: Metric,
) -> dict[str, pd.DataFrame]:
    """The chart's data by name; every time is UTC, every label ready to be read."""
    return {
        "frame": pd.DataFrame({"at": _times(_frame(shown, readings, windows))}),
        "limits": _limits(readings, metric),
        "windows": _windows(windows),
        "readings": _readings(readings),
        "anomalies": _anomalies(anomalies, metric.unit),
    }


def _frame(
    shown: tuple[datetime, datetime], readings: Sequence[Reading], windows: Sequence[Window]
) -> tuple[datetime, datetime]:
    """The range to draw: the one asked for, less the time before the signal's first reading in it."""
    since, until = shown
    first = min([*(reading.ts for reading in readings), *(w.window_start for w in windows)], default=since)
    return max(since, first), until


def _readings(readings: Sequence[Reading]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "at": _times([reading.ts for reading in readings]),
            "value": pd.Series([reading.value for reading in readings], dtype="float64"),
            "late": pd.Series([bool(reading.late) for reading in readings], dtype="bool"),
            "label": pd.Series([formats.moment(reading.ts) for reading in readings], dtype="str"),
            "arrival": pd.Series(
                ["late" if reading.late else "in time" for reading in readings], dtype="str"
            ),
        }
    )


def _windows(windows: Sequence[Window]) -> pd.DataFrame:
    """The windows by time, with an empty row after each that has no successor (it breaks lines and bands)."""
    rows: list[tuple[Any, ...]] = []
    ordered = sorted(windows, key=lambda window: window.window_start)
    for window, successor in zip(ordered, [*ordered[1:], None], strict=True):
        spread = window.deviation or 0.0
        rows.append(
            (
                window.window_start + WINDOW / 2,
                window.average,
                window.minimum,
                window.maximum,
                max(window.average - spread, window.minimum),
                min(window.average + spread, window.maximum),
                window.deviation,
                window.samples,
                f"{formats.clock(window.window_start)} to {formats.clock(window.window_end)}",
            )
        )
        if successor is not None and successor.window_start > window.window_end:
            rows.append((window.window_end + WINDOW / 2, *(None,) * 8))
    names = ("at", "average", "minimum", "maximum", "lower", "upper", "deviation", "samples", "label")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(names, ())
    frame = {name: pd.Series(columns[name], dtype="float64") for name in names[1:-1]}
    return pd.DataFrame(
        {"at": _times(columns["at"]), **frame, "label": pd.Series(columns["label"], dtype="object")}
    )


def _anomalies(anomalies: Sequence[Anomaly], unit: str | None) -> pd.DataFrame:
    delays = [(anomaly.detected_at - anomaly.ts).total_seconds() for anomaly in anomalies]
    return pd.DataFrame(
        {
            "at": _times([anomaly.ts for anomaly in anomalies]),
            "value": pd.Series([anomaly.value for anomaly in anomalies], dtype="float64"),
            "rule": pd.Series([anomaly.rule for anomaly in anomalies], dtype="str"),
            "label": pd.Series([formats.moment(anomaly.ts) for anomaly in anomalies], dtype="str"),
            "shown_value": pd.Series(
                [formats.quantity(anomaly.value, unit) for anomaly in anomalies], dtype="str"
            ),
            "detail": pd.Series([anomaly.detail or "" for anomaly in anomalies], dtype="str"),
            "found": pd.Series([formats.age(delay) for delay in delays], dtype="str"),
        }
    )


def _limits(readings: Sequence[Reading], metric: Metric) -> pd.DataFrame:
    values = [reading.value for reading in readings]
    drawn = []
    if values:
        margin = LIMIT_NEAR * (max(values) - min(values))
        drawn = [
            (limit, f"{name}: {formats.quantity(limit, metric.unit)}")
            for name, limit in (("Low", metric.low), ("High", metric.high))
            if limit is not None and min(values) - margin <= limit <= max(values) + margin
        ]
    return pd.DataFrame(
        {
            "limit": pd.Series([limit for limit, _ in drawn], dtype="float64"),
            "name": pd.Series([name for _, name in drawn], dtype="str"),
        }
    )


def _times(moments: Sequence[datetime]) -> pd.Series:
    return pd.Series(pd.to_datetime(list(moments), utc=True))
