"""Run the unit files on MicroPython: each on the 32-bit port, all together on the 64-bit one."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tools.micropython import micropython_path

HOST_TESTS = Path(__file__).resolve().parent.parent
FILES = sorted((HOST_TESTS / "unit").glob("test_*.py"))


def _count(file: Path) -> int:
    """Return the number of tests in a file, without importing it."""
    tests = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            tests.add(node.name)
    return len(tests)


def _run(bits: int, heap: str, files: "list[Path]") -> "tuple[int, str]":
    """Return exit status and output."""
    command = [micropython_path(bits), "-X", f"heapsize={heap}"]
    command += [HOST_TESTS / "run_on_micropython.py", *files]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=110
    )
    return done.returncode, done.stdout


def _check(bits: int, heap: str, files: "list[Path]") -> None:
    status, output = _run(bits, heap, files)
    closing = re.search(r"^(\d+) passed, (\d+) failed$", output, re.MULTILINE)
    expected = sum(map(_count, files))
    figures = closing and (int(closing[1]), int(closing[2]))
    if status != 0 or figures != (expected, 0):
        pytest.fail(
            f"exit status {status}, (passed, failed) is {figures}, "
            f"expected ({expected}, 0):\n{output}",
            pytrace=False,
        )


def test_there_are_unit_files():
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_unit_file_passes_on_32_bit(file):
    _check(32, "1M", [file])


def test_all_unit_files_pass_in_one_process_on_64_bit():
    _check(64, "8M", FILES)
