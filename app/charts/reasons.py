"""Rejected messages by reason: bars with their numbers. Called by app.sections.rejects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from app import formats
from app.queries.rejects import Reason

BAR_COLOUR = "#d9772b"
LABEL_COLOUR = "#778694"  # readable on light and on dark

DESCRIPTIONS = {
    "not_utf8": "not UTF-8 text",
    "not_json": "not JSON",
    "not_object": "not a JSON object",
    "missing_field": "a field is missing",
    "bad_value": "value is not a number",
    "bad_timestamp": "time cannot be read",
}


@lru_cache(maxsize=1)
def specification() -> dict[str, Any]:
    """The chart without data; its data set is named reasons."""
    bars = alt.Chart(alt.NamedData("reasons")).encode(
        x=alt.X("messages:Q", axis=None, scale=alt.Scale(zero=True, nice=False)),
        y=alt.Y(
            "reason:N",
            sort=alt.EncodingSortField("messages", op="max", order="descending"),
            axis=alt.Axis(
                title=None, domain=False, ticks=False, labelLimit=220, labelPadding=8, labelFontSize=12
            ),
        ),
        tooltip=[
            alt.Tooltip("code:N", title="reject_reason"),
            alt.Tooltip("label:N", title="Messages"),
        ],
    )
    chart = alt.layer(
        bars.mark_bar(color=BAR_COLOUR, opacity=0.75, cornerRadiusEnd=3, height={"band": 0.62}),
        bars.mark_text(align="left", dx=6, fontSize=12, color=LABEL_COLOUR).encode(text="label:N"),
    ).properties(height=alt.Step(28))
    specification: dict[str, Any] = chart.to_dict()
    return specification


def datasets(reasons: Sequence[Reason]) -> dict[str, pd.DataFrame]:
    """The chart's data by name."""
    return {
        "reasons": pd.DataFrame(
            {
                "code": [reason.reject_reason for reason in reasons],
                "reason": [
                    DESCRIPTIONS.get(reason.reject_reason, reason.reject_reason) for reason in reasons
                ],
                "messages": [reason.messages for reason in reasons],
                "label": [formats.count(reason.messages) for reason in reasons],
            }
        )
    }
