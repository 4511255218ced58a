"""The head of the page: is the pipeline alive, how fresh, how fast, how much, how odd.

Refreshed every second from `ingest_lag`; the two totals come from `pipeline_counts` at their own, slower
pace. Also carries the one notice that the engine is away. Called by app.pages.live.
"""

from __future__ import annotations

from statistics import median

import streamlit as st

from app import formats
from app.border import border, feeds
from app.database import EngineUnreachableError
from app.feeds import Feeds
from app.pulse import PulseView
from app.queries.anomalies import Anomaly
from app.queries.counts import Counts

LIVE_UNDER_S = 5.0
"""Older than this, the newest message says that nothing is being produced (or that ingest hangs)."""


def render() -> None:
    """Notice, status line and the four figures."""
    with border("Pulse"):
        source = feeds()
        try:
            pulse = source.pulse.get()
        except EngineUnreachableError:
            _show_away(source, None)
            return
        down_for_s = source.database.down_for_s
        if down_for_s is not None:
            _show_away(source, pulse)
        else:
            _show_status(source, pulse)
        _show_figures(pulse, source.counts.get(), source.anomalies.get(), away=down_for_s is not None)


def _show_away(source: Feeds, pulse: PulseView | None) -> None:
    seen = (
        "Start it with `tailrace up`, or point `TAILRACE_SQL_URL` at a running one."
        if pulse is None
        else f"Below is the state of {formats.clock(pulse.now.at)} UTC."
    )
    st.info(
        f"**The engine at {source.place} does not answer.** {seen} "
        "This page tries again every second and goes on by itself.",
        icon=":material/cloud_off:",
    )


def _show_status(source: Feeds, pulse: PulseView) -> None:
    age_s = pulse.now.freshness_s
    if age_s is None:
        st.info(
            "**No readings yet.** Is the loader running? `tailrace up` starts the whole pipeline; "
            "`python -m loader` sends readings to a running one.",
            icon=":material/inbox:",
        )
        return
    live = age_s < LIVE_UNDER_S
    state = ":green-badge[● Live]" if live else f":orange-badge[● Nothing new for {formats.age(age_s)}]"
    st.markdown(f"{state} {formats.clock(pulse.now.at)} UTC · {source.place}")


def _show_figures(pulse: PulseView, counts: Counts, anomalies: list[Anomaly], *, away: bool) -> None:
    freshness, throughput, rates = pulse.freshness(), pulse.throughput(), pulse.rates()
    columns = st.columns(4)
    columns[0].metric(
        "Freshness",
        formats.NOTHING if away else formats.age(pulse.now.freshness_s),
        delta=0 if freshness else None,
        delta_arrow="off",
        delta_color="primary",
        delta_description=_freshness_summary(freshness),
        chart_data=[round(age * 1000, 1) for age in freshness[-120:]] or None,
        chart_type="area",
        border=True,
        help="Age of the newest message that a query can see: now minus its broker timestamp. The line shows "
        "milliseconds over the last two minutes.",
    )
    columns[1].metric(
        "Throughput",
        formats.NOTHING if away else formats.rate(sum(rates.values()) if rates else None),
        chart_data=[round(rate, 1) for rate in throughput[-120:]] or None,
        chart_type="area",
        delta_color="primary",
        border=True,
        help="Messages a second that became visible, over the last five seconds.",
    )
    columns[2].metric("Readings", formats.count(counts.readings), border=True)
    columns[3].metric("Anomalies", formats.count(counts.anomalies), border=True)


def _freshness_summary(freshness: list[float]) -> str:
    last = freshness[-60:]
    return f"median {formats.age(median(last))}, worst {formats.age(max(last))}" if last else ""
