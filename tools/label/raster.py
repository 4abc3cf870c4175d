"""Designs in a printer's dots: one-bit PNG, and ZPL for label printers.

A module is a whole number of dots, the smallest with at least 0.33 mm: 3 at 203 dots an inch
(0.375 mm), 4 at 300 (0.339 mm), 8 at 600. ZPL carries the same bitmap (`^GFA`), so what prints is
what was looked at, whatever fonts and QR encoder a printer has.
"""

import io
import math
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

from tools.label import fonts, symbol
from tools.label.design import Design, design
from tools.label.stock import LabelError

RESOLUTIONS_DPI = (203, 300, 600)  # of label printers
_MM_AN_INCH = 25.4


def design_in_dots(
    qr_text: str, size_mm: "tuple[float, float]", dpi: int, font: "Path | None" = None
) -> Design:
    """Lay out a label whose modules are whole dots. Raises LabelError."""
    if dpi not in RESOLUTIONS_DPI:
        raise LabelError(f"{dpi} dots an inch; label printers have {RESOLUTIONS_DPI}")
    dots = math.ceil(symbol.MODULE_MM * dpi / _MM_AN_INCH)
    return design(qr_text, size_mm, dots * _MM_AN_INCH / dpi, font)


def bitmap(label: Design, dpi: int) -> Image.Image:
    """Return a label of `design_in_dots` as a one-bit picture, 0 is black."""

    def dots(length_mm: float) -> int:
        return round(length_mm * dpi / _MM_AN_INCH)

    picture = Image.new("1", (dots(label.width_mm), dots(label.height_mm)), 1)
    draw = ImageDraw.Draw(picture)
    module, left, top = dots(label.module_mm), dots(label.x_mm), dots(label.y_mm)
    for row, line in enumerate(label.modules):
        for column, is_dark in enumerate(line):
            if is_dark:
                x, y = left + column * module, top + row * module
                draw.rectangle((x, y, x + module - 1, y + module - 1), fill=0)
    for text in label.texts:
        path = str(fonts.face(text.face, label.font).path)
        font = ImageFont.truetype(path, text.em_mm * dpi / _MM_AN_INCH)
        place = (dots(text.x_mm), dots(text.baseline_mm))
        draw.text(place, text.text, font=font, fill=0, anchor="ls")
    return picture


def png(label: Design, dpi: int) -> bytes:
    """Return a label as a PNG file that knows its resolution."""
    file = io.BytesIO()
    bitmap(label, dpi).save(file, "PNG", dpi=(dpi, dpi))
    return file.getvalue()


def zpl(label: Design, dpi: int) -> bytes:
    """Return a label as a ZPL II job that prints it once."""
    picture = bitmap(label, dpi)
    width, height = picture.size
    row_octets = (width + 7) // 8
    # In ZPL 1 is black. Pillow fills the last octet of a row with zeros, which are white there.
    octets = ImageChops.invert(picture.convert("L")).convert("1").tobytes()
    total = row_octets * height
    return (
        f"^XA\n^PW{width}\n^LL{height}\n^LH0,0\n"
        f"^FO0,0^GFA,{total},{total},{row_octets},{octets.hex().upper()}^FS\n"
        "^PQ1\n^XZ\n"
    ).encode("ascii")
