"""A schema registry over Confluent's REST API (Confluent, Redpanda, Karapace, Apicurio): schemas by subject and by id.

Only what reading schemas takes, over the standard library. Several URLs are asked in turn; one that does not answer is asked
again, with back-off, for some seconds at most. Ids never change their meaning, so that what an id stands for is remembered, as
is for some seconds that there is no such id. Used when a source or sink is made, and by readers that meet a schema id.
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tailrace.errors import InvalidStatement, TailraceError

TOPIC, RECORD, TOPIC_RECORD = "topic_name_strategy", "record_name_strategy", "topic_record_name_strategy"
STRATEGIES: Final = (TOPIC, RECORD, TOPIC_RECORD)
_TIMEOUT_S: Final = 3.0
_PAUSES_S: Final = (0.1, 0.4, 0.8)
_ANSWER_BYTES: Final = 16 << 20
_KNOWN_IDS: Final = 1_000
_MISSING_FOR_S: Final = 10.0
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_IS_AWAY: Final = (408, 429, 500, 502, 503, 504)


class RegistryUnreachableError(TailraceError):
    """No registry answers: the caller tries again, later."""

    sqlstate = "08001"


class SchemaMissingError(TailraceError):
    """The registry answers and has no such subject or id, or does not let us see it."""

    sqlstate = "42704"


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """Where a registry is and how one is let in. `ca_path` is a PEM file, or 'ignore' for no check at all."""

    urls: tuple[str, ...]
    username: str = ""
    password: str = ""
    ca_path: str = ""

    @property
    def shown(self) -> str:
        """The URLs, for messages."""
        return ", ".join(self.urls)

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> RegistryAddress:
        """From what `dataclasses.asdict` gave."""
        return RegistryAddress(**{**value, "urls": tuple(value["urls"])})


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema's text; `references` are the (name, text) of those that it builds on, each behind what it needs itself."""

    id: int
    text: str
    kind: str = "AVRO"
    """'AVRO', 'PROTOBUF' or 'JSON'."""
    references: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> RegisteredSchema:
        """From what `dataclasses.asdict` gave."""
        return RegisteredSchema(**{**value, "references": tuple((n, t) for n, t in value["references"])})


def address(options: Mapping[str, str]) -> RegistryAddress:
    """The registry that the options of ENCODE name. Raises InvalidStatement where no URL can be."""
    given = [url.strip().rstrip("/") for url in options["schema.registry"].split(",")]
    urls = tuple(url for url in given if urllib.parse.urlsplit(url).scheme in ("http", "https"))
    if not urls:
        raise InvalidStatement(
            f"no valid url provided: schema.registry = '{options['schema.registry']}'",
            hint="schema.registry = 'http://127.0.0.1:8081'",
        )
    return RegistryAddress(
        urls,
        options.get("schema.registry.username", ""),
        options.get("schema.registry.password", ""),
        options.get("schema.registry.ca_pem_path", ""),
    )


def subject_of(strategy: str, topic: str, record: str, *, key: bool) -> str:
    """The subject of a topic's values or keys.

    >>> subject_of(TOPIC, "t", "", key=True), subject_of(TOPIC_RECORD, "t", "ns.R", key=False)
    ('t-key', 't-ns.R')

    Raises InvalidStatement where the strategy wants a record's name and there is none.
    """
    if strategy == TOPIC:
        return f"{topic}-{'key' if key else 'value'}"
    option = "key.message" if key else "message"
    if not record:
        raise InvalidStatement(
            f"{strategy} expect non-empty field {option}",
            hint=f"{option} = 'namespace.Record' names the record",
        )
    return record if strategy == RECORD else f"{topic}-{record}"


class Registry:
    """A registry's schemas. One thread at a time."""

    def __init__(self, where: RegistryAddress) -> None:
        self._where = where
        self._known: OrderedDict[int, RegisteredSchema] = OrderedDict()
        self._missing: dict[int, tuple[float, SchemaMissingError]] = {}

    def know(self, schema: RegisteredSchema) -> None:
        """Remember what has been asked before, so that nobody has to be asked again."""
        self._known[schema.id] = schema

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version of a subject. Raises SchemaMissingError or RegistryUnreachableError."""
        return self._with_references(self._ask("subjects", subject, "versions", "latest"))

    def by_id(self, id_: int) -> RegisteredSchema:
        """The schema of an id; asks once. Raises as `latest` does."""
        known = self._known.get(id_)
        if known is not None:
            self._known.move_to_end(id_)
            return known
        asked_at, error = self._missing.get(id_, (float("-inf"), None))
        if error is not None and time.monotonic() < asked_at + _MISSING_FOR_S:
            raise error
        try:
            found = self._with_references({"id": id_, **self._ask("schemas", "ids", str(id_))})
        except SchemaMissingError as missing:
            if len(self._missing) >= _KNOWN_IDS:
                self._missing.clear()
            self._missing[id_] = time.monotonic(), missing
            raise
        self._missing.pop(id_, None)
        self._known[id_] = found
        if len(self._known) > _KNOWN_IDS:
            self._known.popitem(last=False)
        return found

    def _with_references(self, answer: Mapping[str, Any]) -> RegisteredSchema:
        found: dict[str, str] = {}
        self._collect(answer, found, ())
        kind = answer.get("schemaType") or "AVRO"
        return RegisteredSchema(int(answer["id"]), str(answer["schema"]), kind, tuple(found.items()))

    def _collect(self, answer: Mapping[str, Any], found: dict[str, str], above: tuple[str, ...]) -> None:
        for reference in answer.get("references") or ():
            name = str(reference["name"])
            if name in found or name in above:
                continue
            version = str(reference["version"])
            below = self._ask("subjects", str(reference["subject"]), "versions", version)
            self._collect(below, found, (*above, name))
            found[name] = str(below["schema"])

    def _ask(self, *path: str) -> dict[str, Any]:
        """What GET of this path answers."""
        failure: Exception | None = None
        for pause_s in (*_PAUSES_S, None):
            for url in self._where.urls:
                try:
                    return self._get("/".join((url, *(urllib.parse.quote(p, safe="") for p in path))))
                except urllib.error.HTTPError as error:
                    with error:
                        if error.code not in _IS_AWAY:
                            raise self._refused(error, path) from error
                        failure = error
                except (OSError, http.client.HTTPException, ValueError) as error:
                    failure = error
            if pause_s is not None:
                time.sleep(pause_s)
        raise RegistryUnreachableError(
            f"no schema registry answers at {self._where.shown}",
            detail=str(getattr(failure, "reason", "") or failure),
            hint="start the registry, or correct schema.registry",
        )

    def _get(self, url: str) -> dict[str, Any]:
        request = urllib.request.Request(url, headers={"Accept": "application/vnd.schemaregistry.v1+json"})  # noqa: S310
        if self._where.username:
            given = f"{self._where.username}:{self._where.password}".encode()
            request.add_header("Authorization", "Basic " + base64.b64encode(given).decode())
        with self._opener(url).open(request, timeout=_TIMEOUT_S) as answer:
            found = json.loads(answer.read(_ANSWER_BYTES))
        if not isinstance(found, dict) or "schema" not in found:
            raise ValueError("its answer is not that of a schema registry")
        return found

    def _opener(self, url: str) -> urllib.request.OpenerDirector:
        """Without a proxy on this machine; with the certificates that the options name."""
        handlers: list[urllib.request.BaseHandler] = []
        if urllib.parse.urlsplit(url).hostname in _LOOPBACK:
            handlers.append(urllib.request.ProxyHandler({}))
        if url.startswith("https:") and self._where.ca_path:
            unchecked = self._where.ca_path.lower() == "ignore"
            context = ssl.create_default_context(cafile=None if unchecked else self._where.ca_path)
            if unchecked:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            handlers.append(urllib.request.HTTPSHandler(context=context))
        return urllib.request.build_opener(*handlers)

    def _refused(self, error: urllib.error.HTTPError, path: tuple[str, ...]) -> SchemaMissingError:
        try:
            said = json.loads(error.read(4096)).get("message") or error.reason
        except (ValueError, AttributeError, OSError):
            said = error.reason
        what = f"schema {path[2]}" if path[0] == "schemas" else f"subject {path[1]}"
        hint = (
            "correct schema.registry.username and schema.registry.password"
            if error.code in (401, 403)
            else f"register it first: POST {self._where.urls[0]}/subjects/<topic>-value/versions"
        )
        return SchemaMissingError(
            f"the schema registry at {self._where.shown} has no {what} for us: {said} ({error.code})",
            hint=hint,
        )
