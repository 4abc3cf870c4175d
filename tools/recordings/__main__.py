"""Check recordings of SPINE traffic against the data model: `make check-recording ARGS=FILE`.

python -m tools.recordings LOG                    a log, a JSON file, any text
python -m tools.recordings FOLDER --each          one row for each file in it
python -m tools.recordings LOG --profile charger  what the charger itself understands
python -m tools.recordings LOG --json             for other programs

Every datagram in the files is found whatever stands around it (times, SHIP headers, escapes,
line breaks), decoded with the tables of the profile, encoded again, and compared: nothing may be
unknown, unusable or different. Exit code 0: so it is; 1: something is not, and is listed; 2: there
is no datagram in the files, or a file cannot be read.
"""

import argparse
import collections
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tools.recordings import find
from tools.recordings.check import Checker, Verdict

KINDS = ("unknown", "unusable", "different", "unreadable")
SHOWN = 40  # findings that are printed; --json has all of them


@dataclass
class Row:
    """The sums of one file, or of all files under one name."""

    name: str
    datagrams: int = 0
    good: int = 0
    broken_off: int = 0
    functions: collections.Counter = field(default_factory=collections.Counter)
    sums: collections.Counter = field(default_factory=collections.Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, place: str, verdict: Verdict) -> None:
        """Count one verdict."""
        self.datagrams += 1
        self.good += verdict.is_good
        if verdict.function:
            self.functions[verdict.function] += 1
        for kind in KINDS[:3]:
            entries = getattr(verdict, kind)
            self.sums[kind] += len(entries)
            self.findings += [f"{place}: {kind}: {entry}" for entry in entries]
        if verdict.unreadable:
            self.sums["unreadable"] += 1
            self.findings.append(f"{place}: no valid datagram: {verdict.unreadable}")

    def as_dict(self) -> dict:
        """The same for JSON."""
        sums = {kind: self.sums[kind] for kind in KINDS}
        head = {"recording": self.name, "datagrams": self.datagrams, "good": self.good}
        rest = {"functions": dict(sorted(self.functions.items())), "findings": self.findings}
        return {**head, **sums, "broken_off": self.broken_off, **rest}


def rows(
    places: list[Path], checker: Checker, is_each: bool = False, is_distinct: bool = False
) -> list[Row]:
    """A row for each place, or for each file; `is_distinct`: equal datagrams in a row count once.

    Raises OSError and ValueError.
    """
    result = {}
    known = set()
    for place in places:
        for path in find.files(place):
            name = str(path if is_each else place)
            for found in find.datagrams(find.read(path)):
                row = result.setdefault(name, Row(name))
                if found.text is None:
                    row.broken_off += 1
                    row.findings.append(f"{path}:{found.line}: breaks off, not judged")
                    continue
                key = (name, json.dumps(json.loads(found.text)))
                if not is_distinct or key not in known:
                    row.add(f"{path}:{found.line}", checker.check(found.text))
                known.add(key)
    return list(result.values())


def table(result: list[Row]) -> Table:
    """The rows for a terminal."""
    shown = Table()
    titles = ("datagrams", "functions", "unknown", "unusable", "different", "no datagram", "cut")
    shown.add_column("recording", overflow="fold")
    for title in titles:
        shown.add_column(title, justify="right")
    for row in result:
        sums = [row.sums[kind] for kind in KINDS]
        numbers = [row.datagrams, len(row.functions), *sums, row.broken_off]
        shown.add_row(Text(row.name), *map(str, numbers))
    return shown


def report(result: list[Row], console: Console) -> None:
    """Table, findings, functions, sum."""
    console.print(table(result))
    findings = [line for row in result for line in row.findings]
    for line in findings[:SHOWN]:
        console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)
    if len(findings) > SHOWN:
        console.print(f"... and {len(findings) - SHOWN} more; --json lists all")
    functions = sum((row.functions for row in result), collections.Counter())
    names = ", ".join(f"{name} {count}" for name, count in sorted(functions.items()))
    console.print(
        f"{len(functions)} functions: {names}", markup=False, highlight=False, emoji=False
    )
    total = sum(row.datagrams for row in result)
    good = sum(row.good for row in result)
    console.print(f"{good} of {total} datagrams decode completely and encode to the same meaning")


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.recordings",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("places", metavar="FILE", nargs="+", type=Path, help="file or folder")
    parser.add_argument("--each", action="store_true", help="a row for each file of a folder")
    parser.add_argument("--distinct", action="store_true", help="count equal datagrams once")
    parser.add_argument(
        "--profile", default="all", help="tables: all, charger, or class and function names"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    try:
        result = rows(options.places, Checker(options.profile), options.each, options.distinct)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps([row.as_dict() for row in result], indent=2))
    elif result:
        report(result, Console(width=None if sys.stdout.isatty() else 110))
    if not any(row.datagrams for row in result):
        print('error: no SPINE datagram found (nothing named "datagram")', file=sys.stderr)
        return 2
    return 0 if all(row.good == row.datagrams for row in result) else 1


if __name__ == "__main__":
    sys.exit(main())
