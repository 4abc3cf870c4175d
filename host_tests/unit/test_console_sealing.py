"""Key derivation and sealing of backups against published and independent values."""

import binascii

from firmware.commands.sealing import derive, hmac_sha256, same


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


def test_hmac_sha256_gives_the_values_of_rfc_4231():
    for key, text, expected in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ):
        assert hmac_sha256(key, text) == binascii.unhexlify(expected)
        assert hmac_sha256(key, text[:3], text[3:]) == binascii.unhexlify(expected)


def test_pbkdf2_gives_the_values_of_rfc_7914():
    assert finish(derive(b"passwd", b"salt", 1)) == binascii.unhexlify(
        "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
    )
    # 100 iterations stop several times on the way
    steps = 0
    generator = derive(b"Password", b"NaCl", 100)
    try:
        while True:
            next(generator)
            steps += 1
    except StopIteration as end:
        key = end.value
    assert steps == 6
    assert key == binascii.unhexlify(  # of Python's hashlib
        "e57e587398d3a69fd7af766bbf11176ecb2c3bda009c86bf2a038db38807e252"
    )


def test_equal_strings_only_are_the_same():
    assert same(b"abc", b"abc")
    assert same(b"", b"")
    assert not same(b"abc", b"abd")
    assert not same(b"abc", b"ab")
    assert not same(b"", b"a")
