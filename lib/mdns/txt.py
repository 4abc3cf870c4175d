"""The TXT strings of a SHIP node: built for the responder, read by the browser's owner.

One string is `key=value` in UTF-8. We send them in the order that most deployed nodes use and
never with an empty value, because there are peers that reject the whole record for it; we accept
any order, empty values, keys we do not know, and an SKI with blanks or dashes.

Covers RFC 6763 6, SHIP 7.3.2 (IEC 63380-3 6.4.4.2, Tables 22 and 23), `ecc` of SHIP 1.1 and the
keys `serial` and `cat` of the requirements for the installation process (SRIP-220).
"""

from micropython import const

_RDATA_MAX = const(400)  # bytes, SHIP 7.3.2
_STRING_MAX = const(255)  # RFC 6763 6.1
_ID_MAX = const(63)  # Table 22
_TEXT_MAX = const(32)  # path in Table 22; brand, type, model in Table 23; serial
_SKI_DIGITS = const(40)
_CATEGORY_MAX = const(7)  # SRIP: 1 grid connection point hub ... 7 metering device
_PATH_DEFAULT = "/ship/"


def ship_strings(
    ship_id,
    ski,
    path=_PATH_DEFAULT,
    register=False,
    brand=None,
    model=None,
    device_type=None,
    serial=None,
    categories=(),
):
    """Return the strings (list of bytes) of a SHIP node, in the order to send them.

    `ski` is 40 hexadecimal digits, `categories` a sequence of ints from 1 to 7 (3 is e-mobility);
    what is None or empty is left out. Raises ValueError with the reason if a value breaks a limit.
    """
    ski = ski_text(ski)
    if not ski:
        raise ValueError("ski needs 40 hexadecimal digits")
    if not path.startswith("/"):
        raise ValueError("path needs a leading /")
    for category in categories:
        if not 1 <= category <= _CATEGORY_MAX:
            raise ValueError("cat %d is not 1 to 7" % category)
    if not ship_id:
        raise ValueError("id is empty")
    strings = []
    for key, value, limit in (
        ("txtvers", "1", 1),
        ("path", path, _TEXT_MAX),
        ("id", ship_id, _ID_MAX),
        ("ski", ski, _SKI_DIGITS),
        ("brand", brand, _TEXT_MAX),
        ("model", model, _TEXT_MAX),
        ("type", device_type, _TEXT_MAX),
        ("register", "true" if register else "false", _TEXT_MAX),
        ("serial", serial, _TEXT_MAX),
        ("cat", ",".join([str(category) for category in categories]), _TEXT_MAX),
    ):
        if value:
            strings.append(_string(key, value, limit))
    strings.append(b"ecc=false")  # SHIP 1.1: no curves besides secp256r1
    encode(strings)
    return strings


def encode(strings):
    """Return the TXT RDATA made of `strings` (bytes). Raises ValueError beyond 400 bytes."""
    rdata = bytearray()
    for string in strings:
        if not 0 < len(string) <= _STRING_MAX:
            raise ValueError("TXT string of %d bytes; 1 to %d fit" % (len(string), _STRING_MAX))
        rdata.append(len(string))
        rdata += string
    if len(rdata) > _RDATA_MAX:
        raise ValueError("TXT record of %d bytes; %d are allowed" % (len(rdata), _RDATA_MAX))
    return bytes(rdata) or b"\x00"  # RFC 6763 6.1: at least one string


def parse(rdata):
    """Return the keys (lower case) and values of a SHIP node's TXT RDATA as a dict of str.

    `ski` comes as 40 lower-case digits; `path` and `register` are there in any case. Returns None
    for a record to ignore: `txtvers` other than 1, no `id`, no usable `ski`, not UTF-8.
    """
    keys = {}
    at = 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        try:
            key, _, value = str(bytes(rdata[at + 1 : end]), "utf-8").partition("=")
        except UnicodeError:
            return None
        key = key.lower()
        if key and key not in keys:  # RFC 6763 6.4: the first one counts
            keys[key] = value
        at = end
    keys["ski"] = ski_text(keys.get("ski", ""))
    if keys.get("txtvers") != "1" or not keys.get("id") or not keys["ski"]:
        return None
    if not keys.get("path"):
        keys["path"] = _PATH_DEFAULT
    keys["register"] = "true" if keys.get("register", "").lower() == "true" else "false"
    return keys


def ski_text(text):
    """Return an SKI as 40 lower-case digits, or None; blanks and dashes do not count."""
    text = text.replace(" ", "").replace("-", "").lower()
    if len(text) != _SKI_DIGITS:
        return None
    for digit in text:
        if digit not in "0123456789abcdef":
            return None
    return text


def _string(key, value, limit):
    text = value.encode()
    if len(text) > limit:
        raise ValueError("%s has %d bytes; %d are allowed" % (key, len(text), limit))
    for character in value:
        if _is_forbidden(ord(character)):
            raise ValueError("%s has the forbidden character %r" % (key, character))
    return key.encode() + b"=" + text


def _is_forbidden(code):
    """Semicolon, control, format and separator characters other than the blank (SRIP-220)."""
    return (
        code == 0x3B
        or code < 0x20
        or 0x7F <= code <= 0xA0
        or code == 0xAD
        or 0x2000 <= code <= 0x200F
        or 0x2028 <= code <= 0x202F
        or 0x205F <= code <= 0x206F
        or code == 0x3000
        or code == 0xFEFF
    )
