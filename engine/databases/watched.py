"""Files and sockets that are listened to, each with what to do when it has something to say."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable

File = int | socket.socket


class Watched:
    """A selector whose calls may take files away that have something to say in the same moment: those are not called any more."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def add(self, file: File, call: Callable[[], object]) -> None:
        """From now on `call` whenever `file` can be read."""
        self._selector.register(file, selectors.EVENT_READ, call)

    def remove(self, file: File) -> None:
        """Listen to it no longer, if anybody did; before it is closed."""
        if file in self._selector.get_map():
            self._selector.unregister(file)

    def wait(self, seconds: float) -> None:
        """Wait for so long at most, and call for all that can be read by then."""
        for key, _ in self._selector.select(seconds):
            if self._selector.get_map().get(key.fd) is key:  # its number may be another file's by now
                key.data()
