"""The loader against a real broker: what it says it produced is what the topic holds, byte for byte."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.support.processes import free_port

PARTITIONS = 3


@dataclass(frozen=True, slots=True)
class Topics:
    bootstrap: str
    readings: str
    truth: str

    def command(self, *arguments: str) -> list[str]:
        where = ["--bootstrap", self.bootstrap, "--topic", self.readings, "--truth-topic", self.truth]
        return [sys.executable, "-m", "loader", *where, *arguments]


@pytest.fixture
def topics(broker: str) -> Topics:
    tag = uuid.uuid4().hex[:8]
    return Topics(broker, f"readings.{tag}", f"truth.{tag}")


def read_all(bootstrap: str, topic: str, partitions: int, count: int) -> list[Any]:
    """The ``count`` messages that the topic should hold, and what more there is within a moment."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": uuid.uuid4().hex,
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 20,
        }
    )
    messages: list[Any] = []
    try:
        consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            batch = consumer.consume(10_000, timeout=0.5)
            if not batch and len(messages) >= count:
                break
            messages += batch
        assert all(message.error() is None for message in messages)
    finally:
        consumer.close()
    return messages


def reason_of(payload: bytes | None) -> str | None:
    from tailrace.verify.recount import Recount

    recount = Recount()
    recount.add(payload)
    return next(iter(recount.rejects), None)


def test_the_topic_holds_exactly_what_the_summary_says(topics: Topics, tmp_path: Path) -> None:
    summary_file = tmp_path / "deep" / "summary.json"
    command = topics.command(
        "--create-topics", "--devices", "200", "--rate", "600", "--duration", "20", "--seed", "3"
    )
    command += ["--burst", "5000:4:2", "--silent-rate", "50", "--progress", "json"]
    done = subprocess.run(
        [*command, "--summary", str(summary_file)], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr == b""
    summary = orjson.loads(summary_file.read_bytes())
    progress = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert len(progress) >= 15
    assert progress[-1]["produced"] <= summary["produced"]

    messages = read_all(topics.bootstrap, topics.readings, PARTITIONS, summary["produced"])
    assert len(messages) == summary["produced"] > 20_000
    reasons = [reason_of(message.value()) for message in messages]
    valid = [orjson.loads(m.value()) for m, reason in zip(messages, reasons, strict=True) if reason is None]
    kinds = summary["acknowledged_by_kind"]
    assert Counter(reason for reason in reasons if reason) == kinds["malformed"]
    assert set(kinds["malformed"].values()) != {0}
    assert len({message["event_id"] for message in valid}) == kinds["valid"]
    assert len(valid) - kinds["valid"] == kinds["duplicates"] > 0
    assert any(message.value() == b"" for message in messages)

    partition_of: dict[bytes, int] = {}
    for message in messages:
        assert partition_of.setdefault(message.key(), message.partition()) == message.partition()
    assert set(partition_of.values()) == set(range(PARTITIONS))

    truth = read_all(topics.bootstrap, topics.truth, 1, summary["truth_produced"])
    told = [orjson.loads(message.value()) for message in truth]
    assert [each["fault_id"] for each in told] == [each["fault_id"] for each in summary["faults"]] != []
    assert summary["failed"] == 0
    assert summary["warnings"] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_true_summary(
    topics: Topics, tmp_path: Path, number: signal.Signals
) -> None:
    summary_file = tmp_path / "summary.json"
    command = topics.command("--create-topics", "--devices", "100", "--rate", "300", "--progress", "json")
    with subprocess.Popen(
        [*command, "--summary", str(summary_file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as loader:
        try:
            assert loader.stdout is not None
            assert orjson.loads(loader.stdout.readline())["failed"] == 0
            loader.send_signal(number)
            _, complaints = loader.communicate(timeout=30)
        finally:
            loader.kill()
    assert loader.returncode == 0, complaints.decode()
    summary = orjson.loads(summary_file.read_bytes())
    assert summary["stopped_early"]
    messages = read_all(topics.bootstrap, topics.readings, PARTITIONS, summary["produced"])
    assert len(messages) == summary["produced"] > 0


def test_a_missing_topic_is_an_error_that_names_the_cure(topics: Topics, tmp_path: Path) -> None:
    summary_file = tmp_path / "summary.json"
    command = topics.command("--duration", "1", "--summary", str(summary_file))
    done = subprocess.run(command, capture_output=True, timeout=60, text=True, check=False)
    assert done.returncode == 1
    assert f"has no topic {topics.readings}, {topics.truth}" in done.stderr
    assert "--create-topics" in done.stderr
    assert orjson.loads(summary_file.read_bytes())["produced"] == 0


@pytest.fixture(scope="module", autouse=True)
def nowhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Topics, Path, subprocess.Popen[str]]]:
    """A loader without a broker. It waits some seconds for one: while the other tests run."""
    summary_file = tmp_path_factory.mktemp("nowhere") / "summary.json"
    topics = Topics(f"127.0.0.1:{free_port()}", "readings", "truth")
    command = topics.command("--duration", "1", "--summary", str(summary_file))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as loader:
        yield topics, summary_file, loader
        loader.kill()


def test_no_broker_is_an_error_that_names_the_cure(
    nowhere: tuple[Topics, Path, subprocess.Popen[str]],
) -> None:
    topics, summary_file, loader = nowhere
    _, complaints = loader.communicate(timeout=60)
    assert loader.returncode == 1
    assert f"no broker answers at {topics.bootstrap}" in complaints
    assert "--bootstrap" in complaints
    assert "Traceback" not in complaints
    assert orjson.loads(summary_file.read_bytes())["error"].startswith("no broker answers")
