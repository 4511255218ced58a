"""Variables in records (`control substitution on`): $name, ${name}, ${name:default}; a backslash escapes.

Pure but for `__TEST_DIR__`, a temporary directory made when it is first named.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(
    r"\\(?P<escaped>.)|\$(?P<short>\w+)|\$\{(?P<name>\w+)(?::(?P<default>[^}]*))?\}", re.DOTALL
)


@dataclass(slots=True)
class Variables:
    """A file's variables: those of `let`, the special ones, and the environment's, in this order."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    bound: dict[str, str] = field(default_factory=dict)
    folder: tempfile.TemporaryDirectory[str] | None = None

    def value(self, name: str) -> str | None:
        if name in self.bound:
            return self.bound[name]
        if name == "__TEST_DIR__":
            self.folder = self.folder or tempfile.TemporaryDirectory(prefix="slt-")
            return self.folder.name
        if name == "__NOW__":
            return str(time.time_ns())
        return self.environment.get(name)

    def in_sql(self, text: str) -> str:
        """Replace variables; KeyError names one that is unknown and has no default."""

        def replaced(found: re.Match[str]) -> str:
            groups: dict[str, Any] = found.groupdict()
            if groups["escaped"] is not None:
                return str(groups["escaped"])
            name = groups["short"] or groups["name"]
            if (value := self.value(name)) is not None:
                return value
            if groups["default"] is None:
                raise KeyError(name)
            return self.in_sql(groups["default"])

        return _TOKEN.sub(replaced, text)

    def in_command(self, text: str) -> str:
        """Only the special ones and `let`'s: the shell knows the environment's itself."""
        for name in ("__TEST_DIR__", "__NOW__", "__DATABASE__", *self.bound):
            if f"${name}" in text:
                text = text.replace(f"${name}", self.value(name) or "")
        return text

    def close(self) -> None:
        if self.folder is not None:
            self.folder.cleanup()
