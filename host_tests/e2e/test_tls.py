"""TLS details of SHIP 9 on real sockets: fragments, compression, renegotiation, resumption.

What a ServerHello of TLS 1.2 says is read from the wire, because it is in the clear.
"""

import shutil
import ssl
import subprocess
import time

import pytest

from host_tests.e2e.peer import Closed, Peer, make_certificate
from tools.simulate import Simulator

_MFL = b"\x00\x01\x00\x01"  # extension max_fragment_length with one octet


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def charger(tmp_path_factory, good):
    state = tmp_path_factory.mktemp("state")
    with Simulator(port=0, state=state, no_mdns=True, trust=[good.ski]) as started:
        assert started.port
        yield started


def changed_hello(hello, extension=b"", compression=b"\x00"):
    """A ClientHello record with one more extension and these compression methods."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]  # session id
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # cipher suites
    head = hello[9:at] + bytes([len(compression)]) + compression
    at += 1 + hello[at] + 2
    extensions = hello[at:] + extension
    body = head + len(extensions).to_bytes(2, "big") + extensions
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


def server_hello(peer, hello):
    """(compression method, {extension: content}, first record) of the answer to a ClientHello."""
    peer.send_octets(hello)
    octets = b""
    while len(octets) < 5 or len(octets) < 5 + int.from_bytes(octets[3:5], "big"):
        received = peer.receive_octets()
        if not received:
            raise Closed(None, "end of the stream")
        octets += received
    if octets[0] != 0x16:
        raise Closed(None, "alert %d" % octets[6])
    at = 5 + 4 + 2 + 32
    at += 1 + octets[at] + 2  # session id, cipher suite
    compression = octets[at]
    end = at + 3 + int.from_bytes(octets[at + 1 : at + 3], "big")
    at += 3
    found = {}
    while at < end:
        size = int.from_bytes(octets[at + 2 : at + 4], "big")
        found[int.from_bytes(octets[at : at + 2], "big")] = octets[at + 4 : at + 4 + size]
        at += 4 + size
    return compression, found, octets


def test_a_maximum_fragment_length_of_1024_is_negotiated(charger, good):
    for code in (1, 2, 3, 4):  # 512 to 4096 octets; SHIP wants 1024
        with Peer(charger.port, good) as peer:
            hello = changed_hello(peer.client_hello(version="TLSv1_2"), _MFL + bytes([code]))
            assert server_hello(peer, hello)[1][1] == bytes([code])


def test_compression_is_never_chosen_whatever_is_offered(charger, good):
    for offered in (b"\x01\x00", b"\x00\x01", b"\x01"):
        with Peer(charger.port, good) as peer:
            hello = changed_hello(peer.client_hello(version="TLSv1_2"), compression=offered)
            assert server_hello(peer, hello)[0] == 0


def test_secure_renegotiation_is_indicated(charger, good):
    with Peer(charger.port, good) as peer:
        found = server_hello(peer, peer.client_hello(version="TLSv1_2"))[1]
        assert found[0xFF01] == b"\x00"  # RFC 5746


def test_renegotiation_is_refused(charger, good):
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("Python cannot renegotiate; the openssl program can and is not here")
    client = subprocess.Popen(
        [openssl, "s_client", "-tls1_2", "-connect", f"127.0.0.1:{charger.port}"]
        + ["-cert", good.path, "-key", good.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    time.sleep(0.5)  # a line typed before the handshake is over would be taken for data
    output, _ = client.communicate("R\n", timeout=20)
    assert "RENEGOTIATING" in output
    assert "no renegotiation" in output


def handshake(port, good, version, session=None):
    """A handshake by Python's own sockets; returns (session, whether it was resumed)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(good.path)
    if session:
        context = session[1]
    peer = Peer(port)
    try:
        with context.wrap_socket(peer.detach(), session=session and session[0]) as tls:
            tls.sendall(Peer.request_head())
            assert tls.recv(12) == b"HTTP/1.1 101"
            return (tls.session, context), tls.session_reused
    finally:
        peer.drop()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_never_resumed_so_the_certificate_is_seen_each_time(charger, good, version):
    session, _ = handshake(charger.port, good, version)
    if session[0]:
        assert not session[0].has_ticket
    assert not handshake(charger.port, good, version, session)[1]


def test_a_peer_that_probes_curves_finds_secp256r1(charger, good):
    with Peer(charger.port, good) as peer, pytest.raises((ssl.SSLError, Closed)):
        peer.do_tls(version="TLSv1_2", curve="secp521r1")
    with Peer(charger.port, good) as peer:
        peer.do_tls(version="TLSv1_2", curve="prime256v1")
        assert peer.upgrade(peer.request_head()) == 101
