"""Carry a plan out, in an order that survives a cut at any moment.

Only the idle slot is touched until all of it has been read back; then main.py is replaced.
"""

import hashlib
from dataclasses import dataclass

from tools.board_facts import plain
from tools.deploy import DeployError
from tools.deploy.device import About, Device
from tools.deploy.plan import (
    MAIN,
    SLOTS,
    Plan,
    active_slot,
    blocks,
    is_foreign,
    main_text,
    make_plan,
)
from tools.micropython import OLDEST

MPY_VERSION = 6  # of the bytecode that our mpy-cross makes
_SPARE_BLOCKS = 16  # for state files and what the file system needs for itself
_ROOMY_RAM = 400_000  # with less the code, loaded from files, leaves too little

_COUNT = "/state/starts"  # see firmware/start.py; a new version has three tries of its own


@dataclass
class Firmware:
    """What shall be on the board; files by name."""

    board: str
    chip: str
    version: str
    files: dict[str, bytes]

    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of each file."""
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.files.items()}


def check(about: About, firmware: Firmware) -> None:
    """Refuse a board that cannot run this. Raises DeployError."""
    if about.name != "micropython":
        raise DeployError(f"the board runs {about.name}, not MicroPython")
    if about.version[:2] < OLDEST:
        have = "%d.%d" % about.version[:2]
        raise DeployError(
            f"the board has MicroPython {have}; {OLDEST[0]}.{OLDEST[1]} is the oldest that will do"
        )
    if plain(about.chip) != plain(firmware.chip):
        raise DeployError(
            f"the board's chip is {about.chip}; boards/{firmware.board} is made for "
            f"{firmware.chip}"
        )
    if about.mpy & 0xFF != MPY_VERSION:
        raise DeployError(
            f"the board's MicroPython reads bytecode version {about.mpy & 0xFF}, not {MPY_VERSION}"
        )


def warnings(about: About) -> list[str]:
    """What may go wrong although it is allowed."""
    if about.free_ram < _ROOMY_RAM:
        text = (
            f"{about.free_ram // 1024} KiB of RAM are free, too little for code that is loaded "
            "from files; make firmware makes an image that runs from flash"
        )
        return [text]
    return []


def survey(device: Device, firmware: Firmware, may_replace: bool) -> tuple[Plan, dict, About]:
    """Look at the board, change nothing. Return the plan, the files in the slots, what it is.

    Raises DeployError if the firmware cannot go there.
    """
    about = device.about()
    check(about, firmware)
    main = device.read_text(MAIN)
    if is_foreign(main) and not may_replace:
        raise DeployError(
            "the board has a main.py that is not ours; ARGS=--replace puts ours in its place"
        )
    slots = {slot: device.files("/" + slot) for slot in SLOTS}
    digests = {
        slot: {name: digest for name, (_, digest) in files.items()}
        for slot, files in slots.items()
    }
    plan = make_plan(
        firmware.digests(),
        digests,
        main,
        lambda slot: main_text(slot, firmware.board, firmware.version),
    )
    _check_room(plan, slots, firmware, about)
    return plan, slots, about


def _check_room(plan: Plan, slots: dict, firmware: Firmware, about: About) -> None:
    if plan.is_current:
        return
    needed = _SPARE_BLOCKS
    for name in [*plan.send, *plan.copy]:
        needed += blocks(len(firmware.files[name]), about.block)
    freed = 0
    for name in set(slots[plan.slot]) - set(plan.keep):
        freed += blocks(slots[plan.slot][name][0], about.block)
    if needed > about.free_blocks + freed:
        kib = about.block / 1024
        raise DeployError(
            f"the board's flash is too small: {needed * kib:.0f} KiB are needed beside what is "
            f"there, {(about.free_blocks + freed) * kib:.0f} KiB are free"
        )


def carry_out(device: Device, plan: Plan, firmware: Firmware, progress=lambda count: None) -> None:
    """Bring the idle slot up to date, check it, switch to it. Raises DeployError.

    `progress` is told the octets of each piece that was sent.
    """
    here = "/" + plan.slot
    other = "/" + next(slot for slot in SLOTS if slot != plan.slot)
    if active_slot(device.read_text(MAIN)) == plan.slot:
        raise DeployError(f"{here} is in use; this is a mistake in the plan")
    # What will be replaced goes first, so that the flash never has to hold three versions.
    for name in [*plan.remove, *plan.send, *plan.copy]:
        device.remove(f"{here}/{name}")
    folders = {name.rpartition("/")[0] for name in firmware.files} - {""}
    device.make_folders([here, *(f"{here}/{folder}" for folder in sorted(folders))])
    for name in plan.copy:
        device.copy(f"{other}/{name}", f"{here}/{name}")
    for name in plan.send:
        device.write(f"{here}/{name}", firmware.files[name], progress)
    there = {name: digest for name, (_, digest) in device.files(here).items()}
    wrong = sorted(set(there.items()) ^ set(firmware.digests().items()))
    if wrong:
        raise DeployError(f"{here}/{wrong[0][0]} reads back differently: run it again")
    device.remove(_COUNT)
    device.replace(MAIN, main_text(plan.slot, firmware.board, firmware.version))
