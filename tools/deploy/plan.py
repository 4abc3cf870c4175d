"""What has to be done so that a board has a version in its idle slot.

Knows nothing of serial ports: folders are dictionaries from a file's name to its SHA-256.
"""

import re
from dataclasses import dataclass, field

SLOTS = ("a", "b")
MAIN = "/main.py"

_MARK = "# Pilotwire "  # first line of our main.py

_MAIN_TEXT = """\
{mark}{version} for {board}, made by `make deploy`.
import sys

sys.path[:] = ["/{slot}", ".frozen", "/lib"]

from firmware.start import main

main((), "pilotwire")
"""


@dataclass
class Plan:
    """Names of files by what happens to them in the slot; `is_current`: nothing has to be done."""

    slot: str
    is_current: bool = False
    send: list[str] = field(default_factory=list)
    copy: list[str] = field(default_factory=list)  # from the other slot
    keep: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)


def main_text(slot: str, board: str, version: str) -> str:
    """Return the main.py that starts the version in this slot."""
    return _MAIN_TEXT.format(mark=_MARK, slot=slot, board=board, version=version)


def active_slot(main: "str | None") -> "str | None":
    """Return the slot that a board's main.py starts, None if there is none of ours."""
    if main is None or not main.startswith(_MARK):
        return None
    found = re.search(r'sys\.path\[:\] = \["/(\w)"', main)
    return found[1] if found and found[1] in SLOTS else None


def is_foreign(main: "str | None") -> bool:
    """Return whether a main.py is somebody else's."""
    return main is not None and bool(main.strip()) and not main.startswith(_MARK)


def make_plan(
    wanted: dict[str, str], slots: dict[str, dict[str, str]], main: "str | None", text: str
) -> Plan:
    """Compare what is wanted with what the slots hold; `text(slot)` is the main.py to be."""
    active = active_slot(main)
    if active and slots[active] == wanted and main == text(active):
        return Plan(active, is_current=True, keep=sorted(wanted))
    slot = "b" if active == "a" else "a"
    plan = Plan(slot)
    there = slots[slot]
    # Without a main.py of ours both slots are idle, and what is in the other may still be of use.
    other = slots["b" if slot == "a" else "a"]
    for name, digest in sorted(wanted.items()):
        if there.get(name) == digest:
            plan.keep.append(name)
        elif other.get(name) == digest:
            plan.copy.append(name)
        else:
            plan.send.append(name)
    plan.remove = sorted(set(there) - set(wanted))
    return plan


def blocks(size: int, block: int) -> int:
    """Return how many blocks a file takes."""
    return max(1, -(-size // block))
