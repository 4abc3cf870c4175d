"""Pack the SPINE data model into the static tables that the firmware reads.

    python -m tools.spine_tables                     write lib/spine/tables.py (profile charger)
    python -m tools.spine_tables --check             exit 1 if the committed file is not current
    python -m tools.spine_tables --profile all --output build/tables_all.py --costs
    python -m tools.spine_tables --profile LoadControl,Measurement --costs

The model is tools/spine_model/spine-1.3.0.txt; a profile is a file of function or class names
beside it, `all`, or a comma-separated list of such names. The output is deterministic.

Layout, all numbers big-endian (lib/spine/model.py reads it):

    NAMES      length octet and ASCII text of every name; a name is known by the offset of its text
    TYPES      u16 for each complex type: index of its first field; one more closes the last type
    FIELDS     u16 name, u16 type and flags for each field, in wire order
    FUNCTIONS  u16 name, u16 complex type, u16 selectors type + 1 (0: none), u8 kind, by name

Types with the same fields share one row. A field's type is a simple kind (below 16) or 16 + the
index of a complex type.
"""

import argparse
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "tools" / "spine_model" / "spine-1.3.0.txt"
OUTPUT = ROOT / "lib" / "spine" / "tables.py"

# Simple kinds, as lib/spine/model.py names them.
EMPTY, BOOLEAN, UNSIGNED, SIGNED, STRING = range(5)
FIRST_COMPLEX = 16
KIND_OF_BASE = {
    "boolean": BOOLEAN,
    "unsignedByte": UNSIGNED,
    "unsignedShort": UNSIGNED,
    "unsignedInt": UNSIGNED,
    "unsignedLong": UNSIGNED,
    "short": SIGNED,
    "long": SIGNED,
    "integer": SIGNED,
}
FLAGS = {"list": 0x8000, "key": 0x4000, "writeCheck": 0x2000, "optionalKey": 0x1000}
CHOICE = 0x0800  # the field's type holds one of several alternatives
TYPE_MASK = 0x07FF
FUNCTION_KINDS = ("data", "list", "call", "result")
LIST = 1
ELEMENTS_OF_FUNCTION = 0x80
EMPTY_TYPE = "ElementTagType"


@dataclass
class Model:
    """The description: `simple` name → base, `types` name → fields, `functions` name → row.

    `enums` name → (values, whether others may be added) serves the documentation only.
    """

    simple: dict = field(default_factory=dict)
    enums: dict = field(default_factory=dict)
    types: dict = field(default_factory=dict)
    functions: dict = field(default_factory=dict)
    choices: set = field(default_factory=set)

    def class_of(self, function: str) -> str:
        return self.functions[function]["class"]


def read_model(path: Path = MODEL) -> Model:
    """Parse the model description. Raises ValueError with the line number for a bad statement."""
    model = Model()
    fields = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if line.startswith(" ") and fields is not None:
            fields.append((words[0], words[1], frozenset(words[2:])))
        elif words[0] == "type":
            fields = model.types.setdefault(words[1], [])
            if "choice" in words[2:]:
                model.choices.add(words[1])
        elif words[0] == "simple":
            model.simple[words[1]] = words[2]
        elif words[0] == "enum":
            name = words[1].rstrip(":")
            model.simple[name] = "enum"
            head, _, values = line.partition(":")
            model.enums[name] = (values.split(), head.endswith("extendable"))
        elif words[0] == "function":
            options = dict(word.split("=", 1) for word in words[5:])
            model.functions[words[1]] = {
                "class": words[2],
                "kind": words[3],
                "type": words[4],
                "selectors": options.get("selectors"),
                "whole": options.get("elements") == "function",
            }
        elif words[0] != "feature":
            raise ValueError(f"{path.name}:{number}: unknown statement {words[0]!r}")
    return model


def read_profile(model: Model, profile: str) -> list[str]:
    """Function names of a profile, sorted. Raises ValueError for a name that is unknown."""
    if profile == "all":
        return sorted(model.functions)
    path = MODEL.parent / f"{profile}.txt"
    if path.exists():
        lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
        names = [line for line in lines if line]
    else:
        names = profile.split(",")
    chosen = set()
    for name in names:
        of_class = {f for f in model.functions if model.class_of(f) == name}
        if name in model.functions:
            chosen.add(name)
        elif of_class:
            chosen |= of_class
        else:
            raise ValueError(f"no function, resource class or profile file named {name!r}")
    return sorted(chosen)


class Packer:
    """Collects names, types and functions and hands out their table bytes."""

    def __init__(self, model: Model):
        self.model = model
        self.names = bytearray()
        self.name_offsets = {}
        self.type_rows = []  # packed fields of each complex type
        self.type_index = {}  # type name → index
        self.index_of_row = {}  # packed fields → index, to share equal types

    def name(self, text: str) -> int:
        if text not in self.name_offsets:
            self.names.append(len(text))
            self.name_offsets[text] = len(self.names)
            self.names += text.encode("ascii")
        return self.name_offsets[text]

    def kind(self, type_name: str) -> int:
        """Simple kind, or 16 + the index of the complex type (packed here if it is new)."""
        if type_name == EMPTY_TYPE:
            return EMPTY
        if type_name in self.model.types:
            return FIRST_COMPLEX + self.complex(type_name)
        base = self.model.simple.get(type_name, type_name)
        return KIND_OF_BASE.get(base, STRING)

    def complex(self, type_name: str) -> int:
        if type_name not in self.type_index:
            row = b""
            for name, field_type, flags in self.model.types[type_name]:
                kind = self.kind(field_type)
                if kind > TYPE_MASK:
                    raise ValueError("too many complex types for eleven bits")
                bits = sum(FLAGS[flag] for flag in flags & FLAGS.keys())
                bits |= CHOICE if field_type in self.model.choices else 0
                row += struct.pack(">HH", self.name(name), kind | bits)
            if row not in self.index_of_row:
                self.index_of_row[row] = len(self.type_rows)
                self.type_rows.append(row)
            self.type_index[type_name] = self.index_of_row[row]
        return self.type_index[type_name]

    def tables(self, functions: list[str]) -> dict[str, bytes]:
        rows = b""
        for name in functions:
            function = self.model.functions[name]
            kind = FUNCTION_KINDS.index(function["kind"])
            if kind == LIST and self.model.types[function["type"]][0][1] not in self.model.types:
                kind = 0  # a list of texts has no entries that could be told apart
            if function["whole"]:
                kind |= ELEMENTS_OF_FUNCTION
            selectors = function["selectors"]
            rows += struct.pack(
                ">HHHB",
                self.name(name),
                self.complex(function["type"]),
                self.complex(selectors) + 1 if selectors else 0,
                kind,
            )
        first = 0
        types = b""
        for row in self.type_rows:
            types += struct.pack(">H", first)
            first += len(row) // 4
        types += struct.pack(">H", first)
        return {
            "NAMES": bytes(self.names),
            "TYPES": types,
            "FIELDS": b"".join(self.type_rows),
            "FUNCTIONS": rows,
        }


def literal(name: str, data: bytes, width: int = 24) -> str:
    """`NAME = (b"…" b"…")`, joined by the compiler, one line for each `width` octets."""
    lines = []
    for start in range(0, len(data), width):
        chunk = "".join(
            chr(octet) if 32 <= octet < 127 and octet not in (34, 92) else f"\\x{octet:02x}"
            for octet in data[start : start + width]
        )
        lines.append(f'    b"{chunk}"\n')
    return f"{name} = (\n{''.join(lines)})\n"


def source(tables: dict[str, bytes], profile: str, functions: list[str]) -> str:
    total = sum(len(data) for data in tables.values())
    head = f"# Generated by `python -m tools.spine_tables --profile {profile}`. Do not edit.\n"
    doc = (
        f'"""SPINE 1.3.0, profile {profile}: {len(functions)} functions, {total} octets.\n\n'
        'Read by spine.model, which documents the layout.\n"""\n\n'
    )
    return head + doc + "\n".join(literal(name, data) for name, data in tables.items())


def pack(model: Model, functions: list[str]) -> dict[str, bytes]:
    return Packer(model).tables(functions)


def size(tables: dict[str, bytes]) -> int:
    return sum(len(data) for data in tables.values())


def print_costs(model: Model, functions: list[str], total: int) -> None:
    """What leaving out each resource class of the profile would save."""
    print(f"{'class':28}{'functions':>10}{'octets':>8}")
    for name in sorted({model.class_of(f) for f in functions}):
        rest = [f for f in functions if model.class_of(f) != name]
        saved = total - size(pack(model, rest))
        print(f"{name:28}{len(functions) - len(rest):>10}{saved:>8}")
    print(f"{'all of it':28}{len(functions):>10}{total:>8}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", default="charger", help="profile, class or function names")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--check", action="store_true", help="only compare with the output file")
    parser.add_argument("--costs", action="store_true", help="print what each class costs")
    options = parser.parse_args()
    try:
        model = read_model()
        functions = read_profile(model, options.profile)
    except ValueError as error:
        parser.error(str(error))
    tables = pack(model, functions)
    text = source(tables, options.profile, functions)
    if options.costs:
        print_costs(model, functions, size(tables))
    if options.check:
        if not options.output.exists() or options.output.read_text() != text:
            print(f"{options.output} is not current: run `make tables`", file=sys.stderr)
            return 1
        return 0
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text)
    print(f"{options.output}: {len(functions)} functions, {size(tables)} octets of tables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
