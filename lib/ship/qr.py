"""Text of the QR code on a SHIP node's label: writer and reader.

Covers SHIP 12 / SRIP 3 (IEC 63380-3 6.9.7). Knows the text only; the symbol (Model 2, level L,
byte mode, UTF-8) is drawn by whoever prints it. Fields are a dict from key to text, with the
keys as on the label: `{"SKI": …, "ID": …, "BRAND": …}`.

The writer is strict. The reader takes any order of keys, either case of digits, digits with or
without blanks, unknown keys (which it drops) and a missing `ENDSHIP;`.
"""

from micropython import const

from ship.ski import group, is_hex, parse_ski

_START = const("SHIP;")
_END = const("ENDSHIP")
# In the order of the label. BSKI to CERTB2URL are of SHIP 1.1, FPH256 and SPSEC of the pairing
# service.
_KEYS = const(
    (
        "SKI",
        "PIN",
        "ID",
        "BRAND",
        "TYPE",
        "MODEL",
        "BSKI",
        "B2SKI",
        "PKEY",
        "PBKEY",
        "PB2KEY",
        "CERTURL",
        "CERTBURL",
        "CERTB2URL",
        "SERIAL",
        "CAT",
        "NOMINALPOWER",
        "FPH256",
        "SPSEC",
    )
)
_MAX_OCTETS = const(2953)  # what the largest symbol of level L holds in byte mode
_MIN_PIN = const(8)
_MAX_PIN = const(16)


def write(fields: dict) -> str:
    """Return the text of a label; fields with an empty value are left out.

    Raise ValueError for a key that the label does not have, a missing SKI or ID, a malformed
    SKI or PIN, a value with `;` or a control character, and a text that no symbol can hold.
    """
    for key in fields:
        if key not in _KEYS:
            raise ValueError("unknown field of a QR text")
    if not fields.get("SKI") or not fields.get("ID"):
        raise ValueError("a QR text needs SKI and ID")
    text = _START
    for key in _KEYS:
        value = fields.get(key)
        if value:
            text += key + ":" + _checked(key, value) + ";"
    text += _END + ";"
    if len(text.encode()) > _MAX_OCTETS:
        raise ValueError("QR text is too long")
    return text


def read(text: str) -> dict:
    """Return the known fields of a label; SKI and PIN as lower-case digits without blanks.

    Raise ValueError if it is not a SHIP label, has no SKI, a malformed SKI or PIN, or a key
    twice, or if it is longer than any symbol. An ID may be missing: the SKI is what trust needs.
    """
    if len(text.encode()) > _MAX_OCTETS:
        raise ValueError("QR text is too long")
    text = text.strip()
    if not text.startswith(_START):
        raise ValueError("not a SHIP label")
    fields = {}
    for part in text[len(_START) :].split(";"):
        key, colon, value = part.partition(":")
        if key == _END and not colon:
            break
        if key in fields:
            raise ValueError("field of a QR text is there twice")
        if colon and key in _KEYS:
            fields[key] = value
    if "SKI" not in fields:
        raise ValueError("a QR text needs a SKI")
    fields["SKI"] = parse_ski(fields["SKI"])
    if "PIN" in fields:
        fields["PIN"] = parse_pin(fields["PIN"])
    return fields


def parse_pin(text: str) -> str:
    """Return the lower-case digits of a PIN as people write it (SHIP 12.5); ValueError if none."""
    digits = text.replace(" ", "").replace("-", "").lower()
    if not _MIN_PIN <= len(digits) <= _MAX_PIN or not is_hex(digits):
        raise ValueError("a PIN has 8 to 16 hexadecimal digits")
    return digits


def _checked(key, value):
    """Return the value as it is written on the label."""
    if key == "SKI":
        return group(parse_ski(value)).upper()
    if key == "PIN":
        return group(parse_pin(value)).upper()
    for character in value:
        if character == ";" or ord(character) < 0x20:
            raise ValueError("value of a QR text has a character that it must not have")
    return value
