"""Connector http: what an endpoint is sent, in which order, and what its answers lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support.delivery import all_delivered, backlog, delivering, set_aside
from tests.support.endpoint import OK, Answer, Endpoint, endpoint
from tests.support.flow import FlowUnderTest
from tests.support.processes import wait_until


@pytest.fixture
def hook() -> Iterator[Endpoint]:
    with endpoint() as running:
        yield running


def _sink(hook: Endpoint, more: str = "") -> str:
    return f"WITH (connector = 'http', url = '{hook.url}', type = 'append-only'{more})"


def test_rows_are_posted_one_by_one_in_their_order(engine: FlowUnderTest, hook: Endpoint) -> None:
    options = _sink(hook, ", header.x_team = 'ops', force_append_only = 'true'")
    engine.ddl(
        "CREATE TABLE t (id int PRIMARY KEY, v jsonb)",
        f"CREATE SINK s AS SELECT v FROM t {options}",
    )
    with delivering(engine):
        for number in range(5):
            engine.settle(f"INSERT INTO t VALUES ({number}, '{{\"n\": {number}}}')")
        engine.settle("INSERT INTO t VALUES (9, NULL)")
        all_delivered(engine)
    assert [json.loads(body)["n"] for body in hook.bodies()] == [0, 1, 2, 3, 4]
    first = hook.taken[0]
    assert (first.headers["content-type"], first.headers["x_team"]) == ("application/json", "ops")
    assert len({post.headers["idempotency-key"] for post in hook.taken}) == 5


def test_text_and_addresses_of_each_row(engine: FlowUnderTest, hook: Endpoint) -> None:
    base = hook.url.removesuffix("/hook")
    engine.ddl(
        "CREATE TABLE t (payload varchar, url varchar) APPEND ONLY",
        "CREATE SINK s FROM t WITH (connector = 'http', type = 'append-only', content_type = 'text/csv')",
    )
    with delivering(engine):
        engine.settle(f"INSERT INTO t VALUES ('a', '{base}/one')")
        engine.settle("INSERT INTO t VALUES ('b', 'nowhere'), ('c', NULL)")
        engine.settle(f"INSERT INTO t VALUES ('d', '{base}/two')")
        all_delivered(engine)
    assert [(post.path, post.body) for post in hook.taken] == [("/one", "a"), ("/two", "d")]
    assert hook.taken[0].headers["content-type"] == "text/csv"
    assert sorted(error for _, error, _ in set_aside(engine)) == [
        "the row's url is no address to post to: 'nowhere'",
        "the row's url is no address to post to: None",
    ]


def test_a_refused_row_is_set_aside_and_the_others_go_on(engine: FlowUnderTest, hook: Endpoint) -> None:
    hook.answer = lambda post: (422, {}, "no such\n device") if post.body == "2" else OK
    engine.ddl("CREATE TABLE t (v varchar) APPEND ONLY", f"CREATE SINK s FROM t {_sink(hook)}")
    with delivering(engine):
        for number in range(4):
            engine.settle(f"INSERT INTO t VALUES ('{number}')")
        all_delivered(engine)
    assert hook.bodies() == ["0", "1", "3"]
    ((origin, error, sqlstate),) = set_aside(engine)
    assert origin.endswith(",2)")
    assert error == f"{hook.url} answers 422 Unprocessable Entity: no such device"
    assert sqlstate == "08P01"
    assert backlog(engine)["delivered_rows"] == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((503, {"retry-after": "0"}, "later"), "answers 503 Service Unavailable: later"),
        ((401, {}, ""), "answers 401 Unauthorized"),
        (
            (308, {"location": "https://elsewhere/"}, ""),
            "to https://elsewhere/: give that address to the sink",
        ),
    ],
)
def test_what_may_be_mended_is_sent_again_and_nothing_before_it(
    engine: FlowUnderTest, hook: Endpoint, answer: Answer, said: str
) -> None:
    failures = [answer, answer]
    hook.answer = lambda post: failures.pop() if post.body == "3" and failures else OK
    engine.ddl("CREATE TABLE t (v varchar) APPEND ONLY", f"CREATE SINK s FROM t {_sink(hook)}")
    for number in range(6):
        engine.settle(f"INSERT INTO t VALUES ('{number}')")
    with delivering(engine):
        all_delivered(engine)
    assert [post.body for post in hook.posts] == ["0", "1", "2", "3", "3", "3", "4", "5"]
    assert len({post.headers["idempotency-key"] for post in hook.posts if post.body == "3"}) == 1
    shown = backlog(engine)
    assert said in shown["last_error"]
    assert shown["failures"] == 0
    events = engine.rows(
        "SELECT info -> 'sinkFail' ->> 'sinkName' FROM rw_catalog.rw_event_logs WHERE event_type = 'SINK_FAIL'"
    )
    assert ("s",) in events


def test_an_endpoint_that_is_away_is_waited_for_and_holds_nothing_else_up(engine: FlowUnderTest) -> None:
    with endpoint() as hook:
        url, port = hook.url, int(hook.url.split(":")[2].split("/")[0])
    reply = engine.ddl(
        "CREATE TABLE t (v varchar) APPEND ONLY",
        f"CREATE SINK s FROM t WITH (connector = 'http', url = '{url}', type = 'append-only')",
    )
    assert any(f"nothing answers at 127.0.0.1:{port}" in notice for notice in reply.notices)
    engine.ddl("CREATE SINK other FROM t WITH (connector = 'blackhole')")
    with delivering(engine):
        engine.settle("INSERT INTO t VALUES ('a')")
        all_delivered(engine, "other")
        wait_until(lambda: backlog(engine)["failures"])
        assert "does not answer" in backlog(engine)["last_error"]
        with endpoint(port) as hook:
            all_delivered(engine)
            assert hook.bodies() == ["a"]


def test_a_stop_between_two_rows_sends_none_again(engine: FlowUnderTest, hook: Endpoint) -> None:
    engine.ddl("CREATE TABLE t (v varchar) APPEND ONLY", f"CREATE SINK s FROM t {_sink(hook)}")
    engine.settle("INSERT INTO t SELECT i::varchar FROM generate_series(1, 60) AS i")

    with delivering(engine):
        wait_until(lambda: len(hook.taken) > 5)
    with delivering(engine):
        all_delivered(engine)
    assert sorted(hook.bodies(), key=int) == [str(number) for number in range(1, 61)]


def test_a_kill_sends_again_with_the_same_keys(
    engine: FlowUnderTest, hook: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.ddl("CREATE TABLE t (v varchar) APPEND ONLY", f"CREATE SINK s FROM t {_sink(hook)}")
    engine.settle("INSERT INTO t SELECT i::varchar FROM generate_series(1, 20) AS i")
    with monkeypatch.context() as patch:  # as if the process had been killed before it noted the delivery
        patch.setattr("engine.delivery.sink_log.SinkLog.delivered", lambda *_: 1 / 0)
        with delivering(engine):
            wait_until(lambda: len(hook.taken) >= 20)
    with delivering(engine):
        all_delivered(engine)
    keys = [post.headers["idempotency-key"] for post in hook.taken]
    assert (len(keys), len(set(keys))) == (40, 20)
