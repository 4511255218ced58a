"""The live page through AppTest: what it shows, what it says when there is nothing, and how it bears a lost engine."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from psycopg import sql
from streamlit.dataframe_util import convert_arrow_bytes_to_pandas_df
from streamlit.testing.v1 import AppTest

from app import focus
from tests.app.fixture import DEVICES, REJECTS, Pipeline

MAIN = Path(__file__).parents[2] / "app" / "main.py"


def open_page() -> AppTest:
    page = AppTest.from_file(str(MAIN), default_timeout=30).run()
    assert not page.exception
    return page


def html(page: AppTest) -> str:
    return "\n".join(element.proto.body for element in page.get("html"))


def dataset(page: AppTest, name: str) -> pd.DataFrame:
    """What a chart was given under this name."""
    for chart in page.get("vega_lite_chart"):
        for data in chart.proto.datasets:
            if data.name == name:
                return convert_arrow_bytes_to_pandas_df(data.data.data)
    raise AssertionError(f"no chart has a data set {name!r}")


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def notices(page: AppTest) -> str:
    return "\n".join(notice.value for notice in page.info)


def rerun_until(page: AppTest, condition: Callable[[AppTest], bool], timeout_s: float = 15) -> None:
    """Run the page again until `condition` holds; the page itself limits how often it asks."""
    deadline = time.monotonic() + timeout_s
    while not condition(page.run()):
        assert time.monotonic() < deadline, html(page) + notices(page)


def test_figures_and_accounting_are_those_of_the_pipeline(pipeline: Pipeline) -> None:
    body = html(open_page())
    counts = pipeline.counts
    assert f"<b>{counts['messages']:,}</b> messages" in body
    assert f"<b>{counts['readings']:,}</b> readings" in body
    assert "<b>37</b> rejects" in body
    assert "<b>14</b> duplicates" in body
    assert "every message accounted for" in body
    assert "of the readings, 9 came late" in body
    assert f"<b>{counts['anomalies']}</b>" in body
    assert f"{DEVICES} devices" in body
    assert 'class="lives">Live' in body


def test_a_sum_that_does_not_come_out_is_said(pipeline: Pipeline) -> None:
    pipeline.connection.execute("""UPDATE pipeline_counts SET "rows" = "rows" - 3 WHERE stage = 'readings'""")
    assert "3 unaccounted for" in html(open_page())


def test_newest_anomalies_come_first_with_unit_and_reason(pipeline: Pipeline) -> None:
    table = next(frame.value for frame in open_page().dataframe if "rule" in frame.value.columns)
    assert len(table) == pipeline.counts["anomalies"]
    assert [rules[0] for rules in table["rule"]][:2] == ["stuck", "stuck"]
    assert table["signal"][0] == "dev-000005 · humidity"
    assert table["value"][0] == "70 %"
    spikes = table[table["signal"] == "dev-000003 · temperature"]
    assert len(spikes) == 3
    assert set(spikes["detail"]) == {"above the limit of 12"}
    assert "dev-000007" in set(table["signal"])


def test_a_newcomer_starts_at_the_newest_anomaly(pipeline: Pipeline) -> None:
    page = open_page()
    assert page.session_state[focus.DEVICE_KEY] == "dev-000005"
    assert page.session_state[focus.METRIC_KEY] == "humidity"
    headline = next(text.value for text in page.markdown if text.value.startswith("**dev-000005**"))
    assert "cold_room · valley · **70 %** at" in headline


def test_another_device_is_shown_with_its_own_metrics(pipeline: Pipeline) -> None:
    page = open_page()
    page.selectbox(key=focus.DEVICE_KEY).set_value("dev-000002").run()
    assert not page.exception
    assert page.session_state[focus.METRIC_KEY] == "pressure"
    assert any(text.value.startswith("**dev-000002** · pump · valley · **") for text in page.markdown)


def test_a_device_without_readings_says_so(pipeline: Pipeline) -> None:
    pipeline.connection.execute("INSERT INTO devices VALUES ('dev-000099', 'pump', 'harbour')")
    page = open_page()
    page.selectbox(key=focus.DEVICE_KEY).set_value("dev-000099").run()
    assert "No readings of dev-000099 yet" in captions(page)


def test_partitions_show_messages_and_offsets(pipeline: Pipeline) -> None:
    table = next(frame.value for frame in open_page().dataframe if "partition" in frame.value.columns)
    assert list(table["partition"]) == [0, 1, 2, 3, 4, 5]
    assert table["messages"].sum() == pipeline.counts["messages"]
    assert table["offset"].max() == pipeline.counts["readings"]


def test_throughput_follows_the_counts(pipeline: Pipeline) -> None:
    page = open_page()
    pipeline.advance()
    rerun_until(page, lambda shown: "peak " in html(shown))
    assert " /s" in html(page)


def test_rejects_are_counted_by_reason(pipeline: Pipeline) -> None:
    page = open_page()
    bars = dataset(page, "reasons")
    assert dict(zip(bars["code"], bars["messages"], strict=True)) == REJECTS
    assert bars["reason"][0] == "not JSON"
    assert "Counted: all so far." in captions(page)


def test_the_chart_holds_the_signal_with_its_windows_and_anomalies(pipeline: Pipeline) -> None:
    page = open_page()
    page.selectbox(key=focus.DEVICE_KEY).set_value("dev-000003").run()
    page.segmented_control(key=focus.METRIC_KEY).set_value("temperature").run()
    readings, windows = dataset(page, "readings"), dataset(page, "windows")
    assert 290 <= len(readings) <= 300
    assert 29 <= len(windows) <= 31
    peak = windows.loc[windows["maximum"].idxmax()]
    assert peak["maximum"] == readings["value"].max() > 12
    assert peak["minimum"] <= peak["lower"] <= peak["average"] <= peak["upper"]
    found = dataset(page, "anomalies")
    assert list(found["rule"]) == ["threshold"] * 3
    assert set(found["value"]) <= set(readings["value"])
    assert found["shown_value"][0].endswith(" °C")
    assert list(dataset(page, "limits")["name"]) == ["High: 12 °C"]
    assert dataset(page, "frame")["at"].is_monotonic_increasing


def test_silence_breaks_the_line(pipeline: Pipeline) -> None:
    page = open_page()
    page.selectbox(key=focus.DEVICE_KEY).set_value("dev-000007").run()
    assert dataset(page, "windows")["average"].isna().sum() == 1
    assert "silent" in set(dataset(page, "anomalies")["rule"])


def test_the_jump_leads_to_an_anomaly_of_the_past(pipeline: Pipeline) -> None:
    pipeline.connection.execute("DELETE FROM anomalies WHERE rule <> 'zscore'")
    page = open_page()
    page.segmented_control(key=focus.MINUTES_KEY).set_value(1).run()
    page.selectbox(key=focus.DEVICE_KEY).set_value("dev-000001").run()
    assert list(dataset(page, "anomalies")["rule"]) == []
    page.button(key="jump_to_anomaly").click().run()
    assert page.session_state[focus.DEVICE_KEY] == "dev-000002"
    assert list(dataset(page, "anomalies")["rule"]) == ["zscore"]
    since, until = dataset(page, "frame")["at"]
    assert 58 <= (until - since).total_seconds() <= 60
    page.button(key="back_to_now").click().run()
    assert list(dataset(page, "anomalies")["rule"]) == []
    assert len(dataset(page, "readings")) > 50


def test_a_click_in_the_table_shows_that_signal(pipeline: Pipeline) -> None:
    page = open_page()
    shown = page.session_state["anomalies_shown"]
    page.session_state[focus.ASKED_KEY] = shown["dev-000003 · temperature"]
    page.run()
    assert page.selectbox(key=focus.DEVICE_KEY).value == "dev-000003"
    assert list(dataset(page, "anomalies")["rule"]) == ["threshold"] * 3


def test_an_empty_pipeline_says_what_to_do(empty_pipeline: Pipeline) -> None:
    page = open_page()
    assert "No readings yet: is the loader running?" in notices(page)
    assert "`tailrace up`" in notices(page)
    assert "No anomalies yet" in captions(page)
    assert "No rejects" in captions(page)
    assert "<b>0</b> messages" in html(page)


def test_a_database_without_views_says_what_to_do(page_url: str) -> None:
    assert "Run `tailrace up` to create them." in captions(open_page())


def test_nobody_listening_is_a_notice(monkeypatch: pytest.MonkeyPatch, page_url: str, tmp_path: Path) -> None:
    monkeypatch.setenv(
        "TAILRACE_SQL_URL", f"host={tmp_path} port=5432 dbname=dev user=dashboard password=secret"
    )
    page = open_page()
    assert f"The engine at {tmp_path}:5432/dev does not answer" in notices(page)
    assert "secret" not in notices(page) + html(page)


def test_a_lost_engine_leaves_the_last_state_and_comes_back_by_itself(
    pipeline: Pipeline, postgres: object, caplog: pytest.LogCaptureFixture
) -> None:
    page = open_page()
    name = pipeline.connection.info.dbname
    admin = psycopg.connect(conninfo(pipeline, "postgres"), autocommit=True)
    with admin:
        admit(admin, name, admitted=False)
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
        rerun_until(page, lambda shown: "does not answer" in notices(shown))
        assert "What you see is the state of" in notices(page)
        assert f"<b>{pipeline.counts['readings']:,}</b> readings" in html(page)
        assert any(text.value.startswith("**dev-000005**") for text in page.markdown)
        assert not page.warning
        admit(admin, name, admitted=True)
        rerun_until(page, lambda shown: "does not answer" not in notices(shown) and not shown.info)
    assert 'class="waits"' not in html(page) or "Nothing new for" in html(page)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_failing_section_is_logged_and_the_others_stay(
    pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.connection.execute("ALTER TABLE rejects DROP COLUMN reject_reason")
    page = open_page()
    assert any("Rejects could not be shown" in warning.value for warning in page.warning)
    assert "dashboard section 'Rejects' failed" in caplog.text
    assert f"<b>{pipeline.counts['readings']:,}</b> readings" in html(page)


def conninfo(pipeline: Pipeline, dbname: str) -> str:
    info = pipeline.connection.info
    return psycopg.conninfo.make_conninfo(info.dsn, password=info.password, dbname=dbname)


def admit(admin: psycopg.Connection, name: str, *, admitted: bool) -> None:
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    admin.execute(statement.format(sql.Identifier(name), sql.SQL("true" if admitted else "false")))
