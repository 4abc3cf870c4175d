"""run_on_micropython.py: it runs every test, and no failure goes unseen."""

import subprocess
from pathlib import Path

from tools.micropython import micropython_path

RUNNER = Path(__file__).resolve().parent.parent / "run_on_micropython.py"

GOOD = """
import helper

def test_b():
    assert helper.VALUE == 1

def test_a():
    pass

def not_a_test():
    raise ValueError
"""
BAD = """
from micropython import const
_X = const(1)

def test_wrong():
    assert _X == 2, "as it should"

def test_right():
    assert _X == 1
"""


def _run(folder, *names):
    done = subprocess.run(
        [micropython_path(32), RUNNER, *names],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout.splitlines()


def test_tests_run_in_order_and_files_may_share_helpers(tmp_path):
    (tmp_path / "helper.py").write_text("VALUE = 1")
    (tmp_path / "test_good.py").write_text(GOOD)
    expected = ["# {}", "ok test_a", "ok test_b", "2 passed, 0 failed"]
    for name in ("test_good.py", str(tmp_path / "test_good.py")):
        status, lines = _run(tmp_path, name)
        assert (status, lines) == (0, [expected[0].format(name), *expected[1:]])


def test_a_failure_shows_its_line_and_does_not_stop_the_others(tmp_path):
    (tmp_path / "test_bad.py").write_text(BAD)
    status, lines = _run(tmp_path, "test_bad.py")
    assert status == 1
    assert lines[-1] == "1 passed, 1 failed"
    assert "ok test_right" in lines and "FAIL test_wrong" in lines
    assert any("test_bad.py" in line and "line 6" in line for line in lines)
    assert "AssertionError: as it should" in lines


def test_a_file_that_cannot_be_imported_is_a_failure(tmp_path):
    (tmp_path / "test_none.py").write_text("import nothing_like_it")
    (tmp_path / "test_right.py").write_text("def test_x():\n    pass\n")
    status, lines = _run(tmp_path, "test_none.py", "test_right.py")
    assert (status, lines[-1]) == (1, "1 passed, 1 failed")


def test_no_test_at_all_is_a_failure(tmp_path):
    (tmp_path / "test_empty.py").write_text("")
    assert _run(tmp_path, "test_empty.py") == (1, ["# test_empty.py", "0 passed, 0 failed"])
