"""Apache Kafka for tests, out of its own jars: one node in KRaft mode, and its console tools.

Assumes Java 17 and Maven; the jars are copied once into the user's cache (about 50 MB) by Maven, from
wherever Maven is set up to fetch. `why_no_kafka` says what is missing elsewhere.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.support.processes import free_port, listens, wait_until

VERSION = "4.1.0"
_START_S = 60
_FETCH_S = 150
_HEAP = ("-Xms256m", "-Xmx768m")
_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tailrace</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{VERSION}</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
"""
# Small and quick instead of safe: one replica, no wait for more members, housekeeping twice a second.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=1
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.initial.task.delay.ms=500
log.retention.check.interval.ms=500
log.cleaner.backoff.ms=500
"""


@cache
def why_no_kafka() -> str | None:
    """Why Apache Kafka cannot run here; None if it can. Fetches the jars when they are not yet there."""
    if not (java := shutil.which("java")):
        return "Apache Kafka needs Java 17: java is not on the PATH"
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    release = re.search(r'version "(\d+)', said)
    if release is None or int(release[1]) < 17:
        return f"Apache Kafka needs Java 17: {said.splitlines()[0] if said else 'java -version said nothing'}"
    if _jars().is_dir():
        return None
    if not shutil.which("mvn"):
        return "Apache Kafka's jars are fetched by Maven: mvn is not on the PATH"
    return _fetch()


def _jars() -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "tailrace" / f"apache-kafka-{VERSION}"


def _fetch() -> str | None:
    """Copy the jars into the cache, all or nothing; why that failed, else None."""
    target = _jars()
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    fresh.mkdir(parents=True)
    try:
        (fresh / "pom.xml").write_text(_POM)
        command = [
            "mvn",
            "-B",
            "-q",
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
            "-DoutputDirectory=.",
        ]
        try:
            ran = subprocess.run(
                command, cwd=fresh, capture_output=True, text=True, check=False, timeout=_FETCH_S
            )
        except subprocess.TimeoutExpired:
            return f"Maven did not fetch Apache Kafka's jars within {_FETCH_S} s"
        if ran.returncode != 0:
            return f"Maven could not fetch Apache Kafka's jars: {(ran.stdout + ran.stderr)[-300:].strip()}"
        if not target.is_dir():
            fresh.rename(target)
    except OSError:
        if not target.is_dir():  # else another run was quicker
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return None


def java_command(main_class: str, *arguments: str, heap: tuple[str, ...] = _HEAP) -> list[str]:
    """The command that runs a class of Apache Kafka."""
    return ["java", *heap, "-cp", f"{_jars()}/*", main_class, *arguments]


def run_tool(main_class: str, *arguments: str, given: str = "", timeout_s: float = 60) -> str:
    """Run one of Apache Kafka's tools to its end; what it printed. Fails the test when the tool fails."""
    command = java_command(main_class, *arguments, heap=("-Xmx256m",))
    ran = subprocess.run(command, input=given, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert ran.returncode == 0, f"{main_class} ended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@contextmanager
def running_kafka(directory: Path) -> Iterator[str]:
    """The bootstrap address of a new, empty Apache Kafka that keeps its log in `directory`."""
    port = free_port()
    properties = directory / "server.properties"
    properties.write_text(_PROPERTIES.format(port=port, controller=free_port(), data=directory / "data"))
    subprocess.run(
        java_command(
            "kafka.tools.StorageTool", "format", "-t", "b2YtdGFpbHJhY2UtdGVzdA", "-c", str(properties)
        ),
        check=True,
        capture_output=True,
    )
    log = directory / "kafka.log"
    guard = [sys.executable, "-m", "tailrace.guard", "--grace", "5", "--"]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*guard, *java_command("kafka.Kafka", str(properties))],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        ) as kafka,
    ):
        try:
            wait_until(lambda: listens(port) or kafka.poll() is not None, _START_S, f"Kafka on port {port}")
            assert kafka.poll() is None, log.read_text()
            yield f"127.0.0.1:{port}"
        finally:
            kafka.terminate()
            kafka.wait(20)
