"""The newest anomalies of the whole fleet; a click on one shows its signal.

The button's label names device and metric, so a click means what the viewer saw, even when newer rows have
moved the table since. Called by app.views.live.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import streamlit as st

from app import formats, rules
from app.border import border, feeds
from app.focus import SIGNAL_KEY, ask_for
from app.queries.anomalies import Anomaly

CLICK_KEY = "anomaly_click"
SEPARATOR = " · "


def render() -> None:
    """The table, or what its absence means."""
    with border("Newest anomalies"):
        found = feeds().anomalies.get()
        if not found:
            st.caption(
                ":material/check_circle: No anomalies yet. The z-score rule waits until it knows a signal's "
                "usual range; the other rules judge at once."
            )
            return
        st.session_state["anomalies_shown"] = {_signal_name(anomaly): anomaly for anomaly in reversed(found)}
        st.dataframe(
            _table(found, datetime.now(UTC)),
            key="anomalies",
            hide_index=True,
            height=440,
            row_height=32,
            column_config={
                "rule": st.column_config.MultiselectColumn(
                    "Rule", width=92, options=list(rules.COLOURS), color=list(rules.COLOURS.values())
                ),
                "signal": st.column_config.ButtonColumn(
                    "Signal", type="tertiary", alignment="left", key=CLICK_KEY, on_click=_show_clicked
                ),
                "value": st.column_config.TextColumn("Value", alignment="right", width=88),
                "age": st.column_config.TextColumn("Age", alignment="right", width=64),
                "detail": st.column_config.TextColumn("Why", width=260),
            },
        )


def _table(found: list[Anomaly], now: datetime) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rule": [[anomaly.rule] for anomaly in found],
            "signal": [_signal_name(anomaly) for anomaly in found],
            "value": [formats.quantity(anomaly.value, anomaly.unit) for anomaly in found],
            "age": [formats.age_coarse((now - anomaly.detected_at).total_seconds()) for anomaly in found],
            "detail": [anomaly.detail or "" for anomaly in found],
        }
    )


def _signal_name(anomaly: Anomaly) -> str:
    return SEPARATOR.join(part for part in (anomaly.device_id, anomaly.metric) if part)


def _show_clicked() -> None:
    name = st.session_state[CLICK_KEY]["label"]
    anomaly = st.session_state["anomalies_shown"].get(name)
    if anomaly is not None:
        ask_for(anomaly)
    st.rerun(SIGNAL_KEY)
