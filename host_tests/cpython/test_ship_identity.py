"""A node's identity as others see it: OpenSSL, Python's cryptography, and a TLS handshake.

What they make is read in return, and what nobody should send is refused.
"""

import base64
import hashlib
import os
import random
import socket
import ssl
import subprocess
from datetime import datetime, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from ship import p256, ski
from ship.identity import make_identity
from tools.micropython import micropython_path

ROOT = Path(__file__).resolve().parents[2]
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

MAKE = """
import binascii, os
from ship.identity import make_identity
maker = make_identity("EVSE-0001", "Acme", os.urandom)
for _ in maker:
    pass
for octets in (maker.key_der, maker.certificate_der, maker.ski):
    print(binascii.hexlify(octets).decode())
"""

CONNECT = """
import socket, tls
from ship import ski
key, certificate, port = (%r, %r, %d)
seen = []
def verify(peer, depth):
    seen.append(ski.to_hex(ski.ski_of(peer)))
    return 0
context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
context.verify_mode = tls.CERT_OPTIONAL
context.verify_callback = verify
context.load_cert_chain(certificate, key)
raw = socket.socket()
raw.connect(socket.getaddrinfo("127.0.0.1", port)[0][-1])
stream = context.wrap_socket(raw)
stream.write(b"hello")
assert stream.read(5) == b"world"
print(seen[0])
stream.close()
"""


class Identity:
    """Key, certificate (both DER) and SKI, wherever they were made."""

    def __init__(self, key_der, certificate_der, own_ski):
        self.key_der = key_der
        self.certificate_der = certificate_der
        self.ski = own_ski

    @property
    def pem(self):
        return pem("EC PRIVATE KEY", self.key_der) + pem("CERTIFICATE", self.certificate_der)


def pem(kind, der):
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN {kind}-----\n{text}-----END {kind}-----\n"


def program(bits):
    return os.environ.get(f"MICROPYTHON{bits}") or micropython_path(bits)


def micropython(bits, script):
    return subprocess.Popen(
        [program(bits), "-c", script],
        env={**os.environ, "MICROPYPATH": f"{ROOT / 'lib'}:.frozen"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def made_by(where):
    if where == "cpython":
        maker = make_identity("EVSE-0001", "Acme", os.urandom)
        for _ in maker:
            pass
        return Identity(maker.key_der, maker.certificate_der, maker.ski)
    process = micropython(int(where.removeprefix("micropython")), MAKE)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return Identity(*map(bytes.fromhex, output.split()))


@pytest.fixture(scope="module", params=["cpython", "micropython64", "micropython32"])
def identity(request):
    return made_by(request.param)


@pytest.fixture(scope="module")
def on_cpython():
    return made_by("cpython")


def openssl(*arguments, stdin):
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, timeout=20)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


# --- what we make ---


def test_openssl_reads_the_certificate(identity):
    text = openssl("x509", "-inform", "der", "-noout", "-text", stdin=identity.certificate_der)
    for expected in (
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: O = Acme, CN = EVSE-0001",
        "Subject: O = Acme, CN = EVSE-0001",
        "Not Before: Jan  1 00:00:00 2020 GMT",
        "Not After : Dec 31 23:59:59 2099 GMT",
        "ASN1 OID: prime256v1",
        "X509v3 Subject Key Identifier: \n" + " " * 16 + identity.ski.hex(":").upper(),
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
    ):
        assert expected in text


def test_openssl_verifies_the_certificate_with_itself(identity, tmp_path):
    file = tmp_path / "certificate.pem"
    file.write_text(pem("CERTIFICATE", identity.certificate_der))
    arguments = ("verify", "-x509_strict", "-check_ss_sig", "-CAfile", str(file), str(file))
    assert openssl(*arguments, stdin=b"").endswith("OK\n")


def test_openssl_reads_and_checks_the_private_key(identity):
    text = openssl("ec", "-inform", "der", "-check", "-noout", "-text", stdin=identity.key_der)
    assert "ASN1 OID: prime256v1" in text
    public = openssl("ec", "-inform", "der", "-pubout", stdin=identity.key_der)
    certified = openssl(
        "x509", "-inform", "der", "-noout", "-pubkey", stdin=identity.certificate_der
    )
    assert public == certified


def test_openssl_computes_the_same_ski(identity):
    spki = openssl("x509", "-inform", "der", "-noout", "-pubkey", stdin=identity.certificate_der)
    der = base64.b64decode("".join(spki.splitlines()[1:-1]))
    assert hashlib.sha1(der[-65:]).digest() == identity.ski


def test_cryptography_reads_and_verifies_the_certificate(identity):
    certificate = x509.load_der_x509_certificate(identity.certificate_der)
    certificate.verify_directly_issued_by(certificate)
    assert certificate.version is x509.Version.v3
    assert certificate.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA256
    assert certificate.subject.rfc4514_string() == "CN=EVSE-0001,O=Acme"
    assert certificate.not_valid_before_utc == datetime(2020, 1, 1, tzinfo=timezone.utc)
    assert certificate.not_valid_after_utc == datetime(
        2099, 12, 31, 23, 59, 59, tzinfo=timezone.utc
    )
    assert certificate.serial_number.bit_length() == 127
    extensions = {extension.oid._name: extension for extension in certificate.extensions}
    assert sorted(extensions) == ["basicConstraints", "keyUsage", "subjectKeyIdentifier"]
    assert not extensions["subjectKeyIdentifier"].critical
    assert extensions["basicConstraints"].value.ca is False
    assert extensions["keyUsage"].value.digital_signature


def test_cryptography_computes_the_same_ski(identity):
    certificate = x509.load_der_x509_certificate(identity.certificate_der)
    computed = x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest
    carried = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert computed == carried.value.digest == identity.ski == ski.ski_of(identity.certificate_der)


def test_cryptography_reads_the_private_key_as_that_of_the_certificate(identity):
    key = serialization.load_der_private_key(identity.key_der, None)
    certificate = x509.load_der_x509_certificate(identity.certificate_der)
    assert key.public_key() == certificate.public_key()


def test_every_identity_is_another_one():
    first, second = made_by("cpython"), made_by("cpython")
    assert first.ski != second.ski
    assert (
        len(
            {
                x509.load_der_x509_certificate(i.certificate_der).serial_number
                for i in (first, second)
            }
        )
        == 2
    )


def test_names_beyond_ascii_are_written_as_utf_8():
    maker = make_identity("Ladesäule ☀", "Größe & Söhne", os.urandom)
    for _ in maker:
        pass
    subject = x509.load_der_x509_certificate(maker.certificate_der).subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "Ladesäule ☀"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Größe & Söhne"


@pytest.mark.parametrize("bits", [64, 32])
def test_mbedtls_and_openssl_shake_hands_with_two_such_identities(bits, on_cpython, tmp_path):
    node = made_by(f"micropython{bits}")
    chain = tmp_path / "chain.pem"
    chain.write_text(on_cpython.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=pem("CERTIFICATE", node.certificate_der))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(20)
        port = listener.getsockname()[1]
        process = micropython(bits, CONNECT % (node.key_der, node.certificate_der, port))
        try:
            raw, _ = listener.accept()
            raw.settimeout(20)
            with context.wrap_socket(raw, server_side=True) as stream:
                assert stream.recv(5) == b"hello"
                assert ski.ski_of(stream.getpeercert(True)) == node.ski
                stream.sendall(b"world")
                output, _ = process.communicate(timeout=20)
        finally:
            process.kill()
            process.wait()
    assert output.strip() == on_cpython.ski.hex()


# --- the arithmetic against another one ---


def test_public_keys_and_signatures_agree_with_cryptography():
    source = random.Random(2)
    for k in [1, 2, 15, 16, 17, 1 << 252, N >> 1, N - 2, N - 1] + [
        source.randrange(1, N) for _ in range(50)
    ]:
        public = ec.derive_private_key(k, ec.SECP256R1()).public_key()
        numbers = public.public_numbers()
        assert p256.run(p256.multiply(k)) == (numbers.x, numbers.y), hex(k)
        message = source.randbytes(source.randrange(100))
        digest = hashlib.sha256(message).digest()
        r, s = p256.run(p256.sign(k, digest, source.randbytes(32)))
        public.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


# --- what others make ---


def certificate_for(key, extension="computed", name=()):
    """Return a DER certificate as an ordinary tool makes it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer"), *name])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2001, 1, 1))
        .not_valid_after(datetime(2002, 1, 1))  # expired, which must not matter
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("peer.local")]), critical=False)
    )
    if extension == "computed":
        extension = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    if extension:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.DER)


def octets_in_name(octets):
    """Return a name attribute that holds any octets verbatim."""
    return x509.NameAttribute(NameOID.X500_UNIQUE_IDENTIFIER, octets, _ASN1Type.BitString)


def spki_of(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def refusal(der):
    with pytest.raises(ski.CertificateError) as caught:
        ski.ski_of(der)
    return str(caught.value)


@pytest.fixture(scope="module")
def key():
    return ec.generate_private_key(ec.SECP256R1())


def test_an_ordinary_expired_ca_certificate_names_its_node(key):
    expected = hashlib.sha1(spki_of(key)[-65:]).digest()
    assert ski.ski_of(certificate_for(key)) == expected


def test_a_certificate_that_another_key_has_signed_names_its_node(key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "peer")])
    issuer = rsa.generate_private_key(65537, 2048)
    extension = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(datetime(2020, 1, 1))
        .not_valid_after(datetime(2051, 1, 1))
        .add_extension(extension, critical=False)
        .sign(issuer, hashes.SHA256(), rsa_padding=padding.PKCS1v15())
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    assert ski.ski_of(der) == extension.digest


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.BrainpoolP256R1()),
        lambda: rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate,
    ],
    ids=["secp384r1", "secp256k1", "brainpoolP256r1", "RSA", "Ed25519"],
)
def test_other_keys_are_refused(make):
    assert refusal(certificate_for(make())) == "no uncompressed P-256 key"


def test_a_certificate_without_the_extension_is_refused(key):
    assert refusal(certificate_for(key, extension=None)) == "no SubjectKeyIdentifier"


def test_a_forged_extension_is_refused(key):
    victim = ec.generate_private_key(ec.SECP256R1())
    forged = x509.SubjectKeyIdentifier.from_public_key(victim.public_key())
    whole_spki = x509.SubjectKeyIdentifier(hashlib.sha1(spki_of(key)).digest())
    short = x509.SubjectKeyIdentifier(hashlib.sha1(spki_of(key)[-65:]).digest()[:-1])
    for extension in (forged, whole_spki, short):
        assert refusal(certificate_for(key, extension=extension)) == (
            "SubjectKeyIdentifier is not that of the key"
        )


def test_an_extension_inside_the_name_is_none(key):
    digest = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest
    inside = octets_in_name(b"\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14" + digest)
    der = certificate_for(key, extension=None, name=[inside])
    assert digest in der
    assert refusal(der) == "no SubjectKeyIdentifier"


def test_a_foreign_key_inside_the_name_is_not_the_key(key):
    victim = ec.generate_private_key(ec.SECP256R1())
    inside = octets_in_name(spki_of(victim))
    own = hashlib.sha1(spki_of(key)[-65:]).digest()
    der = certificate_for(key, name=[inside])
    assert der.index(spki_of(victim)) < der.index(spki_of(key))
    assert ski.ski_of(der) == own
    forged = x509.SubjectKeyIdentifier.from_public_key(victim.public_key())
    assert refusal(certificate_for(key, extension=forged, name=[inside])) == (
        "SubjectKeyIdentifier is not that of the key"
    )


# --- what nobody should send ---


def test_a_certificate_cut_anywhere_is_refused(key, on_cpython):
    for der in (certificate_for(key), on_cpython.certificate_der):
        for length in range(len(der)):
            refusal(der[:length])


def test_2000_mutations_end_in_the_right_ski_or_a_refusal(key, on_cpython):
    source = random.Random(1)
    originals = [certificate_for(key), on_cpython.certificate_der]
    taken = 0
    for turn in range(2000):
        der = bytearray(originals[turn % 2])
        for _ in range(source.choice((1, 1, 2, 5))):
            at = source.randrange(len(der))
            how = source.randrange(4)
            if how == 0:
                der[at] ^= 1 << source.randrange(8)
            elif how == 1:
                der[at] = source.choice((0, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF))
            elif how == 2:
                del der[at : at + source.randrange(1, 4)]
            else:
                der[at:at] = source.randbytes(source.randrange(1, 4))
        try:
            found = ski.ski_of(der)
        except ski.CertificateError:
            continue
        taken += 1
        assert found == ski.ski_of(originals[turn % 2])
    assert 100 < taken < 1900


def test_noise_is_refused():
    source = random.Random(3)
    for length in range(300):
        refusal(source.randbytes(length))
        refusal(b"\x30\x82\x01\x00\x30\x81\x80" + source.randbytes(length))
        refusal(b"\x30" * length)
