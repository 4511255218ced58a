"""The four figures at the head of the page, as one piece of HTML.

One element instead of four charts: it is redrawn every second, and a sparkline cut out of a coloured box
with CSS costs the browser nothing. Takes plain text and escapes it. Called by app.sections.figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDEST_POINTS = 120


@dataclass(frozen=True, slots=True)
class Card:
    """A figure: what it is, its value, a remark, an explanation to hover for, its course (oldest first)."""

    title: str
    value: str
    note: str
    explanation: str
    course: Sequence[float] = ()


def html(cards: Sequence[Card]) -> str:
    """The cards side by side."""
    return f'<div class="tailrace-cards">{"".join(_card(card) for card in cards)}</div>'


def _card(card: Card) -> str:
    return (
        f'<section title="{escape(card.explanation)}"><h6>{escape(card.title)}</h6>'
        f"<b>{escape(card.value)}</b>"
        f"<small>{escape(card.note) or '&nbsp;'}</small>{_sparkline(card.course[-WIDEST_POINTS:])}</section>"
    )


def _sparkline(course: Sequence[float]) -> str:
    """An area and its upper edge, from 0 to the greatest value.

    >>> _sparkline([1.0])
    ''
    """
    if len(course) < 2 or max(course) <= 0:
        return ""
    top = max(course)
    points = [(100 * index / (len(course) - 1), 100 - 92 * value / top) for index, value in enumerate(course)]
    line = ", ".join(f"{x:.1f}% {y:.1f}%" for x, y in points)
    edge = ", ".join(f"{x:.1f}% calc({y:.1f}% + 1.5px)" for x, y in reversed(points))
    return (
        f'<div class="area" style="clip-path: polygon({line}, 100% 100%, 0% 100%)"></div>'
        f'<div class="edge" style="clip-path: polygon({line}, {edge})"></div>'
    )
