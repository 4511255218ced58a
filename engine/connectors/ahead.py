"""Reading ahead of the flow: a thread that fills a queue, from which the flow takes without waiting.

What readers of all kinds share: beginning and ending, the hand-over, and that an error which ends the thread reaches the flow.
"""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping

from engine.connectors.pending import Pending
from engine.connectors.source import Batch, Position, SourceSpec

_log = logging.getLogger(__name__)


class ReadsAhead(ABC):
    """Reads from `positions` on. `wake` is set when input waits."""

    def __init__(self, spec: SourceSpec, positions: Mapping[int, Position], wake: threading.Event) -> None:
        self.spec = spec
        self._wake = wake
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"source {spec.name}", daemon=True)
        self._lock = threading.Lock()  # guards what follows
        self._pending = Pending()
        self._positions = dict(positions)
        self._crash: BaseException | None = None

    @abstractmethod
    def _read(self) -> None:
        """Fill `_pending` until `_stopping` is set; what it raises is raised to the flow."""

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    def stop(self) -> None:
        """End reading and wait for the thread; what was not taken will be read again from the flow's positions."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def take(self, max_rows: int) -> Batch | None:
        """What has been read, up to `max_rows` rows, without waiting; None when nothing waits.

        Sets `wake` again when more is left. Raises what ended the reading thread, if anything did.
        """
        with self._lock:
            if self._crash is not None:
                raise self._crash
            batch = self._pending.take(max_rows)
            if self._pending:
                self._wake.set()
        return batch

    def _run(self) -> None:
        try:
            self._read()
        except BaseException as error:  # the flow must hear of it: take() raises it there
            _log.exception("source %s: reading ended", self.spec.name)
            with self._lock:
                self._crash = error
            self._wake.set()
