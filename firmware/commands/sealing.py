"""Keys from passwords, and sealing with a passphrase: what `login` and `backup` are made of.

    salted key   PBKDF2-HMAC-SHA256 (RFC 8018 5.2), 32 octets, one block
    sealed       "PWB" and the version, 4 octets
                 iterations, 4 octets, big-endian
                 salt, 16 octets
                 initial vector, 16 octets
                 content, AES-256-CBC with PKCS #7 padding
                 HMAC-SHA256 of all before, 32 octets (encrypt, then MAC)

The key of the cipher is HMAC(salted key, "encrypt"), that of the MAC HMAC(salted key, "mac"). The
host reads the same format with tools/backup.py.

Deriving a key takes long, so it is a generator that stops every few milliseconds to let others
work; its result is what `send` the last time returns, as with `await`. MicroPython's library has
an `hmac` too, but it copies hash objects, which the hardware's cannot do.
"""

import hashlib

from micropython import const

VERSION = b"PWB1"
SALT = const(16)
MAC = const(32)
ITERATIONS = const(20_000)  # for what is sealed: seconds on an ESP32
MAX_ITERATIONS = const(200_000)

_BLOCK = const(64)  # of SHA-256
_HEAD = const(40)  # version, iterations, salt, initial vector
_SLICE = const(16)  # iterations between two pauses


def hmac_sha256(key, *parts):
    """HMAC-SHA256 (RFC 2104) of the parts, one after the other."""
    inner, outer = _pads(key)
    return _hmac(inner, outer, parts)


def derive(password, salt, iterations):
    """Generator: derive the salted key from a password (octets)."""
    inner, outer = _pads(password)
    block = _hmac(inner, outer, (salt, b"\0\0\0\1"))
    result = int.from_bytes(block, "big")
    for count in range(1, iterations):
        block = _hmac(inner, outer, (block,))
        result ^= int.from_bytes(block, "big")
        if not count % _SLICE:
            yield
    return result.to_bytes(32, "big")


def seal(content, passphrase, random, iterations=ITERATIONS):
    """Generator: seal octets. `random(count)` gives random octets."""
    import cryptolib

    salt = random(SALT)
    vector = random(16)
    key = yield from derive(passphrase, salt, iterations)
    fill = 16 - len(content) % 16
    content = content + bytes((fill,)) * fill
    sealed = cryptolib.aes(hmac_sha256(key, b"encrypt"), 2, vector).encrypt(content)
    head = VERSION + iterations.to_bytes(4, "big") + salt + vector
    return head + sealed + hmac_sha256(hmac_sha256(key, b"mac"), head, sealed)


def unseal(sealed, passphrase):
    """Generator: return the octets that were sealed.

    Raises ValueError if that is not to be had; nothing is deciphered before the MAC is right.
    """
    import cryptolib

    if sealed[:3] != VERSION[:3] or len(sealed) < _HEAD + 16 + MAC or (len(sealed) - _HEAD) % 16:
        raise ValueError("this is no backup, or not all of it")
    if sealed[:4] != VERSION:
        raise ValueError("this backup is of a newer format; update the firmware first")
    iterations = int.from_bytes(sealed[4:8], "big")
    if not 1 <= iterations <= MAX_ITERATIONS:
        raise ValueError("this backup is damaged")
    key = yield from derive(passphrase, sealed[8:24], iterations)
    if not same(hmac_sha256(hmac_sha256(key, b"mac"), sealed[:-MAC]), sealed[-MAC:]):
        raise ValueError("wrong passphrase, or the backup is damaged; nothing was changed")
    cipher = cryptolib.aes(hmac_sha256(key, b"encrypt"), 2, sealed[24:_HEAD])
    content = cipher.decrypt(sealed[_HEAD:-MAC])
    return content[: -content[-1]]


def same(one, other):
    """Whether two octet strings are equal, in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for a, b in zip(one, other):
        difference |= a ^ b
    return not difference


def _pads(key):
    if len(key) > _BLOCK:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK - len(key))
    return bytes([octet ^ 0x36 for octet in key]), bytes([octet ^ 0x5C for octet in key])


def _hmac(inner, outer, parts):
    digest = hashlib.sha256(inner)
    for part in parts:
        digest.update(part)
    digest, message = hashlib.sha256(outer), digest.digest()
    digest.update(message)
    return digest.digest()
