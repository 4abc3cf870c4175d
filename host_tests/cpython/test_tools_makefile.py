"""The Makefile: what `make help` promises is there, and the other way round."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def _help(*arguments: str) -> str:
    return subprocess.run(
        ["make", "-s", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_help_lists_every_target_with_a_description():
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    targets = set(re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)[1].split())
    listed = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", _help("help"), re.MULTILINE))
    assert set(listed) == targets
    assert set(re.findall(r"^([a-z][\w-]*):", text, re.MULTILINE)) == targets


def test_make_alone_prints_the_help():
    assert _help() == _help("help")
