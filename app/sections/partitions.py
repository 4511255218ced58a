"""Ingest per partition: how much, how fast, how old. Called by app.views.live."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from app import formats
from app.border import border, feeds
from app.pulse import PulseView


def render() -> None:
    """The table; an empty topic has no rows yet."""
    with border("Partitions"):
        pulse = feeds().pulse.get()
        if not pulse.now.partitions:
            st.caption(":material/inbox: No messages yet.")
            return
        st.dataframe(
            _table(pulse),
            key="partitions",
            hide_index=True,
            row_height=32,
            height="content",
            column_config={
                "partition": st.column_config.NumberColumn("Partition", width=70),
                "messages": st.column_config.NumberColumn("Messages", format="localized"),
                "offset": st.column_config.NumberColumn("Newest offset", format="localized"),
                "rate": st.column_config.TextColumn("Rate", alignment="right"),
                "age": st.column_config.TextColumn(
                    "Age of newest", alignment="right", help="Now minus the newest broker timestamp visible"
                ),
                "event_lag": st.column_config.TextColumn(
                    "Behind event time",
                    alignment="right",
                    help="Now minus the newest event time (ts) visible",
                ),
            },
        )


def _table(pulse: PulseView) -> pd.DataFrame:
    at, partitions, rates = pulse.now.at, pulse.now.partitions, pulse.rates()
    return pd.DataFrame(
        {
            "partition": [row.partition for row in partitions],
            "messages": [row.messages for row in partitions],
            "offset": [row.last_offset for row in partitions],
            "rate": [formats.rate(rates.get(row.partition)) for row in partitions],
            "age": [formats.age((at - row.last_kafka_timestamp).total_seconds()) for row in partitions],
            "event_lag": [
                formats.NOTHING if row.last_ts is None else formats.age((at - row.last_ts).total_seconds())
                for row in partitions
            ],
        }
    )
