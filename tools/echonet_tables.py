"""Pack the ECHONET Lite objects into the static tables that the firmware reads.

    python -m tools.echonet_tables            write lib/echonet/tables.py
    python -m tools.echonet_tables --check    exit 1 if the committed file is not current

The description is tools/echonet_model/release-r.txt. The output is deterministic.

Layout, all numbers big-endian (lib/echonet/classes.py reads it):

    CLASSES   for each class: class group, class, first row, number of rows
    ROWS      for each property: EPC, access, type, argument; ascending within a class
    STATES    the codes of each enumeration, a count before them
    LIMITS    u32 for each largest number
"""

import argparse
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from tools.spine_tables import literal

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "tools" / "echonet_model" / "release-r.txt"
OUTPUT = ROOT / "lib" / "echonet" / "tables.py"

# High half of the type octet; the low half is the size of one number, or how octets are counted.
OCTETS, STATE, UNSIGNED, PAIR, SIGNED = 0x00, 0x10, 0x20, 0x30, 0x40
EXACTLY, UP_TO, ONE_OR = range(3)

GET, SET, INF = 0x01, 0x02, 0x04
REQUIRED = 4  # shift


@dataclass(frozen=True)
class Property:
    """One row of the description; `type` are its words."""

    epc: int
    access: str
    type: tuple

    @property
    def sizes(self) -> range | tuple:
        """The legal numbers of octets."""
        kind, *arguments = self.type
        if kind == "state":
            return (len(arguments[0].split("-")[0]) // 2,)
        if kind != "octets":
            return (int(arguments[0]) * (2 if kind == "pair" else 1),)
        numbers = [int(number) for number in re.split(r"[-|]", arguments[0])]
        if "-" in arguments[0]:
            return range(numbers[0], numbers[1] + 1)
        return tuple(numbers)

    def is_legal(self, edt: bytes) -> bool:
        """Whether a value is in its range, without the codes for overflow and underflow."""
        if len(edt) not in self.sizes:
            return False
        kind, *arguments = self.type
        if kind == "state":
            bounds = [word.split("-") for word in arguments]
            value = int.from_bytes(edt, "big")
            return any(int(b[0], 16) <= value <= int(b[-1], 16) for b in bounds)
        if kind == "octets":
            return True
        size = int(arguments[0])
        numbers = [edt[at : at + size] for at in range(0, len(edt), size)]
        values = [int.from_bytes(n, "big", signed=kind == "signed") for n in numbers]
        low, high = (0, arguments[1]) if kind != "signed" else arguments[1:3]
        return all(int(low) <= value <= int(high) for value in values)


def read_model(path: Path = MODEL) -> dict[str, dict[int, Property]]:
    """Class code → EPC → property. Raises ValueError with the line number for a bad statement."""
    classes = {}
    properties = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "class":
            properties = classes.setdefault(words[1], {})
        elif properties is None or not re.fullmatch("[Ro-]{3}", words[1]):
            raise ValueError(f"{path.name}:{number}: {line.strip()!r} is no statement")
        else:
            epc = int(words[0], 16)
            properties[epc] = Property(epc, words[1], tuple(words[2:]))
    return classes


class Packer:
    """Collects rows, enumerations and limits."""

    def __init__(self):
        self.rows = bytearray()
        self.states = bytearray()
        self.limits = []

    def row(self, item: Property) -> None:
        access = 0
        for bit, letter in zip((GET, SET, INF), item.access):
            if letter != "-":
                access |= bit
            if letter == "R":
                access |= bit << REQUIRED
        self.rows += bytes([item.epc, access, *self.type(item)])

    def type(self, item: Property) -> tuple[int, int]:
        kind, *arguments = item.type
        if kind == "state" and item.sizes == (1,):
            codes = bytes.fromhex("".join(arguments))
            return STATE | 1, self.place(bytes([len(codes)]) + codes)
        if kind in ("state", "octets"):  # states of two octets are only read
            sizes = item.sizes
            form = UP_TO if isinstance(sizes, range) else ONE_OR if len(sizes) > 1 else EXACTLY
            return OCTETS | form, sizes[-1]
        if kind == "signed":  # only measured, so there is nothing to check
            return SIGNED | int(arguments[0]), 0
        limit = int(arguments[1])
        if limit not in self.limits:
            self.limits.append(limit)
        return {"unsigned": UNSIGNED, "pair": PAIR}[kind] | int(arguments[0]), self.limits.index(
            limit
        )

    def place(self, states: bytes) -> int:
        """Where in STATES this enumeration is; equal ones share a place."""
        at = 0
        while at < len(self.states):
            if self.states[at : at + len(states)] == states:
                return at
            at += 1 + self.states[at]
        self.states += states
        return at


def pack(classes: dict[str, dict[int, Property]]) -> dict[str, bytes]:
    """The tables by name."""
    packer = Packer()
    index = b""
    for code, properties in classes.items():
        index += bytes.fromhex(code) + bytes([len(packer.rows) // 4, len(properties)])
        for epc in sorted(properties):
            packer.row(properties[epc])
    return {
        "CLASSES": index,
        "ROWS": bytes(packer.rows),
        "STATES": bytes(packer.states),
        "LIMITS": b"".join(struct.pack(">I", limit) for limit in packer.limits),
    }


def source(tables: dict[str, bytes]) -> str:
    """The text of the generated module."""
    rows, total = len(tables["ROWS"]) // 4, sum(len(data) for data in tables.values())
    head = "# Generated by `python -m tools.echonet_tables`. Do not edit.\n"
    doc = (
        f'"""ECHONET Lite objects, Release R: {rows} properties, {total} octets.\n\n'
        'Read by echonet.classes; tools/echonet_tables.py documents the layout.\n"""\n\n'
    )
    return head + doc + "\n".join(_text(name, data) for name, data in tables.items())


def _text(name: str, data: bytes) -> str:
    """A table as the formatter likes it: no parentheses around a single line."""
    text = literal(name, data)
    short = re.sub(r"\(\n    (.*)\n\)\n$", r"\1\n", text)
    return short if text.count("\n") == 3 and len(short) <= 100 else text


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="only compare with the output file")
    options = parser.parse_args()
    try:
        tables = pack(read_model())
    except ValueError as error:
        parser.error(str(error))
    text = source(tables)
    if options.check:
        if not OUTPUT.exists() or OUTPUT.read_text() != text:
            print(f"{OUTPUT} is not current: run `make tables`", file=sys.stderr)
            return 1
        return 0
    OUTPUT.write_text(text)
    print(f"{OUTPUT}: {sum(len(data) for data in tables.values())} octets of tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
