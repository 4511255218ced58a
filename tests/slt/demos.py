"""`python -m tests.slt.demos DIRECTORY [--url U] [--kafka K]`: how many of RisingWave's published demos run unchanged.

A demo is a folder with a create_source.sql. Its SQL runs as psql would run it, statement by statement, on a database of
its own; only the address of the broker is another one, and topics that it reads are made, empty, beforehand. Demos that
need systems other than Kafka (databases, object stores, other brokers, schema registries) are listed as such and not
counted. Without --url and --kafka both are started for the run.
"""

from __future__ import annotations

import argparse
import contextlib
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tests.slt.databases import Databases
from tests.slt.runner import server
from tests.slt.session import Failed, Session
from tests.support.broker import BrokerProcess

_FILES = ("prepare.sql", "create_source.sql", "create_mv.sql", "create_sink.sql", "query.sql")
_OURS = frozenset({"kafka", "datagen", "nexmark"})
_CONNECTOR = re.compile(r"\bconnector\s*=\s*'?([\w-]+)", re.IGNORECASE)
_TOPIC = re.compile(r"\btopic\s*=\s*'([^']+)'", re.IGNORECASE)
_REGISTRY = re.compile(r"\bENCODE\s+(AVRO|PROTOBUF)\b|\bschema\.(registry|location)\b", re.IGNORECASE)
_ADDRESS = re.compile(r"(properties\.bootstrap\.server\s*=\s*)'[^']*'", re.IGNORECASE)
_PIECE = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|(?P<tag>\$\w*\$).*?(?P=tag)|(?P<end>;)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Result:
    """How many of a demo's statements succeeded, and the first errors."""

    passed: int
    total: int
    errors: tuple[str, ...]


def statements(text: str) -> Iterator[str]:
    """The statements of a script; semicolons in strings, names and remarks do not end one."""
    start = 0
    for found in _PIECE.finditer(text):
        if found["end"]:
            yield from _stripped(text[start : found.start()])
            start = found.end()
    yield from _stripped(text[start:])


def _stripped(text: str) -> Iterator[str]:
    if re.sub(r"--[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL).strip():
        yield text.strip()


def demos(directory: Path) -> dict[str, str]:
    """By folder, the SQL of each demo."""
    return {
        str(path.parent.relative_to(directory)): "\n;\n".join(
            (path.parent / name).read_text() for name in _FILES if (path.parent / name).exists()
        )
        for path in sorted(directory.rglob("create_source.sql"))
    }


def run(sql: str, url: str) -> Result:
    """Every statement in its turn, those behind a failed one too."""
    session, passed, total, errors = Session(url, 30), 0, 0, []
    for statement in statements(sql):
        answer = session.run(statement)
        total += 1
        if isinstance(answer, Failed):
            errors.append(f"{' '.join(statement.split())[:70]}: {answer.message}")
        else:
            passed += 1
    session.close()
    return Result(passed, total, tuple(errors))


@contextlib.contextmanager
def broker(address: str | None) -> Iterator[str]:
    if address:
        yield address
        return
    with tempfile.TemporaryDirectory() as folder, BrokerProcess(Path(folder)) as running:
        yield running.bootstrap


def make_topics(kafka: str, names: set[str]) -> None:
    """Make topics; those that are there already will do."""
    client = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    for future in client.create_topics([NewTopic(name, 1, 1) for name in sorted(names)]).values():
        try:
            future.result(10)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.slt.demos", description=__doc__)
    parser.add_argument("directory", type=Path, help="RisingWave's integration_tests")
    parser.add_argument("--url", help="the SQL server; without it an embedded engine is started")
    parser.add_argument("--kafka", help="the broker; without it an embedded one is started")
    given = parser.parse_args(arguments)
    unchanged = counted = 0
    with broker(given.kafka) as kafka, server(given.url) as url:
        databases = Databases.of(url)
        for name, sql in demos(given.directory).items():
            connectors = {each.lower() for each in _CONNECTOR.findall(sql)}
            others = sorted(connectors - _OURS) + ["a schema registry"] * bool(_REGISTRY.search(sql))
            if not connectors or others:
                print(f"  -  {name}: needs {', '.join(others) or 'no connector'}")
                continue
            if topics := set(_TOPIC.findall(sql)):
                make_topics(kafka, topics)
            with databases.fresh(Path(name)) as fresh:
                result = run(_ADDRESS.sub(rf"\1'{kafka}'", sql), fresh)
            counted += 1
            unchanged += result.passed == result.total
            print(
                f"{'yes' if result.passed == result.total else ' no'}  {name}: {result.passed} of {result.total}"
            )
            for error in result.errors[:4]:
                print(f"       {error}")
    print(f"\n{unchanged} of {counted} demos that need Kafka or generated data run unchanged")
    return 0


if __name__ == "__main__":
    sys.exit(main())
