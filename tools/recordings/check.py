"""Check one datagram: the codec knows all of it, and what it writes means the same.

Decodes the header, the data element and the filters with the tables, encodes the data element
(and SELECTORS) again and compares both texts by meaning (tools/recordings/meaning.py). ELEMENTS
have no tables of their own: their names are looked up in the data they choose from, as IEC 63380-3
5.3.3 does.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tools.energy_manager.eebus_json import as_map, as_maps, from_wire
from tools.recordings import codec
from tools.recordings.meaning import ABSENT, differences, meaning

# Members of the header (TS 5.2); the last two are for gateways and loggers.
HEADER = (
    *("specificationVersion", "addressSource", "addressDestination", "msgCounter"),
    *("msgCounterReference", "cmdClassifier", "ackRequest", "addressOriginator", "timestamp"),
)
FRAME = ("function", "filter", "manufacturerSpecificExtension", "lastUpdateAt")


@dataclass
class Verdict:
    """What became of one datagram. Each entry of a list names one element and what is wrong."""

    function: str = ""
    classifier: str = ""
    unreadable: str = ""  # why it is no datagram at all
    unknown: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether everything was understood and means the same afterwards."""
        return not (self.unreadable or self.unknown or self.unusable or self.different)


class Checker:
    """Checks datagrams against the tables of a profile. ValueError for an unknown profile."""

    def __init__(self, profile: str = "all"):
        self.datagram, self.model = codec.load(profile)

    def check(self, text: str) -> Verdict:
        """The verdict on the text of one datagram, `{"datagram":…}`."""
        verdict = Verdict()
        try:
            read = self.datagram.parse(text.encode())
            tree = as_map(from_wire(json.loads(text)["datagram"]))
        except (ValueError, RecursionError) as error:
            verdict.unreadable = str(error)
            return verdict
        verdict.classifier = str(read.classifier)
        self._header(verdict, read, as_map(tree.get("header")))
        if read.commands != 1 or read.function is None:
            verdict.unreadable = f"{read.commands} commands" if read.commands != 1 else "no data"
            return verdict
        verdict.function = read.function
        row = self.model.find_function(read.function)
        if row < 0:
            verdict.unknown.append(f"{read.function} (function)")
            return verdict
        self._data(verdict, self.model.function_type(row), read.data(), read.function, row)
        for command in as_maps(as_map(tree.get("payload")).get("cmd")):
            verdict.unknown += [name for name in command if name not in (*FRAME, read.function)]
        for number, filter_tree in enumerate(read.filters):
            self._filter(verdict, row, filter_tree, f"filter[{number}]")
        return verdict

    def _header(self, verdict: Verdict, read: Any, header: dict) -> None:
        verdict.unknown += [f"header/{name}" for name in header if name not in HEADER]

        def address(device: str | None, entity: tuple, feature: int | None) -> dict:
            whole = {"device": device, "entity": list(entity) or None, "feature": feature}
            return {name: value for name, value in whole.items() if value is not None}

        ours = {
            "specificationVersion": read.version,
            "addressSource": address(read.source_device, read.source_entity, read.source_feature),
            "addressDestination": address(
                read.destination_device, read.destination_entity, read.destination_feature
            ),
            "msgCounter": read.counter,
            "msgCounterReference": read.reference,
            "cmdClassifier": read.classifier,
            "ackRequest": read.ack_request or header.get("ackRequest"),
        }
        theirs = {name: value for name, value in header.items() if name in ours}
        self._compare(verdict, meaning(theirs), meaning(ours), "header")

    def _data(self, verdict: Verdict, kind: int, tree: Any, path: str, row: int = -1) -> None:
        """Decode a complex element, encode it, compare; `row` if it is a function's data."""
        decoder = self.model.Decoder()
        natural = decoder.decode(kind, tree)
        before = meaning(tree)
        unknown = list(self._unknown(kind, before, path))
        verdict.unknown += unknown
        if decoder.unknown > len(unknown):
            verdict.unknown.append(f"{path}: {decoder.unknown} elements")
        out = bytearray()
        if row < 0:
            self.model.encode(out, kind, natural)
            after = json.loads(out)
        else:
            self.model.encode_function(out, row, natural)
            after = json.loads(out)[self.model.function_name(row)]
        count = self._compare(verdict, before, meaning(after), path, kind, unknown)
        if decoder.unusable and not count:
            verdict.unusable.append(f"{path}: {decoder.unusable} values")

    def _compare(
        self, verdict: Verdict, before: Any, after: Any, path: str, kind: int = -1, skip: list = ()
    ) -> int:
        """Note where two meanings differ and return in how many places."""
        count = 0
        for where, wanted, got in differences(before, after, path):
            if any(where == name or where.startswith(name + "/") for name in skip):
                continue
            if got is ABSENT and wanted == {} and kind >= 0 and self._is_list(kind, where, path):
                continue  # a list without entries
            count += 1
            if got is ABSENT:
                verdict.unusable.append(f"{where}: {_short(wanted)}")
            else:
                verdict.different.append(f"{where}: {_short(wanted)} became {_short(got)}")
        return count

    def _is_list(self, kind: int, where: str, path: str) -> bool:
        """Whether the element at `where`, inside `path` of type `kind`, is a repeated one."""
        at = -1
        for name in where[len(path) :].lstrip("/").split("/"):
            if kind < 0:
                return False
            at = self.model.find_field(kind, name.partition("[")[0].encode())
            if at < 0:
                return False
            kind = self.model.field_type(at)
        return at >= 0 and self.model.is_list(at)

    def _unknown(self, kind: int, value: Any, path: str) -> Iterator[str]:
        """Paths of the elements of `value` that the complex type `kind` does not have."""
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._unknown(kind, item, f"{path}[{number}]")
        elif isinstance(value, dict):
            for name, member in value.items():
                at = self.model.find_field(kind, name.encode())
                if at < 0:
                    yield f"{path}/{name}"
                elif self.model.is_complex(at):
                    yield from self._unknown(self.model.field_type(at), member, f"{path}/{name}")

    def _filter(self, verdict: Verdict, row: int, tree: Any, path: str) -> None:
        """cmdControl, SELECTORS and ELEMENTS of one filter."""
        name = self.model.function_name(row)
        entries = self.model.list_field(row)
        kind = self.model.function_type(row)
        elements = name + "Elements"
        if entries >= 0 and not self.model.elements_cover_function(row):
            elements = self.model.field_name(entries) + "Elements"
            kind = self.model.field_type(entries)
        for member, value in self.datagram.members_of(tree):
            inside = f"{path}/{member}"
            if member == "cmdControl":
                control = [n for one in as_maps(from_wire(value)) for n in one]
                verdict.unknown += [
                    f"{inside}/{n}" for n in control if n not in ("delete", "partial")
                ]
            elif member == name + "Selectors" and self.model.selectors_type(row) >= 0:
                self._data(verdict, self.model.selectors_type(row), value, inside)
            elif member == elements:
                verdict.unknown += self._unknown(kind, meaning(value), inside)
            elif member != "filterId":
                verdict.unknown.append(inside)


def _short(value: Any) -> str:
    """A value for a line of the report."""
    text = "nothing" if value is ABSENT else json.dumps(value, ensure_ascii=False)
    return text if len(text) < 80 else text[:77] + "..."
