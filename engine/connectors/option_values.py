"""Options of a statement, taken one by one: what is missing or cannot be is said with the option's name and an example.

Each function takes its option out of `given`, so that what is left over in the end is what nobody knows. Pure; used by what
turns CREATE SINK into a spec.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from engine.connectors.source import InvalidOptionError
from tailrace.errors import UnsupportedFeature


def required(given: dict[str, str], option: str, example: str) -> str:
    """The option's value; raises InvalidOptionError where it is missing or empty."""
    value = given.pop(option, "").strip()
    if not value:
        raise InvalidOptionError(f"option {option} is missing", hint=f"write {example}")
    return value


def flag(given: dict[str, str], option: str, *, default: bool = False) -> bool:
    """'true' or 'false'."""
    value = given.pop(option, str(default)).lower()
    if value not in ("true", "false"):
        raise InvalidOptionError(f"{option} cannot be '{value}'", hint="use 'true' or 'false'")
    return value == "true"


def number(given: dict[str, str], option: str, default: int, most: int = 1_000_000) -> int:
    """A whole number from 1 to `most`."""
    value = given.pop(option, str(default))
    if not value.isdecimal() or not 0 < int(value) <= most:
        raise InvalidOptionError(f"{option} cannot be '{value}'", hint=f"use a whole number from 1 to {most}")
    return int(value)


def choice(given: dict[str, str], option: str, choices: Sequence[str]) -> str:
    """One of `choices`, the first of which is the default."""
    value = given.pop(option, choices[0]).lower()
    if value not in choices:
        raise InvalidOptionError(f"{option} cannot be '{value}'", hint=f"use {' or '.join(choices)}")
    return value


def nothing_left(
    what: str, given: Mapping[str, str], known: Sequence[str], unsupported: Mapping[str, str]
) -> None:
    """Raises UnsupportedFeature for the first option left in `given`; `unsupported` has hints for some."""
    for option in given:
        if option in unsupported:
            raise UnsupportedFeature(f"{what} {option}", hint=unsupported[option])
        close = difflib.get_close_matches(option, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"supported: {', '.join(known)}"
        raise UnsupportedFeature(f"{what} {option}", hint=hint)
