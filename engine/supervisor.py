"""The engine as one thing: starts PostgreSQL, flow, delivery, databases and wire in order, keeps them up, stops them in reverse.

Each runs through the guard, so that nothing is left however the supervisor ends. Assumes POSIX and one
supervisor per data directory (it takes the lock). Called by `python -m engine`; tests pass stand-ins for
flow, delivery, databases and wire.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from engine import postgres, roles, state
from engine.child import Child, ChildSpec
from engine.layout import DATABASE, Layout
from engine.wire.access import check_host, is_loopback, tls_context
from tailrace.errors import TailraceError

_PREDECESSOR_WAIT_S = 15.0
_POLL_S = 0.05
_STATUS_AGAIN_S = 1.0

_log = logging.getLogger("engine.supervisor")


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """What to run where. `port` 0: any free one. `tls_cert` and `tls_key` encrypt clients' connections.

    `flow`, `wire`, `delivery`, `databases`: other commands for these processes.
    """

    layout: Layout
    host: str = "127.0.0.1"
    port: int = 4566
    tls_cert: Path | None = None
    tls_key: Path | None = None
    flow: Sequence[str] = ()
    wire: Sequence[str] = ()
    delivery: Sequence[str] = ()
    databases: Sequence[str] = ()
    minimum_free_bytes: int = state.MINIMUM_FREE_BYTES
    postgres_settings: dict[str, str] = field(default_factory=dict)


def run(options: EngineOptions) -> int:
    """Run the engine until SIGTERM or SIGINT; returns the exit code.

    Raises TailraceError when it cannot be started: data directory, port, or a process that never becomes
    ready.
    """
    layout = options.layout
    check_host(options.host, encrypted=tls_context(options.tls_cert, options.tls_key) is not None)
    lock = state.claim(layout, minimum_free_bytes=options.minimum_free_bytes)
    try:
        port = _claim_port(options)
        external = (state.read_json(layout.secrets_path) or {}).get("postgres_dsn")
        if external:
            postgres.check_external(external)
            roles.bootstrap(layout)
        asyncio.run(_Supervisor(options, port, own_postgres=not external).run())
    finally:
        layout.status_path.unlink(missing_ok=True)
        postgres.remove_sockets(layout)
        os.close(lock)
    return 0


class _Supervisor:
    """The five processes from the first start to the last stop. `run` is called once."""

    def __init__(self, options: EngineOptions, port: int, *, own_postgres: bool) -> None:
        self._options = options
        self._url = f"postgresql://root@{_reachable(options.host)}:{port}/{DATABASE}"
        self._stop = asyncio.Event()
        self._children: list[Child] = []
        database = None
        if own_postgres:
            database = self._add(_postgres(options.layout, options.postgres_settings))
        module, data_dir = (sys.executable, "-m"), ("--data-dir", str(options.layout.data_dir))
        flow = options.flow or (*module, "engine.flow", *data_dir)
        address = ["--host", options.host, "--port", str(port)]
        for name, file in (("--tls-cert", options.tls_cert), ("--tls-key", options.tls_key)):
            address += [name, str(file)] if file else []
        wire = options.wire or (*module, "engine.wire", *data_dir, *address)
        self._add(ChildSpec("flow", lambda: flow), after=database)
        delivery = options.delivery or (*module, "engine.delivery", *data_dir)
        self._add(ChildSpec("delivery", lambda: delivery, grace_s=5.0), after=database)
        databases = options.databases or (*module, "engine.databases", *data_dir)
        self._add(ChildSpec("databases", lambda: databases), after=database)
        self._add(ChildSpec("wire", lambda: wire, grace_s=5.0), after=database)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        running: list[asyncio.Task[None]] = []
        stop = asyncio.create_task(self._stop.wait())
        self._write_status()
        try:
            for wave in self._waves():
                running += [asyncio.create_task(child.run()) for child in wave]
                ready = asyncio.create_task(_all_ready(wave))
                await asyncio.wait([ready, stop, *running], return_when=asyncio.FIRST_COMPLETED)
                ready.cancel()
                _raise_failure(running)
                if stop.done():
                    return
            _say(f"engine ready: {self._url}")
            await asyncio.wait([stop, *running], return_when=asyncio.FIRST_COMPLETED)
            _raise_failure(running)
        finally:
            stop.cancel()
            _log.info("stopping")
            for child in reversed(self._children[: len(running)]):
                await child.stop()
            await asyncio.gather(*running, return_exceptions=True)

    def _waves(self) -> list[list[Child]]:
        """What starts together: first what the others need, then these, which need nothing of each other."""
        first = [child for child in self._children if child.name == "postgres"]
        return [wave for wave in (first, self._children[len(first) :]) if wave]

    def _add(self, spec: ChildSpec, after: Child | None = None) -> Child:
        child = Child(spec, self._options.layout.log_dir, self._write_status, after)
        self._children.append(child)
        return child

    def _write_status(self) -> None:
        pids: dict[str, int | None] = {"supervisor": os.getpid(), "postgres": None}
        pids.update({child.name: child.pid for child in self._children})
        try:
            state.write_atomically(
                self._options.layout.status_path, {**pids, "url": self._url}, durable=False
            )
        except (
            OSError
        ) as error:  # a full disk: what runs goes on, and whoever reads the file sees it a little late
            _log.warning("cannot write %s: %s", self._options.layout.status_path, error.strerror or error)
            asyncio.get_running_loop().call_later(_STATUS_AGAIN_S, self._write_status)


async def _all_ready(children: Sequence[Child]) -> None:
    for child in children:
        await child.ready.wait()


def _postgres(layout: Layout, settings: dict[str, str]) -> ChildSpec:
    def ready(alive: Callable[[], bool]) -> None:
        postgres.wait_until_ready(layout, alive)
        roles.bootstrap(layout)

    return ChildSpec(
        "postgres",
        lambda: postgres.prepare(layout, settings),
        ready,
        stop_signal="INT",  # PostgreSQL's fast shutdown: ends sessions, writes a checkpoint
        grace_s=30.0,
        cwd="/",
        environment=postgres.environment(),
        attempts=8,  # a killed server's last processes may hold its shared memory for a moment
    )


def _claim_port(options: EngineOptions) -> int:
    """The port to serve, found free just now. A killed engine's wire may be on its way out: waits for it."""
    previous = (state.read_json(options.layout.status_path) or {}).get("wire")
    deadline = time.monotonic() + _PREDECESSOR_WAIT_S
    while True:
        try:
            return _bind_once(options.host, options.port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _alive(previous) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
                continue
            raise TailraceError(
                f"cannot listen on {options.host}:{options.port}: {error.strerror or error}",
                sqlstate="55006" if error.errno == errno.EADDRINUSE else "58000",
                hint="choose another with --port (0: any free one) or --host, or stop what listens there",
            ) from error


def _bind_once(host: str, port: int) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        probe.listen(1)  # on Linux, bind alone lets two share a port that nobody listens on yet
        return int(probe.getsockname()[1])


def _alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _reachable(host: str) -> str:
    """The host that a client on this machine names to reach a server bound to `host`."""
    if not is_loopback(host):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _raise_failure(running: list[asyncio.Task[None]]) -> None:
    for task in running:
        if task.done():
            task.result()


def _say(line: str) -> None:
    """One line on stdout for whoever started us; it may have gone, which the guard will notice."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except OSError:
        pass
