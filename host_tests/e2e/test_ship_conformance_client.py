"""Cases TC_SHIP_* over real sockets with the charger as client: it finds the tool and calls it.

Each case starts a charger of its own, because one that was refused waits before it calls again;
so they run in `make conformance` only.
"""

import base64
import hashlib
import socket
import ssl
import time

import pytest
from zeroconf import IPVersion, ServiceInfo, Zeroconf

from host_tests.e2e.peer import Certificate, Closed, Peer, make_certificate
from tools.simulate import Simulator

pytestmark = pytest.mark.slow

CALL_S = 30  # TC_SHIP_ROLE_003 gives a device five minutes to call
CMI = b"\0\0"
READY = b'\x01{"connectionHello":[{"phase":"ready"}]}'
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TYPE = "_ship._tcp.local."


class CalledPeer(Peer):
    """The same tester as server of a connection that the charger has opened."""

    masks = False

    def __init__(self, raw: socket.socket, certificate: Certificate):
        self._begin(raw, certificate)

    def do_tls(self) -> None:
        """TLS handshake; ssl.SSLError or Closed if the charger refuses."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate.path)
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._finish_handshake()

    def do_upgrade(self) -> None:
        """Answer the request for a WebSocket."""
        while b"\r\n\r\n" not in self._plain:
            self._plain += self.read()
        head, _, self._plain = self._plain.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"GET /ship/ HTTP/1.1"
        headers = dict(line.split(b": ", 1) for line in lines[1:])
        assert headers[b"Sec-WebSocket-Protocol"] == b"ship"
        token = hashlib.sha1(headers[b"Sec-WebSocket-Key"] + _GUID).digest()
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: ship\r\n"
            b"Sec-WebSocket-Accept: %s\r\n\r\n" % base64.b64encode(token)
        )

    def do_cmi(self) -> None:
        """The client speaks first."""
        assert self.receive() == CMI
        self.send(CMI)

    def do_handshake(self) -> None:
        """The charger announces and repeats the selection."""
        announced = self.expect("messageProtocolHandshake")[1]
        assert announced["handshakeType"] == "announceMax"
        assert announced["version"] == {"major": 1, "minor": 0}
        assert announced["formats"] == {"format": ["JSON-UTF8"]}
        self.control("messageProtocolHandshake", {**announced, "handshakeType": "select"})
        assert self.expect("messageProtocolHandshake")[1]["handshakeType"] == "select"


@pytest.fixture
def called(tmp_path):
    """`called("cmi")` is the connection that the charger opens to the tool, come so far.

    The tool announces `ski`, which is trusted, and shows `certificate`; `others` are trusted too.
    """
    opened = []

    def connect(stage, certificate=None, ski="", others=()):
        shown = certificate or make_certificate(tmp_path, name="tool")
        ski = ski or shown.ski
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(CALL_S)
        opened.append(listener.close)
        announce(listener.getsockname()[1], ski, opened)
        options = {"state": tmp_path / "charger", "mdns_address": "127.0.0.1"}
        charger = Simulator(port=0, trust=[ski, *others], **options)
        charger.start()
        opened.append(charger.stop)
        raw, _ = listener.accept()
        peer = CalledPeer(raw, shown)
        peer.charger = charger
        opened.append(peer.drop)
        return peer.reach(stage)

    yield connect
    for close in reversed(opened):
        close()


def announce(port, ski, opened):
    """Announce the tool on loopback."""
    zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    opened.append(zeroconf.close)
    info = ServiceInfo(
        _TYPE,
        f"Tool {ski[:6]}.{_TYPE}",
        addresses=[socket.inet_aton("127.0.0.1")],
        port=port,
        server=f"tool-{ski[:6]}.local.",
        properties={
            "txtvers": "1",
            "path": "/ship/",
            "id": "i:1_u:tool",
            "ski": ski,
            "register": "false",
        },
    )
    zeroconf.register_service(info)


def answers_access_methods(peer):
    peer.send(b'\x01{"accessMethodsRequest":[]}')
    assert peer.expect("accessMethods")[1]["id"] == "Pilotwire-0001"


def test_tc_ship_role_002_device_as_client(called):
    peer = called("upgrade")
    assert peer.receive() == CMI
    time.sleep(7)
    peer.send(CMI)
    assert peer.expect("connectionHello")[1]["phase"] == "ready"


def test_tc_ship_role_003_both_roles_at_once_with_two_partners(called, tmp_path):
    other = make_certificate(tmp_path, name="other")
    called_one = called("cmi", others=[other.ski])
    with Peer(called_one.charger.port, other).reach("cmi") as calling_one:
        for peer in (called_one, calling_one):
            assert peer.expect("connectionHello")[1]["phase"] == "ready"
            peer.send(READY)
        for peer in (called_one, calling_one):
            peer.do_handshake()
            peer.do_data()
            answers_access_methods(peer)


def test_tc_ship_sec_001_forged_ski_shown_to_a_client(called, tmp_path):
    with pytest.raises((ssl.SSLError, Closed)):
        called("tls", make_certificate(tmp_path, "forged")).read()


def test_tc_ship_sec_002_forged_ski_of_a_trusted_peer_shown_to_a_client(called, tmp_path):
    good = make_certificate(tmp_path)
    forged = make_certificate(tmp_path, "forged", claimed=good.ski)
    with pytest.raises((ssl.SSLError, Closed)):
        called("tls", forged, good.ski).read()


def ends_silently(peer):
    """The charger sends nothing more but a WebSocket close."""
    with pytest.raises(Closed):
        peer.receive()


def test_tc_ship_cmi_002_invalid_type_to_a_client(called):
    peer = called("upgrade")
    assert peer.receive() == CMI
    peer.send(b"\x01\x00")
    ends_silently(peer)


def test_tc_ship_cmi_006_invalid_head_to_a_client(called):
    peer = called("upgrade")
    assert peer.receive() == CMI
    peer.send(b"\x00\x01")
    ends_silently(peer)


def test_tc_ship_prot_002_json_utf8_as_client(called):
    peer = called("handshake")
    assert peer.expect("connectionPinState")[1] == {"pinState": "none"}


def test_tc_ship_prot_004_wait_timer_as_client(called):
    peer = called("hello")
    peer.expect("messageProtocolHandshake")
    peer.set_wait(12)
    assert peer.expect("messageProtocolHandshakeError")[1] == {"error": 1}
    peer.wait_closed()


def test_tc_ship_prot_006_unexpected_message_as_client(called):
    peer = called("hello")
    peer.expect("messageProtocolHandshake")
    peer.send(READY)
    assert peer.expect("messageProtocolHandshakeError")[1] == {"error": 2}
    assert peer.wait_closed() == (4001, "protocol handshake error 2")


def test_tc_ship_pin_001_pin_state_none_as_client(called):
    answers_access_methods(called("data"))
