"""Random draws as pure functions of their seeds: the same seed draws the same values on every machine, now and later.

The mixing is splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014). Not for secrets. Used by the
generators of the datagen and nexmark connectors, whose rows have to come out the same when they are read again.
"""

from __future__ import annotations

import random
import zlib
from typing import Final

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_ALPHANUMERIC: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_POOL_CHARS: Final = 1 << 16


def mixed(value: int) -> int:
    """64 bits that look independent of the 64 bits given."""
    value = (value + _GOLDEN) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)


def salt(name: str) -> int:
    """A number of a name, so that columns of the same seed differ."""
    return mixed(zlib.crc32(name.encode()))


def _pool(alphabet: str, seed: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=_POOL_CHARS + 4096))  # noqa: S311  # not for secrets


ALPHANUMERIC_POOL: Final = _pool(_ALPHANUMERIC, 1)
LOWER_POOL: Final = _pool("abcdefghijklmnopqrstuvwxyz", 2)
"""Long random texts: a random text of up to 4,096 characters is a slice at a random place, which costs one copy."""


def alphanumeric(draw: int, length: int) -> str:
    """`length` letters and digits."""
    return _sliced(ALPHANUMERIC_POOL, draw, length)


def lower(draw: int, length: int) -> str:
    """`length` lower-case letters."""
    return _sliced(LOWER_POOL, draw, length)


def _sliced(pool: str, draw: int, length: int) -> str:
    start = draw % _POOL_CHARS
    text = pool[start : start + min(length, 4096)]
    while len(text) < length:
        draw = mixed(draw)
        text += _sliced(pool, draw, min(length - len(text), 4096))
    return text


class Draws:
    """A sequence of draws from one seed."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = mixed(seed & _MASK)

    def next(self) -> int:
        """64 random bits."""
        self._state = (self._state + _GOLDEN) & _MASK
        return mixed(self._state)

    def below(self, bound: int) -> int:
        """A whole number from 0 to bound - 1."""
        return self.next() % bound

    def fraction(self) -> float:
        """A number from 0 up to, but not including, 1."""
        return (self.next() >> 11) / (1 << 53)

    def lower(self, length: int) -> str:
        """`length` lower-case letters."""
        return lower(self.next(), length)
