"""A front door for tests: the real relay on a free port, over a test PostgreSQL and a flow that answers by script.

The relay runs its event loop in a thread of its own, so that clients can be used as usual from the test.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from engine.catalog.versions import bring_up_to_date
from engine.layout import database_socket
from engine.wire.connection import Backend
from engine.wire.server import Server

Request = dict[str, Any]


@dataclass
class FakeFlow:
    """Answers each request by the first script whose words it contains, else with a plain tag; keeps what was asked."""

    path: Path
    requests: list[Request] = field(default_factory=list)
    scripts: list[tuple[str, Callable[[Request], dict[str, Any] | None]]] = field(default_factory=list)
    server: asyncio.Server | None = None
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def on(self, words: str, reply: dict[str, Any] | Callable[[Request], dict[str, Any] | None]) -> None:
        """Script a reply; None breaks the connection off instead."""
        answer = reply if callable(reply) else lambda _request: reply
        self.scripts.insert(0, (words, answer))

    async def start(self) -> None:
        self.server = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        assert self.server is not None
        self.server.close()
        for writer in self.writers:
            writer.close()
        self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while line := await reader.readline():
            request = json.loads(line)
            self.requests.append(request)
            text = request.get("sql", request["op"].upper())
            script = next((reply for words, reply in self.scripts if words in text), None)
            reply = self._plain(text) if script is None else await asyncio.to_thread(script, request)
            if reply is None:
                break
            writer.write(json.dumps(reply).encode() + b"\n")
        writer.close()

    @staticmethod
    def _plain(text: str) -> dict[str, Any]:
        tag = "_".join(text.upper().split()[:2]) if " " in text else text.upper()
        return {"tag": tag, "columns": None, "rows": [], "notices": []}


@dataclass
class Relay:
    """A running front door. `url` is what a client is given."""

    port: int
    database: str
    flow: FakeFlow
    loop: asyncio.AbstractEventLoop
    server: Server

    @property
    def url(self) -> str:
        return f"postgresql://root@127.0.0.1:{self.port}/{self.database}"

    def run(self, work: Any) -> Any:
        """Run a coroutine on the relay's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


@contextmanager
def running_relay(
    endpoint: str | tuple[str, int],
    password: str,
    database: str,
    directory: Path,
    retry_s: float = 15.0,
    **backend: Any,
) -> Iterator[Relay]:
    first = directory / "flow.sock"
    flow = FakeFlow(database_socket(first, database))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    relay = Relay(0, database, flow, loop, Server(Backend(endpoint, first, password, retry_s, **backend)))
    try:
        relay.run(flow.start())
        relay.run(relay.server.start("127.0.0.1", 0))
        relay.port = relay.server.port
        yield relay
    finally:
        relay.run(relay.server.stop())
        relay.run(flow.stop())
        relay.run(_drain())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _drain() -> None:
    """Let every task see its cancellation, so that none is destroyed while pending."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    await asyncio.sleep(0)


def make_objects(dsn: str) -> None:
    """A catalog with one object of each kind, as the flow would have made it."""
    columns = [
        {"name": "device_id", "type": "character varying", "hidden": False},
        {"name": "reading", "type": "double precision", "hidden": False},
        {"name": "_row_id", "type": "bigint", "hidden": True},
    ]
    objects = [
        (1, "readings_raw", "source", {"columns": columns, "options": {"connector": "kafka", "topic": "t"}}),
        (2, "devices", "table", {"columns": columns, "key": ["device_id"]}),
        (3, "latest", "materialized view", {"columns": columns}),
        (4, "hot", "view", {"columns": columns}),
        (5, "devices_by_reading", "index", {"relation": "devices", "indexed": "reading"}),
    ]
    with psycopg.connect(dsn) as connection:
        bring_up_to_date(connection)
        for id_, name, kind, body in objects:
            connection.execute(
                "INSERT INTO engine.objects (id, name, kind, owner, definition, body) VALUES (%s, %s, %s, 'root', %s, %s)",
                (id_, name, kind, f"CREATE {kind.upper()} {name} ...", Jsonb(body)),
            )
        connection.execute(
            """
            CREATE TABLE engine.storage (device_id varchar PRIMARY KEY, reading double precision, _row_id bigint);
            CREATE INDEX index_5 ON engine.storage (reading);
            """
        )
        for name in ("readings_raw", "devices", "latest", "hot"):
            connection.execute(f"CREATE VIEW public.{name} AS SELECT device_id, reading FROM engine.storage")
            connection.execute(f"GRANT SELECT ON public.{name} TO root, dashboard")
        connection.execute("GRANT INSERT, UPDATE, DELETE ON public.devices TO root")
