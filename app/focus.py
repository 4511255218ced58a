"""What a viewer looks at: device, metric, and (for an anomaly of the past) the moment around which to look.

Kept in the session's state under the keys of the widgets that show it, so that a click elsewhere moves
them. Called by app.sections.anomalies and app.sections.signal.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import streamlit as st

from app.queries.anomalies import Anomaly

SIGNAL_KEY: Final = "signal"
"""Key of the signal's fragment: what a click reruns instead of the whole page."""

DEVICE_KEY: Final = "device"
METRIC_KEY: Final = "metric"
MINUTES_KEY: Final = "minutes"
CENTRE_KEY: Final = "centre"
ASKED_KEY: Final = "asked"

DEFAULT_MINUTES: Final = 5
AHEAD: Final = timedelta(seconds=5)
"""Event times may be a little ahead of this machine's clock."""


def ask_for(anomaly: Anomaly) -> None:
    """Show the anomaly's signal at the next run of the signal's fragment.

    A callback that reruns another fragment cannot set the state of that fragment's widgets itself: the rerun
    starts from the values that the browser last sent, and those win.
    """
    st.session_state[ASKED_KEY] = anomaly


def take_up() -> None:
    """Look where `ask_for` asked to; called before the widgets are made."""
    anomaly: Anomaly | None = st.session_state.pop(ASKED_KEY, None)
    if anomaly is not None:
        _look_at(anomaly)


def _look_at(anomaly: Anomaly) -> None:
    """The anomaly's signal: live if the anomaly lies within the shown range, else around its time."""
    st.session_state[DEVICE_KEY] = anomaly.device_id
    if anomaly.metric is not None:
        st.session_state[METRIC_KEY] = anomaly.metric
    since, _ = live_range()
    st.session_state[CENTRE_KEY] = anomaly.ts if anomaly.ts <= since else None


def look_live() -> None:
    """Follow the present again."""
    st.session_state[CENTRE_KEY] = None


def centre() -> datetime | None:
    """The moment looked at; None while following the present."""
    value: datetime | None = st.session_state.get(CENTRE_KEY)
    return value


def live_range() -> tuple[datetime, datetime]:
    """The last minutes, as many as are chosen."""
    now = datetime.now(UTC)
    return now - _chosen(), now + AHEAD


def shown_range() -> tuple[datetime, datetime]:
    """Event times (since, until] that the chart shows."""
    at = centre()
    return live_range() if at is None else (at - _chosen() / 2, at + _chosen() / 2)


def _chosen() -> timedelta:
    return timedelta(minutes=st.session_state.get(MINUTES_KEY) or DEFAULT_MINUTES)
