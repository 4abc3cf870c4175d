"""A node's certificate and key in DER, and the SKI read from a peer's certificate."""

from ship import p256, ski, x509
from ship.identity import make_identity

# Key pair of RFC 6979 A.2.5
KEY = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
POINT = bytes.fromhex(
    "04"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
SKI = bytes.fromhex("1a9569579bce329a942d0769c9c0b56431563710")
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200") + POINT
SKI_EXTENSION = bytes.fromhex("301d0603551d0e04160414") + SKI
TO_BE_SIGNED = (
    bytes.fromhex(
        "3082012b"  # TBSCertificate
        "a003020102"  # v3
        "0210405a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"  # serialNumber
        "300a06082a8648ce3d040302"  # ecdsa-with-SHA256
        "3023310d300b060355040a0c0441636d65"  # issuer: O=Acme
        "3112301006035504030c0945565345"  # CN=EVSE-0001
        "2d30303031"
        "3020170d3230303130313030303030305a"  # from 200101000000Z
        "180f32303939313233313233353935395a"  # to 20991231235959Z
        "3023310d300b060355040a0c0441636d65"  # subject
        "3112301006035504030c0945565345"
        "2d30303031"
    )
    + SPKI
    + bytes.fromhex("a33f303d")  # extensions
    + SKI_EXTENSION
    + bytes.fromhex(
        "300c0603551d130101ff04023000"  # basicConstraints, critical: CA:FALSE
        "300e0603551d0f0101ff040403020780"  # keyUsage, critical: digitalSignature
    )
)


def urandom(count):
    """Stand in for a random source; the top bits show what is done to a serial number."""
    return b"\x80" + b"\x5a" * (count - 1)


def certificate(common_name="EVSE-0001", organisation="Acme"):
    name = x509.name(common_name, organisation)
    return p256.run(x509.self_signed(KEY, POINT, name, urandom))


def element(tag, *parts):
    content = b"".join(parts)
    return bytes((tag, 0x82, len(content) >> 8, len(content) & 0xFF)) + content


def foreign(extensions, spki=SPKI, name=b"", before=b""):
    """Return a certificate as a peer may build it, with lengths that are never the shortest."""
    return element(
        0x30,
        element(
            0x30,
            bytes.fromhex("a003020102020100300a06082a8648ce3d040302"),
            element(0x30, name),
            bytes.fromhex("3000"),
            element(0x30, name),
            spki,
            before,
            extensions,
        ),
    )


def without_version(der):
    """Return a `foreign` certificate without its first 5 octets of content."""
    return element(0x30, element(0x30, der[13:]))


def extensions(*parts):
    return element(0xA3, element(0x30, *parts))


def refusal(der):
    """Return why a certificate is refused; "" if it is not."""
    try:
        ski.ski_of(der)
    except ski.CertificateError as error:
        return str(error)
    return ""


def test_ski_of_the_base_point_and_of_its_double():
    for k, expected in (
        (1, "b467a3999eb5efa671de0032f08a9c9e5efda0e1"),
        (2, "5b4717b04eaced57c4eca1728ca9a71d3b224340"),
    ):
        point = p256.encode_point(*p256.run(p256.multiply(k)))
        assert ski.ski_of_point(point).hex() == expected


def test_the_certificate_octet_by_octet():
    assert certificate() == (
        bytes.fromhex("30820185")
        + TO_BE_SIGNED
        + bytes.fromhex(
            "300a06082a8648ce3d040302"  # ecdsa-with-SHA256
            "03480030450221"
            "00a2be5090d82943254cc77836da9d902cfd88b377648c337cb89c0417613f5bd0"  # r
            "0220"
            "6e368e126060a29b014c06fe99ffebcaf7a903ec053b347270a48bdcd01b5ffe"  # s
        )
    )


def test_the_private_key_octet_by_octet():
    assert x509.private_key_der(KEY, POINT) == (
        bytes.fromhex(
            "3077"
            "020101"
            "0420c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
            "a00a06082a8648ce3d030107"
            "a144034200"
        )
        + POINT
    )


def test_a_small_private_key_keeps_its_leading_zeros():
    assert x509.private_key_der(1, POINT)[5:39] == b"\x04\x20" + bytes(31) + b"\x01"


def test_a_name_without_organisation_has_the_common_name_only():
    assert x509.name("x") == bytes.fromhex("300c310a300806035504030c0178")
    assert x509.name("\xe9") == bytes.fromhex("300d310b300906035504030c02c3a9")


def test_names_that_a_certificate_cannot_have_are_refused():
    assert len(x509.name("x" * 64, "x" * 64)) == 153
    for common_name, organisation in (("", ""), ("", "o"), ("x" * 65, ""), ("x", "o" * 65)):
        try:
            x509.name(common_name, organisation)
        except ValueError:
            continue
        raise AssertionError((common_name, organisation))


def test_numbers_of_a_signature_are_positive_and_as_short_as_they_can_be():
    for value, expected in (
        (0, "020100"),
        (0x7F, "02017f"),
        (0x80, "02020080"),
        (0x100, "02020100"),
        (1 << 247, "022000" + "80" + "00" * 30),
        ((1 << 256) - 1, "022100" + "ff" * 32),
    ):
        assert x509._integer(value).hex() == expected


def test_an_identity_is_made_in_slices_and_is_whole_at_the_end():
    count = 0

    def counter(octets):
        nonlocal count
        count += 1
        return bytes((count,)) * octets

    maker = make_identity("EVSE-0001", "", counter)
    slices = 0
    for _ in maker:
        assert maker.ski is None and maker.key_der is None and maker.certificate_der is None
        slices += 1
    assert slices == 154
    assert maker.ski == ski.ski_of(maker.certificate_der)
    assert maker.key_der[:39] == bytes.fromhex("30770201010420") + b"\x01" * 32
    assert ski.ski_of_point(maker.key_der[-65:]) == maker.ski
    assert refusal(maker.certificate_der) == ""


def test_a_certificate_is_renewed_for_the_same_key():
    key_der = x509.private_key_der(KEY, POINT)
    maker = make_identity("EVSE-0001", "Acme", lambda count: b"\x11" * count, key_der)
    assert sum(1 for _ in maker) > 10
    assert (maker.key_der, maker.ski) == (key_der, SKI)
    old = certificate()
    assert maker.certificate_der != old and ski.ski_of(maker.certificate_der) == ski.ski_of(old)


def test_a_key_that_is_not_ours_is_not_read():
    key_der = x509.private_key_der(KEY, POINT)
    assert x509.read_private_key(key_der) == (KEY, POINT)
    for der in (b"", key_der[:-1], key_der + b"\x00", b"\x31" + key_der[1:], bytes(len(key_der))):
        try:
            x509.read_private_key(der)
        except ValueError:
            continue
        raise AssertionError("accepted")


def test_the_ski_is_read_from_bytes_and_from_a_view():
    der = certificate()
    for form in (der, bytearray(der), memoryview(der), memoryview(b"x" + der)[1:]):
        assert ski.ski_of(form) == SKI


def test_a_certificate_cut_anywhere_is_refused():
    der = certificate()
    for length in range(len(der)):
        assert refusal(der[:length]) == "malformed certificate", length


def test_octets_after_the_certificate_do_not_matter():
    assert ski.ski_of(certificate() + b"\x00\xff") == SKI


def test_odd_but_harmless_certificates_are_taken():
    oid = bytes.fromhex("0603551d0e")
    value = bytes.fromhex("04160414") + SKI
    for der in (
        foreign(extensions(SKI_EXTENSION)),
        foreign(extensions(element(0x30, oid, b"\x01\x01\xff", value))),  # critical
        foreign(extensions(element(0x30, oid, value, b"\x05\x00"))),  # something behind it
        foreign(extensions(b"\x30\x03\x06\x01\x00", SKI_EXTENSION)),  # extension without a value
        foreign(extensions(SKI_EXTENSION, SKI_EXTENSION)),
        foreign(extensions(SKI_EXTENSION), before=b"\x81\x01\x00\x82\x01\x00"),  # unique IDs
        foreign(extensions(SKI_EXTENSION), name=b"\xff\xff\xff"),
        without_version(foreign(extensions(SKI_EXTENSION))),
    ):
        assert ski.ski_of(der) == SKI


def test_a_certificate_without_the_extension_is_refused():
    other = bytes.fromhex("300c0603551d130101ff04023000")
    for der in (
        foreign(b""),
        foreign(extensions()),
        foreign(extensions(other)),
        foreign(b"", before=b"\x81\x01\x00\x82\x01\x00"),
        foreign(b"", name=SKI_EXTENSION),
        foreign(extensions(other), before=element(0x81, SKI_EXTENSION)),
        foreign(extensions(SKI_EXTENSION), before=b"\x81\x00" * 3),
    ):
        assert refusal(der) == "no SubjectKeyIdentifier"


def test_an_extension_that_is_not_that_of_the_key_is_refused():
    oid = bytes.fromhex("301d0603551d0e04160414")
    for extension in (
        oid + bytes(20),
        oid + SKI[:-1] + bytes((SKI[-1] ^ 1,)),
        bytes.fromhex("301c0603551d0e04150413") + SKI[:-1],
        bytes.fromhex("301e0603551d0e04170415") + SKI + b"\x00",
        bytes.fromhex("30090603551d0e04020400"),
    ):
        for parts in ((extension,), (SKI_EXTENSION, extension), (extension, SKI_EXTENSION)):
            assert refusal(foreign(extensions(*parts))) == (
                "SubjectKeyIdentifier is not that of the key"
            )


def test_a_foreign_key_in_the_name_does_not_lend_its_ski():
    mine = p256.encode_point(*p256.run(p256.multiply(1)))
    spki = SPKI[:26] + mine
    der = foreign(extensions(SKI_EXTENSION), spki=spki, name=SPKI + SKI_EXTENSION)
    assert refusal(der) == "SubjectKeyIdentifier is not that of the key"


def test_keys_that_are_not_uncompressed_p256_points_are_refused():
    p384 = bytes.fromhex("06072a8648ce3d020106052b81040022")
    rsa = bytes.fromhex("06092a864886f70d0101010500")
    p256_algorithm = SPKI[4:23]
    for algorithm, bits in (
        (p384, b"\x00" + POINT),
        (rsa, b"\x00" + POINT),
        (p256_algorithm + b"\x05\x00", b"\x00" + POINT),
        (p256_algorithm, b"\x01" + POINT),
        (p256_algorithm, b"\x00\x02" + POINT[1:]),
        (p256_algorithm, b"\x00\x02" + POINT[1:33]),
        (p256_algorithm, b"\x00" + POINT + b"\x00"),
        (p256_algorithm, b""),
    ):
        spki = element(0x30, element(0x30, algorithm), element(0x03, bits))
        der = foreign(extensions(SKI_EXTENSION), spki=spki)
        assert refusal(der) == "no uncompressed P-256 key", algorithm


def test_the_32nd_extension_is_still_read_and_a_33rd_refused():
    other = bytes.fromhex("300c0603551d130101ff04023000")
    assert ski.ski_of(foreign(extensions(other * 31, SKI_EXTENSION))) == SKI
    assert refusal(foreign(extensions(SKI_EXTENSION, other * 32))) == "malformed certificate"


def test_elements_of_another_kind_are_refused():
    der = foreign(extensions(SKI_EXTENSION))
    for at in (
        0,
        4,
        13,
        16,
        28,
        32,
        34,
        38,
        40,
    ):  # from Certificate down to the algorithm of the key
        other = bytearray(der)
        other[at] ^= 0x40
        assert refusal(other) == "malformed certificate", at


def test_lengths_that_lie_are_refused():
    for head in ("3080", "3085000000000a", "30ff", "3084ffffffff", "3084", "308100", "30", "3000"):
        assert refusal(bytes.fromhex(head)) == "malformed certificate", head
    der = certificate()
    for at in (3, 7, 9, 14, 32):  # one octet longer than what is around it
        longer = bytearray(der)
        longer[at] = 0xFF
        assert refusal(longer) == "malformed certificate", at
    assert refusal(b"") == "malformed certificate"
