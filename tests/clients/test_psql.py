"""psql as a person uses it: every object listed as what it is, on a server that says it is PostgreSQL 13."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.relay import FakeFlow, Relay

PSQL = shutil.which("psql")
pytestmark = pytest.mark.skipif(PSQL is None, reason="psql is not installed")


def psql(relay: Relay, *commands: str, aligned: bool = True, check: bool = True) -> str:
    """Output (and errors) of one psql run with these -c commands."""
    assert PSQL is not None
    options = [] if aligned else ["-At"]
    arguments = [option for command in commands for option in ("-c", command)]
    result = subprocess.run(
        [
            PSQL,
            "-X",
            *options,
            "-h",
            "127.0.0.1",
            "-p",
            str(relay.port),
            "-U",
            "root",
            "-d",
            relay.database,
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    )
    if check:
        assert result.returncode == 0, result.stderr
    return result.stdout + result.stderr


def listed(output: str) -> dict[str, str]:
    """Name -> type of a list of relations."""
    rows = [[cell.strip() for cell in line.split("|")] for line in output.splitlines() if "|" in line]
    return {row[1]: row[2] for row in rows[1:]}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            r"\d",
            {"devices": "table", "hot": "view", "latest": "materialized view", "readings_raw": "source"},
        ),
        (r"\dt", {"devices": "table"}),
        (r"\dm", {"latest": "materialized view"}),
        (r"\dv", {"hot": "view"}),
        (r"\dE", {"readings_raw": "source"}),
        (r"\di", {"devices_by_reading": "index"}),
        (
            r"\d+",
            {"devices": "table", "hot": "view", "latest": "materialized view", "readings_raw": "source"},
        ),
    ],
)
def test_lists(catalog: Relay, command: str, expected: dict[str, str]) -> None:
    assert listed(psql(catalog, command)) == expected


@pytest.mark.parametrize("name", ["devices", "hot", "latest", "readings_raw"])
def test_describe_shows_columns_and_nothing_of_the_storage(catalog: Relay, name: str) -> None:
    for command in (rf"\d {name}", rf"\d+ public.{name}"):
        output = psql(catalog, command)
        assert re.search(r"device_id +\| character varying", output)
        assert re.search(r"reading +\| double precision", output)
        assert "storage" not in output.replace("Storage", "")
    assert ("Server: kafka" in output) == (name == "readings_raw")
    if name in {"hot", "latest"}:
        assert f"VIEW {name} ..." in output


def test_databases_schemas_and_others(catalog: Relay) -> None:
    names = [line.split("|")[0] for line in psql(catalog, r"\l", aligned=False).splitlines()]
    assert catalog.database in names
    assert not {"postgres", "template0", "template1"} & set(names)
    schemas = [line.split("|")[0] for line in psql(catalog, r"\dn", aligned=False).splitlines()]
    assert schemas == ["public", "rw_catalog"]
    for command in (
        r"\du",
        r"\df",
        r"\dp",
        r"\dT",
        r"\dx",
        r"\sv hot",
        r"\conninfo",
        r"\dn+",
        r"\l+",
        r"\dt+",
        r"\db",
    ):
        assert "ERROR" not in psql(catalog, command), command


def test_statements_as_they_are_typed(catalog: Relay, flow: FakeFlow) -> None:
    view = "CREATE MATERIALIZED VIEW v AS\n  SELECT device_id -- which\n  FROM devices;"
    assert psql(catalog, view).startswith("CREATE_MATERIALIZED")
    assert flow.requests[0]["sql"] == view[:-1]
    assert psql(catalog, "SHOW TABLES", aligned=False) == "public.devices\n"
    assert psql(catalog, "BEGIN READ ONLY; SELECT 1; COMMIT;", aligned=False) == "BEGIN\n1\nCOMMIT\n"
    output = psql(catalog, "TRUNCATE devices", check=False)
    assert "ERROR:  TRUNCATE is not supported" in output
    assert "HINT:  DELETE FROM the table" in output
    output = psql(catalog, "SELECT * FROM readings_rax", check=False)
    assert 'relation "readings_rax" does not exist' in output
    assert "LINE 1:" in output


def test_copy_to_a_file_of_the_client(catalog: Relay, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    psql(catalog, "INSERT INTO devices VALUES ('a', 1.5)", rf"\copy devices to '{target}' csv header")
    assert target.read_text() == "device_id,reading\na,1.5\n"
