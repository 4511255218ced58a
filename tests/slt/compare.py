"""Whether what came is what a record expects; pure. The rules are sqllogictest-rs's.

Rows are compared line by line with blanks normalised, so a value may hold line breaks. `rowsort` sorts what came, as
lists of texts; what is expected stands sorted in the file. `<slt:ignore>` in the expected lines stands for anything.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache

from tests.slt.records import ExpectedError, SortMode

_IGNORE = "<slt:ignore>"
_POSIX = {
    "[:digit:]": "0-9",
    "[:alpha:]": "A-Za-z",
    "[:alnum:]": "A-Za-z0-9",
    "[:space:]": r"\s",
}  # RE2-like classes
Rows = list[list[str]]


def shown(rows: Rows, sort: SortMode | None, hash_threshold: int, valuewise: bool) -> Rows:
    """The rows as they are compared: sorted, one value a row if wanted, or their hash where they are too many values."""
    if sort is SortMode.ROWSORT:
        rows = sorted(rows)
    elif sort is SortMode.VALUESORT:
        rows = sorted([value] for row in rows for value in row)
    values = [value for row in rows for value in row]
    if hash_threshold and len(values) > hash_threshold:
        digest = hashlib.md5("".join(value + "\n" for value in values).encode()).hexdigest()
        return [[f"{len(values)} values hashing to {digest}"]]
    return [[value] for value in values] if valuewise else rows


def same_rows(rows: Rows, expected: Sequence[str]) -> bool:
    """Whether rows (already sorted) are the expected lines."""
    if any(_IGNORE in line for line in expected):
        return _fragments_in_order("\n".join(" ".join(row) for row in rows), "\n".join(expected))
    return [" ".join(" ".join(v.split()) for v in row) for row in rows] == [
        " ".join(line.split()) for line in expected
    ]


def _fragments_in_order(text: str, expected: str) -> bool:
    position = 0
    for fragment in expected.split(_IGNORE):
        found = text.find(fragment, position)
        if found < 0:
            return False
        position = found + len(fragment)
    return True


def same_error(message: str, sqlstate: str | None, expected: ExpectedError) -> bool:
    """Whether an error is the expected one; `message` as the driver shows it (`db error: ERROR: ...`)."""
    if expected.sqlstate is not None:
        return sqlstate == expected.sqlstate
    if expected.text is not None:
        return message.strip() == expected.text.strip()
    return expected.pattern is None or _compiled(expected.pattern).search(message) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Rust's syntax of regular expressions as Python's; what is no pattern there either stands for itself."""
    for name, chars in _POSIX.items():
        pattern = pattern.replace(name, chars)
    try:
        return re.compile(pattern)
    except re.error:
        return re.compile(re.escape(pattern))
