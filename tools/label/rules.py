"""The rules of the text in a label's QR code (SHIP 12, SRIP 3), checked before it is printed.

Readers forgive much, a label that is printed a thousand times should not need it. This is written
apart from the writer on the board (lib/ship/qr.py), so that a mistake there does not go unseen.
Blanks inside brand, type and model are taken, though one reading of SRIP-220 forbids them.
"""

import re
import unicodedata

from tools.label.stock import LabelError

_START = "SHIP;"
_END = "ENDSHIP;"
_MAX_TEXT = 32  # octets, as in the TXT record
_MAX_ID = 63
_MANDATORY = ("SKI", "ID", "BRAND", "MODEL", "SERIAL", "CAT")

_GROUPED_SKI = ("([0-9A-F]{4} ){9}[0-9A-F]{4}", "40 upper-case hexadecimal digits, four a group")
_FREE = (".+", "a text")
_URL = (r"https?://\S+", "a URL")

# In the order of the label: pattern of the value, and how to say it.
_FIELDS = {
    "SKI": _GROUPED_SKI,
    "PIN": (
        "([0-9A-F]{4} ){1,3}[0-9A-F]{1,4}",
        "8 to 16 upper-case hexadecimal digits, four a group",
    ),
    "ID": _FREE,
    "BRAND": _FREE,
    "TYPE": _FREE,
    "MODEL": _FREE,
    "BSKI": _GROUPED_SKI,
    "B2SKI": _GROUPED_SKI,
    "PKEY": _FREE,
    "PBKEY": _FREE,
    "PB2KEY": _FREE,
    "CERTURL": _URL,
    "CERTBURL": _URL,
    "CERTB2URL": _URL,
    "SERIAL": _FREE,
    "CAT": (r"[1-9]\d?(,[1-9]\d?)*", "numbers of categories, separated by commas"),
    "NOMINALPOWER": (
        r"(0|-[1-9]\d*),(0|[1-9]\d*)",
        "the largest production (0 or less) and consumption (0 or more) in W",
    ),
    "FPH256": ("[0-9A-F]{64}", "64 upper-case hexadecimal digits"),
    "SPSEC": ("[0-9A-F]{32}", "32 upper-case hexadecimal digits"),
}
_LIMITS = {"ID": _MAX_ID, **dict.fromkeys(("BRAND", "TYPE", "MODEL", "SERIAL"), _MAX_TEXT)}


def check(text: str) -> "dict[str, str]":
    """Return the fields as written. Raise LabelError that names every broken rule."""
    if not text.startswith(_START) or not text.endswith(_END):
        raise LabelError(f"no text of a SHIP label: it begins with {_START} and ends with {_END}")
    parts = [part.partition(":") for part in text[len(_START) : -len(_END)].split(";")[:-1]]
    fields = {key: value for key, _, value in parts}
    keys = [key for key, _, _ in parts]
    broken = [f"{key} is no field of a label" for key in keys if key not in _FIELDS]
    broken += [f"{key} is missing" for key in _MANDATORY if key not in fields]
    if len(set(keys)) < len(keys):
        broken.append("a field is there twice")
    if not broken and keys != [key for key in _FIELDS if key in fields]:
        broken.append("the fields are not in the order " + ", ".join(_FIELDS))
    for key, value in fields.items():
        broken += _broken(key, value)
    if broken:
        raise LabelError("the QR text breaks the rules of SHIP labels: " + "; ".join(broken))
    return fields


def _broken(key: str, value: str) -> "list[str]":
    """Return what is wrong with a value."""
    pattern, what = _FIELDS.get(key, _FREE)
    broken = []
    if not re.fullmatch(pattern, value, re.DOTALL) or not value.strip():
        broken.append(f"{key} is {what}, not {value!r}")
    limit = _LIMITS.get(key)
    if limit and len(value.encode()) > limit:
        broken.append(f"{key} has more than {limit} octets")
    if any(unicodedata.category(letter)[0] in "CZ" and letter != " " for letter in value):
        broken.append(f"{key} has a control or separator character")
    if key == "PIN" and not 8 <= len(value.replace(" ", "")) <= 16:
        broken.append("a PIN has 8 to 16 digits")
    return broken
