"""Backups of chargers: take one, look into it, bring it back.

The format is described in firmware/commands/sealing.py and backup.py; this is the host's own
reader and writer of it. `command` below is whatever carries out a console command and returns its
answer, such as `tools.simulate.Simulator.command`.
The host command has it as `pilotwire backup` and `restore`.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

BEGIN = "-----BEGIN PILOTWIRE BACKUP-----"
END = "-----END PILOTWIRE BACKUP-----"
MIN_LENGTH = 12  # of a passphrase
ITERATIONS = 20_000
MAX_ITERATIONS = 200_000

_VERSION = b"PWB1"
_MAC = 32
_PIECE = 192  # characters of base64 that fit into a console line, a multiple of four


class BackupError(Exception):
    """A backup that cannot be read, or was refused by a charger; the text says why."""


class Backup:
    """What a backup holds: `about` is whose it is, `files` are the state files by name."""

    def __init__(self, about: dict, files: "dict[str, bytes]"):
        self.about = about
        self.files = files


# --- the format ---


def unseal(text: str, passphrase: str) -> Backup:
    """Read a backup, with or without its first and last line. Raises BackupError."""
    sealed = _octets(text)
    if sealed[:3] != _VERSION[:3] or len(sealed) < 40 + 16 + _MAC or (len(sealed) - 40) % 16:
        raise BackupError("this is no backup, or not all of it")
    version, iterations, salt, vector = struct.unpack_from(">4sI16s16s", sealed)
    if version != _VERSION:
        raise BackupError("this backup is of a newer format than this program")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise BackupError("this backup is damaged")
    encrypt, mac = _keys(passphrase, salt, iterations)
    if not hmac.compare_digest(hmac.digest(mac, sealed[:-_MAC], "sha256"), sealed[-_MAC:]):
        raise BackupError("wrong passphrase, or the backup is damaged")
    cipher = Cipher(algorithms.AES(encrypt), modes.CBC(vector)).decryptor()
    unpadder = PKCS7(128).unpadder()
    content = unpadder.update(cipher.update(sealed[40:-_MAC]) + cipher.finalize())
    return _parse(content + unpadder.finalize())


def seal(backup: Backup, passphrase: str, iterations: int = ITERATIONS) -> str:
    """Return a backup as text, with its first and last line. Raises BackupError."""
    check_passphrase(passphrase)
    parts = {"about": json.dumps(backup.about).encode(), **backup.files}
    content = b"".join(
        struct.pack(f">B{len(name)}sH", len(name), name.encode(), len(data)) + data
        for name, data in parts.items()
    )
    salt, vector = os.urandom(16), os.urandom(16)
    encrypt, mac = _keys(passphrase, salt, iterations)
    padder = PKCS7(128).padder()
    cipher = Cipher(algorithms.AES(encrypt), modes.CBC(vector)).encryptor()
    padded = padder.update(content) + padder.finalize()
    sealed = struct.pack(">4sI", _VERSION, iterations) + salt + vector
    sealed += cipher.update(padded) + cipher.finalize()
    return armoured(base64.b64encode(sealed + hmac.digest(mac, sealed, "sha256")).decode())


def armoured(text: str) -> str:
    """Return base64 as people keep it: lines of 64 characters, a first and a last line."""
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([BEGIN, *rows, END]) + "\n"


def check_passphrase(passphrase: str) -> None:
    """Raise BackupError if the charger would not take it."""
    if len(passphrase) < MIN_LENGTH:
        raise BackupError(f"a passphrase has {MIN_LENGTH} characters or more")
    if passphrase != " ".join(passphrase.split()) or not all(" " <= c <= "~" for c in passphrase):
        raise BackupError("a passphrase is of ASCII characters, with single blanks at most")


def _keys(passphrase: str, salt: bytes, iterations: int) -> "tuple[bytes, bytes]":
    key = hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, iterations)
    return hmac.digest(key, b"encrypt", "sha256"), hmac.digest(key, b"mac", "sha256")


def _octets(text: str) -> bytes:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and lines[0] == BEGIN:
        if lines[-1] != END:
            raise BackupError("the last line of the backup is missing")
        lines = lines[1:-1]
    try:
        return base64.b64decode("".join(lines), validate=True)
    except (binascii.Error, ValueError):
        raise BackupError("this is no backup: not base64") from None


def _parse(content: bytes) -> Backup:
    files = {}
    while content:
        name_end = 1 + content[0]
        if len(content) < name_end + 2:
            raise BackupError("this backup is damaged")
        end = name_end + 2 + struct.unpack_from(">H", content, name_end)[0]
        if len(content) < end:
            raise BackupError("this backup is damaged")
        files[content[1:name_end].decode()] = content[name_end + 2 : end]
        content = content[end:]
    return Backup(json.loads(files.pop("about")), files)


# --- with a charger ---


def take(command, passphrase: str) -> str:
    """Let a charger make a backup; return it as text. Raises BackupError."""
    check_passphrase(passphrase)
    return armoured(_ask(command, "backup " + passphrase)["backup"])


def give(command, text: str, passphrase: str, progress=lambda done, of: None) -> dict:
    """Bring a backup back; the charger restarts. Returns its answer. Raises BackupError.

    It is read here first, so that a wrong passphrase costs no time. `progress(octets, of)`.
    """
    unseal(text, passphrase)
    whole = base64.b64encode(_octets(text)).decode()
    _ask(command, "restore clear")
    for at in range(0, len(whole), _PIECE):
        done = _ask(command, "restore add " + whole[at : at + _PIECE])["octets"]
        progress(done, len(whole) * 3 // 4)
    return _ask(command, "restore apply " + passphrase)


def _ask(command, line: str) -> dict:
    answer = command(line)
    if not answer["ok"]:
        raise BackupError(answer["error"])
    return answer


def report(backup: Backup) -> dict:
    """What may be seen of a backup: no keys, no passwords."""
    settings = json.loads(backup.files.get("settings", b"{}"))
    if settings.get("wifi"):
        settings["wifi"] = settings["wifi"]["name"]
    # The name may be followed by the number of a schema (firmware/storage.py).
    stored = [data for name, data in backup.files.items() if name.split(".")[0] == "peers"]
    peers = json.loads(stored[0]) if stored else []
    return {
        **backup.about,
        "has_identity": "identity" in backup.files,
        "peers": [peer["ski"] for peer in peers],
        "settings": settings,
    }
