"""The conformance cases TC_SHIP_* (test specification 1.0.0) in virtual time, our node under test.

One test for each case, in the roles of the document. Our parameters: PAR_shipSvc yes, PAR_shipId
`SHIP_ID`, PAR_shipVersion 1.0, PAR_initiateClose yes, PAR_queryAccessMethods yes,
PAR_clientDetailedDiscoverySupported yes, PAR_helloProlongationCount 3.

The tester announces 1.0. A tool in the server role of HELLO_001, 002 and 004 has to send
`announceMax` itself, because a server only answers.
"""

import json

from ship_station import SHIP_ID as STATION_ID
from ship_station import Node as Station
from test_mdns_messages import PTR, TXT, TYPE, message, question, read
from test_ship_connection import (
    ABORTED,
    ACCESS_METHODS,
    ACCESS_METHODS_REQUEST,
    ANNOUNCE_CLOSE,
    ANNOUNCE_MAX,
    CMI,
    CONFIRM_CLOSE,
    DATAGRAM,
    OUR_ACCESS_METHODS,
    OUR_READY,
    PIN_NONE,
    READY,
    REQUEST,
    SELECT,
    SHIP_ID,
    Peer,
    in_data_exchange,
    in_hello,
    in_pin,
    in_protocol_handshake,
)
from test_ship_x509 import SKI_EXTENSION, certificate, extensions, foreign, refusal

from mdns.responder import Responder
from mdns.service import Service
from mdns.txt import ship_strings
from ship.base import CLIENT, SERVER
from ship.double import CLOSE, Double
from ship.ski import ski_of, to_hex

BOTH = (SERVER, CLIENT)
ERROR_1 = b'\x01{"messageProtocolHandshakeError":[{"error":1}]}'
ERROR_2 = b'\x01{"messageProtocolHandshakeError":[{"error":2}]}'
HELLO_READY = b'\x01{"connectionHello":[{"phase":"ready"}]}'
HELLO_PENDING = b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":120000}]}'


def body_of(octets, root):
    """The elements of a message of this root, which must be minified EEBUS JSON, as a dict."""
    tree = json.loads(str(octets[1:], "utf-8"))
    assert list(tree) == [root] and b" " not in octets
    result = {}
    for child in tree[root]:
        assert len(child) == 1
        result.update(child)
    return result


# MDNS


def test_tc_ship_mdns_001_txt_record_check():
    ski = "B467A3999EB5EFA671DE0032F08A9C9E5EFDA0E1"
    strings = ship_strings(
        SHIP_ID, ski, "/ship/", False, "Acme", "EVSE22", "ChargingStation", "0001", (3,)
    )
    service = Service("Acme EVSE22 0001", "acme-0001", 4712, strings, [b"\x0a\0\0\5"])
    responder = Responder(service, 0, lambda count: bytes(count))
    for _ in range(5):
        responder.tick(responder.deadline())
    responder.take()
    query = message(0, [question(TYPE, PTR)])
    responder.received(memoryview(query), b"tool", 5353, 10_000)
    responder.tick(responder.deadline())
    ((packet, _),) = responder.take()
    records = [record for part in read(packet)[2] for record in part if record[1] == TXT]
    assert len(records) == 1
    keys = {}
    rdata = records[0][-1]
    at = 0
    while at < len(rdata):
        key, _, value = str(bytes(rdata[at + 1 : at + 1 + rdata[at]]), "utf-8").partition("=")
        assert at or key == "txtvers"
        keys[key] = value
        at += 1 + rdata[at]
    assert keys["txtvers"] == "1" and keys["id"] == SHIP_ID and len(SHIP_ID) <= 63
    assert keys["path"].startswith("/") and len(keys["path"]) <= 32
    assert keys["ski"] == ski.lower() and keys["register"] in ("true", "false")
    assert keys["cat"] == "3"
    for key in ("brand", "model", "type"):
        assert 1 <= len(keys[key].encode()) <= 32


# CONN


def test_tc_ship_conn_001_double_connection_and_the_larger_ski():
    one = in_data_exchange(CLIENT)  # opened by us
    two = in_data_exchange(SERVER)  # then by the tool, with the same certificate
    double = Double(True)
    for now in range(1_000, 30_001, 100):
        if double.decide([0, 1_000] if one.state == 38 else [1_000], now) == CLOSE:
            one.connection.end("unspecific", now)
    assert one.take() == [ANNOUNCE_CLOSE] and one.say(CONFIRM_CLOSE) == []
    assert one.closed == (4001, "close")
    assert two.closed is None and two.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]


# ROLE


def test_tc_ship_role_001_device_as_server():
    peer = Peer(SERVER)
    assert peer.wait_until(7_000) == [] and peer.closed is None
    assert peer.say(CMI) == [CMI, OUR_READY]


def test_tc_ship_role_002_device_as_client():
    peer = Peer(CLIENT)
    assert peer.take() == [CMI]
    assert peer.wait_until(7_000) == [] and peer.closed is None
    assert peer.say(CMI) == [OUR_READY]


def test_tc_ship_role_003_both_roles_at_once_with_two_partners():
    one = Peer(SERVER)
    two = Peer(CLIENT)
    assert two.take() == [CMI]
    assert one.say(CMI) == [CMI, OUR_READY]
    assert two.say(CMI) == [OUR_READY]
    assert two.say(READY) == [ANNOUNCE_MAX] and one.say(READY, ANNOUNCE_MAX) == [SELECT]


# SEC


def forged(claimed):
    """A certificate whose SubjectKeyIdentifier is not that of its key."""
    return foreign(extensions(SKI_EXTENSION[:-20] + claimed))


def test_tc_ship_sec_001_forged_ski_of_a_stranger():
    assert to_hex(ski_of(certificate()))
    assert refusal(forged(b"\x5a" * 20)) == "SubjectKeyIdentifier is not that of the key"


def test_tc_ship_sec_002_forged_ski_of_a_trusted_peer():
    trusted = ski_of(certificate())
    other_key = foreign(
        extensions(SKI_EXTENSION[:-20] + trusted),
        bytes.fromhex(
            "3059301306072a8648ce3d020106082a8648ce3d030107034200"
            "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
            "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
        ),
    )
    assert refusal(other_key) == "SubjectKeyIdentifier is not that of the key"


# MSG


def test_tc_ship_msg_001_empty_message_value():
    for role in BOTH:
        peer = in_data_exchange(role)
        assert peer.say(b"\x02") == [] and peer.closed is None
        assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]


def test_tc_ship_msg_002_unknown_message_type():
    for role in BOTH:
        peer = in_data_exchange(role)
        assert peer.say(b"\xff\x00") == [] and peer.closed is None
        assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]


def test_tc_ship_msg_003_json_with_whitespace():
    for role in BOTH:
        peer = in_data_exchange(role)
        text = b'\x01 \r\n{\t"accessMethodsRequest" :\n [ ] } \r\n'
        assert peer.say(text) == [OUR_ACCESS_METHODS]


# CMI


def ends_cmi(role, octets):
    """What a node says to a wrong CMI, which must make it close."""
    peer = Peer(role)
    peer.take()
    sent = peer.say(octets)
    assert peer.closed == (4001, "invalid CMI")
    return sent


def test_tc_ship_cmi_001_invalid_type_to_a_server():
    assert ends_cmi(SERVER, b"\x01\x00") == [CMI]


def test_tc_ship_cmi_002_invalid_type_to_a_client():
    assert ends_cmi(CLIENT, b"\x01\x00") == []


def test_tc_ship_cmi_003_silent_client():
    stays_until_cmi_timeout(Peer(SERVER))


def test_tc_ship_cmi_004_silent_server():
    peer = Peer(CLIENT)
    assert peer.take() == [CMI]
    stays_until_cmi_timeout(peer)


def stays_until_cmi_timeout(peer):
    assert peer.wait_until(7_000) == [] and peer.closed is None
    assert peer.wait_until(32_000) == [] and peer.closed == (4001, "no CMI in time")


def test_tc_ship_cmi_005_invalid_head_to_a_server():
    assert ends_cmi(SERVER, b"\x00\x01") == [CMI]


def test_tc_ship_cmi_006_invalid_head_to_a_client():
    assert ends_cmi(CLIENT, b"\x00\x01") == []


# HELLO


def enters_handshake(peer):
    """The device as server is in the protocol handshake: it answers announceMax."""
    assert peer.say(ANNOUNCE_MAX) == [SELECT]


def test_tc_ship_hello_001_ready_and_ready():
    peer = in_hello()
    assert peer.say(HELLO_READY) == []
    enters_handshake(peer)


def test_tc_ship_hello_002_prolongation():
    peer = in_hello()
    peer.wait_until(45_000)
    for count in range(1, 4):
        (update,) = peer.say(REQUEST)
        hello = body_of(update, "connectionHello")
        assert hello["phase"] == "ready" and hello["waiting"] >= 60_000
        assert peer.wait_until(45_000 + count * 60_000) == [] and peer.closed is None
    peer.say(HELLO_READY)
    enters_handshake(peer)


def test_tc_ship_hello_003_wait_for_ready_expires():
    peer = Peer(SERVER)
    hello = body_of(peer.say(CMI)[1], "connectionHello")
    assert hello["phase"] == "ready" and 58_000 <= hello["waiting"] <= 240_000
    assert peer.wait_until(hello["waiting"] - 1) == []
    assert peer.wait_until(hello["waiting"] + 2_000) == [ABORTED]
    assert peer.closed == (4001, "hello timeout")


def test_tc_ship_hello_004_pending_without_request():
    peer = in_hello()
    assert peer.say(HELLO_PENDING) == [] and peer.closed is None
    assert peer.wait_until(30_000) == []
    assert peer.say(HELLO_READY) == []
    enters_handshake(peer)


# PROT


def test_tc_ship_prot_001_json_utf8_as_server():
    peer = in_protocol_handshake()
    assert peer.wait_until(5_000) == []
    (selected,) = peer.say(ANNOUNCE_MAX)
    body = body_of(selected, "messageProtocolHandshake")
    assert body["handshakeType"] == "select"
    assert body["version"] == [{"major": 1}, {"minor": 0}]
    assert body["formats"] == [{"format": ["JSON-UTF8"]}]
    assert peer.say(selected) == [PIN_NONE]


def test_tc_ship_prot_002_json_utf8_as_client():
    peer = in_hello(CLIENT)
    (announced,) = peer.say(HELLO_READY)
    body = body_of(announced, "messageProtocolHandshake")
    assert body["handshakeType"] == "announceMax"
    assert body["version"] == [{"major": 1}, {"minor": 0}]
    assert body["formats"] == [{"format": ["JSON-UTF8"]}]
    assert peer.say(SELECT) == [SELECT, PIN_NONE]


def ends_with_error_1(peer):
    assert peer.wait_until(9_999) == [] and peer.closed is None
    assert peer.wait_until(12_000) == [ERROR_1]
    assert peer.closed == (4001, "protocol handshake error 1")


def test_tc_ship_prot_003_wait_timer_as_server():
    ends_with_error_1(in_protocol_handshake(SERVER))


def test_tc_ship_prot_004_wait_timer_as_client():
    ends_with_error_1(in_protocol_handshake(CLIENT))


def ends_with_error_2(peer):
    assert peer.say(HELLO_READY) == [ERROR_2]
    assert peer.closed == (4001, "protocol handshake error 2")


def test_tc_ship_prot_005_unexpected_message_as_server():
    ends_with_error_2(in_protocol_handshake(SERVER))


def test_tc_ship_prot_006_unexpected_message_as_client():
    ends_with_error_2(in_protocol_handshake(CLIENT))


# PIN, TERM, AM


def test_tc_ship_pin_001_pin_state_none():
    for role in BOTH:
        peer = in_pin(role)  # which has sent `none`
        assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST]
        assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]


def test_tc_ship_term_001_max_time_on_termination():
    for role in BOTH:
        peer = in_data_exchange(role)
        peer.connection.reject(0)
        (announced,) = peer.take()
        assert announced[0] == 3
        body = body_of(announced, "connectionClose")
        assert body["phase"] == "announce" and body["reason"] == "removedConnection"
        assert peer.closed is None
        assert peer.wait_until(body["maxTime"] + 2_000) == []
        assert peer.closed == (4001, "close")
        peer = in_data_exchange(role)
        peer.connection.end("unspecific", 0)
        assert peer.take() == [ANNOUNCE_CLOSE]


def test_tc_ship_am_001_ship_id_in_access_methods():
    for role in BOTH:
        (answer,) = in_data_exchange(role).say(ACCESS_METHODS_REQUEST)
        assert body_of(answer, "accessMethods")["id"] == SHIP_ID


# AMDATA: with SPINE on top


def in_spine(role):
    """A charging station in data exchange, and what it has sent since then."""
    station = Station(role)
    station.start()
    steps = (CMI, READY, ANNOUNCE_MAX, SELECT) if role == SERVER else (CMI, READY, SELECT)
    for octets in steps + (PIN_NONE,):
        station.receive(memoryview(octets))
    at = station.sent.index(ACCESS_METHODS_REQUEST)
    sent = station.sent[at:]
    station.sent = []
    return station, sent


def discovery_read(counter):
    text = DATAGRAM.replace(b'"msgCounter":1', b'"msgCounter":%d' % counter)
    return b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + text + b"}]}"


def answers(station):
    """What was sent: SHIP IDs of accessMethods, msgCounterReferences of discovery replies."""
    result = []
    for octets in station.sent:
        if octets.startswith(b'\x01{"accessMethods":'):
            result.append(body_of(octets, "accessMethods")["id"])
        for counter in (71, 72):
            reference = b'"msgCounterReference":%d}' % counter
            if reference in octets and b'"nodeManagementDetailedDiscoveryData":[{' in octets:
                result.append(counter)
    return result


def ask_three(station):
    for octets in (discovery_read(71), ACCESS_METHODS_REQUEST, discovery_read(72)):
        station.receive(memoryview(octets))
    assert answers(station) == [71, STATION_ID, 72]


def test_tc_ship_amdata_001_data_and_access_methods_interleaved():
    for role in BOTH:
        station, _ = in_spine(role)
        station.receive(memoryview(ACCESS_METHODS))
        ask_three(station)


def test_tc_ship_amdata_002_own_request_unanswered_for_8_seconds():
    for role in BOTH:
        station, sent = in_spine(role)
        assert sent[0] == ACCESS_METHODS_REQUEST
        ask_three(station)
        station.pass_time(8_000)
        station.receive(memoryview(ACCESS_METHODS))
        assert station.peer_ship_id == "i:54321_u:HEMS-1"
        assert station.connection.closed is None


def test_tc_ship_amdata_003_own_spine_read_unanswered():
    for role in BOTH:
        station, sent = in_spine(role)
        assert any(b'"nodeManagementDetailedDiscoveryData":[]' in octets for octets in sent)
        station.receive(memoryview(ACCESS_METHODS_REQUEST))
        assert answers(station) == [STATION_ID]
        station.pass_time(8_000)
        assert station.connection.closed is None
