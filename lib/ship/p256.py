"""P-256 for one purpose: a node's key pair and the one signature in its own certificate.

MicroPython's `tls` neither makes keys nor signs, micropython-lib has no elliptic curves, and
C modules such as ucryptography need a firmware of their own. So this is plain big-integer
arithmetic: only multiples of the base point G, in Jacobian coordinates (X/Z^2, Y/Z^3),
four bits at a time. Everything else (ECDHE, handshake signatures) is mbedTLS's work.

Long work is a generator that does a bounded piece (about fifty field multiplications) between
two `yield`s, so that an event loop stays alive; `run` drives one to its end.

Not constant time. Acceptable here because it runs at the first start, and again only when a user
at the console wants a new key or certificate: no peer can ask for it, so nobody can collect
timings. Do not use it to sign what others send.

Curve: SEC 2 2.4.2. Signature: FIPS 186-4 6.4 with the nonce of RFC 6979 3.2 and 3.6.
"""

import hashlib

from micropython import const

# y^2 = x^3 - 3x + b over the integers modulo P; G has the prime order N
_P = const(0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF)
_N = const(0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551)
_GX = const(0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296)
_GY = const(0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)

_OCTETS = const(32)  # of a coordinate, a scalar and a SHA-256 digest
_HMAC_BLOCK = const(64)  # of SHA-256, RFC 2104
_MAX_DRAWS = const(64)  # a working source is refused with a probability of 2^-32 per draw


def run(steps):
    """Drive a generator of this module to its end and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def new_private_key(urandom) -> int:
    """Draw a private key evenly from [1, n - 1].

    Raise ValueError if `urandom` gives nothing but unusable octets.
    """
    for _ in range(_MAX_DRAWS):
        drawn = urandom(_OCTETS)
        candidate = int.from_bytes(drawn, "big")
        if len(drawn) == _OCTETS and 1 <= candidate < _N:
            return candidate
    raise ValueError("entropy source is broken")


def multiply(k: int):
    """Generate k * G for k in [1, n - 1] in slices; the result is the pair (x, y).

    No step adds a point to itself or to its negative: before the digit d is added the
    accumulator is 16 * m * G with d < 16 * m and 16 * m + d <= k < n.
    """
    if not 1 <= k < _N:
        raise ValueError("scalar out of range")
    base = (_GX, _GY, 1)
    multiples = [None, base, _double(base)]  # of G, by digit
    for _ in range(3, 16):
        multiples.append(_add(multiples[-1], base))
        yield
    point = None
    for shift in range(252, -4, -4):
        if point:
            point = _double(_double(_double(_double(point))))
        digit = k >> shift & 15
        if digit:
            point = _add(point, multiples[digit]) if point else multiples[digit]
        yield
    x, y, z = point
    w = _inverse(z, _P)
    ww = w * w % _P
    return x * ww % _P, y * ww * w % _P


def encode_point(x: int, y: int) -> bytes:
    """Return the 65 octets of the uncompressed form (SEC 1 2.3.3)."""
    return b"\x04" + x.to_bytes(_OCTETS, "big") + y.to_bytes(_OCTETS, "big")


def sign(private_key: int, digest: bytes, extra: bytes = b""):
    """Generate the ECDSA signature of a SHA-256 digest in slices; the result is (r, s).

    The nonce depends on key, digest and `extra` alone: the same number is never used for two
    digests, whatever the quality of `extra` (fresh random octets, or none, is equally safe).
    """
    z = int.from_bytes(digest, "big") % _N
    for k in _nonces(private_key, z, extra):
        x, _ = yield from multiply(k)
        r = x % _N
        s = _inverse(k, _N) * (z + r * private_key) % _N
        if r and s:
            return r, s


def _nonces(private_key, z, extra):
    """Yield candidates for the nonce: RFC 6979 3.2, with `extra` as the k' of 3.6."""
    seed = private_key.to_bytes(_OCTETS, "big") + z.to_bytes(_OCTETS, "big") + extra
    value = b"\x01" * _OCTETS
    key = bytes(_OCTETS)
    for step in (b"\x00", b"\x01"):
        key = _hmac(key, value + step + seed)
        value = _hmac(key, value)
    while True:
        value = _hmac(key, value)
        k = int.from_bytes(value, "big")
        if 1 <= k < _N:
            yield k
        key = _hmac(key, value + b"\x00")
        value = _hmac(key, value)


def _hmac(key, message):
    """HMAC-SHA256 (RFC 2104) with a key of one digest; MicroPython has no `hmac`."""
    pad = bytes(_HMAC_BLOCK - _OCTETS)
    inner = bytes(octet ^ 0x36 for octet in key + pad)
    outer = bytes(octet ^ 0x5C for octet in key + pad)
    return hashlib.sha256(outer + hashlib.sha256(inner + message).digest()).digest()


def _double(point):
    """Return 2 * point; the slope uses a = -3: 3x^2 - 3z^4 = 3(x - z^2)(x + z^2)."""
    x, y, z = point
    zz = z * z % _P
    yy = y * y % _P
    xyy4 = 4 * x * yy % _P
    slope = 3 * (x - zz) * (x + zz) % _P
    x3 = (slope * slope - 2 * xyy4) % _P
    return x3, (slope * (xyy4 - x3) - 8 * yy * yy) % _P, 2 * y * z % _P


def _add(left, right):
    """Return left + right for points with different x coordinates."""
    x1, y1, z1 = left
    x2, y2, z2 = right
    zz1 = z1 * z1 % _P
    zz2 = z2 * z2 % _P
    u1 = x1 * zz2 % _P
    s1 = y1 * zz2 * z2 % _P
    dx = x2 * zz1 - u1
    dy = (y2 * zz1 * z1 - s1) % _P
    square = dx * dx % _P
    cube = dx * square % _P
    u1 = u1 * square % _P
    x3 = (dy * dy - cube - 2 * u1) % _P
    return x3, (dy * (u1 - x3) - s1 * cube) % _P, z1 * z2 * dx % _P


def _inverse(value, modulus):
    """Return 1 / value modulo a prime by Euclid, four times faster here than by Fermat."""
    previous, current = modulus, value
    before, factor = 0, 1
    while current:
        quotient = previous // current
        previous, current = current, previous - quotient * current
        before, factor = factor, before - quotient * factor
    return before % modulus
