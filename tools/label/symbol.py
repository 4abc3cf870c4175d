"""The QR code of a label: Model 2, error correction level L, byte mode, UTF-8 (SHIP 12, SRIP 3).

The modules come from segno. Its size is the smallest version that holds the text; the level is
kept at L even where a higher one would fit, as the rules name it. No ECI header is written:
readers of SHIP labels expect plain bytes.
"""

import segno

from tools.label.stock import LabelError

LEVEL = "L"
MODULE_MM = 0.33  # the smallest module that a label may have
QUIET = 4  # modules that stay white on each side (ISO/IEC 18004)


def modules(text: str) -> "list[bytes]":
    """Return the rows of the symbol, one octet a module, 1 is dark; without the quiet zone."""
    try:
        code = segno.make_qr(
            text, error=LEVEL, mode="byte", encoding="utf-8", eci=False, boost_error=False
        )
    except (segno.DataOverflowError, UnicodeError) as problem:
        raise LabelError(f"no QR code can hold this text: {problem}")
    return [bytes(row) for row in code.matrix]
