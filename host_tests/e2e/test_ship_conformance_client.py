"""Cases TC_SHIP_* over real sockets with the charger as client: it finds the tool and calls it.

Each case starts a charger of its own, because one that was refused waits before it calls again;
so they run in `make conformance` only.
"""

import contextlib
import ssl
import time

import pytest

from host_tests.e2e.called import Listener
from host_tests.e2e.peer import Closed, Peer, make_certificate
from tools.simulate import Simulator

pytestmark = pytest.mark.slow

CALL_S = 30  # TC_SHIP_ROLE_003 gives a device five minutes to call
CMI = b"\0\0"
READY = b'\x01{"connectionHello":[{"phase":"ready"}]}'


@pytest.fixture
def called(tmp_path):
    """`called("cmi")` is the connection that the charger opens to the tool, come so far.

    The tool announces `ski`, which is trusted, and shows `certificate`; `others` are trusted too.
    """
    with contextlib.ExitStack() as opened:

        def connect(stage, certificate=None, ski="", others=()):
            shown = certificate or make_certificate(tmp_path, name="tool")
            listener = opened.enter_context(Listener(shown, ski=ski))
            options = {"state": tmp_path / "charger", "mdns_address": "127.0.0.1"}
            trusted = [ski or shown.ski, *others]
            charger = opened.enter_context(Simulator(port=0, trust=trusted, **options))
            peer = opened.enter_context(listener.accept(CALL_S))
            peer.charger = charger
            if stage != "tls":
                return peer.reach(stage)
            peer.do_tls(version="TLSv1_2")  # where a refusal is a part of the handshake
            return peer

        yield connect


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
    peer = called("hello")
    announced = peer.expect("messageProtocolHandshake")[1]
    assert announced["handshakeType"] == "announceMax"
    assert announced["version"] == {"major": 1, "minor": 0}
    assert announced["formats"] == {"format": ["JSON-UTF8"]}
    selected = {**announced, "handshakeType": "select"}
    peer.control("messageProtocolHandshake", selected)
    assert peer.expect("messageProtocolHandshake")[1] == selected
    peer.control("connectionPinState", {"pinState": "none"})
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
