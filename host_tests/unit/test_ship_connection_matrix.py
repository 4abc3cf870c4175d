"""The error matrix of IEC 63380-3 6.10.9, every cell, and messages that come too early."""

from test_ship_connection import (
    ABORTED,
    ACCESS_METHODS,
    ACCESS_METHODS_REQUEST,
    ANNOUNCE_CLOSE,
    ANNOUNCE_MAX,
    CMI,
    CONFIRM_CLOSE,
    DATA,
    DATAGRAM,
    OUR_ACCESS_METHODS,
    PIN_NONE,
    READY,
    in_data_exchange,
    in_hello,
    in_pin,
    in_protocol_handshake,
)

from ship.base import CLIENT, SERVER
from ship.connection import MAX_EARLY_MESSAGES, MAX_EARLY_OCTETS

ERROR_2 = b'\x01{"messageProtocolHandshakeError":[{"error":2}]}'
PIN_REQUIRED = b'\x01{"connectionPinState":[{"pinState":"required"},{"inputPermission":"ok"}]}'

# What an input leads to, per phase: hello, protocol handshake, PIN, data exchange, announced.
# a abort procedure   2 error 2   i ignored   c closed   k confirmed and closed   b buffered
# d delivered or answered   . not to be tried here, it is the phase's own matter
MATRIX = (
    ("i i i i i", (CMI, b"\x00\x01", b"\x00\x00\x00")),
    ("a 2 i i i", (b"", b"\x01", b"\x02", b"\x03", b"\x04{}", b"\xff\x00")),
    ("a 2 c i i", (b"\x01{", b"\x02\x00", b'\x01{"connectionHello":[}', b"\x01[]", b"\x011")),
    ("a 2 c i i", (b"\x01\xff\xfe\xfd", b'\x01{"accessMethodsRequest":[]}x', b"\x01[[[[")),
    (". 2 i i i", (READY, b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}')),
    (". 2 c c i", (ABORTED,)),
    ("a . i i i", (ANNOUNCE_MAX,)),
    ("c c c i i", (b'\x01{"messageProtocolHandshakeError":[{"error":1}]}', b'\x01{"error":2}')),
    ("a 2 . i i", (PIN_NONE,)),
    ("a 2 . d i", (b'\x01{"connectionPinState":[{"pinState":"optional"}]}',)),
    ("a 2 d d i", (PIN_REQUIRED,)),
    ("a 2 i i i", (b'\x01{"connectionPinInput":[{"pin":"5555AAAAFF"}]}',)),
    ("a 2 i i i", (b'\x01{"connectionPinError":[{"error":1}]}',)),
    ("a 2 b d i", (ACCESS_METHODS_REQUEST, ACCESS_METHODS, DATA)),
    ("k k k . k", (ANNOUNCE_CLOSE, b'\x03{"connectionClose":{"phase":"announce"}}')),
    ("c c c c c", (CONFIRM_CLOSE, b'\x03{"connectionClose":[{"phase":"confirm"},{"x":1}]}')),
    ("a 2 i d i", (b'\x01{"commissioningRequest":[]}', b'\x01{"keyMaterialRequest":[]}')),
    ("a 2 i i i", (b'\x01{"init":[]}', b'\x01{"unknown":[{"a":[{"b":1}]}]}')),
)


def announced(role):
    peer = in_data_exchange(role)
    peer.connection.end("unspecific", 0)
    assert peer.take() == [ANNOUNCE_CLOSE]
    return peer


PHASES = (in_hello, in_protocol_handshake, in_pin, in_data_exchange, announced)


def outcome(peer, octets):
    """Letter of what a message leads to."""
    state = peer.state
    sent = peer.say(octets)
    told = peer.owner.take()
    if peer.closed:
        if told or peer.closed[0] != 4001:
            return "?"
        for letter, expected in (
            ("a", [ABORTED]),
            ("2", [ERROR_2]),
            ("k", [CONFIRM_CLOSE]),
            ("c", []),
        ):
            if sent == expected:
                return letter
        return "?"
    if sent or told:
        return "d"
    if peer.connection._early:
        return "b"
    return "i" if peer.state == state else "?"


def test_every_cell_of_the_error_matrix():
    for cells, inputs in MATRIX:
        for octets in inputs:
            for expected, phase in zip(cells.split(" "), PHASES):
                for role in (SERVER, CLIENT):
                    if expected != ".":
                        got = outcome(phase(role), octets)
                        assert got == expected, (octets, phase, role, got)


def test_a_message_that_is_ignored_leaves_the_connection_working():
    for octets in (b"", b"\x02", b"\xff\x00", b"\x01{", CMI, READY, b'\x01{"unknown":[]}'):
        peer = in_data_exchange()
        assert peer.say(octets, ACCESS_METHODS_REQUEST, DATA) == [OUR_ACCESS_METHODS]
        assert peer.owner.take() == [DATAGRAM]


def test_what_is_not_understood_in_data_exchange_is_logged():
    peer = in_data_exchange()
    peer.say(b"\xff\x00", b"\x02{")
    peer.say(b'\x02{"data":[{"header":[{"protocolId":"x"}]},{"payload":1}]}')
    assert peer.owner.log == [
        "ignored: empty or of unknown type",
        "ignored: unreadable",
        "ignored: data of an unknown protocol",
    ]


def test_content_decides_where_the_type_octet_disagrees():
    peer = in_data_exchange()
    assert peer.say(b"\x02" + ACCESS_METHODS_REQUEST[1:]) == [OUR_ACCESS_METHODS]
    assert peer.say(b"\x01" + DATA[1:]) == []
    assert peer.owner.take() == [DATAGRAM]


def test_messages_before_data_exchange_are_delivered_in_order_afterwards():
    peer = in_pin()
    assert peer.say(DATA, ACCESS_METHODS_REQUEST, ACCESS_METHODS, DATA) == []
    assert peer.owner.take() == []
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST, OUR_ACCESS_METHODS]
    assert peer.owner.take() == ["open", DATAGRAM, "i:54321_u:HEMS-1", DATAGRAM]


def test_messages_before_data_exchange_are_limited_in_number():
    peer = in_pin()
    assert MAX_EARLY_MESSAGES == 8
    peer.say(*[DATA] * 8)
    assert peer.closed is None
    peer.say(DATA)
    assert peer.closed == (1008, "too much before data exchange")


def test_messages_before_data_exchange_are_limited_in_size():
    assert MAX_EARLY_OCTETS == 32768
    head = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"x":"'
    tail = b'"}}]}'
    message = head + b"x" * (16384 - len(head) - len(tail)) + tail
    peer = in_pin()
    peer.say(message, message)
    assert peer.closed is None
    peer.say(ACCESS_METHODS_REQUEST)
    assert peer.closed == (1008, "too much before data exchange")


def test_an_owner_that_ends_at_once_gets_no_early_messages():
    peer = in_pin()
    peer.say(DATA)
    peer.owner.ship_open = lambda connection: connection.end("unspecific", 0)
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST, ANNOUNCE_CLOSE]
    assert peer.owner.take() == []
