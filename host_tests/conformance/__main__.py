"""Run the official test cases and say how we fare: `make conformance`.

A case is a test that bears its id. In unit/ it runs in virtual time, on CPython and on 32-bit
MicroPython; in e2e/ over real sockets, the same one once more or one of its own:

    test_tc_<protocol>_<group>_<number>_<what it is about>
    test_atc_<id>_<what it is about>, with the id as it is spelt (or several) as docstring
    test_x_ship_<group>_<number>_<what it is about>: how deployed peers deviate
    test_x_<use case>_<what it is about>: a case of our own, where there is no official one;
        numbered here in the order of the files

Prints a table, writes build/conformance.md and build/conformance.json; the exit status is 1 if a
case fails or is missing.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.table import Table

from host_tests.conformance.catalogue import NOT_APPLICABLE, expected
from tools.micropython import micropython_path

ROOT = Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "host_tests" / "unit"
SOCKETS = ROOT / "host_tests" / "e2e"
OUTPUT = ROOT / "build" / "conformance.json"

NAME = re.compile(r"^def (test_((?:tc|x)_[a-z]+_[a-z]+_\d+)_(\w+))\(", re.MULTILINE)
ABSTRACT = re.compile(r'^def (test_atc_\w+)\(\):\n    """(ATC_[^"]+)"""', re.MULTILINE)
OWN = re.compile(r"^def (test_(x_(?!ship)[a-z]+)_(\w+))\(", re.MULTILINE)


def main() -> int:
    """Run, print, write."""
    cases = known_cases()
    results = [on_cpython(cases), on_micropython(cases)]
    rows = [judge(identity, cases, results) for identity in sorted({*expected(), *cases})]
    write(rows)
    show(rows)
    return 1 if any(row["verdict"] in ("fail", "missing") for row in rows) else 0


def known_cases() -> dict[str, list[tuple[Path, str, str]]]:
    """id → [(file, test, title)] of the tests that are named after cases."""
    cases = {}
    numbers = {}
    for file in [*sorted(UNIT.glob("test_*.py")), *sorted(SOCKETS.glob("test_*.py"))]:
        text = file.read_text(encoding="utf-8")
        for test, identity, title in NAME.findall(text):
            cases.setdefault(identity.upper(), []).append((file, test, title.replace("_", " ")))
        for test, identities in ABSTRACT.findall(text):
            first, *others = re.findall(r"ATC_\w+", identities)
            title = test[len("test_" + first) :].lstrip("_").replace("_", " ")
            for identity in (first, *others):
                cases.setdefault(identity, []).append((file, test, title))
        for test, group, title in OWN.findall(text):
            number = numbers[group] = numbers.get(group, 0) + 1
            entry = (file, test, title.replace("_", " "))
            cases[f"{group.upper()}_{number:02}"] = [entry]
    return cases


def on_cpython(cases: dict) -> set[str]:
    """The tests that pass under pytest."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        tests = [entry for entries in cases.values() for entry in entries]
        names = sorted({f"{file}::{test}" for file, test, _ in tests})
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", f"--junitxml={report}", *names]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        found = ElementTree.parse(report).iter("testcase")
        return {case.get("name") for case in found if len(case) == 0}


def on_micropython(cases: dict) -> set[str]:
    """The tests that pass on the 32-bit build."""
    tests = [entry for entries in cases.values() for entry in entries]
    files = sorted({file for file, _, _ in tests if file.parent == UNIT})
    command = [micropython_path(32), "-X", "heapsize=1M", "host_tests/run_on_micropython.py"]
    done = subprocess.run(
        [*command, *files], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    return set(re.findall(r"^ok (test_\w+)$", done.stdout, re.MULTILINE))


def judge(identity: str, cases: dict, results: list[set[str]]) -> dict[str, str]:
    """The row of one case."""
    if identity in cases:
        title = cases[identity][0][2]
        failures = [text for entry in cases[identity] for text in failed(entry, results)]
        verdict = "fail" if failures else "pass"
        over_sockets = any(file.parent == SOCKETS for file, _, _ in cases[identity])
        note = "virtual time and real sockets" if over_sockets else "virtual time"
        note = ", ".join(failures) or note
    elif identity in NOT_APPLICABLE:
        title, note = NOT_APPLICABLE[identity]
        verdict = "n/a"
    else:
        title, verdict, note = "", "missing", "no test is named after it"
    return {"id": identity, "title": title, "verdict": verdict, "note": note}


def failed(entry: tuple[Path, str, str], results: list[set[str]]) -> list[str]:
    """Where a test fails."""
    file, test, _ = entry
    names = ("CPython", "MicroPython") if file.parent == UNIT else ("sockets",)
    return [f"{file.name} on {name}" for name, r in zip(names, results) if test not in r]


def counts(rows: list[dict]) -> str:
    """How many cases have which verdict."""
    verdicts = [row["verdict"] for row in rows]
    return ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(sorted(verdicts)))


def write(rows: list[dict]) -> None:
    """build/conformance.json and .md."""
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps(rows, indent=2) + "\n")
    lines = ["| case | title | verdict | note |", "| --- | --- | --- | --- |"]
    lines += [f"| {r['id']} | {r['title']} | {r['verdict']} | {r['note']} |" for r in rows]
    text = f"# Official test cases\n\n{counts(rows)}\n\n" + "\n".join(lines) + "\n"
    OUTPUT.with_suffix(".md").write_text(text)


def show(rows: list[dict]) -> None:
    """The table for a terminal."""
    table = Table()
    for column in ("case", "title", "verdict", "note"):
        table.add_column(column)
    colours = {"pass": "[green]pass[/]", "n/a": "n/a"}
    for r in rows:
        verdict = colours.get(r["verdict"], f"[red]{r['verdict']}[/]")
        table.add_row(r["id"], r["title"], verdict, r["note"])
    console = Console()
    console.print(table)
    console.print(counts(rows))


if __name__ == "__main__":
    sys.exit(main())
