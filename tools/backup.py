"""Backups of boards on the host: read and check what the console command `backup` has sealed.

    "PWB1"
    iterations of PBKDF2-HMAC-SHA256, 4 octets, big-endian
    salt, 16 octets
    initial vector, 16 octets
    content, AES-256-CBC with PKCS #7 padding
    HMAC-SHA256 of all before, 32 octets

The keys of cipher and MAC are the HMACs of "encrypt" and "mac" under the salted key. The content
is a row of parts: length of the name, name, two octets of length, octets. The part `about` says in
JSON whose backup it is. A file holds all that in base64 between a first and a last line, as the
console prints it. The firmware writes this format with code of its own.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

MIN_PASSPHRASE = 12
MAX_PASSPHRASE = 64

_VERSION = b"PWB1"
_HEAD = 40
_MAC = 32
_BLOCK = 16
_MAX_OCTETS = 8_192
_MAX_ITERATIONS = 200_000
_BEGIN = "-----BEGIN PILOTWIRE BACKUP-----"
_END = "-----END PILOTWIRE BACKUP-----"
_PIECE = 192  # base64 digits in a line of the console, which takes 256 octets


class BackupError(Exception):
    """A backup that cannot be used, or a passphrase; the text says why."""


@dataclass(frozen=True)
class Backup:
    """What can be shown of an opened backup; the key stays sealed."""

    about: dict  # ship_id, ski, serial, firmware, time
    peers: "list[dict]"
    settings: dict


def to_text(encoded: str) -> str:
    """Return base64 as a file's text."""
    rows = [encoded[at : at + 64] for at in range(0, len(encoded), 64)]
    return "\n".join([_BEGIN, *rows, _END, ""])


def from_text(text: str) -> bytes:
    """Return the sealed octets of a file's text; what is around the backup does not matter."""
    found = re.search(re.escape(_BEGIN) + r"([A-Za-z0-9+/=\s]*)" + re.escape(_END), text)
    if found is None:
        raise BackupError(f"this is no backup: it begins with {_BEGIN}")
    try:
        sealed = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error as problem:
        raise BackupError(f"the backup is damaged: {problem}")
    if len(sealed) > _MAX_OCTETS:
        raise BackupError("this is no backup: too long")
    return sealed


def pieces(sealed: bytes) -> Iterator[str]:
    """Yield a backup in base64 pieces for `restore add`."""
    encoded = base64.b64encode(sealed).decode()
    for at in range(0, len(encoded), _PIECE):
        yield encoded[at : at + _PIECE]


def check_passphrase(text: str) -> str:
    """Return a passphrase that a console takes as it is; raise BackupError for others."""
    if not text.isascii() or not text.isprintable() or " ".join(text.split()) != text:
        raise BackupError("a passphrase has ASCII letters, digits, signs and single blanks")
    if not MIN_PASSPHRASE <= len(text) <= MAX_PASSPHRASE:
        raise BackupError(f"a passphrase has {MIN_PASSPHRASE} to {MAX_PASSPHRASE} characters")
    return text


def read(sealed: bytes, passphrase: str) -> Backup:
    """Open a backup. Raise BackupError if it is not whole, or the passphrase is not its own."""
    parts = dict(_parts(_unsealed(sealed, passphrase.encode())))
    try:
        about = json.loads(parts["about"])
        peers = json.loads(parts.get("peers") or b"[]")
        settings = json.loads(parts.get("settings") or b"{}")
    except (KeyError, ValueError):
        raise BackupError("the backup is of another format; update the host tools")
    return Backup(about, peers, settings)


def _unsealed(sealed: bytes, passphrase: bytes) -> bytes:
    if sealed[:3] != _VERSION[:3]:
        raise BackupError("this is no backup")
    if sealed[:4] != _VERSION:
        raise BackupError("the backup is of a newer format; update the host tools")
    if len(sealed) < _HEAD + _BLOCK + _MAC or (len(sealed) - _HEAD) % _BLOCK:
        raise BackupError("the backup is not complete")
    iterations = int.from_bytes(sealed[4:8], "big")
    if not 1 <= iterations <= _MAX_ITERATIONS:
        raise BackupError("the backup is damaged")
    salted = hashlib.pbkdf2_hmac("sha256", passphrase, sealed[8:24], iterations)
    mac = hmac.digest(hmac.digest(salted, b"mac", "sha256"), sealed[:-_MAC], "sha256")
    if not hmac.compare_digest(mac, sealed[-_MAC:]):
        raise BackupError("wrong passphrase, or the backup is damaged")
    key = hmac.digest(salted, b"encrypt", "sha256")
    cipher = Cipher(algorithms.AES256(key), modes.CBC(sealed[24:_HEAD])).decryptor()
    padded = cipher.update(sealed[_HEAD:-_MAC]) + cipher.finalize()
    unpadder = padding.PKCS7(_BLOCK * 8).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _parts(content: bytes) -> "Iterator[tuple[str, bytes]]":
    at = 0
    while at < len(content):
        start = at + 1 + content[at]
        end = start + 2 + int.from_bytes(content[start : start + 2], "big")
        if end > len(content):
            raise BackupError("the backup is damaged")
        yield content[at + 1 : start].decode("ascii", "replace"), content[start + 2 : end]
        at = end
