"""The parallelism that a job is said to have: from session variables, or set by ALTER, as RisingWave does it; recorded and shown.

One process maintains everything here, so nothing runs differently for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.catalog.objects import CatalogObject, update
from tailrace.errors import InvalidStatement

if TYPE_CHECKING:
    from engine.ddl.context import DdlContext

_VARIABLES = {
    "table": "table",
    "source": "source",
    "materialized view": "materialized_view",
    "index": "index",
    "sink": "sink",
}
_DEFAULTS = {"table": "bounded(4)", "source": "bounded(4)", "sink": "bounded(8)"}
_GLOBAL = "bounded(64)"
_MOST = 256


def derived(kind: str, settings: Mapping[str, str]) -> str | None:
    """The parallelism of a new object of this kind: its own variable, else the general one, else its default; None for no job.

    >>> derived("index", {"streaming_parallelism": "4"}), derived("table", {})
    ('4', 'bounded(4)')
    """
    if kind not in _VARIABLES:
        return None
    for variable in (f"streaming_parallelism_for_{_VARIABLES[kind]}", "streaming_parallelism"):
        value = settings.get(variable, "default").lower()
        if value == "0":
            return "adaptive"
        if value != "default":
            return value
    return _DEFAULTS.get(kind, _GLOBAL)


def recorded(kind: str, settings: Mapping[str, str]) -> dict[str, object]:
    """What the body of a new object keeps of it; raises InvalidStatement where more is asked for than is allowed.

    >>> recorded("table", {"streaming_max_parallelism": "4"})
    {'parallelism': 'bounded(4)', 'max_parallelism': 4}
    """
    parallelism = derived(kind, settings)
    if parallelism is None:
        return {}
    text = settings.get("streaming_max_parallelism", "default")
    most = int(text) if text.isdecimal() else _MOST
    _check(parallelism, most)
    return (
        {"parallelism": parallelism}
        if most == _MOST
        else {"parallelism": parallelism, "max_parallelism": most}
    )


def set_parallelism(context: DdlContext, item: CatalogObject, text: str) -> None:
    """ALTER ... SET PARALLELISM {TO | =} n | ADAPTIVE | DEFAULT. Raises InvalidStatement."""
    wanted = text.strip().strip("'").lower()
    if wanted in ("0", "adaptive", "auto", "default"):
        value = "adaptive"
    elif wanted.isdecimal():
        value = str(int(wanted))
    else:
        raise InvalidStatement(
            f"parallelism must be a number, ADAPTIVE or DEFAULT, got {text}", sqlstate="22023"
        )
    _check(value, int(item.body.get("max_parallelism", _MOST)))
    changed = replace(item, body={**item.body, "parallelism": value})
    update(context.connection, changed)
    context.catalog.objects[item.id] = changed


def _check(parallelism: str, most: int) -> None:
    if parallelism.isdecimal() and int(parallelism) > most:
        raise InvalidStatement(
            f"specified parallelism {parallelism} should not exceed max parallelism {most}", sqlstate="22023",
            hint="SET streaming_max_parallelism before the object is made",
        )  # fmt: skip
