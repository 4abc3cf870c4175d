"""Read a label's QR code from a picture, by a reader that has nothing in common with the writer.

zxing-cpp decodes. Kind and error correction level are told as well, because the rules of SHIP
labels name them.
"""

from dataclasses import dataclass
from pathlib import Path

import zxingcpp
from PIL import Image, UnidentifiedImageError

from tools.label.stock import LabelError


@dataclass(frozen=True)
class Scan:
    """A QR code in a picture; `kind` as in ISO/IEC 15424, `]Q1` is Model 2."""

    text: str
    kind: str
    level: str


def scan(picture: "Image.Image") -> "list[Scan]":
    """Return all QR codes in a picture."""
    found = zxingcpp.read_barcodes(picture.convert("L"), formats=zxingcpp.BarcodeFormat.QRCode)
    return [Scan(code.text, code.symbology_identifier, code.ec_level) for code in found]


def scan_file(path: Path) -> str:
    """Return the text of the one QR code in a picture file. Raise LabelError."""
    try:
        with Image.open(path) as picture:
            found = scan(picture)
    except (OSError, UnidentifiedImageError) as problem:
        raise LabelError(f"{path} cannot be read as a picture: {problem}")
    if len(found) != 1:
        raise LabelError(f"{path} shows {len(found)} QR codes, not one")
    return found[0].text
