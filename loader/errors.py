"""What can go wrong with a run. ``loader.cli`` reports all of it, with exit code 1."""

from __future__ import annotations


class LoaderError(Exception):
    """The run cannot start or go on; the message says what failed and what to do."""


class BrokerAwayError(LoaderError):
    """The broker cannot be reached, or stopped taking messages. What it did take is counted."""
