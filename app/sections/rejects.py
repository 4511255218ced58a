"""Rejected messages by reason. Called by app.views.live."""

from __future__ import annotations

import streamlit as st

from app import formats
from app.border import border, feeds
from app.charts import reasons
from app.queries.rejects import NEWEST_REJECTS


def render() -> None:
    """The bars, or what their absence means."""
    with border("Rejects"):
        found = feeds().rejects.get()
        if not found:
            st.caption(":material/check_circle: No rejects: every message so far was well formed.")
            return
        st.vega_lite_chart(
            {**reasons.specification(), "datasets": reasons.datasets(found)},
            key="reasons",
            width="stretch",
            alt="Rejected messages by reason",
        )
        total = sum(reason.messages for reason in found)
        part = f"the newest {formats.count(NEWEST_REJECTS)}" if total >= NEWEST_REJECTS else "all so far"
        st.caption(f"Counted: {part}. Their payloads are in the view `rejects`.")
