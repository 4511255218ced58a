"""The house keeps its promises: documents name what exists, make lists its targets, imports flow one way.

Assumes a checkout (files are listed by git where there is one) and the tools of the dev extra.
"""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("tailrace", "engine", "loader", "app", "migrations")
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")
TARGETS = {
    "help",
    "setup",
    "demo",
    "test",
    "test-slow",
    "check",
    "fmt",
    "bench",
    "chaos",
    "oracle",
    "slt",
    "compatibility",
    "clean",
}


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def tracked_files() -> list[Path]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def make(*arguments: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    run = subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return run.stdout


def documents() -> list[Path]:
    return (
        [ROOT / name for name in DOCUMENTS] + sorted(ROOT.glob("docs/**/*.md")) + [ROOT / "bench/README.md"]
    )


def without_comments(document: Path) -> str:
    return re.sub(r"<!--.*?-->", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)


def normal_name(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def imported_modules(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = {
        node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }
    return {name.split(".")[0] for name in plain | froms}


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", read("Makefile"), re.MULTILINE))


def test_every_path_that_the_architecture_names_exists() -> None:
    named = {
        word
        for word in re.findall(r"`([\w./-]+)`", read("ARCHITECTURE.md"))
        if re.fullmatch(r"\.?[\w-]+(/[\w.-]+)*/|[\w./-]+\.(py|md|toml|yaml|sql|css)|Makefile", word)
    }
    assert len(named) > 20
    assert sorted(path for path in named if not (ROOT / path).exists()) == []


def test_every_package_has_its_place_in_the_architecture() -> None:
    text = read("ARCHITECTURE.md")
    packages = {
        f"{path.parent.relative_to(ROOT)}/"
        for path in tracked_files()
        if path.name == "__init__.py" and path.relative_to(ROOT).parts[0] in PACKAGES
    }
    top_two = {package for package in packages if package.count("/") <= 2}
    assert sorted(package for package in top_two if f"`{package}`" not in text) == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{document.relative_to(ROOT)} -> {target}"
        for document in documents()
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", without_comments(document))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert broken == []


def test_make_help_lists_every_target() -> None:
    listed = set(re.findall(r"^  make ([a-z-]+) ", make("help"), re.MULTILINE))
    assert listed == make_targets() == TARGETS


def test_make_alone_is_help() -> None:
    assert make() == make("help")


def test_documents_name_only_targets_that_exist() -> None:
    named = {
        target
        for document in documents()
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert {"demo", "test"} <= named
    assert named <= make_targets()


def test_demo_hands_on_what_it_is_given() -> None:
    command = make("--dry-run", "demo", "DURATION=30", "DEVICES=5", "BURST=9:1:1", "DATA_DIR=a b")
    words = command.replace("\\\n", " ").split("tailrace up", 1)[1]
    assert re.sub(r"\s+", " ", words).startswith(
        ' --duration "30" --devices "5" --burst "9:1:1" --data-dir "a b"'
    )


def test_ci_calls_the_readmes_commands() -> None:
    commands = re.findall(r"^(make [a-z-]+) \|\| failed=1$", read(".ci/run"), re.MULTILINE)
    assert commands == ["make check", "make test"]
    assert all(command in read("README.md") for command in commands)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    records = sorted(path.name for path in ROOT.glob("docs/decisions/[0-9]*.md"))
    assert [int(name[:4]) for name in records] == list(range(1, len(records) + 1))
    index = read("docs/decisions/README.md")
    assert [name for name in records if f"({name})" not in index] == []
    for name in records:
        text = read(f"docs/decisions/{name}")
        assert text.startswith(f"# {name[:4]}: ")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE)[:2] == ["Context", "Decision"]


def test_glossary_is_in_order() -> None:
    words = re.findall(r"^\*\*([^*]+)\*\*", read("docs/glossary.md"), re.MULTILINE)
    assert len(words) > 20
    assert words == sorted(words)


def test_what_is_imported_is_declared() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    declared = {normal_name(re.split(r"[<>=;\[ ]", line)[0]) for line in project["dependencies"]}
    distributions = packages_distributions()
    undeclared = set()
    for path in (file for package in PACKAGES for file in (ROOT / package).rglob("*.py")):
        for module in imported_modules(path) - set(sys.stdlib_module_names) - {*PACKAGES, "sql"}:
            if not {normal_name(name) for name in distributions.get(module, [])} & declared:
                undeclared.add(f"{path.relative_to(ROOT)}: {module}")
    assert sorted(undeclared) == []


def test_version_is_in_the_changelog() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert f"\n## [{version}]" in read("CHANGELOG.md")


def test_no_path_of_a_developers_machine_is_tracked() -> None:
    pattern = re.compile(r"/(?:work|root|Users|home/\w+)/\w")
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in tracked_files()
        if path != Path(__file__)
        and path.suffix in {".py", ".md", ".sql", ".toml", ".yaml", ".yml", ".ini", ".css", ".mako", ""}
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_compose_is_pinned_local_and_healthy() -> None:
    compose = yaml.safe_load(read("compose.yaml"))
    for name, service in compose["services"].items():
        assert re.search(r":v\d+\.\d+\.\d+$", service["image"]), name
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith("./") else source in compose["volumes"]
    assert all("healthcheck" in compose["services"][name] for name in ("redpanda", "risingwave"))
    assert yaml.safe_load(read("deploy/redpanda-bootstrap.yaml")) == {"auto_create_topics_enabled": False}
    advertised = next(word for word in compose["services"]["redpanda"]["command"] if "advertise" in word)
    assert advertised.endswith("inside://redpanda:29092,host://127.0.0.1:9092")


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([program, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("tailrace/sql/extra.py", "import tailrace.topics", "tailrace.sql is the bottom"),
        ("tailrace/sql/extra.py", "import psycopg", "tailrace.sql is the bottom"),
        ("engine/extra.py", "from tailrace import config", "the engine knows tailrace.sql"),
        ("engine/extra.py", "import tailrace.guard", "the engine knows tailrace.sql"),
        ("loader/extra.py", "import engine.layout", "dashboard, loader and migrations"),
        ("tailrace/extra.py", "import engine.layout", "the tooling starts the engine"),
        ("tailrace/extra.py", "import app.database", "only the launcher"),
        ("engine/wire/extra.py", "import engine.flow", "the front door reaches the flow"),
        ("engine/operators/extra.py", "import engine.postgres", "compiling a view"),
    ],
)
def test_an_import_against_the_stream_is_caught(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / module).write_text(f'"""Extra."""\n\n{line}\n', encoding="utf-8")
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    verdict = re.search(rf"{re.escape(contract)}.*?\b(KEPT|BROKEN)\b", outcome.stdout, re.DOTALL)
    assert verdict is not None
    assert verdict[1] == "BROKEN", outcome.stdout
