"""One device's signal: pick a device, a metric and a range; see readings, windows, limits and anomalies.

A newcomer starts at the newest anomaly. The queries belong to one viewer, so they are not shared; while the
engine is away the last picture stays. Called by app.views.live.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from app import focus, formats
from app.border import border, feeds
from app.charts import signal as chart
from app.database import EngineUnreachableError
from app.feeds import Feeds
from app.queries import anomalies as anomaly_queries
from app.queries import signal as signal_queries
from app.queries.anomalies import Anomaly
from app.queries.devices import Device, Metric
from app.queries.signal import Reading, Window

RANGES = {1: "1 min", 5: "5 min", 15: "15 min", 60: "1 h"}
PICTURE_KEY = "signal_picture"


@dataclass(frozen=True, slots=True)
class Picture:
    """What the chart shows of one signal."""

    device_id: str
    metric: Metric
    shown: tuple[datetime, datetime]
    readings: list[Reading]
    windows: list[Window]
    anomalies: list[Anomaly]


def render() -> None:
    """Pickers, chart and legend."""
    with border("Signal"):
        source = feeds()
        registry = source.registry.get()
        focus.take_up()
        if focus.DEVICE_KEY not in st.session_state and not _start(source, registry):
            st.caption(
                ":material/inbox: No devices yet. `tailrace up` fills the registry and starts the loader."
            )
            return
        devices = {device.device_id: device for device in registry}
        device_id, metric = _pick(source, devices)
        if device_id is None or metric is None:
            return
        picture = _look(source, device_id, metric)
        _draw(picture, devices.get(device_id))


def _start(source: Feeds, registry: list[Device]) -> bool:
    """Look at the newest anomaly, else at the first device. False when there is neither."""
    found = source.anomalies.get()
    if found:
        focus.ask_for(_most_telling(found))
        focus.take_up()
    elif registry:
        st.session_state[focus.DEVICE_KEY] = registry[0].device_id
    return bool(found or registry)


def _most_telling(found: list[Anomaly]) -> Anomaly:
    """The newest anomaly that has a value to point at, else the newest."""
    return next((anomaly for anomaly in found if anomaly.value is not None), found[0])


def _jump() -> None:
    found = feeds().anomalies.get()
    if found:
        focus.ask_for(_most_telling(found))


def _pick(source: Feeds, devices: dict[str, Device]) -> tuple[str | None, Metric | None]:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("##### Signal", width="stretch")
        st.segmented_control(
            "Range",
            list(RANGES),
            format_func=RANGES.__getitem__,
            key=focus.MINUTES_KEY,
            default=focus.DEFAULT_MINUTES,
            required=True,
            label_visibility="collapsed",
        )
        if focus.centre() is not None:
            st.button("Now", on_click=focus.look_live, icon=":material/play_arrow:", key="back_to_now")
        st.button("Newest anomaly", on_click=_jump, icon=":material/my_location:", key="jump_to_anomaly")
    pickers = st.container(horizontal=True, vertical_alignment="center", gap="small")
    device_id: str | None = pickers.selectbox(
        "Device",
        list(devices),
        key=focus.DEVICE_KEY,
        accept_new_options=True,
        on_change=focus.look_live,
        placeholder="Device: type to search",
        label_visibility="collapsed",
        width=170,
    )
    if device_id is None:
        st.caption("Choose a device.")
        return None, None
    measured = {metric.metric: metric for metric in source.metrics(device_id)}
    if not measured:
        st.caption(
            f":material/inbox: No readings of {device_id} yet. Is the id right, and is the loader running?"
        )
        return device_id, None
    if st.session_state.get(focus.METRIC_KEY) not in measured:
        st.session_state[focus.METRIC_KEY] = next(iter(measured))
    metric = pickers.segmented_control(
        "Metric", list(measured), key=focus.METRIC_KEY, required=True, label_visibility="collapsed"
    )
    return device_id, measured[metric or next(iter(measured))]


def _look(source: Feeds, device_id: str, metric: Metric) -> Picture:
    """Ask for the signal; while the engine is away, the last picture of the same signal."""
    shown = focus.shown_range()
    asked = (source.database, device_id, metric.metric, *shown)
    try:
        picture = Picture(
            device_id=device_id,
            metric=metric,
            shown=shown,
            readings=signal_queries.readings(*asked),
            windows=signal_queries.windows(*asked),
            anomalies=anomaly_queries.of_device(*asked),
        )
    except EngineUnreachableError:
        last: Picture | None = st.session_state.get(PICTURE_KEY)
        if last is None or (last.device_id, last.metric.metric) != (device_id, metric.metric):
            raise
        return last
    st.session_state[PICTURE_KEY] = picture
    return picture


def _draw(picture: Picture, device: Device | None) -> None:
    st.markdown(_headline(picture, device))
    metric = picture.metric
    data = chart.datasets(picture.shown, picture.readings, picture.windows, picture.anomalies, metric)
    st.vega_lite_chart(
        {**chart.specification(metric.metric, metric.unit or ""), "datasets": data},
        key="signal_chart",
        width="stretch",
        alt=f"{metric.metric} of {picture.device_id}: readings, 10-second windows and anomalies",
    )
    st.caption(_legend(picture))


def _headline(picture: Picture, device: Device | None) -> str:
    facts = [fact for fact in (device.device_type, device.site) if fact] if device is not None else []
    where = f" · {' · '.join(facts)}" if facts else ""
    newest = picture.readings[0] if picture.readings else None
    if newest is None:
        newest_at = formats.moment(picture.metric.ts)
        return f"**{picture.device_id}**{where} · no readings in this range (newest: {newest_at})"
    value = formats.quantity(newest.value, picture.metric.unit)
    return f"**{picture.device_id}**{where} · **{value}** at {formats.clock(newest.ts)} UTC"


def _legend(picture: Picture) -> str:
    text = (
        "Times in UTC. Points: readings. Line: 10-second average. "
        "Bands: ± one standard deviation, minimum to maximum."
    )
    if len(picture.readings) >= signal_queries.MAX_READINGS:
        text += f" Only the newest {formats.count(signal_queries.MAX_READINGS)} readings are drawn."
    return text
