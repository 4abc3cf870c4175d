"""Label stock: sizes of single labels, and A4 sheets of them.

A size may also be written as `WIDTHxHEIGHT` in millimetres. The sheets are made by several makers
under these part numbers; margins follow from the symmetry of the sheet.
"""

import re
from dataclasses import dataclass

MAX_MM = 300.0
A4_MM = (210.0, 297.0)

# width, height in mm of what label printers take on rolls
SIZES = {
    "50x25": (50.0, 25.0),
    "50x30": (50.0, 30.0),
    "57x32": (57.0, 32.0),
    "62x29": (62.0, 29.0),
    "76x51": (76.0, 51.0),
    "89x36": (89.0, 36.0),
    "100x50": (100.0, 50.0),
}
DEFAULT_SIZE = "50x30"


class LabelError(ValueError):
    """A label that cannot be made; the text says why and what would do."""


@dataclass(frozen=True)
class Sheet:
    """An A4 sheet of labels; lengths in mm, the pitch is from edge to edge."""

    text: str
    width_mm: float
    height_mm: float
    columns: int
    rows: int
    pitch_x_mm: float
    pitch_y_mm: float

    @property
    def count(self) -> int:
        """Labels on a sheet."""
        return self.columns * self.rows

    def place(self, index: int) -> "tuple[float, float]":
        """Return the upper left corner of a label in mm; they are counted row by row."""
        left = (A4_MM[0] - self.width_mm - (self.columns - 1) * self.pitch_x_mm) / 2
        top = (A4_MM[1] - self.height_mm - (self.rows - 1) * self.pitch_y_mm) / 2
        row, column = divmod(index, self.columns)
        return left + column * self.pitch_x_mm, top + row * self.pitch_y_mm


SHEETS = {
    "L6009": Sheet("polyester, for type plates", 45.7, 21.2, 4, 12, 48.3, 21.2),
    "L6011": Sheet("polyester, for type plates", 63.5, 29.6, 3, 9, 66.0, 29.6),
    "L7160": Sheet("paper", 63.5, 38.1, 3, 7, 66.0, 38.1),
    "L7163": Sheet("paper", 99.1, 38.1, 2, 7, 101.6, 38.1),
    "3474": Sheet("paper, without margins", 70.0, 37.0, 3, 8, 70.0, 37.0),
}
DEFAULT_SHEET = "L6011"


def parse_size(text: str) -> "tuple[float, float]":
    """Return (width, height) in mm. Raise LabelError for what is no size."""
    if text in SIZES:
        return SIZES[text]
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)x(\d{1,3}(?:\.\d+)?)", text)
    size = tuple(float(part) for part in match.groups()) if match else (0.0, 0.0)
    if not all(5 <= length <= MAX_MM for length in size):
        names = ", ".join(SIZES)
        raise LabelError(
            f"{text!r} is no label size: WIDTHxHEIGHT in millimetres, such as {names}"
        )
    return size


def parse_sheet(text: str) -> Sheet:
    """Return the sheet of this part number. Raise LabelError if it is not known."""
    if text not in SHEETS:
        raise LabelError(f"{text!r} is no known sheet; known are {', '.join(SHEETS)}")
    return SHEETS[text]
