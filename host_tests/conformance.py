"""Run the official test cases and say how we fare: `make conformance`.

A case is a unit test named after it; it is run on CPython and on 32-bit MicroPython:

    test_tc_<protocol>_<group>_<number>_<what it is about>
    test_atc_<id>_<what it is about>, with the id as it is spelt (or several) as docstring
    test_x_<use case>_<what it is about>: a case of our own, where there is no official one;
        numbered here in the order of the files

`CASES` and `USE_CASES` list what the test specifications contain, so that a case nobody has
written shows as missing; `NOT_APPLICABLE` says which are for others. Another protocol adds its ids
there and its tests to unit/.

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

from tools.micropython import micropython_path

ROOT = Path(__file__).resolve().parent.parent
UNIT = ROOT / "host_tests" / "unit"
OUTPUT = ROOT / "build" / "conformance.json"

NAME = re.compile(r"^def (test_(tc_[a-z]+_[a-z]+_\d+)_(\w+))\(", re.MULTILINE)
ABSTRACT = re.compile(r'^def (test_atc_\w+)\(\):\n    """(ATC_[^"]+)"""', re.MULTILINE)
OWN = re.compile(r"^def (test_(x_[a-z]+)_(\w+))\(", re.MULTILINE)

# group → number of cases
CASES = {
    # SPINE test specification 1.0.0
    "TC_SPINE_COMP": 6,
    "TC_SPINE_DATA": 8,
    "TC_SPINE_FC": 1,
    "TC_SPINE_DDISC": 2,
    "TC_SPINE_BIND": 2,
    "TC_SPINE_SUBS": 2,
    "TC_SPINE_ENTITY": 2,
    "TC_SPINE_RTS": 5,
    "TC_SPINE_RTC": 3,
}
# High-level test specification 1.0.2 of LPC and LPP (controllable system) and MPC (monitored unit)
POWER_LIMIT = """
    COM_PT_CSHeartbeat_001
    COM_NT_CSConnection_001 COM_PT_CSConnection_002 COM_PT_CSConnection_003
    COM_PT_CSConnection_004 COM_PT_CSConnection_005 COM_PT_CSConnection_006
    COM_PT_CSConnection_007 COM_PT_CSConnection_008 COM_PT_CSConnection_009
    COM_PT_CSInit_001 COM_PT_CSInit_002 COM_PT_CSInit_003
    COM_NT_CSLimited_001 COM_PT_CSLimited_002
    COM_NT_CSUnlCntrl_001 COM_PT_CSUnlCntrl_002 COM_PT_CSUnlCntrl_003
    COM_PT_CSFS_001 COM_PT_CSFS_002 COM_PT_CSFS_003
    COM_NT_CSUnlAuto_001 COM_PT_CSUnlAuto_002
    COM_PT_CSTransition1_001 COM_PT_CSTransition1_002 COM_PT_CSTransition2_001
    COM_PT_CSTransition3_001 COM_PT_CSTransition3_002 COM_PT_CSTransition4_001
    COM_PT_CSTransition5_001 COM_PT_CSTransition6_001 COM_PT_CSTransition6_002
    COM_PT_CSTransition7_001 COM_PT_CSTransition8_001 COM_PT_CSTransition8_002
    COM_PT_CSTransition9_001 COM_PT_CSTransition10_001 COM_PT_CSTransition10_002
    COM_PT_CSTransition11_001 COM_PT_CSTransition11_002 COM_PT_CSTransition12_001
    INS1_PT_CSTransition1_001 INS2_PT_CSTransition1_001"""
USE_CASES = {
    "ATC_LPC": POWER_LIMIT,
    "ATC_LPP": POWER_LIMIT,
    "ATC_MPC": """
    COM_PT_MUPolling_001 COM_PT_MUNotification_001
    SCE1_PT_MUTotalActivePower_001 SCE1_PT_MUPhaseActivePower_001
    SCE1_PT_MUPhaseActivePower_002 SCE1_PT_MUPhaseActivePower_003
    SCE2_PT_MUTotalConsumedEnergy_001 SCE2_PT_MUTotalConsumedEnergy_002
    SCE2_PT_MUTotalProducedEnergy_001 SCE2_PT_MUTotalProducedEnergy_002
    SCE3_PT_MUActiveACCurrent_001 SCE3_PT_MUActiveACCurrent_002 SCE3_PT_MUActiveACCurrent_003
    SCE4_PT_MUACVoltage_001 SCE4_PT_MUACVoltage_002 SCE4_PT_MUACVoltage_003
    SCE4_PT_MUACVoltage_004 SCE4_PT_MUACVoltage_005 SCE4_PT_MUACVoltage_006
    SCE5_PT_MUFrequency_001""",
}
_FOR_GUARDS = "for energy guards; a charging station is a controllable system"
_FOR_ENERGY_MANAGERS = "for energy managers; a charging station is none"
_NO_REASON = "for systems with a reason of their own to refuse a limit; this one has none"
NOT_APPLICABLE = {
    "TC_SPINE_ENTITY_001": ("partner of an energy guard returns at another address", _FOR_GUARDS),
    "TC_SPINE_RTC_001": ("limit description with an additional known element", _FOR_GUARDS),
    "TC_SPINE_RTC_002": ("limit description with an unknown element", _FOR_GUARDS),
    "TC_SPINE_RTC_003": ("useCaseAvailable of a server actor is ignored", _FOR_GUARDS),
}
for _number in (4, 5, 6):
    NOT_APPLICABLE[f"ATC_MPC_SCE4_PT_MUACVoltage_00{_number}"] = (
        "voltage between two phases",
        "for units that publish it",
    )
for _group in ("ATC_LPC", "ATC_LPP"):
    NOT_APPLICABLE[_group + "_COM_PT_CSUnlCntrl_002"] = (
        "the contractual nominal maximum is published",
        _FOR_ENERGY_MANAGERS,
    )
    NOT_APPLICABLE[_group + "_INS1_PT_CSTransition1_001"] = (
        "a valid limit is refused as an energy manager may",
        _FOR_ENERGY_MANAGERS,
    )
    NOT_APPLICABLE[_group + "_INS2_PT_CSTransition1_001"] = (
        "a valid limit is refused for a permitted reason",
        _NO_REASON,
    )


def main() -> int:
    """Run, print, write."""
    cases = known_cases()
    results = [on_cpython(cases), on_micropython(cases)]
    rows = [judge(identity, cases, results) for identity in sorted({*expected(), *cases})]
    write(rows)
    show(rows)
    return 1 if any(row["verdict"] in ("fail", "missing") for row in rows) else 0


def expected() -> list[str]:
    """All ids of the test specifications."""
    counted = [f"{group}_{n:03}" for group, count in CASES.items() for n in range(1, count + 1)]
    named = [f"{group}_{name}" for group, names in USE_CASES.items() for name in names.split()]
    return counted + named


def known_cases() -> dict[str, tuple[Path, str, str]]:
    """id → (file, test, title) of the tests that are named after cases."""
    cases = {}
    numbers = {}
    for file in sorted(UNIT.glob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        for test, identity, title in NAME.findall(text):
            cases[identity.upper()] = (file, test, title.replace("_", " "))
        for test, identities in ABSTRACT.findall(text):
            first, *others = re.findall(r"ATC_\w+", identities)
            title = test[len("test_" + first) :].lstrip("_").replace("_", " ")
            for identity in (first, *others):
                cases[identity] = (file, test, title)
        for test, group, title in OWN.findall(text):
            number = numbers[group] = numbers.get(group, 0) + 1
            cases[f"{group.upper()}_{number:02}"] = (file, test, title.replace("_", " "))
    return cases


def on_cpython(cases: dict) -> set[str]:
    """The tests that pass under pytest."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        names = sorted({f"{file}::{test}" for file, test, _ in cases.values()})
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *names]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        found = ElementTree.parse(report).iter("testcase")
        return {case.get("name") for case in found if len(case) == 0}


def on_micropython(cases: dict) -> set[str]:
    """The tests that pass on the 32-bit build."""
    files = sorted({file for file, _, _ in cases.values()})
    command = [micropython_path(32), "-X", "heapsize=1M", "host_tests/run_on_micropython.py"]
    done = subprocess.run(
        [*command, *files], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    return set(re.findall(r"^ok (test_\w+)$", done.stdout, re.MULTILINE))


def judge(identity: str, cases: dict, results: list[set[str]]) -> dict[str, str]:
    """The row of one case."""
    if identity in cases:
        file, test, title = cases[identity]
        passed = [test in result for result in results]
        verdict = "pass" if all(passed) else "fail"
        note = file.name if all(passed) else f"CPython {passed[0]}, MicroPython {passed[1]}"
    elif identity in NOT_APPLICABLE:
        (title, note), verdict = NOT_APPLICABLE[identity], "n/a"
    else:
        title, verdict, note = "", "missing", "no test is named after it"
    return {"id": identity, "title": title, "verdict": verdict, "note": note}


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
