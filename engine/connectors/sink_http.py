"""An HTTP endpoint as a sink's target: one POST for each row that comes, one after the other, in the order of the log.

Each request carries an Idempotency-Key (the sink and the row's number in its log), the same whenever the row is sent again, so
that a receiver can tell. What was taken is noted row by row: after a failure the delivery goes on with the row that failed, and
only a kill of the process sends rows again, those of one batch at most.

An answer of 2xx is a delivery. 400, 409, 413 and the like say that this row will never be taken: it is set aside (`Refused`).
Everything else (no answer, 5xx, 429, 401, 404, a redirection) may be mended: the row is sent again, later, and those behind it
wait. Where each row has an address of its own, 401 to 405 and 410 are about that row too. RisingWave's docs, "Sink data to HTTP
endpoints"; its sink sends a refused row again for ever. Used by the delivery process; `check_reachable` by the DDL.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import urllib3

from engine.compile.sink import log_columns
from engine.connectors.http_options import column_of, headers_of, is_url
from engine.connectors.sink import SinkSpec
from engine.connectors.sink_target import Batch, DeliveryError, DeliveryStopped, Refused
from engine.operators.base import Column

BATCH_ROWS: Final = 100
CONNECT_S: Final = 5.0
ANSWER_S: Final = 30.0
LONGEST_WAIT_S: Final = 300.0
_OF_THE_ROW: Final = frozenset({400, 406, 409, 411, 412, 413, 414, 415, 417, 422, 428, 431, 451})
_OF_THE_ADDRESS: Final = frozenset({401, 402, 403, 404, 405, 410})
_SHOWN_BYTES: Final = 300
_KEY: Final = "idempotency-key"


def check_reachable(spec: SinkSpec) -> str | None:
    """What a user should know if nothing listens at the sink's address; None if something does, or each row has its own."""
    url = spec.options["url"]
    if not url:
        return None
    host, port = _endpoint(url)
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except OSError as error:
        return f"nothing answers at {host}:{port} yet ({error.strerror or error}): rows wait in the sink's log until it does"
    return None


class HttpTarget:
    """One sink's connection. `prefix` tells its rows from those of any other sink."""

    batch_rows = BATCH_ROWS
    linger_s = 0.0

    def __init__(self, prefix: str, spec: SinkSpec, columns: Sequence[Column], stop: threading.Event) -> None:
        names = {column.name: name for name, column in log_columns(columns)}
        self._url = spec.options["url"]
        address = "NULL" if self._url else names[column_of(columns, "url").name]
        self.select: Sequence[str] = [f"{names[column_of(columns, 'payload').name]}::text", address]
        self._headers, self._prefix, self._stop = headers_of(spec.options), prefix, stop
        timeout = urllib3.Timeout(connect=CONNECT_S, read=ANSWER_S)
        self._client = urllib3.PoolManager(num_pools=16, maxsize=1, retries=False, timeout=timeout)

    def deliver(self, batch: Batch) -> None:
        """See `Target`."""
        for change in batch.changes:
            if self._stop.is_set():
                raise DeliveryStopped
            payload, address = change.values
            if payload is not None:
                error = self._post(payload, self._url or address, change.seq)
                if error is not None:
                    batch.reached.refused.append(Refused(change.seq, error))
            batch.reached.upto = change.seq

    def close(self) -> None:
        """Let go of the connections."""
        self._client.clear()

    def _post(self, payload: str, url: str | None, seq: int) -> str | None:
        """None when the row was taken, else why it never will be; raises DeliveryError."""
        if not url or not is_url(url):
            return f"the row's url is no address to post to: {url!r}"
        headers = {_KEY: f"{self._prefix}-{seq}", **self._headers}
        try:
            answer = self._client.request(
                "POST", url, body=payload.encode(), headers=headers, redirect=False, preload_content=False
            )
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as error:
            raise DeliveryError(f"{_shown(url)} does not answer: {_reason(error)}") from error
        try:
            if 200 <= answer.status < 300:
                with suppress(urllib3.exceptions.HTTPError, OSError):
                    answer.drain_conn()
                return None
            said = f"{_shown(url)} answers {answer.status} {answer.reason or ''}{_body(answer)}"
            wait_s = _wait(answer.headers.get("retry-after"))
        finally:
            answer.release_conn()
        if answer.status in _OF_THE_ROW or (not self._url and answer.status in _OF_THE_ADDRESS):
            return said
        raise DeliveryError(said, wait_s=wait_s)


def _endpoint(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _shown(url: str) -> str:
    """The address without what may be secret: user, password and query.

    >>> _shown("https://me:secret@example.com:8443/hook?token=x")
    'https://example.com:8443/hook'
    """
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _body(answer: urllib3.BaseHTTPResponse) -> str:
    """The beginning of what the answer says, or where it points to."""
    if 300 <= answer.status < 400:
        return f", to {answer.headers.get('location')}: give that address to the sink"
    try:
        text = answer.read(_SHOWN_BYTES).decode(errors="replace").strip()
    except (urllib3.exceptions.HTTPError, OSError):
        return ""
    return f": {' '.join(text.replace(chr(0), '').split())}" if text else ""


def _wait(retry_after: str | None) -> float:
    """Seconds that the endpoint asks to be left alone; dates are not read.

    >>> _wait("7"), _wait(None), _wait("Fri, 27 Nov 2026 12:00:00 GMT"), _wait("86400")
    (7.0, 0.0, 0.0, 300.0)
    """
    return min(float(retry_after), LONGEST_WAIT_S) if retry_after and retry_after.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    """The innermost reason, without the library's wrapping."""
    inner = getattr(error, "reason", None) or error
    return str(inner).rpartition("object at 0x")[2].partition(">: ")[2] or str(inner)
