"""The command lines of the components that `tailrace up` starts, the broker aside.

Pure: paths and URLs in, a command out. Each component is known by its command line and its two seams only.
Caller: the launcher.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tailrace import config
from tailrace.up.component import Command
from tailrace.up.errors import UpError
from tailrace.up.ground import DataDir
from tailrace.up.options import Options

READY = "engine ready: "
_ORPHAN_S = 1.0
"""What keeps nothing need not end in order when its launcher is gone: the loader would wait for a broker that is gone too."""


def engine_command(data: DataDir, port: int, options: Options) -> Command:
    """The embedded engine: supervisor, PostgreSQL, flow and wire."""
    arguments = [sys.executable, "-m", "engine", "--data-dir", str(data.engine)]
    arguments += ["--host", options.sql_host, "--port", str(port)]
    for name, file in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
        arguments += [name, str(file.absolute())] if file else []
    return Command("engine", arguments, data.logs / "engine.log", grace_s=30.0)


def dashboard_command(data: DataDir, port: int, sql_url: str, kafka: str) -> Command:
    """Streamlit on the page in `app/`, which gets the SQL side by its URL."""
    arguments = [sys.executable, "-m", "streamlit", "run", str(_page())]
    settings = {
        "server.port": port,
        "server.address": config.HOST,
        "server.headless": "true",
        "server.fileWatcherType": "none",
        "server.runOnSave": "false",
        "browser.gatherUsageStats": "false",
        "browser.serverAddress": config.HOST,
    }
    for name, value in settings.items():
        arguments += [f"--{name}", str(value)]
    environment = {config.SQL_URL_VARIABLE: sql_url, config.KAFKA_VARIABLE: kafka}
    return Command(
        "dashboard",
        arguments,
        data.logs / "dashboard.log",
        environment,
        grace_s=5.0,
        orphan_grace_s=_ORPHAN_S,
    )


def _page() -> Path:
    found = importlib.util.find_spec("app")
    for folder in (found.submodule_search_locations or ()) if found else ():
        page = Path(folder) / "main.py"
        if page.exists():
            return page
    raise UpError(
        "the dashboard's page app/main.py was not found", hint="reinstall, or go on with --no-dashboard"
    )


def loader_command(data: DataDir, options: Options, seed: int, kafka: str) -> Command:
    """The simulated fleet; ends by itself after the duration."""
    arguments = [sys.executable, "-m", "loader", "--bootstrap", kafka, "--seed", str(seed)]
    arguments += ["--devices", str(options.devices), "--rate", str(options.rate)]
    if options.duration_s is not None:
        arguments += ["--duration", f"{options.duration_s:g}"]
    if options.burst is not None:
        arguments += ["--burst", str(options.burst)]
    arguments += ["--summary", str(data.summary), "--progress", "json"]
    return Command("loader", arguments, data.logs / "loader.log", grace_s=20.0, orphan_grace_s=_ORPHAN_S)


def monitor_command(data: DataDir, sql_url: str, kafka: str) -> Command:
    """The independent reader of freshness."""
    arguments = [sys.executable, "-m", "tailrace.monitor", "--kafka", kafka, "--sql-url", sql_url]
    return Command("monitor", arguments, data.logs / "monitor.log", grace_s=5.0, orphan_grace_s=_ORPHAN_S)


def as_role(sql_url: str, role: str) -> str:
    """The same address for another role, without the first one's password.

    >>> as_role("postgresql://root:x@127.0.0.1:4566/dev", "dashboard")
    'postgresql://dashboard@127.0.0.1:4566/dev'
    """
    parts = urlsplit(sql_url)
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
