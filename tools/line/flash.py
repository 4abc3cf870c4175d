"""Firmware onto a board: esptool does it, this file says what and where, and shows progress.

Chip and address come from the image itself, whose first octets are the second-stage boot loader's
header; esptool then refuses a board with another chip. Nothing is erased beyond the image, so the
key of a board that is flashed again stays.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tools.line import LineError

_MAGIC = 0xE9
_CHIP_AT = 12  # little-endian chip number in the extended header
_CHIPS = {  # number: (esptool's name, address of the boot loader)
    0: ("esp32", 0x1000),
    2: ("esp32s2", 0x1000),
    5: ("esp32c3", 0),
    9: ("esp32s3", 0),
    13: ("esp32c6", 0),
}
_ESPTOOL = (sys.executable, "-m", "esptool")
_BAUD = 460_800
_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)\s*%")


def place(image: Path) -> "tuple[str, int]":
    """Return (chip, address) for an image. Raise LineError if it is none."""
    try:
        with image.open("rb") as file:
            header = file.read(24)
    except OSError as problem:
        raise LineError(f"{image} cannot be read: {problem.strerror}")
    if len(header) < 24 or header[0] != _MAGIC:
        raise LineError(f"{image} is no firmware image for ESP32 chips; make one: make firmware")
    number = int.from_bytes(header[_CHIP_AT : _CHIP_AT + 2], "little")
    if number not in _CHIPS:
        raise LineError(f"{image} is for a chip that the firmware does not run on ({number})")
    return _CHIPS[number]


def flash(
    port: str,
    image: Path,
    progress: "Callable[[float], None]",
    esptool: "tuple[str, ...]" = _ESPTOOL,
) -> None:
    """Write an image; `progress` is told the percentage. Raise LineError with esptool's reason."""
    chip, address = place(image)
    command = [*esptool, "--port", port, "--chip", chip, "--baud", str(_BAUD)]
    command += ["write-flash", hex(address), str(image)]
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as problem:
        raise LineError(f"esptool does not start: {problem.strerror}; make setup installs it")
    last = fatal = ""
    with process:
        try:
            for line in process.stdout:  # \r counts as a line's end, so progress comes as it goes
                percent = _PERCENT.search(line)
                if percent:
                    progress(float(percent[1]))
                elif line.strip():
                    last = line.strip()
                    fatal = fatal or last * ("fatal error" in last)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise LineError(
            f"flashing {port} failed: {fatal or last or 'esptool said nothing'} Check cable and "
            f"chip ({chip}); if it does not connect, hold BOOT while pressing RESET, then repeat"
        )
