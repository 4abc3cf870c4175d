"""The house: which folder may import which, and what must not be in the repository."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

# package of lib/ → other packages of lib/ that it may use
ARROWS = {
    "ship": {"eebus_json"},
    "spine": {"eebus_json"},
    "usecases": {"spine"},
    "mdns": set(),
    "echonet": set(),
    "evse": set(),
}
PURE = {
    "micropython",
    "json",
    "hashlib",
    "binascii",
    "struct",
}  # what lib/ may use of the platform


def imports(path: Path) -> set[str]:
    """First parts of all modules that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(ARROWS))
def test_arrows_in_lib_point_one_way_and_nothing_there_does_io(package):
    allowed = ARROWS[package] | PURE | {package}
    for path in (ROOT / "lib" / package).glob("*.py"):
        assert imports(path) <= allowed, path


def test_every_package_of_lib_has_its_arrows():
    folders = {p.name for p in (ROOT / "lib").iterdir() if p.is_dir() and p.name[0] != "_"}
    assert folders == set(ARROWS)


def test_the_energy_manager_is_independent_of_the_firmware():
    for path in (ROOT / "tools" / "energy_manager").glob("*.py"):
        assert not imports(path) & {*ARROWS, "eebus_json", "firmware", "boards"}, path


def test_boards_know_only_the_charging_control():
    for path in (ROOT / "boards").rglob("*.py"):
        assert not imports(path) & {"firmware", *ARROWS} - {"evse"}, path


def test_the_repository_names_no_machine_and_no_registry():
    words = ("/work/", "shared/spec", "pypi.org", "npmjs", "debian.org", "github.com", "/tmp/mp")
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    for name in files:
        path = ROOT / name
        if path == Path(__file__) or path.suffix in (".png", ".svg"):
            continue
        text = path.read_text()
        for word in words:
            assert word not in text, (name, word)
