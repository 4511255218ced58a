"""From the text of .proto files to descriptors, by protoc out of grpcio-tools, in a process of its own: a text that makes it
crash or loop does no harm. Costs about 0.2 s, when a source or sink is made.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final

from engine.connectors.registry import RegisteredSchema
from tailrace.errors import InvalidStatement, TailraceError

MAIN: Final = "tailrace_schema.proto"
_TIMEOUT_S: Final = 20
_OWN: Final = "google/protobuf/"
"""Files that protoc brings itself."""


def compiled(schema: RegisteredSchema) -> bytes:
    """A FileDescriptorSet of the schema and of all that it builds on. Raises InvalidStatement with protoc's words."""
    with tempfile.TemporaryDirectory(prefix="tailrace-proto-") as folder:
        root = Path(folder)
        for name, text in (*schema.references, (MAIN, schema.text)):
            _write(root / "in", name, text)
        out = root / "descriptors"
        command = [sys.executable, "-m", "grpc_tools.protoc", "--include_imports", f"--descriptor_set_out={out}",
                   f"--proto_path={root / 'in'}", f"--proto_path={_well_known()}", MAIN]  # fmt: skip
        try:
            run = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise _failed("protoc does not end") from error
        if run.returncode or not out.exists():
            said = run.stderr.decode(errors="replace").replace(f"{root / 'in'}/", "").replace(MAIN, "schema")
            raise _failed(said.strip() or f"protoc ended with {run.returncode}")
        return out.read_bytes()


def _write(root: Path, name: str, text: str) -> None:
    """A file under `root`; the registry's name for it may not lead out of it."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise _failed(f"a reference is called {name!r}")
    if name.startswith(_OWN):
        return
    path = root.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _well_known() -> Path:
    try:
        import grpc_tools
    except ImportError as error:
        raise TailraceError(
            "the compiler of .proto files is not installed",
            sqlstate="58P01",
            hint="pip install grpcio-tools, or give descriptors: schema.location = 'file:///path/to/descriptors.pb'",
        ) from error
    return Path(str(grpc_tools.__file__)).parent / "_proto"


def _failed(said: str) -> InvalidStatement:
    return InvalidStatement(
        f"failed to compile the protobuf schema: {said}", hint="correct it in the registry"
    )
