"""The brokers that every test here is run against, and what the tests need of them.

`python -m broker` always; Apache Kafka among the slow tests where it can run; and whatever the variable
TAILRACE_TEST_KAFKA names (host:port), which may hold other topics.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.broker.topics import Topics
from tests.broker.wire import Wire
from tests.support.apache_kafka import running_kafka, why_no_kafka
from tests.support.broker import BrokerProcess

_GIVEN = os.environ.get("TAILRACE_TEST_KAFKA")
_BROKERS = ["tailrace", pytest.param("apache", marks=pytest.mark.slow), *(["given"] if _GIVEN else [])]


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running broker."""

    bootstrap: str
    kind: str  # tailrace | apache | given

    @property
    def ours(self) -> bool:
        return self.kind == "tailrace"


@pytest.fixture(scope="session", params=_BROKERS)
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """Each of the brokers in turn, shared by all tests."""
    if request.param == "given":
        yield Kafka(str(_GIVEN), "given")
    elif request.param == "apache":
        if reason := why_no_kafka():
            pytest.skip(reason)
        with running_kafka(tmp_path_factory.mktemp("apache")) as bootstrap:
            yield Kafka(bootstrap, "apache")
    else:
        with BrokerProcess(tmp_path_factory.mktemp("tailrace"), "--upkeep-ms", "500") as broker:
            yield Kafka(broker.bootstrap, "tailrace")


@pytest.fixture
def topics(kafka: Kafka) -> Iterator[Topics]:
    """Topics of the test's own, deleted after it."""
    with Topics(kafka.bootstrap) as made:
        yield made


@pytest.fixture
def topic(topics: Topics) -> str:
    """A new topic of one partition."""
    return topics.create()


@pytest.fixture
def wire(kafka: Kafka) -> Iterator[Wire]:
    """A connection for raw requests."""
    with Wire(kafka.bootstrap) as connection:
        yield connection


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[BrokerProcess]:
    """Our broker for this test alone, running, free to be killed."""
    with BrokerProcess(tmp_path) as broker:
        yield broker
