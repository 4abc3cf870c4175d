"""What a board says of its chip, and how everybody else writes the chips' names.

A board says it with `CHIP` in its class, as in "ESP32-S3". MicroPython tells its own chip without
the dash, esptool in small letters, and an image has a number in its header. A board without `CHIP`
runs on a computer.
"""

import ast
from pathlib import Path

# From Espressif's image format: chip_id of the extended header
IMAGE_IDS = {
    "ESP32": 0,
    "ESP32-S2": 2,
    "ESP32-C3": 5,
    "ESP32-S3": 9,
    "ESP32-C2": 12,
    "ESP32-C6": 13,
    "ESP32-H2": 16,
    "ESP32-P4": 18,
    "ESP32-C5": 23,
}


class BoardError(Exception):
    """There is no such board, or it says nothing useful; the text is for the user."""


def chip_of(board: str, root: Path) -> "str | None":
    """Return the chip of boards/<board>, None if it runs on a computer. Raises BoardError."""
    chip = constant_of(board, root, "CHIP")
    if chip is not None and chip not in IMAGE_IDS:
        known = ", ".join(IMAGE_IDS)
        raise BoardError(f"boards/{board} has CHIP {chip!r}; known are: {known}")
    return chip


def constant_of(board: str, root: Path, name: str):
    """Return what a board's class says in a line `NAME = ...`, None if it does not.

    Without running it: it imports what only a board has. Raises BoardError.
    """
    file = root / "boards" / board / "board.py"
    if not file.is_file():
        found = sorted(path.parent.name for path in (root / "boards").glob("*/board.py"))
        raise BoardError(f"no such board: boards/{board}; there are: {', '.join(found)}")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id == name and isinstance(node.value, ast.Constant):
                return node.value.value
    return None


def plain(name: str) -> str:
    """Return the name as it is compared: "esp32s3" for all spellings."""
    return name.lower().replace("-", "").replace(" ", "")


def named(image_id: int) -> str:
    """Return the chip of an image's header."""
    for name, number in IMAGE_IDS.items():
        if number == image_id:
            return name
    return f"a chip with the number {image_id}"
