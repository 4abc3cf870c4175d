"""Build the product's image for a board: MicroPython with the firmware frozen into it.

    python -m tools.firmware --board esp32_s3 --micropython ~/micropython
    python -m tools.firmware --board esp32_s3 --dry-run     the board definition and the command

Needs two things that are not fetched here: MicroPython's source tree, 1.25 or newer, by
--micropython or the variable MICROPYTHON, and ESP-IDF, 5.3 or newer, with its `export.sh` read
into the shell. Nothing is written into either but what their own builds write.

    build/firmware/<board>/board/            the board definition (tools/board_definition.py)
    build/firmware/<board>/firmware.bin      for `make flash`
    build/firmware/<board>/application.bin   for one of the two slots
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections import deque
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tools import board_definition, outcome, romfs
from tools.board_facts import BoardError
from tools.esp_image import ImageError, parse
from tools.micropython import OLDEST

ROOT = romfs.ROOT
OLDEST_IDF = (5, 3)
_STEP = re.compile(r"^\[(\d+)/(\d+)\]")  # as ninja counts
_TAIL = 30  # lines that are shown of a build that failed


class FirmwareError(Exception):
    """The image cannot be built; the text says why and what to do."""


def find_tree(given: "str | None") -> Path:
    """Return MicroPython's tree. Raises FirmwareError."""
    where = given or os.environ.get("MICROPYTHON")
    how = (
        "clone its repository at v1.26.1 or another release, then "
        "make firmware BOARD=... MICROPYTHON=/path/to/micropython"
    )
    if not where:
        raise FirmwareError(f"MicroPython's source tree is needed: {how}")
    tree = Path(where).expanduser().resolve()
    header = tree / "py" / "mpconfig.h"
    if not (tree / "ports" / "esp32" / "Makefile").is_file() or not header.is_file():
        raise FirmwareError(f"{tree} is not MicroPython's source tree: {how}")
    found = re.findall(r"#define MICROPY_VERSION_M(?:AJ|IN)OR\s+(\d+)", header.read_text())
    if tuple(map(int, found)) < OLDEST:
        have = ".".join(found)
        raise FirmwareError(
            f"{tree} is {have}; {OLDEST[0]}.{OLDEST[1]} is the oldest that will do"
        )
    return tree


def check_idf() -> None:
    """Raise FirmwareError unless ESP-IDF can be used."""
    path = os.environ.get("IDF_PATH")
    how = (
        'install it as Espressif\'s "Get Started" says, then in this shell: '
        ". /path/to/esp-idf/export.sh"
    )
    if not path or not shutil.which("idf.py"):
        raise FirmwareError(f"ESP-IDF is needed: {how}")
    file = Path(path) / "tools" / "cmake" / "version.cmake"
    if not file.is_file():
        raise FirmwareError(f"IDF_PATH is {path}, where there is no ESP-IDF: {how}")
    found = re.findall(r"IDF_VERSION_M(?:AJ|IN)OR\s+(\d+)", file.read_text())
    if tuple(map(int, found)) < OLDEST_IDF:
        have = ".".join(found)
        raise FirmwareError(
            f"ESP-IDF {have} is in {path}; {OLDEST_IDF[0]}.{OLDEST_IDF[1]} is the oldest that "
            "will do"
        )


def define(board: str, tree: "Path | None", root: Path = ROOT) -> Path:
    """Write the board definition and the sources to freeze; return the definition's folder.

    Raises BoardError, RomfsError.
    """
    folder = root / "build" / "firmware" / board / "board"
    folder.mkdir(parents=True, exist_ok=True)
    romfs.compile_bundle(board, root)
    board_definition.write(folder, board, root / "build" / "bundle" / board, tree, root)
    return folder


def command(folder: Path, tree: "Path | None", board: str) -> list[str]:
    """Return the command that builds the image."""
    port = (tree or Path("$MICROPYTHON")) / "ports" / "esp32"
    return [
        *("make", "-C", str(port), f"BOARD=PILOTWIRE_{board.upper()}"),
        *(f"BOARD_DIR={folder}", f"BUILD={folder.parent / 'build'}", "submodules", "all"),
    ]


def build(words: list[str], out: Console) -> None:
    """Run the command with a progress bar. Raises FirmwareError with the end of its output."""
    tail = deque(maxlen=_TAIL)
    columns = (TextColumn("building"), BarColumn(), TextColumn("{task.fields[at]}"))
    with Progress(*columns, TimeElapsedColumn(), console=out, disable=not out.is_terminal) as bar:
        task = bar.add_task("", total=None, at="")
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        ) as process:
            for line in process.stdout:
                tail.append(line.rstrip())
                step = _STEP.match(line)
                if step:
                    done, total = map(int, step.groups())
                    bar.update(task, completed=done, total=total, at=f"{done}/{total}")
    if process.returncode:
        raise FirmwareError("the build failed:\n" + "\n".join(tail))


def collect(folder: Path, board: str, root: Path = ROOT) -> dict:
    """Copy what was built to its place, check it, return sizes. Raises FirmwareError."""
    target = folder.parent
    made = target / "build"
    try:
        shutil.copyfile(made / "firmware.bin", target / "firmware.bin")
        shutil.copyfile(made / "micropython.bin", target / "application.bin")
        image = parse((target / "firmware.bin").read_bytes())
    except (OSError, ImageError) as problem:
        raise FirmwareError(f"the build ended without a whole image: {problem}") from None
    chip = board_definition.chip_of(board, root)
    if image.chip != chip:
        raise FirmwareError(f"an image for {image.chip} came out, not for {chip}")
    application = (target / "application.bin").stat().st_size
    flash = board_definition.flash_mib(board, root)
    slot = next(row.size for row in board_definition.partitions(flash) if row.kind == "app")
    if application > slot:
        raise FirmwareError(f"the application has {application} bytes, a slot {slot}")
    return {
        "image": str(target / "firmware.bin"),
        "image_bytes": image.size,
        "application": str(target / "application.bin"),
        "application_bytes": application,
        "slot_bytes": slot,
    }


def make(options: argparse.Namespace, out: Console) -> dict:
    """Do what the command line says; return what was done."""
    report = {"ok": True, "board": options.board}
    if options.dry_run:
        try:
            tree = find_tree(options.micropython)
        except FirmwareError as problem:
            tree = None
            out.print(f"missing: {problem}")
        folder = define(options.board, tree)
        return {
            **report,
            "definition": str(folder),
            "command": command(folder, tree, options.board),
        }
    tree = find_tree(options.micropython)
    check_idf()
    folder = define(options.board, tree)
    words = command(folder, tree, options.board)
    build(words, out)
    return {
        **report,
        "definition": str(folder),
        "command": words,
        **collect(folder, options.board),
    }


def _print_report(report: dict) -> None:
    print("board definition: " + report["definition"])
    if "image" not in report:
        print("would run: " + " ".join(report["command"]))
        return
    print(f"{report['image']}: {report['image_bytes']} bytes")
    print(
        f"{report['application']}: {report['application_bytes']} bytes of "
        f"{report['slot_bytes']} in a slot"
    )
    print(f"make flash PORT=... IMAGE={report['image']} BOARD={report['board']}")


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="firmware", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--board", required=True, help="folder in boards/")
    parser.add_argument("--micropython", help="MicroPython's source tree (default: $MICROPYTHON)")
    parser.add_argument("--dry-run", action="store_true", help="only the board definition")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    out = Console(stderr=True, highlight=False, soft_wrap=True)
    errors = (FirmwareError, BoardError, romfs.RomfsError, OSError)
    return outcome.run("firmware", lambda: make(options, out), errors, options.json, _print_report)


if __name__ == "__main__":
    sys.exit(main())
