"""An engine whose flow, delivery, databases and wire are stand-ins: all that the supervisor does, without what they do.

    python -m tests.support.stand_in DATA_DIR PORT [NAME]

The stand-in called NAME, "flow", "delivery", "databases" or "wire", fails at once. Each notes its end in DATA_DIR/stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path

from engine.__main__ import serve
from engine.layout import Layout
from engine.supervisor import EngineOptions
from tests.support.postgres import TEST_SETTINGS

_CHILD = """
import signal, sys
name, path = sys.argv[1:]
def stop(*_):
    with open(path, "a") as stopped:
        stopped.write(name + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while True:
    signal.pause()
"""
_FAILING = "import sys; sys.exit('the option --colour wants a colour')"


def _command(name: str, data_dir: Path, failing: str) -> list[str]:
    script = _FAILING if name == failing else _CHILD
    return [sys.executable, "-c", script, name, str(data_dir / "stopped")]


def main() -> int:
    data_dir, port, failing = Path(sys.argv[1]), int(sys.argv[2]), "".join(sys.argv[3:])
    options = EngineOptions(
        Layout(data_dir),
        port=port,
        flow=_command("flow", data_dir, failing),
        wire=_command("wire", data_dir, failing),
        delivery=_command("delivery", data_dir, failing),
        databases=_command("databases", data_dir, failing),
        minimum_free_bytes=0,
        postgres_settings=TEST_SETTINGS,
    )
    return serve(options)


if __name__ == "__main__":
    sys.exit(main())
