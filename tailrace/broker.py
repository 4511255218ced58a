"""The embedded broker's command line: `python -m broker`, with its topics under the data directory.

It keeps them over any end of its process; killing it loses nothing it has acknowledged. Caller: the launcher.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tailrace import config
from tailrace.up.component import Command


def broker_command(data_dir: Path, port: int, log_path: Path) -> Command:
    """How to start the broker on 127.0.0.1:`port`, keeping its topics in `data_dir`."""
    arguments = [sys.executable, "-m", "broker", "--data-dir", str(data_dir)]
    arguments += ["--host", config.HOST, "--port", str(port)]
    return Command("broker", arguments, log_path, grace_s=15.0)
