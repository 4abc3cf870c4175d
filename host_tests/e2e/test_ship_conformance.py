"""Cases TC_SHIP_* over real sockets with the charger as server, as far as they take few seconds.

The same cases in virtual time, and all others, are in unit/test_ship_conformance.py; this shows
that sockets, TLS and the scheduler keep what the state machines promise.
"""

import ssl
import time

import pytest

from host_tests.e2e.peer import Closed, Peer, certificate_in_order, make_certificate
from tools.energy_manager.eebus_json import as_map, decode
from tools.simulate import Simulator

READY = b'\x01{"connectionHello":[{"phase":"ready"}]}'
ACCESS_METHODS_REQUEST = b'\x01{"accessMethodsRequest":[]}'
CMI = b"\0\0"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def charger(tmp_path_factory, good):
    state = tmp_path_factory.mktemp("state")
    with Simulator(port=0, state=state, no_mdns=True, trust=[good.ski]) as started:
        assert started.port
        yield started


@pytest.fixture
def tool(charger, good):
    """Connects testers: `tool("cmi")` is one that has come so far."""
    peers = []

    def connect(stage):
        peers.append(Peer(charger.port, good).reach(stage))
        return peers[-1]

    yield connect
    for peer in peers:
        peer.drop()


def answers_access_methods(peer):
    """The device answers accessMethodsRequest with its SHIP ID."""
    peer.send(ACCESS_METHODS_REQUEST)
    return peer.expect("accessMethods")[1]["id"]


@pytest.mark.slow
def test_tc_ship_role_001_device_as_server(tool):
    peer = tool("upgrade")
    time.sleep(7)
    peer.do_cmi()
    assert peer.expect("connectionHello")[1]["phase"] == "ready"


def test_tc_ship_conn_001_double_connection_and_the_larger_ski(charger, tmp_path):
    smaller = certificate_in_order(tmp_path, charger.command("id")["ski"], is_larger=False)
    charger.command("trust " + smaller.ski)
    with Peer(charger.port, smaller).reach("data") as first:
        with Peer(charger.port, smaller).reach("data") as second:
            first.set_wait(30)
            assert first.expect("connectionClose")[1]["reason"] == "unspecific"
            first.control("connectionClose", {"phase": "confirm"}, kind=3)
            assert first.wait_closed() == (4001, "close")
            assert answers_access_methods(second)
    charger.command("untrust " + smaller.ski)


def is_refused_in_tls(charger, certificate):
    """TLS 1.2, so that the refusal is a part of the handshake that the client sees."""
    with Peer(charger.port, certificate) as peer, pytest.raises((ssl.SSLError, Closed)):
        peer.do_tls(version="TLSv1_2")


def test_tc_ship_sec_001_forged_ski_of_a_stranger(charger, tmp_path):
    is_refused_in_tls(charger, make_certificate(tmp_path, "forged"))


def test_tc_ship_sec_002_forged_ski_of_a_trusted_peer(charger, good, tmp_path):
    is_refused_in_tls(charger, make_certificate(tmp_path, "forged", claimed=good.ski))


def test_tc_ship_msg_001_empty_message_value(tool):
    peer = tool("data")
    peer.send(b"\x02")
    assert answers_access_methods(peer)


def test_tc_ship_msg_002_unknown_message_type(tool):
    peer = tool("data")
    peer.send(b"\xff\x00")
    assert answers_access_methods(peer)


def test_tc_ship_msg_003_json_with_whitespace(tool):
    peer = tool("data")
    peer.send(b'\x01 {\r\n "accessMethodsRequest"\t: [ ] } ')
    assert peer.expect("accessMethods")


def test_tc_ship_cmi_001_invalid_type_to_a_server(tool):
    peer = tool("upgrade")
    peer.send(b"\x01\x00")
    assert peer.receive() == CMI and peer.wait_closed() == (4001, "invalid CMI")


def test_tc_ship_cmi_005_invalid_head_to_a_server(tool):
    peer = tool("upgrade")
    peer.send(b"\x00\x01")
    assert peer.receive() == CMI and peer.wait_closed() == (4001, "invalid CMI")


def test_tc_ship_hello_001_ready_and_ready(tool):
    peer = tool("cmi")
    assert peer.expect("connectionHello")[1]["phase"] == "ready"
    peer.send(READY)
    peer.do_handshake()


def test_tc_ship_prot_001_json_utf8_as_server(tool):
    peer = tool("hello")
    peer.do_handshake()
    assert peer.expect("connectionPinState")[1] == {"pinState": "none"}


@pytest.mark.slow
def test_tc_ship_prot_003_wait_timer_as_server(tool):
    peer = tool("hello")
    peer.set_wait(12)
    start = time.monotonic()
    assert peer.expect("messageProtocolHandshakeError")[1] == {"error": 1}
    assert 9.5 < time.monotonic() - start < 12
    peer.wait_closed()
    assert time.monotonic() - start < 14


def test_tc_ship_prot_005_unexpected_message_as_server(tool):
    peer = tool("hello")
    peer.send(READY)
    assert peer.expect("messageProtocolHandshakeError")[1] == {"error": 2}
    assert peer.wait_closed() == (4001, "protocol handshake error 2")


def test_tc_ship_pin_001_pin_state_none(tool):
    assert answers_access_methods(tool("data"))


def test_tc_ship_term_001_max_time_on_termination(charger, good, tool):
    peer = tool("data")
    charger.command("untrust " + good.ski)
    try:
        close = peer.expect("connectionClose")[1]
        start = time.monotonic()
        assert close["phase"] == "announce" and close["reason"] == "removedConnection"
        assert peer.wait_closed() == (4001, "close")
        assert time.monotonic() - start < close["maxTime"] / 1000 + 2
    finally:
        charger.command("trust " + good.ski)


def test_tc_ship_am_001_ship_id_in_access_methods(charger, tool):
    assert answers_access_methods(tool("data")) == charger.command("id")["ship_id"]


def test_tc_ship_amdata_001_data_and_access_methods_interleaved(tool):
    peer = tool("data")
    peer.control("accessMethods", {"id": "i:1_u:tool"})
    interleaved(peer)


def interleaved(peer):
    """Two reads of the discovery with a request for access methods between them."""
    read = {"nodeManagementDetailedDiscoveryData": {}}
    wanted = {peer.datagram("read", read)}
    peer.send(ACCESS_METHODS_REQUEST)
    wanted.add(peer.datagram("read", read))
    has_methods = False
    while wanted or not has_methods:
        root, body = decode(peer.receive()[1:])
        if root == "accessMethods":
            has_methods = True
        elif root == "data":
            header = as_map(as_map(as_map(as_map(body)["payload"])["datagram"])["header"])
            wanted.discard(header.get("msgCounterReference"))


@pytest.mark.slow
def test_tc_ship_amdata_002_own_request_unanswered_for_8_seconds(tool):
    peer = tool("data")  # whose accessMethodsRequest has no answer yet
    interleaved(peer)
    time.sleep(8)
    peer.control("accessMethods", {"id": "i:1_u:tool"})
    interleaved(peer)


def test_tc_ship_amdata_003_own_spine_read_unanswered(tool):
    peer = tool("data")
    header, command = peer.next_datagram()
    assert header["cmdClassifier"] == "read"
    assert "nodeManagementDetailedDiscoveryData" in command
    assert answers_access_methods(peer)
    assert peer.discover().address
