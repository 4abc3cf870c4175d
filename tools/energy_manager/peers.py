"""The chargers this energy manager was paired with, and how a user names a charger.

Trust hangs on the SKI alone; SHIP ID, address and names are kept to find the charger again and to
show it. One JSON file `peers.json` in the state folder, replaced in one step.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .identity import normalise_ski, write_file

_TIME = "%Y-%m-%dT%H:%M:%SZ"


class UnknownTarget(ValueError):
    """The words of the user do not name one charger."""


@dataclass
class Peer:
    """One paired charger; everything but the SKI may be empty."""

    ski: str
    ship_id: str = ""
    host: str = ""
    port: int = 0
    path: str = "/ship/"
    name: str = ""
    paired_at: str = field(default_factory=lambda: time.strftime(_TIME, time.gmtime()))


class Peers:
    """The list of trusted chargers, keyed by SKI."""

    def __init__(self, folder: Path | str):
        self._path = Path(folder) / "peers.json"
        self._by_ski = {}
        if self._path.exists():
            for entry in json.loads(self._path.read_text()):
                self._by_ski[entry["ski"]] = Peer(**entry)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._by_ski.values())

    def __len__(self) -> int:
        return len(self._by_ski)

    def get(self, ski: str) -> Peer | None:
        """Return the peer with this SKI, or None."""
        return self._by_ski.get(ski)

    def store(self, peer: Peer) -> None:
        """Add or replace a peer and write the file; an address belongs to one peer only."""
        there = [p.ski for p in self if (p.host, p.port) == (peer.host, peer.port)]
        for ski in there:
            del self._by_ski[ski]
        self._by_ski[peer.ski] = peer
        entries = [asdict(each) for each in self._by_ski.values()]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._path, json.dumps(entries, indent=1).encode() + b"\n", 0o600)

    def named(self, text: str) -> Peer:
        """Return the one peer whose SKI begins with `text`, whose SHIP ID or name equals it."""
        start = "".join(text.split()).lower()
        found = [p for p in self if p.ski.startswith(start) or text in (p.ship_id, p.name)]
        if len(found) != 1:
            raise UnknownTarget(f"{len(found)} paired chargers match {text!r}")
        return found[0]


@dataclass(frozen=True)
class Target:
    """What the user said about a charger: an SKI, an address, or both."""

    ski: str = ""
    host: str = ""
    port: int = 0
    ship_id: str = ""
    name: str = ""


def parse_target(text: str) -> Target:
    """Read an SKI, the text of a SHIP QR code, or `host:port`; raise `UnknownTarget`."""
    if text.strip().startswith("SHIP;"):
        return _parse_qr(text)
    try:
        return Target(ski=normalise_ski(text))
    except ValueError:
        host, colon, port = text.strip().rpartition(":")
        if colon and host and port.isdigit() and 0 < int(port) < 65536:
            return Target(host=host.strip("[]"), port=int(port))
    raise UnknownTarget(f"neither an SKI, nor a SHIP QR text, nor host:port: {text!r}")


def _parse_qr(text: str) -> Target:
    """Read `SHIP;SKI:…;ID:…;…;ENDSHIP;`: keys in any order, unknown keys ignored."""
    fields = {}
    for part in text.strip().split(";")[1:]:
        if part.strip() == "ENDSHIP":
            break
        key, colon, value = part.partition(":")  # the ID itself contains colons
        if colon:
            fields.setdefault(key.strip().upper(), value.strip())
    try:
        ski = normalise_ski(fields.get("SKI", ""))
    except ValueError as error:
        raise UnknownTarget(f"the QR text has no usable SKI: {error}") from error
    name = " ".join(fields[key] for key in ("BRAND", "MODEL") if fields.get(key))
    return Target(ski=ski, ship_id=fields.get("ID", ""), name=name)
