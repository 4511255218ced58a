"""Where an engine keeps what it has: paths, sockets and passwords, all derived from its data directory.

Pure but for reading the secrets file. Assumes POSIX: unix sockets live under /tmp in directories whose
names are made from the data directory, because a socket's path may have about 100 bytes and a data
directory may be anywhere. Used by the supervisor and by every process it starts; `engine.postgres.prepare`
creates what is named here.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from psycopg import conninfo

from tailrace.errors import TailraceError

ENGINE_ROLE = "tailrace_engine"
CLIENT_ROLES = ("root", "dashboard")
DATABASE = "dev"
_SOCKET_BASE = Path("/tmp")  # noqa: S108 - private, owner-checked directories below it; see engine.postgres


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of one engine. `data_dir` is made absolute: every process derives the same names from it."""

    data_dir: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir).expanduser().resolve())

    @property
    def postgres_dir(self) -> Path:
        """PostgreSQL's cluster."""
        return self.data_dir / "postgres"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"

    @property
    def secrets_path(self) -> Path:
        """Mode 0600: the passwords "engine" and "client"; "postgres_dsn" where PostgreSQL is not our own."""
        return self.data_dir / "secrets.json"

    @property
    def version_path(self) -> Path:
        return self.data_dir / "version.json"

    @property
    def status_path(self) -> Path:
        """Who runs: the pids of "supervisor", "postgres", "flow", "delivery", "databases" and "wire", and the "url".

        A pid is null while its process is down.
        """
        return self.data_dir / "engine.json"

    @property
    def lock_path(self) -> Path:
        return self.data_dir / "engine.lock"

    @property
    def runtime_dir(self) -> Path:
        """Private directory (0700) for our own sockets; the same for the same data directory and user."""
        return _SOCKET_BASE / self._runtime_name

    @property
    def postgres_socket_dir(self) -> Path:
        """Where .s.PGSQL.5432 lives: apart, since under root PostgreSQL runs as another user."""
        return _SOCKET_BASE / f"{self._runtime_name}-pg"

    @property
    def flow_socket(self) -> Path:
        """The unix socket on which flow answers wire's commands."""
        return self.runtime_dir / "flow.sock"

    def flow_socket_of(self, database: str) -> Path:
        """The socket of another database's flow."""
        return database_socket(self.flow_socket, database)

    @property
    def databases_socket(self) -> Path:
        """The unix socket on which databases are made and dropped; see `engine.databases`."""
        return self.runtime_dir / "databases.sock"

    @property
    def _runtime_name(self) -> str:
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:12]
        return f"tailrace-{os.geteuid()}-{digest}"

    def dsn(self, role: str = ENGINE_ROLE, dbname: str = DATABASE) -> str:
        """libpq connection string, password included, of the engine's role, "root" or "dashboard".

        Raises TailraceError when the engine has never been started on this data directory.
        """
        secrets = self._secrets()
        external = secrets.get("postgres_dsn")
        if external is not None:
            if role == ENGINE_ROLE:
                return conninfo.make_conninfo(external, dbname=dbname)
            return conninfo.make_conninfo(external, dbname=dbname, user=role, password=secrets["client"])
        return conninfo.make_conninfo(
            host=str(self.postgres_socket_dir),
            port=5432,
            dbname=dbname,
            user=role,
            password=secrets["engine" if role == ENGINE_ROLE else "client"],
            require_auth="scram-sha-256",  # nothing that stands in for the server is sent the password
            connect_timeout=10,
        )

    def postgres_endpoint(self) -> str | tuple[str, int]:
        """Where to speak PostgreSQL's protocol: the path of a unix socket, or (host, port)."""
        parameters = conninfo.conninfo_to_dict(self.dsn())
        host, port = str(parameters.get("host", "localhost")), int(str(parameters.get("port", 5432)))
        return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)

    def client_password(self) -> str:
        """The password of the client roles, which wire presents to PostgreSQL; clients never see it."""
        return self._secrets()["client"]

    def _secrets(self) -> dict[str, str]:
        try:
            return cast("dict[str, str]", json.loads(self.secrets_path.read_bytes()))
        except FileNotFoundError:
            raise TailraceError(
                f"no engine has been started in {self.data_dir}: {self.secrets_path.name} is missing",
                sqlstate="58P01",
                hint=f"start it: python -m engine --data-dir {self.data_dir}",
            ) from None


def database_socket(flow_socket: Path, database: str) -> Path:
    """Where the flow of a database listens, beside the socket of the first database's: a path must be short.

    >>> str(database_socket(Path("/tmp/x/flow.sock"), "dev")), str(database_socket(Path("/tmp/x/flow.sock"), "two"))
    ('/tmp/x/flow.sock', '/tmp/x/flow-3fc4ccfe7458.sock')
    """
    if database == DATABASE:
        return flow_socket
    digest = hashlib.sha256(database.encode()).hexdigest()[:12]
    return flow_socket.with_name(f"{flow_socket.stem}-{digest}{flow_socket.suffix}")
