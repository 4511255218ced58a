"""The flow's wall clock; for tests, one that can be set wrong.

`TAILRACE_CLOCK_OFFSET_FILE` names a file with a number of seconds, added to the clock and read again at each barrier, so that a
test can make the clock jump while the flow runs. Barrier time never goes back, whatever the clock does. Nobody sets the variable
outside of tests. Caller: `engine.flow.__main__`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

VARIABLE = "TAILRACE_CLOCK_OFFSET_FILE"


def wall_clock(environment: Mapping[str, str]) -> Callable[[], datetime]:
    """The machine's clock, aware, UTC; shifted by what the file says now, where the environment names one."""
    given = environment.get(VARIABLE)
    if not given:
        return lambda: datetime.now(UTC)
    path = Path(given)
    return lambda: datetime.now(UTC) + timedelta(seconds=_offset_s(path))


def _offset_s(path: Path) -> float:
    """0 while the file is missing or empty; ValueError when it holds something else than a number."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return 0.0
    return float(text or 0)
