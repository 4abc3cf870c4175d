"""Writes a node's self-signed X.509 v3 certificate and its private key in DER.

Covers SHIP 12.1 and 12.2 (IEC 63380-3 6.9.1) in the profile of RFC 5280; the key is the
ECPrivateKey of SEC 1 C.4 (RFC 5915). Both are what mbedTLS's and OpenSSL's loaders take. This
writes exactly these two structures and reads nothing but its own key; reading a peer's
certificate is `ship.ski`'s work.

Constant parts are ready-made octets, spelled out beside them; `_element` does the rest.

There is no ExtendedKeyUsage: peers in the field do not send it, and without it both roles of
TLS are allowed.
"""

import hashlib

from micropython import const

from ship.p256 import sign
from ship.ski import ski_of_point

_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_OCTET_STRING = const(0x04)
_UTF8_STRING = const(0x0C)
_SEQUENCE = const(0x30)
_SET = const(0x31)
_TAG_0 = const(0xA0)
_TAG_1 = const(0xA1)
_TAG_3 = const(0xA3)

_VERSION_3 = const(b"\xa0\x03\x02\x01\x02")
_ECDSA_WITH_SHA256 = const(b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02")
_PRIME256V1 = const(b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")
_EC_PUBLIC_KEY_P256 = const(
    b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
)
# No clock is needed to make a certificate, and none has to be right to accept it (SHIP 12.1.1).
# RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050 on
_VALIDITY = const(b"\x30\x20\x17\x0d200101000000Z\x18\x0f20991231235959Z")
_COMMON_NAME = const(b"\x06\x03\x55\x04\x03")
_ORGANISATION = const(b"\x06\x03\x55\x04\x0a")
_SUBJECT_KEY_IDENTIFIER = const(b"\x06\x03\x55\x1d\x0e")  # not critical
# critical, CA:FALSE
_BASIC_CONSTRAINTS = const(b"\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00")
# critical, digitalSignature
_KEY_USAGE = const(b"\x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80")

_SCALAR_OCTETS = const(32)
_POINT_OCTETS = const(65)
_KEY_AT = const(7)  # where the scalar stands in our ECPrivateKey
_SERIAL_OCTETS = const(16)
_MAX_NAME = const(64)  # characters, RFC 5280 A.1 ub-common-name and ub-organization-name


def name(common_name: str, organisation: str = "") -> bytes:
    """Return the DER Name of a node; an empty organisation is left out.

    Raise ValueError if the common name is empty or a part is longer than 64 characters.
    """
    if not common_name:
        raise ValueError("a certificate needs a common name")
    parts = _name_part(_ORGANISATION, organisation) if organisation else b""
    return _element(_SEQUENCE, parts, _name_part(_COMMON_NAME, common_name))


def private_key_der(private_key: int, point: bytes) -> bytes:
    """Return the DER ECPrivateKey of a key pair; `point` is the 65-octet public key."""
    return _element(
        _SEQUENCE,
        _integer(1),
        _element(_OCTET_STRING, private_key.to_bytes(_SCALAR_OCTETS, "big")),
        _element(_TAG_0, _PRIME256V1),
        _element(_TAG_1, _bit_string(point)),
    )


def read_private_key(der: bytes):
    """Return (private key, point) of what `private_key_der` wrote, or raise ValueError."""
    point = bytes(der[-_POINT_OCTETS:])
    key = int.from_bytes(der[_KEY_AT : _KEY_AT + _SCALAR_OCTETS], "big")
    if not key or private_key_der(key, point) != der:
        raise ValueError("not a key of this module")
    return key, point


def self_signed(private_key: int, point: bytes, node_name: bytes, urandom):
    """Generate the DER certificate of a key pair in slices (see `ship.p256`).

    `node_name` is what `name` gave; `urandom` gives the serial number; a poor
    source does not endanger the key here.
    """
    subject_key_identifier = _element(
        _SEQUENCE,
        _SUBJECT_KEY_IDENTIFIER,
        _element(_OCTET_STRING, _element(_OCTET_STRING, ski_of_point(point))),
    )
    to_be_signed = _element(
        _SEQUENCE,
        _VERSION_3,
        _integer(_serial_number(urandom)),
        _ECDSA_WITH_SHA256,
        node_name,  # issuer
        _VALIDITY,
        node_name,  # subject
        _element(_SEQUENCE, _EC_PUBLIC_KEY_P256, _bit_string(point)),
        _element(
            _TAG_3,
            _element(_SEQUENCE, subject_key_identifier, _BASIC_CONSTRAINTS, _KEY_USAGE),
        ),
    )
    digest = hashlib.sha256(to_be_signed).digest()
    r, s = yield from sign(private_key, digest, urandom(_SCALAR_OCTETS))
    signature = _element(_SEQUENCE, _integer(r), _integer(s))
    return _element(_SEQUENCE, to_be_signed, _ECDSA_WITH_SHA256, _bit_string(signature))


def _serial_number(urandom):
    """Return a random integer that takes exactly 16 octets: positive, first two bits 01."""
    octets = urandom(_SERIAL_OCTETS)
    return int.from_bytes(bytes([octets[0] & 0x3F | 0x40]) + octets[1:], "big")


def _name_part(attribute, text):
    """Return RelativeDistinguishedName of one attribute."""
    if len(text) > _MAX_NAME:
        raise ValueError("name is longer than 64 characters")
    return _element(_SET, _element(_SEQUENCE, attribute, _element(_UTF8_STRING, text.encode())))


def _integer(value):
    """Return the DER INTEGER of a value of 0 to 256 bits: shortest form, never negative."""
    octets = value.to_bytes(_SCALAR_OCTETS + 1, "big")
    start = 0
    while start < _SCALAR_OCTETS and not octets[start] and not octets[start + 1] & 0x80:
        start += 1
    return _element(_INTEGER, octets[start:])


def _bit_string(octets):
    """Return the DER BIT STRING of whole octets (no unused bits)."""
    return _element(_BIT_STRING, b"\x00", octets)


def _element(tag, *parts):
    """Return one DER element: tag, length in its shortest form (up to 64 KiB), content."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        head = bytes((tag, length))
    elif length < 0x100:
        head = bytes((tag, 0x81, length))
    else:
        head = bytes((tag, 0x82, length >> 8, length & 0xFF))
    return head + content
