"""The accounting line: messages = readings + rejects + duplicates, and whether it comes out even.

All five figures are of one barrier, so the sum has to be exact at any moment, under load too. Called by
app.sections.figures.
"""

from __future__ import annotations

from app import formats
from app.queries.counts import Counts


def line(counts: Counts) -> str:
    """The figures as HTML: numbers and fixed words only, nothing that came from outside."""
    terms = (
        _term(counts.messages, "messages"),
        "<i>=</i>",
        _term(counts.readings, "readings"),
        "<i>+</i>",
        _term(counts.rejects, "rejects"),
        "<i>+</i>",
        _term(counts.duplicates, "duplicates"),
    )
    late = f"<small>of the readings, {formats.count(counts.late)} came late</small>"
    return f'<div class="tailrace-accounting">{"".join(terms)}{_verdict(counts)}{late}</div>'


def _term(number: int, name: str) -> str:
    return f"<span><b>{formats.count(number)}</b> {name}</span>"


def _verdict(counts: Counts) -> str:
    if counts.missing == 0:
        return '<em class="even">✓ every message accounted for</em>'
    words = "unaccounted for" if counts.missing > 0 else "counted twice"
    return f'<em class="odd">{formats.count(abs(counts.missing))} {words}</em>'
