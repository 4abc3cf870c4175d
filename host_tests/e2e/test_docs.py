"""The documentation: what it shows is typed, run or compared, so that it cannot rot.

Blocks marked `console` are typed into a simulated charger, page by page, behind a
pseudo-terminal: lines that begin with "> " are commands; a line that ends with ⏎ is a question and
its answer, in brackets if it is a secret; the others are what the charger prints; `…` stands for
anything. Lines of other blocks that begin with make or .venv/bin/ name targets and programs that
exist, with options that they know; those of `sh charger` are run against a simulated charger,
those of `sh line` by test_line.py.
"""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from firmware.commands.index import rows
from host_tests.e2e.terminal import ENTER, Person
from tools import simulate
from tools.simulate import Simulator

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHOWN = "b467a3999eb530f18f9a1b2c3d4e5f60718293a4"  # the SKI in the pages
NEED_MORE = {  # commands that need somebody, or end what the test needs
    "accept",
    "backup",
    "choose",
    "factory-reset",
    "login",
    "password",
    "reject",
    "restart",
    "restore",
    "setup",
    "shutdown",
}
TABLE = "| command | what it does | guarded |\n| --- | --- | --- |\n"


def blocks(page: Path, kind: str) -> list[str]:
    """The texts of all fenced blocks of a kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)


def ids(page: Path) -> str:
    return page.name


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=ids)
def test_console_sessions_go_as_they_are_shown(page, tmp_path):
    with Person(port=0, state=tmp_path / "state", no_mdns=True, log_level="error") as person:
        person.begin()
        time.sleep(1)  # until the pilot line has been classified
        for block in blocks(page, "console"):
            follow(person, block.splitlines())


def follow(person, lines):
    """Type what a block has typed, and compare what comes with the rest."""
    person.sees_prompt()
    at = person.mark() - 1  # the line of the prompt
    skipping = False
    for line in lines:
        if line == "…":
            skipping = True
            continue
        shown = line
        if line.startswith("> "):
            person.sees_prompt()
            person.type(line[2:] + ENTER)
        elif line.endswith("⏎"):
            shown = answer(person, line)
        at = find(person, shown, at, skipping)
        skipping = False
    person.sees_prompt()


def answer(person, line):
    """Answer a question; return the line as it looks afterwards."""
    secret = re.fullmatch(r"(.*: )\((.*)\)⏎", line)
    if secret:
        person.sees_prompt(secret[1])
        person.type(secret[2] + ENTER)
        return secret[1]
    prompt = person.sees_beginning(line[:-1])
    person.type(line[len(prompt) : -1] + ENTER)
    return line[:-1]


def find(person, shown, at, skipping):
    """The number of the line behind the one that looks as it should."""
    pattern = ".*".join(re.escape(part) for part in shown.split("…"))
    while True:
        person.has_lines(at + 2)
        seen = person.screen.lines[at]
        if re.fullmatch(pattern, seen.rstrip()) or re.fullmatch(pattern, seen):
            return at + 1
        assert skipping, f"{shown!r} is in the page, {seen!r} on the screen"
        at += 1


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_targets_and_programs_that_are_named_exist(page):
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    programs = r"^(?:make|\.venv/bin/python|\.venv/bin/pilotwire) .*$"
    for line in re.findall(programs, page.read_text(), re.MULTILINE):
        words = shlex.split(line, comments=True)
        if words[0] == "make":
            assert words[1] in targets, line
            if words[1] == "run" and len(words) > 2:
                simulate.parser().parse_args(shlex.split(words[2].removeprefix("ARGS=")))
        elif words[0].endswith("pilotwire"):
            check_options(["tools", *words[1:]], line)
        else:
            assert words[1] == "-m", line
            check_options(words[2:], line)


def check_options(words, line):
    """Whether a program, and its command, know the options."""
    command = [word for word in words[1:2] if not word.startswith("-")]
    shown = subprocess.run(
        [sys.executable, "-m", words[0], *command, "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert shown.returncode == 0, line
    for word in words:
        if word.startswith("--"):
            assert word in shown.stdout, line


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "sh charger")], ids=ids)
def test_commands_for_a_running_charger_succeed(page, tmp_path):
    state = tmp_path / "manager"
    manager = [sys.executable, "-m", "tools.energy_manager"]
    shown = subprocess.run(
        [*manager, "identity", "--state", state], cwd=ROOT, capture_output=True, text=True
    )
    ski = re.search(r"[0-9a-f]{40}|(?:[0-9a-f]{4} ){9}[0-9a-f]{4}", shown.stdout)[0]
    with Simulator(port=0, state=tmp_path / "charger", no_mdns=True, trust=[ski]) as charger:
        for line in "".join(blocks(page, "sh charger")).splitlines():
            words = shlex.split(line.replace("4712", str(charger.port)))[3:]
            if words[0] not in ("pair", "identity"):
                words += ["--host", "127.0.0.1", "--port", str(charger.port)]
            done = subprocess.run(
                [*manager, *words, "--state", state],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 0, (line, done.stdout, done.stderr)


@pytest.mark.parametrize("page", PAGES, ids=ids)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_commands_in_the_text_are_carried_out(tmp_path):
    """Code in the text that begins like a command is one, with words that it takes."""
    names = {fields[0] for fields in rows()} - NEED_MORE
    alone = {fields[0] for fields in rows() if fields[3][:1] in ("", "[")}
    with Simulator(port=0, state=tmp_path / "state", no_mdns=True, trust=[SHOWN]) as charger:
        assert charger.port
        for page in PAGES:
            for code in re.findall(r"`([a-z][^`\n]*)`", page.read_text()):
                words = code.removeprefix("json ").split()
                if (
                    not words
                    or words[0] not in names
                    or (words[1:] == [] and words[0] not in alone)
                ):
                    continue
                if code == code.lower() and not set("…|[") & set(code):
                    answer = charger.command(" ".join(words) if words[0] != "watch" else "watch 1")
                    is_asking = "this asks questions" in answer.get("error", "")
                    assert answer["ok"] or is_asking, (page.name, code, answer)


def test_the_reference_has_every_command_as_it_is():
    lines = []
    for name, _, guard, arguments, what, _ in rows():
        usage = f"{name} {arguments}".strip().replace("|", "\\|")
        guarded = {"!": "yes", "?": "with words", "": ""}[guard]
        lines.append(f"| `{usage}` | {what} | {guarded} |\n")
    assert TABLE + "".join(lines) in (ROOT / "docs" / "console.md").read_text()


def test_the_table_of_use_cases_has_those_that_there_are():
    text = (ROOT / "docs" / "protocols.md").read_text()
    named = set(re.findall(r"`(\w+\.py)` \|$", text, re.MULTILINE))
    there = {
        path.name
        for path in (ROOT / "lib" / "usecases").glob("*.py")
        if re.search(r'^    (self\.)?name = "\w+"|^_NAME = "\w+"', path.read_text(), re.MULTILINE)
    }
    assert named == there
