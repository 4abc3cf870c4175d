"""A rehearsal of the production line, with simulated boards and everything else real.

    python -m tools.line.rehearsal          (`make line`)

Boards go through `pilotwire provision`, a sheet of labels is printed, and each board is paired as
its installer would do it: the energy manager takes the SKI from the picture of the label, the
board is told the energy manager's. Then all of that once more, with a cut in the middle: the
command is killed, and repeated. It succeeds only if every board ends up with one key of its own,
on its own label, and takes a limit from the energy manager.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pypdfium2

from tools.energy_manager.manager import EnergyManager
from tools.label.scan import scan, scan_file
from tools.label.stock import SHEETS
from tools.lib import qr
from tools.simulate import ROOT, Simulator

_FIRST = "0001"
_SHEET = "L6011"
_SCAN_DPI = 300
_LIMIT_W = 4200
_PATIENCE_S = 30


class RehearsalError(Exception):
    """Something went otherwise than it should have."""


def pilotwire(folder: Path, *words: str) -> "list[dict]":
    """Run the host command with `--json`; return what it printed. Raise RehearsalError."""
    done = subprocess.run(_command(folder, words), cwd=ROOT, capture_output=True, text=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    if done.returncode:
        raise RehearsalError(f"pilotwire {' '.join(words)}: {done.stdout}{done.stderr}")
    return lines


def provision(folder: Path, count: int, cut_after: "int | None" = None) -> "list[dict]":
    """Provision boards; with `cut_after` kill the command after so many steps of all boards.

    Killed are the command and its simulated boards at once, as a power cut would.
    """
    words = ("provision", "--simulate", "--serial", _FIRST, "--count", str(count))
    words += ("--state", str(folder / "boards"), "--labels", str(folder / "labels"), "--resume")
    if cut_after is None:
        return pilotwire(folder, *words)
    lines = []
    with subprocess.Popen(
        _command(folder, words),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        for line in process.stdout:
            lines.append(json.loads(line))
            if sum(each["event"] == "step" for each in lines) >= cut_after:
                os.killpg(process.pid, signal.SIGKILL)
                break
        lines += [json.loads(line) for line in process.stdout if line.endswith("}\n")]
    if process.returncode != -signal.SIGKILL:
        raise RehearsalError(f"the command was to be cut, but ended with {process.returncode}")
    return lines


def _command(folder: Path, words: "tuple[str, ...]") -> "list[str]":
    records = ["--records", str(folder / "records.sqlite"), "--json"]
    return [sys.executable, "-m", "tools", *words, *records]


def sheet(folder: Path) -> Path:
    """Print all labels on sheets; return the file."""
    words = ("label", "--all", "--sheet", _SHEET, "--labels", str(folder / "labels"))
    return Path(pilotwire(folder, *words)[0]["path"])


def labels_on(path: Path) -> "list[str]":
    """Return the QR texts that a scanner finds on the printed sheets."""
    found = []
    for page in pypdfium2.PdfDocument(path):
        found += [code.text for code in scan(page.render(scale=_SCAN_DPI / 72).to_pil())]
    return found


async def pair(folder: Path, serial: str) -> str:
    """Pair one board by the picture of its label, limit it; return its SKI."""
    label = qr.read(scan_file(folder / "labels" / f"{serial}.png"))
    if label["SERIAL"] != serial:
        raise RehearsalError(f"the label of {serial} is that of {label['SERIAL']}")
    state = folder / "boards" / serial
    board = Simulator(port=0, serial=serial, state=state, no_mdns=True)
    async with EnergyManager(folder / "manager") as manager:
        try:
            await asyncio.to_thread(board.start)
            port = await asyncio.to_thread(lambda: board.port)
            trusted = await asyncio.to_thread(board.command, "trust " + manager.identity.ski)
            if not trusted["ok"]:
                raise RehearsalError(f"{serial} does not trust the energy manager: {trusted}")
            await manager.connect("127.0.0.1", port, label["SKI"], patience_s=_PATIENCE_S)
            if await manager.ship_id() != label["ID"]:
                raise RehearsalError(f"{serial} has another SHIP ID than its label")
            await manager.wait_usable("lpc", timeout_s=_PATIENCE_S)
            result = await manager.set_limit(_LIMIT_W, duration_s=900)
            if not result.ok:
                raise RehearsalError(f"{serial} refuses a limit: {result}")
            await manager.close()
        finally:
            await asyncio.to_thread(board.stop)
    return label["SKI"]


def check_records(folder: Path, count: int) -> "list[dict]":
    """Return the records of all boards; each is finished, and no key or number is there twice."""
    records = pilotwire(folder, "records")
    if len(records) != count or not all(each["finished"] for each in records):
        raise RehearsalError(f"not all boards are finished: {records}")
    for key in ("serial", "ski", "ship_id"):
        if len({each[key] for each in records}) != count:
            raise RehearsalError(f"two boards have the same {key}")
    return records


def rehearse(folder: Path, count: int, cut_after: "int | None" = None, say=print) -> None:
    """Provision, print, pair. Raise RehearsalError if anything goes wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    start = time.monotonic()
    before = {}
    if cut_after is not None:
        steps = provision(folder, count, cut_after)
        begun = pilotwire(folder, "records")
        before = {each["serial"]: each["ski"] for each in begun if each["ski"]}
        done = sum(each["event"] == "finished" for each in steps)
        say(f"cut after {cut_after} steps: {done} boards finished, {len(begun)} begun")
    provision(folder, count)
    records = check_records(folder, count)
    if any(each["ski"] != before.get(each["serial"], each["ski"]) for each in records):
        raise RehearsalError("a board has another key after the cut")
    say(f"{count} boards provisioned, {time.monotonic() - start:.1f} s")
    path = sheet(folder)
    if sorted(labels_on(path)) != sorted(each["qr"] for each in records):
        raise RehearsalError(f"a scanner finds other labels on {path} than were printed")
    pages = -(-count // SHEETS[_SHEET].count)
    say(f"{path}: {count} labels on {pages} sheet{'s' * (pages > 1)}, all read back")
    start = time.monotonic()
    for each in records:
        if asyncio.run(pair(folder, each["serial"])) != each["ski"]:
            raise RehearsalError(f"the label of {each['serial']} shows another key")
    say(f"{count} boards paired by their labels and limited, {time.monotonic() - start:.1f} s")


def main(arguments: "list[str] | None" = None) -> int:
    """Rehearse twice, the second time with a cut."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--boards", type=int, default=20, help="(%(default)s)")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / "build" / "line", help="is emptied (%(default)s)"
    )
    options = parser.parse_args(arguments)
    count = options.boards
    try:
        rehearse(options.folder / "whole", count)
        rehearse(options.folder / "cut", count, cut_after=count * 5 // 2)
    except RehearsalError as problem:
        print(f"line: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
