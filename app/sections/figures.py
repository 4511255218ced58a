"""How fresh, how fast, how much, how odd: four figures, refreshed every second.

Freshness and throughput come from the samples of `ingest_lag`; the totals from `pipeline_counts`, at their
own slower pace. Called by app.views.live.
"""

from __future__ import annotations

from datetime import UTC, datetime
from statistics import median

import streamlit as st

from app import cards, formats
from app.border import border, feeds
from app.cards import Card
from app.pulse import PulseView
from app.queries.anomalies import Anomaly
from app.queries.counts import Counts
from app.sections import accounting


def render() -> None:
    """The cards, and below them the accounting line."""
    with border("Figures"):
        source = feeds()
        pulse, counts = source.pulse.get(), source.counts.get()
        away = source.database.down_for_s is not None
        figures = (
            _freshness(pulse, away=away),
            _throughput(pulse, away=away),
            _readings(counts, len(source.registry.get())),
            _anomalies(counts, source.anomalies.get()),
        )
        st.html(cards.html(figures) + accounting.line(counts))


def _freshness(pulse: PulseView, *, away: bool) -> Card:
    course = pulse.freshness()
    last = course[-60:]
    return Card(
        title="Freshness",
        value=formats.NOTHING if away else formats.age(pulse.now.freshness_s),
        note=f"median {formats.age(median(last))} · worst {formats.age(max(last))}" if last else "",
        explanation="Age of the newest message that a query can see: now minus its broker timestamp. "
        "Median and worst over the last minute; the curve covers two.",
        course=course,
    )


def _throughput(pulse: PulseView, *, away: bool) -> Card:
    course = pulse.throughput()
    rates = pulse.rates()
    return Card(
        title="Throughput",
        value=formats.NOTHING if away or not rates else formats.rate(sum(rates.values())),
        note=f"peak {formats.rate(max(course))}" if course else "",
        explanation="Messages a second that became visible, over the last five seconds.",
        course=course,
    )


def _readings(counts: Counts, devices: int) -> Card:
    share = f" · {100 * counts.readings / counts.messages:.1f} % of all messages" if counts.messages else ""
    return Card(
        title="Readings",
        value=formats.count(counts.readings),
        note=f"{formats.count(devices)} devices{share}",
        explanation="Valid readings, each event counted once.",
    )


def _anomalies(counts: Counts, newest: list[Anomaly]) -> Card:
    if newest:
        age_s = (datetime.now(UTC) - newest[0].detected_at).total_seconds()
        note = f"newest: {newest[0].rule}, {formats.age_coarse(age_s)} ago"
    else:
        note = "none yet"
    return Card(
        title="Anomalies",
        value=formats.count(counts.anomalies),
        note=note,
        explanation="Findings of all rules since the views were created.",
    )
