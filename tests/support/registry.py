"""A schema registry in this process: Confluent's REST API as far as reading goes, over HTTP on a free port of loopback."""

from __future__ import annotations

import base64
import json
import struct
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import fastavro


@dataclass(slots=True)
class Entry:
    id: int
    version: int
    schema: str
    kind: str
    references: list[dict[str, Any]]


@dataclass(slots=True)
class RegistryStandIn:
    """Subjects and their versions; `away` makes it answer 503, `asked` notes the paths that were asked for."""

    url: str = ""
    subjects: dict[str, list[Entry]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    password: str = ""
    next_id: int = 1

    def register(
        self, subject: str, schema: Any, kind: str = "AVRO", references: tuple[str, ...] = ()
    ) -> int:
        """A new version; `references` are names of files, registered under their own names as subjects. Its id."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        versions = self.subjects.setdefault(subject, [])
        named = [{"name": n, "subject": n, "version": 1} for n in references]
        versions.append(Entry(self.next_id, len(versions) + 1, text, kind, named))
        self.next_id += 1
        return versions[-1].id

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        self.asked.append(path)
        if self.away:
            return 503, {"error_code": 50301, "message": "away"}
        if self.password and authorization != "Basic " + base64.b64encode(self.password.encode()).decode():
            return 401, {"error_code": 401, "message": "Unauthorized"}
        parts = [urllib.parse.unquote(p) for p in path.strip("/").split("/")]
        for subject, versions in self.subjects.items():
            for entry in versions:
                shown: dict[str, Any] = {"schema": entry.schema}
                if entry.kind != "AVRO":
                    shown["schemaType"] = entry.kind
                if entry.references:
                    shown["references"] = entry.references
                if parts == ["schemas", "ids", str(entry.id)]:
                    return 200, shown
                wanted = str(entry.version) if entry is not versions[-1] else "latest"
                if parts in (["subjects", subject, "versions", v] for v in (wanted, str(entry.version))):
                    return 200, {**shown, "id": entry.id, "version": entry.version, "subject": subject}
        return 404, {"error_code": 40401, "message": "not found."}


@contextmanager
def registry() -> Iterator[RegistryStandIn]:
    """A registry that runs until the block ends."""
    stand_in = RegistryStandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = stand_in.answer(self.path, self.headers.get("Authorization"))
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def framed(id_: int, payload: bytes) -> bytes:
    """In Confluent's frame."""
    return struct.pack(">bi", 0, id_) + payload


def avro(id_: int, schema: Any, value: Any) -> bytes:
    """A framed datum, written by fastavro."""
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return framed(id_, out.getvalue())
