"""Subject key identifier: from a certificate to the 20 octets that name a SHIP node.

Covers SHIP 12.2 and 9 (IEC 63380-3 6.9.2, 6.6.2): SKI = SHA-1 over the uncompressed P-256
point; the certificate must carry it as an extension, and a missing or different one is
refused. Nothing else is judged: names, dates, key usage and unknown or odd extensions do not
end a connection (SHIP 12.1.1). Signatures are not checked either: TLS has the peer prove that
it holds the key, and trust hangs on the SKI.

Rules of this file: the structure is walked element by element and never searched, as a peer may
write a foreign key into its own name; every element must lie within the one around it; whatever
the input, the only exception is `CertificateError`.
"""

import hashlib

from micropython import const

_INTEGER = const(0x02)
_BIT_STRING = const(0x03)
_OCTET_STRING = const(0x04)
_OID = const(0x06)
_SEQUENCE = const(0x30)
_VERSION = const(0xA0)
_EXTENSIONS = const(0xA3)

# content of AlgorithmIdentifier: id-ecPublicKey, prime256v1
_P256 = const(b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")
_SUBJECT_KEY_IDENTIFIER = const(b"\x55\x1d\x0e")  # 2.5.29.14
_POINT_OCTETS = const(65)
_SKI_DIGITS = const(40)
_MAX_EXTENSIONS = const(32)  # further ones: malformed


class CertificateError(Exception):
    """Their mistake: a certificate that cannot name a node; the TLS handshake is to be aborted."""


def ski_of_point(point: bytes) -> bytes:
    """Return the SKI (20 octets) of an uncompressed point (65 octets)."""
    return hashlib.sha1(point).digest()


def ski_of(certificate: bytes) -> bytes:
    """Return the SKI (20 octets) of a DER certificate, computed from its public key.

    Raise CertificateError if it is malformed, has no P-256 key, or its SubjectKeyIdentifier is
    missing or not that of the key.
    """
    data = memoryview(certificate)
    start, end = _enter(data, 0, len(data), _SEQUENCE)  # Certificate
    at, end = _enter(data, start, end, _SEQUENCE)  # TBSCertificate
    tag, _, after = _element(data, at, end)
    if tag == _VERSION:
        at = after
    _, at = _enter(data, at, end, _INTEGER)  # serialNumber
    for _ in range(4):  # signature, issuer, validity, subject
        _, at = _enter(data, at, end, _SEQUENCE)
    start, at = _enter(data, at, end, _SEQUENCE)  # subjectPublicKeyInfo
    ski = ski_of_point(_point(data, start, at))
    for _ in range(3):  # issuerUniqueID and subjectUniqueID may come first
        if at == end:
            break
        tag, start, at = _element(data, at, end)
        if tag == _EXTENSIONS:
            start, end = _enter(data, start, at, _SEQUENCE)
            _check_extensions(data, start, end, ski)
            return ski
    raise CertificateError("no SubjectKeyIdentifier")


def to_hex(ski: bytes) -> str:
    """Return the 40 lower-case digits of a SKI."""
    return bytes(ski).hex()


def parse_ski(text: str) -> str:
    """Return the 40 lower-case digits of a SKI as people write it; ValueError if it is none."""
    digits = text.strip().replace(" ", "").replace("-", "").replace(":", "").lower()
    if len(digits) != _SKI_DIGITS or not is_hex(digits):
        raise ValueError("a SKI has 40 hexadecimal digits")
    return digits


def is_hex(text: str) -> bool:
    """Tell whether `text` has hexadecimal digits only (`int` would take signs and `_`)."""
    return all(digit in "0123456789abcdefABCDEF" for digit in text)


def group(digits: str) -> str:
    """Return digits in groups of four for people: `b467 a399 …`."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


def _point(data, at, end):
    """Return the point of the SubjectPublicKeyInfo whose content lies between `at` and `end`."""
    start, after = _enter(data, at, end, _SEQUENCE)
    if bytes(data[start:after]) == _P256:
        start, after = _enter(data, after, end, _BIT_STRING)
        # the first octet counts unused bits
        point = bytes(data[start:after])
        if len(point) == 1 + _POINT_OCTETS and point[0] == 0 and point[1] == 4:
            return point[1:]
    raise CertificateError("no uncompressed P-256 key")


def _check_extensions(data, at, end, ski):
    """Raise unless a SubjectKeyIdentifier is there and equals `ski`, as often as it is there."""
    found = False
    for _ in range(_MAX_EXTENSIONS):
        if at == end:
            break
        start, at = _enter(data, at, end, _SEQUENCE)
        oid, start = _enter(data, start, at, _OID)
        if bytes(data[oid:start]) == _SUBJECT_KEY_IDENTIFIER:
            tag, value, after = _element(data, start, at)
            if tag != _OCTET_STRING:  # BOOLEAN critical, which should not but may be there
                value, after = _enter(data, after, at, _OCTET_STRING)
            value, after = _enter(data, value, after, _OCTET_STRING)
            if bytes(data[value:after]) != ski:
                raise CertificateError("SubjectKeyIdentifier is not that of the key")
            found = True
    if at != end:
        raise CertificateError("malformed certificate")
    if not found:
        raise CertificateError("no SubjectKeyIdentifier")


def _enter(data, at, end, tag):
    """Return content start and end of the element at `at`, which must have this tag."""
    found, start, after = _element(data, at, end)
    if found != tag:
        raise CertificateError("malformed certificate")
    return start, after


def _element(data, at, end):
    """Return tag, content start and content end of the element at `at`, all of it before `end`.

    Takes lengths that are longer than DER wants them, as mbedTLS does; no indefinite ones.
    """
    if at + 2 > end:
        raise CertificateError("malformed certificate")
    tag, length = data[at], data[at + 1]
    at += 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or at + octets > end:
            raise CertificateError("malformed certificate")
        length = 0
        for _ in range(octets):
            length = length << 8 | data[at]
            at += 1
    if length > end - at:
        raise CertificateError("malformed certificate")
    return tag, at, at + length
