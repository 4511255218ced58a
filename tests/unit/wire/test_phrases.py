"""Errors of PostgreSQL in RisingWave's words."""

from __future__ import annotations

import pytest

from engine.wire.phrases import rephrased
from engine.wire.protocol import decode_fields


def error(sqlstate: str, message: str, **fields: str) -> dict[str, str]:
    """What becomes of an ErrorResponse with these fields."""
    given = {"S": "ERROR", "V": "ERROR", "C": sqlstate, "M": message, **fields}
    return decode_fields(rephrased(b"".join(f"{k}{v}".encode() + b"\0" for k, v in given.items()) + b"\0"))


@pytest.mark.parametrize(
    ("sqlstate", "message", "said"),
    [
        ("2202E", "multidimensional arrays must have array expressions with matching dimensions", "NULL or of different lengths"),
        ("2202E", "cannot accumulate arrays of different dimensionality", "NULL or of different lengths"),
        ("42804", "cannot subscript type rw.map_0123456789abcdef because it does not support subscripting", "subscript of a map"),
    ],
)  # fmt: skip
def test_what_postgres_cannot_do_is_refused_by_name(sqlstate: str, message: str, said: str) -> None:
    found = error(sqlstate, message, D="a detail", P="7")
    assert found["C"] == "0A000"
    assert said in found["M"]
    assert found["M"].endswith("is not supported")
    assert found["H"]
    assert "D" not in found


def test_types_of_our_own_are_not_shown_by_their_names() -> None:
    found = error("42804", "cannot compare dissimilar column types rw.struct_8a9e165f375dd884 and record")
    assert found["M"] == "cannot compare dissimilar column types struct and record"
