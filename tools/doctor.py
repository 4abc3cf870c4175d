"""Checks of this machine and of a board: what was found, and what to do if it is wrong."""

import os
import shutil
import socket
import struct
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement

from tools import micropython
from tools.console_link import ConsoleLink
from tools.label import fonts
from tools.label.stock import LabelError
from tools.lib import qr
from tools.line import LineError
from tools.line.provision import check_identity, self_test
from tools.serial_board import ports
from tools.simulate import ROOT

GOOD, WARNING, BAD = range(3)
NAMES = ("good", "warning", "bad")

_SHIP_PORT = 4712
_MDNS = ("224.0.0.251", 5353)
_FREE_OCTETS = 200 << 20
_HEAP_OCTETS = 8 << 10  # below that a board may not hold another connection


@dataclass(frozen=True)
class Check:
    """One result; `todo` is empty if nothing needs doing."""

    name: str
    result: int
    text: str
    todo: str = ""


# --- this machine -----------------------------------------------------------------------------


def machine() -> Iterator[Check]:
    """Check what the host tools and the simulator need."""
    yield _python()
    yield _packages()
    for bits in (64, 32):
        yield _micropython(bits)
    yield _fonts()
    yield _space()
    yield _serial_ports()
    yield _port()
    yield _multicast()


def _python() -> Check:
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11):
        return Check("Python", BAD, text, "use Python 3.11 or newer: make PYTHON=… setup")
    return Check("Python", GOOD, text)


def _packages() -> Check:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    lacking = [text for text in groups["host"] if not _is_met(Requirement(text))]
    if lacking:
        return Check("packages", BAD, "missing or old: " + ", ".join(lacking), "make setup")
    return Check("packages", GOOD, f"{len(groups['host'])} as in pyproject.toml")


def _is_met(wanted: Requirement) -> bool:
    try:
        return wanted.specifier.contains(metadata.version(wanted.name), prereleases=True)
    except metadata.PackageNotFoundError:
        return False


def _micropython(bits: int) -> Check:
    name = f"MicroPython {bits}-bit"
    path = micropython.FOLDER / "bin" / f"micropython{bits}"
    found = micropython.version(path)
    if found is None or found[2] != bits:
        return Check(name, BAD, f"{path} is not there, or does not run", "make distclean setup")
    return Check(name, GOOD, f"version {found[0]}.{found[1]}")


def _fonts() -> Check:
    try:
        fonts.face(fonts.MONO)
    except LabelError as problem:
        return Check("label fonts", BAD, str(problem), "make setup")
    return Check("label fonts", GOOD, "DejaVu")


def _space() -> Check:
    free = shutil.disk_usage(ROOT).free
    text = f"{free >> 20} MiB free"
    if free < _FREE_OCTETS:
        return Check("disk", BAD, text, "free some space, or make clean")
    if not os.access(ROOT, os.W_OK):
        return Check("disk", BAD, f"{ROOT} cannot be written", "work in a copy of your own")
    return Check("disk", GOOD, text)


def _serial_ports() -> Check:
    found = ports()
    closed = [port for port in found if not os.access(port, os.R_OK | os.W_OK)]
    if closed:
        todo = "sudo usermod -aG dialout $USER, then log in again"
        return Check("serial ports", BAD, "no permission for " + ", ".join(closed), todo)
    if not found:
        todo = "for a real board: plug it in, with a cable that carries data"
        return Check("serial ports", WARNING, "no USB serial port", todo)
    return Check("serial ports", GOOD, ", ".join(found))


def _port() -> Check:
    name = f"TCP port {_SHIP_PORT}"
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", _SHIP_PORT))
        except OSError:
            todo = "a simulated charger runs already? Another one takes --port 0"
            return Check(name, WARNING, "taken", todo)
    return Check(name, GOOD, "free for a simulated charger")


def _multicast() -> Check:
    """Join the group of mDNS next to whoever else is in it."""
    name = "mDNS"
    todo = "allow UDP port 5353 in the firewall, both ways, and multicast on the interface"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listener.bind(("", _MDNS[1]))
            group = struct.pack("4sL", socket.inet_aton(_MDNS[0]), socket.INADDR_ANY)
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        except OSError as problem:
            return Check(name, WARNING, f"multicast does not work here: {problem}", todo)
    return Check(name, GOOD, "UDP port 5353 can be shared")


# --- a board ----------------------------------------------------------------------------------


def silent(text: str) -> Check:
    """Return the check of a board that does not answer."""
    todo = (
        "is it powered, is this its port, is the firmware on it (make flash)? "
        "What it prints at its start: pilotwire console, then its reset button"
    )
    return Check("console", BAD, text.splitlines()[0], todo)


def board(link: ConsoleLink) -> Iterator[Check]:
    """Check a board whose console answers. Raises ConsoleError."""
    identity = link.command("id")
    yield Check("console", GOOD, f"answers, SHIP ID {identity['ship_id']}")
    yield _identity(link, identity)
    status = link.command("status")
    yield _self_test(link)
    yield _faults(status)
    yield _announced(status)
    yield _trust(link.command("peers"))
    free = status["heap_free"]
    todo = "" if free >= _HEAP_OCTETS else "restart; if it comes back, report it with the log"
    yield Check("memory", WARNING if todo else GOOD, f"{free >> 10} KiB free", todo)


def _identity(link: ConsoleLink, identity: dict) -> Check:
    try:
        serial = qr.read(identity["qr"]).get("SERIAL", "")
        check_identity(link, identity, serial)
    except (LineError, ValueError) as problem:
        todo = "the label would not fit the key: restore a backup, or provision the board anew"
        return Check("identity", BAD, str(problem), todo)
    return Check("identity", GOOD, f"key, SKI and label agree: {identity['ski']}")


def _self_test(link: ConsoleLink) -> Check:
    try:
        tests = self_test(link)
    except LineError as problem:
        return Check("self-test", BAD, str(problem), "bring the firmware up to date")
    wrong = [f"{each['name']}: {each['wrong']}" for each in tests if not each["ok"]]
    if wrong:
        return Check("self-test", BAD, "; ".join(wrong), "see `log` on the console")
    return Check("self-test", GOOD, f"{len(tests)} tests passed")


def _faults(status: dict) -> Check:
    if status["faults"]:
        todo = "see `status` and `log` on the console; what latches is cleared by unplugging"
        return Check("faults", BAD, ", ".join(status["faults"]), todo)
    return Check("faults", GOOD, "none")


def _announced(status: dict) -> Check:
    state = status["mdns"]
    if state == "off":
        todo = "energy managers do not find it by themselves: switch mDNS on"
        return Check("mDNS of the board", WARNING, "off", todo)
    return Check("mDNS of the board", GOOD, str(state))


def _trust(peers: dict) -> Check:
    waiting = [each["ski"] for each in peers["connections"] if each["pending"]]
    if waiting:
        todo = f"if it is the right one: pilotwire peers trust {waiting[0]}"
        return Check("trust", WARNING, f"{waiting[0]} waits to be trusted", todo)
    if not peers["trusted"]:
        todo = "pair it: pilotwire peers trust SKI, or scan its label with the energy manager"
        return Check("trust", WARNING, "no energy manager is trusted yet", todo)
    links = sum(not each["pending"] for each in peers["connections"])
    return Check("trust", GOOD, f"{len(peers['trusted'])} trusted, {links} connected")
