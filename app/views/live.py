"""The live page: what comes in now, what is odd about it, and whether every message is accounted for.

Only lays out; each section is a fragment that refreshes at its own pace, so the page itself runs once.
Called by app.main.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import focus, settings
from app.sections import anomalies, figures, partitions, rejects, signal, status


def render() -> None:
    """The whole page."""
    head, switch = st.columns([10, 1], vertical_alignment="center")
    live = switch.toggle("Refresh", value=True, key="live", help="Off: the page stands still, to be read.")

    def show(section: Callable[[], None], every_s: float, key: str) -> None:
        st.fragment(section, run_every=every_s if live else None, key=key)()

    with head:
        show(status.render, settings.PULSE_EVERY_S, "status")
    show(figures.render, settings.PULSE_EVERY_S, "figures")
    wide, narrow = st.columns([3, 2], gap="small")
    with wide.container(border=True, height="stretch", key="card_signal"):
        show(signal.render, settings.SIGNAL_EVERY_S, focus.SIGNAL_KEY)
    with narrow.container(border=True, height="stretch", key="card_anomalies"):
        st.markdown("##### Newest anomalies")
        show(anomalies.render, settings.ANOMALIES_EVERY_S, "anomalies")
    wide, narrow = st.columns([3, 2], gap="small")
    with wide.container(border=True, height="stretch", key="card_partitions"):
        st.markdown("##### Ingest by partition")
        show(partitions.render, settings.PARTITIONS_EVERY_S, "partitions")
    with narrow.container(border=True, height="stretch", key="card_rejects"):
        st.markdown("##### Rejected messages by reason")
        show(rejects.render, settings.REJECTS_EVERY_S, "rejects")
