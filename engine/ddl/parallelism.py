"""The parallelism that a job is said to have: derived from session variables as RisingWave does it, recorded and shown.

One process maintains everything here, so nothing runs differently for it.
"""

from __future__ import annotations

from collections.abc import Mapping

_VARIABLES = {
    "table": "table",
    "source": "source",
    "materialized view": "materialized_view",
    "index": "index",
    "sink": "sink",
}
_DEFAULTS = {"table": "bounded(4)", "source": "bounded(4)", "sink": "bounded(8)"}
_GLOBAL = "bounded(64)"


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
