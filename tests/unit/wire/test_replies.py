"""PostgreSQL's answers, scanned in whole and in pieces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.wire import protocol
from engine.wire.protocol import Column
from engine.wire.replies import PASS_ON, Expectation, ReplyStream
from tailrace.errors import TailraceError

IDLE = ord("I")
COLUMNS = (Column("a"),)
ROWS = b"".join(protocol.encode_data_row([value], COLUMNS) for value in ("x" * 50, None, "", "y"))
ANSWER = protocol.encode_row_description(COLUMNS) + ROWS + protocol.encode_command_complete("SELECT 4")
READY = protocol.encode_ready(IDLE)


def _feed(stream: ReplyStream, data: bytes, cuts: list[int]) -> bytes:
    out = b""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for start, end in pairwise(edges):
        passed_on, after = stream.feed(data[start:end])
        out += passed_on
        for call in after:
            call()
    return out


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_split_anywhere_all_passes_and_swallowed_ready_messages_do_not(cuts: list[int]) -> None:
    stream = ReplyStream(IDLE)
    told: list[bool] = []
    stream.expect(PASS_ON)
    stream.expect(Expectation(True, told.append))
    stream.expect(Expectation(False, told.append))
    error = protocol.encode_error(TailraceError("no"))
    sent = ANSWER + READY + ANSWER + READY + error + protocol.encode_ready(ord("E"))
    assert _feed(stream, sent, cuts) == ANSWER + READY + ANSWER + error + protocol.encode_ready(ord("E"))
    assert told == [False, True]
    assert stream.status == ord("E")


@given(st.lists(st.integers(0, 1000), max_size=30))
def test_collected_answers_stay_here_but_notices_pass(cuts: list[int]) -> None:
    stream = ReplyStream(IDLE)
    collected = stream.collect()
    stream.expect(Expectation(True))
    stream.expect(PASS_ON)
    notice = protocol.encode_notice("hello")
    assert _feed(stream, notice + ANSWER + READY + ANSWER + READY, cuts) == notice + ANSWER + READY
    assert collected.rows == [["x" * 50], [None], [""], ["y"]]
    assert (collected.tag, collected.error) == ("SELECT 4", None)


def test_collected_errors() -> None:
    stream = ReplyStream(IDLE)
    collected = stream.collect()
    stream.expect(Expectation(True))
    error = protocol.encode_error(TailraceError("no"))
    assert stream.feed(error + READY)[0] == b""
    assert collected.error == error[5:]
    fatal = protocol.encode_error(TailraceError("gone"), "FATAL")
    stream.collect()
    assert stream.feed(fatal)[0] == fatal
    assert stream.fatal


def test_positions_in_rewritten_text_are_hidden_once() -> None:
    stream = ReplyStream(IDLE)
    stream.hide_positions = True
    error = protocol.encode(b"E", b"SERROR\x00C42601\x00Mx\x00P17\x00\x00")
    assert stream.feed(error + READY)[0] == protocol.encode(b"E", b"SERROR\x00C42601\x00Mx\x00\x00") + READY
    assert stream.feed(error + READY)[0] == error + READY


def test_errors_of_the_engines_own_functions_do_not_name_them() -> None:
    own = protocol.encode(
        b"E", b"SERROR\x00C0A000\x00Mno\x00WPL/pgSQL function engine.refuse() line 3\x00\x00"
    )
    other = protocol.encode(b"E", b"SERROR\x00C0A000\x00Mno\x00WPL/pgSQL function public.f() line 3\x00\x00")
    stream = ReplyStream(IDLE)
    assert stream.feed(own)[0] == protocol.encode(b"E", b"SERROR\x00C0A000\x00Mno\x00\x00")
    assert stream.feed(other)[0] == other


@pytest.mark.parametrize(("tag", "wrote"), [("INSERT 0 1", True), ("SELECT 1", False), ("DELETE 0", True)])
def test_writes_are_noticed_when_asked_for(tag: str, wrote: bool) -> None:
    stream = ReplyStream(IDLE)
    stream.track_writes = True
    message = protocol.encode_command_complete(tag) + READY
    assert stream.feed(message)[0] == message
    assert stream.wrote is wrote
