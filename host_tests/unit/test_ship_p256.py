"""P-256: multiples of the base point and signatures, against published vectors."""

import hashlib

from ship import p256

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
G2 = (
    0x7CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978,
    0x07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1,
)
# RFC 6979 A.2.5
X = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
U = (
    0x60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6,
    0x7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299,
)


def sign(message, extra=b""):
    return p256.run(p256.sign(X, hashlib.sha256(message).digest(), extra))


def is_refused(call, *arguments):
    try:
        call(*arguments)
    except ValueError:
        return True
    return False


def test_one_times_the_base_point_is_the_base_point():
    assert p256.run(p256.multiply(1)) == G


def test_twice_the_base_point():
    assert p256.run(p256.multiply(2)) == G2


def test_multiples_next_to_the_order_are_the_mirrored_ones():
    assert p256.run(p256.multiply(N - 1)) == (G[0], P - G[1])
    assert p256.run(p256.multiply(N - 2)) == (G2[0], P - G2[1])


def test_every_value_of_a_digit_in_first_and_last_place_gives_a_point_of_the_curve():
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    seen = []
    for digit in range(1, 16):
        for k in (digit, 16 + digit, digit << 252):
            if k < N:
                x, y = p256.run(p256.multiply(k))
                assert (y * y - (x * x * x - 3 * x + b)) % P == 0
                assert x not in seen
                seen.append(x)


def test_public_key_of_the_rfc_6979_key():
    assert p256.run(p256.multiply(X)) == U


def test_scalars_outside_of_the_group_are_refused():
    for k in (0, -1, N, N + 1):
        assert is_refused(p256.run, p256.multiply(k))


def test_a_point_is_written_uncompressed_with_leading_zeros():
    assert p256.encode_point(1, 2) == b"\x04" + bytes(31) + b"\x01" + bytes(31) + b"\x02"
    assert p256.encode_point(*G).hex() == (
        "04"
        "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )


def test_signature_of_sample_is_that_of_rfc_6979():
    assert sign(b"sample") == (
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    )


def test_signature_of_test_is_that_of_rfc_6979():
    assert sign(b"test") == (
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    )


def test_a_stuck_entropy_source_still_gives_each_message_a_nonce_of_its_own():
    stuck = bytes(32)
    assert sign(b"sample", stuck)[0] != sign(b"test", stuck)[0]
    assert sign(b"sample", stuck) == sign(b"sample", stuck)
    assert sign(b"sample", stuck)[0] != sign(b"sample", b"\x01" * 32)[0]


def test_work_is_done_in_many_slices():
    assert sum(1 for _ in p256.multiply(X)) == 77
    assert sum(1 for _ in p256.sign(X, bytes(32))) == 77


def test_private_keys_are_drawn_until_one_is_in_range():
    draws = [
        bytes(32),
        N.to_bytes(32, "big"),
        b"\xff" * 32,
        b"\x01",  # a short answer is no key, however good its number
        (N - 1).to_bytes(32, "big"),
        b"\x02" * 32,
    ]

    def urandom(count):
        assert count == 32
        return draws.pop(0)

    assert p256.new_private_key(urandom) == N - 1
    assert draws == [b"\x02" * 32]


def test_the_smallest_private_key_is_one():
    assert p256.new_private_key(lambda count: bytes(count - 1) + b"\x01") == 1


def test_a_broken_entropy_source_is_given_up_after_64_draws():
    draws = []

    def urandom(count):
        draws.append(count)
        return bytes(count)

    assert is_refused(p256.new_private_key, urandom)
    assert len(draws) == 64
