"""The line at the head of the page: is the pipeline alive; and the one notice when it is not.

Called by app.views.live.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from app import formats
from app.border import border, feeds
from app.database import EngineUnreachableError
from app.feeds import Feeds
from app.pulse import PulseView

LIVE_UNDER_S = 5.0
"""Older than this, the newest message says that nothing is being produced, or that ingest hangs."""


def render() -> None:
    """Name, state, clock, place; and what to do when there is nothing to see."""
    with border("Tailrace"):
        source = feeds()
        try:
            pulse = source.pulse.get()
        except EngineUnreachableError:
            _show_away(source, None)
            return
        if source.database.down_for_s is not None:
            _show_away(source, pulse)
        else:
            _show_state(source, pulse)


def _show_away(source: Feeds, pulse: PulseView | None) -> None:
    _line("Engine away", "waits", "", source.place)
    seen = (
        "Start it with `tailrace up`, or set `TAILRACE_SQL_URL` to one that runs."
        if pulse is None
        else f"What you see is the state of {formats.clock(pulse.now.at)} UTC."
    )
    st.info(
        f"**The engine at {source.place} does not answer.** {seen} "
        "This page tries again every second and goes on by itself.",
        icon=":material/cloud_off:",
    )


def _show_state(source: Feeds, pulse: PulseView) -> None:
    age_s = pulse.now.freshness_s
    clock = f"{formats.clock(pulse.now.at)} UTC"
    if age_s is None:
        _line("Empty", "waits", clock, source.place)
        st.info(
            "**No readings yet: is the loader running?** `tailrace up` starts the whole pipeline; "
            "`python -m loader` sends readings to one that runs.",
            icon=":material/inbox:",
        )
    elif age_s < LIVE_UNDER_S:
        _line("Live", "lives", clock, source.place)
    else:
        _line(f"Nothing new for {formats.age(age_s)}", "waits", clock, source.place)


def _line(state: str, css_class: str, clock: str, place: str) -> None:
    st.html(
        f'<div class="tailrace-status"><h1>Tailrace</h1><b class="{css_class}">{escape(state)}</b>'
        f"<span>{escape(clock)}</span><span>{escape(place)}</span></div>"
    )
