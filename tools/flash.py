"""Write a whole image to a board's flash with esptool, after looking whether it belongs there.

    python -m tools.flash --port /dev/ttyUSB0 --image ESP32_GENERIC_S3-v1.26.0.bin
    python -m tools.flash --image build/firmware/esp32_s3/firmware.bin --board esp32_s3 --dry-run

The image is MicroPython's own, to be followed by `make deploy`, or that of `make firmware`. State
in the flash behind it (identity, peers, settings) stays unless --erase is given. The exit status
is 0 if the image is in the flash and was read back, 1 if not.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

import serial
from serial.tools import list_ports

from tools import outcome
from tools.board_facts import BoardError, chip_of, plain
from tools.esp_image import Image, ImageError, parse
from tools.romfs import ROOT

_BAUD = 460_800


class FlashError(Exception):
    """The image cannot be written there; the text says why."""


class Chip:
    """A chip in its bootloader, driven by esptool; a context manager. At the end it is reset."""

    def __init__(self, port: str, baud: int):
        self.port = port
        self._baud = baud
        self._esp = None
        self.name = ""
        self.flash_size = 0

    def __enter__(self) -> "Chip":
        from esptool import cmds
        from esptool.util import flash_size_bytes

        with _told(self.port):
            self._esp = cmds.detect_chip(self.port)
            self._esp = cmds.run_stub(self._esp)
            if self._baud != self._esp.ESP_ROM_BAUD:
                self._esp.change_baud(self._baud)
            cmds.attach_flash(self._esp)
            self.name = self._esp.CHIP_NAME
            self.flash_size = flash_size_bytes(cmds.detect_flash_size(self._esp)) or 0
        return self

    def __exit__(self, *_) -> None:
        from esptool import cmds

        if self._esp:
            with contextlib.suppress(Exception):
                cmds.reset_chip(self._esp, "hard-reset")
            with contextlib.suppress(Exception):
                self._esp._port.close()

    def write(self, offset: int, data: bytes, is_erased: bool) -> None:
        """Write and read back, with esptool's own progress bar."""
        from esptool import cmds

        with _told(self.port):
            cmds.write_flash(self._esp, [(offset, data)], erase_all=is_erased)


@contextlib.contextmanager
def _told(port: str):
    """Turn what the port and esptool raise into sentences."""
    from esptool.util import FatalError

    try:
        yield
    except (FatalError, serial.SerialException, OSError) as problem:
        first = str(problem).strip().partition("\n")[0].rstrip(".")
        raise FlashError(
            f"{port}: {first}. Is it the right port, and is no other program using it? Some "
            "boards must be brought into their bootloader by hand: hold BOOT, press RESET"
        ) from None


def load(path: Path, board: "str | None") -> tuple[Image, bytes]:
    """Read an image and check that it is one, for the board if that is given.

    Raises FlashError, BoardError.
    """
    try:
        data = path.read_bytes()
        image = parse(data)
    except OSError as problem:
        raise FlashError(f"{path}: {problem.strerror}") from None
    except ImageError as problem:
        raise FlashError(f"{path} cannot be flashed: {problem}") from None
    chip = chip_of(board, ROOT) if board else image.chip
    if plain(chip or "") != plain(image.chip):
        made_for = chip or "a computer"
        raise FlashError(f"{path} is for {image.chip}; boards/{board} is made for {made_for}")
    return image, data


def check(chip: Chip, image: Image) -> None:
    """Refuse another chip, and a flash that is too small. Raises FlashError."""
    if plain(chip.name) != plain(image.chip):
        raise FlashError(f"the chip at {chip.port} is {chip.name}, the image is for {image.chip}")
    if not chip.flash_size:
        raise FlashError(f"the size of the flash at {chip.port} is not known to esptool")
    if chip.flash_size < image.flash_size:
        raise FlashError(
            f"the flash is too small: the image with its partitions takes "
            f"{_mib(image.flash_size)}, the board has {_mib(chip.flash_size)}"
        )


def _mib(size: int) -> str:
    return f"{size / (1 << 20):.4g} MiB"


def flash(options: argparse.Namespace) -> dict:
    """Do what the command line says; return what was done. Raises as `load` does."""
    image, data = load(options.image, options.board)
    report = {
        "ok": True,
        "image": str(options.image),
        "chip": image.chip,
        "offset": image.start,
        "size": image.size,
        "flash_size": image.flash_size,
        "partitions": {part.name: [part.offset, part.size] for part in image.partitions},
        "written": False,
    }
    if not options.port:
        return report
    if not os.path.exists(options.port):
        found = ", ".join(port.device for port in list_ports.comports())
        raise FlashError(
            f"there is no port {options.port}; "
            + (f"there are: {found}" if found else "no board is connected to this computer")
        )
    with Chip(options.port, options.baud) as chip:
        check(chip, image)
        if not options.dry_run:
            chip.write(image.start, data, options.erase)
            report["written"] = True
    return report


def _print_report(report: dict) -> None:
    print(f"{report['image']}: {report['size']} bytes for {report['chip']}")
    for name, (offset, size) in report["partitions"].items():
        print(f"  {name:16} at {offset:#8x}  {size // 1024:6} KiB")
    what = "is in the flash and starts" if report["written"] else "would be written"
    print(f"it {what}, from {report['offset']:#x} on")


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="flash", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--port", help="serial port of the board, such as /dev/ttyUSB0")
    parser.add_argument("--image", type=Path, required=True, help="the whole image, a .bin file")
    parser.add_argument("--board", help="folder in boards/ that the image must be made for")
    parser.add_argument("--baud", type=int, default=_BAUD, help="speed (default: %(default)s)")
    parser.add_argument("--erase", action="store_true", help="erase everything, also the state")
    parser.add_argument("--dry-run", action="store_true", help="check, write nothing")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.parse_args(arguments)
    if not options.port and not options.dry_run:
        parser.error("which port? make flash PORT=/dev/ttyUSB0 IMAGE=...")
    errors = (FlashError, BoardError)
    return outcome.run("flash", lambda: _quietly(options), errors, options.json, _print_report)


def _quietly(options):
    """Flash; esptool tells what it does on stdout, but that is for the result."""
    with contextlib.redirect_stdout(sys.stderr):
        return flash(options)


if __name__ == "__main__":
    sys.exit(main())
