"""Compile the firmware of a board and bring it onto a stock MicroPython, only what has changed.

    python -m tools.deploy --port /dev/ttyUSB0 --board esp32-s3
    python -m tools.deploy --board esp32-s3 --dry-run      what would be sent to an empty board

A cut leaves the old version or the new one, never half of one; running it again goes on where it
was cut. The exit status is 0 if the board has the version, 1 if not.
"""

import argparse
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from tools import outcome, romfs
from tools.board_facts import BoardError, chip_of
from tools.deploy import DeployError
from tools.deploy.device import Device
from tools.deploy.plan import Plan
from tools.deploy.transfer import Firmware, carry_out, survey, warnings

ROOT = romfs.ROOT


def load(board: str, root: Path = ROOT) -> Firmware:
    """Compile the firmware of a board. Raises BoardError, DeployError, RomfsError."""
    chip = chip_of(board, root)
    if chip is None:
        raise DeployError(f"boards/{board} runs on a computer: make run starts it")
    tree = romfs.compile_bundle(board, root)
    files = {
        str(path.relative_to(tree)): path.read_bytes() for path in sorted(tree.rglob("*.mpy"))
    }
    version = re.search(r'"(.+)"', (root / "firmware" / "version.py").read_text().split("=")[1])
    return Firmware(board, chip, version[1], files)


def deploy(options: argparse.Namespace, out: Console) -> dict:
    """Do what the command line says; return what was done. Raises as `load` does."""
    firmware = load(options.board)
    if not options.port:
        plan = Plan("a", send=sorted(firmware.files))
        return _report(plan, firmware, "would be sent to an empty board")
    with Device(options.port) as device:
        plan, _, about = survey(device, firmware, options.replace)
        out.print(f"{about.machine}, MicroPython {'.'.join(map(str, about.version))}")
        for text in warnings(about):
            out.print("warning: " + text)
        if plan.is_current:
            return _report(plan, firmware, "is there already")
        if options.dry_run:
            return _report(plan, firmware, "would be brought there")
        try:
            _carry_out(device, plan, firmware, out)
        except DeployError as problem:
            raise DeployError(f"{problem}. A whole version is still there; run it again") from None
        device.reset()
    return _report(plan, firmware, "is there and starts")


def _carry_out(device: Device, plan: Plan, firmware: Firmware, out: Console) -> None:
    total = sum(len(firmware.files[name]) for name in plan.send)
    columns = (TextColumn("sending"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=total)
        carry_out(device, plan, firmware, lambda count: bar.advance(task, count))


def _report(plan: Plan, firmware: Firmware, outcome: str) -> dict:
    return {
        "ok": True,
        "board": firmware.board,
        "version": firmware.version,
        "outcome": outcome,
        "slot": plan.slot,
        "sent": {name: len(firmware.files[name]) for name in plan.send},
        "copied": plan.copy,
        "kept": plan.keep,
        "removed": plan.remove,
    }


def _print_report(report: dict) -> None:
    for name, size in report["sent"].items():
        print(f"  send  {name:40}{size:>8}")
    for word, key in (("copy", "copied"), ("keep", "kept"), ("remove", "removed")):
        if report[key]:
            print(f"  {word}  {len(report[key])} files")
    print(
        f"Pilotwire {report['version']} for {report['board']} {report['outcome']}: "
        f"{sum(report['sent'].values())} bytes to send, folder /{report['slot']}"
    )


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", help="serial port of the board, such as /dev/ttyUSB0")
    parser.add_argument("--board", required=True, help="folder in boards/")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, no more")
    parser.add_argument("--replace", action="store_true", help="replace a main.py of others")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    if not options.port and not options.dry_run:
        parser.error("which port? make deploy PORT=/dev/ttyUSB0 BOARD=...")
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    errors = (DeployError, BoardError, romfs.RomfsError, OSError)
    return outcome.run("deploy", lambda: deploy(options, out), errors, options.json, _print_report)


if __name__ == "__main__":
    sys.exit(main())
