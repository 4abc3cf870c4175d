"""The error matrix of IEC 63380-3 6.10.9: every state of both roles with every message.

The matrix is the judge; the tests are generated: each message as it is, cut, prolonged, of a wrong
type, or with a body of a wrong kind, in each state, whether it belongs there, elsewhere, or came
already. And messages that come before data exchange.
"""

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
    REQUEST,
    SELECT,
    Peer,
    in_data_exchange,
    in_hello,
    in_pin,
    in_protocol_handshake,
)
from test_ship_pin import OPTIONAL, PIN_ERROR, REQUIRED, RIGHT, WRONG, Device, asked

from ship.base import CLIENT, SERVER
from ship.connection import MAX_EARLY_MESSAGES, MAX_EARLY_OCTETS

ERROR_2 = b'\x01{"messageProtocolHandshakeError":[{"error":2}]}'

# What an input leads to, by phase: hello, protocol handshake, PIN, data exchange, announced.
# a abort procedure   2 error 2   i ignored   c closed   k confirmed and closed   b buffered
# d delivered or answered   . the phase's own matter, which has tests of its own
EMPTY = "a 2 i i i"
UNREADABLE = "a 2 c i i"
MATRIX = (
    ("i i i i i", (CMI, b"\x00\x01", b"\x00\x00\x00")),
    (EMPTY, (b"", b"\x01", b"\x02", b"\x03", b"\x04{}", b"\xff\x00")),
    (UNREADABLE, (b"\x01{", b"\x02\x00", b'\x01{"connectionHello":[}', b"\x01[]", b"\x011")),
    (UNREADABLE, (b"\x01\xff\xfe\xfd", b'\x01{"accessMethodsRequest":[]}x', b"\x01[[[[")),
    (". 2 i i i", (READY, b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}')),
    (". 2 i i i", (REQUEST,)),
    (". 2 c c i", (ABORTED,)),
    ("a . i i i", (ANNOUNCE_MAX, SELECT)),
    ("c c c i i", (b'\x01{"messageProtocolHandshakeError":[{"error":1}]}', b'\x01{"error":2}')),
    ("a 2 . i i", (PIN_NONE,)),
    ("a 2 . d i", (OPTIONAL, REQUIRED)),
    ("a 2 . i i", (RIGHT, WRONG, PIN_ERROR)),
    ("a 2 b d i", (ACCESS_METHODS_REQUEST, ACCESS_METHODS, DATA)),
    ("k k k k k", (ANNOUNCE_CLOSE, b'\x03{"connectionClose":{"phase":"announce"}}')),
    ("c c c c c", (CONFIRM_CLOSE, b'\x03{"connectionClose":[{"phase":"confirm"},{"x":1}]}')),
    ("a 2 i d i", (b'\x01{"commissioningRequest":[]}', b'\x01{"keyMaterialRequest":[]}')),
    ("a 2 i i i", (b'\x01{"init":[]}', b'\x01{"unknown":[{"a":[{"b":1}]}]}')),
)


def pending(role):
    return in_hello(role, is_trusted=False)


def pending_and_peer_ready(role):
    peer = pending(role)
    assert peer.say(READY) == []
    return peer


def pending_and_asking_for_time(role):
    peer = pending_and_peer_ready(role)
    assert peer.wait_until(45_000) == [REQUEST]
    return peer


def ready_and_prolonged(role):
    peer = in_hello(role)
    assert len(peer.say(REQUEST)) == 1
    return peer


def handshake_half_done(role):
    peer = in_protocol_handshake(role)
    if role == SERVER:
        assert peer.say(ANNOUNCE_MAX) == [SELECT]
    return peer


def owed_our_pin(role):
    peer, _ = Device().peer(role)
    assert peer.say(PIN_NONE) == [] and peer.state == 27
    return peer


def busy_after_wrong_pins(role):
    peer = owed_our_pin(role)
    assert len(peer.say(WRONG, WRONG, WRONG)) == 4 and peer.state == 30
    return peer


def asked_for_a_pin(role):
    peer, _ = asked(role=role)
    assert peer.state == 32
    return peer


def has_given_a_pin(role):
    peer, _ = asked(pin="1234abcd", role=role)
    assert peer.state == 33
    return peer


def after_access_methods(role):
    peer = in_data_exchange(role)
    peer.say(ACCESS_METHODS)
    return peer


def announced(role):
    peer = in_data_exchange(role)
    peer.connection.end("unspecific", 0)
    assert peer.take() == [ANNOUNCE_CLOSE]
    return peer


# state → column of the matrix
STATES = (
    (in_hello, 0),
    (ready_and_prolonged, 0),
    (pending, 0),
    (pending_and_peer_ready, 0),
    (pending_and_asking_for_time, 0),
    (in_protocol_handshake, 1),
    (handshake_half_done, 1),
    (in_pin, 2),
    (owed_our_pin, 2),
    (busy_after_wrong_pins, 2),
    (asked_for_a_pin, 2),
    (has_given_a_pin, 2),
    (in_data_exchange, 3),
    (after_access_methods, 3),
    (announced, 4),
)


def outcome(peer, octets):
    """Letter of what a message leads to."""
    peer.owner.take()
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
    if sent == [CONFIRM_CLOSE] and peer.state == 41:
        return "k"  # in data exchange the peer closes after our confirmation
    if sent or told:
        return "d"
    if peer.connection._early:
        return "b"
    return "i" if peer.state == state else "?"


def judged(octets, cells):
    """Try a message in every state of every role; the cells are those of its row."""
    for state, column in STATES:
        expected = cells[2 * column]
        if expected != ".":
            for role in (SERVER, CLIENT):
                got = outcome(state(role), octets)
                assert got == expected, (octets, state, role, got, expected)


def test_every_message_in_every_state():
    for cells, inputs in MATRIX:
        for octets in inputs:
            judged(octets, cells)


def messages():
    """Every readable message of the matrix that has a body."""
    return [octets for _, inputs in MATRIX[4:] for octets in inputs]


def test_every_message_cut_or_prolonged_in_every_state():
    for octets in messages():
        judged(octets[:1], EMPTY)
        for end in (2, len(octets) // 2, len(octets) - 1):
            judged(octets[:end], UNREADABLE)
        judged(octets + b"{}", UNREADABLE)


def test_every_message_with_a_reserved_type_in_every_state():
    for octets in messages():
        for kind in (4, 255):
            judged(bytes([kind]) + octets[1:], EMPTY)
        judged(b"\x00" + octets[1:], "i i i i i")


def test_every_root_with_a_body_of_a_wrong_kind_in_every_state():
    for body in (b"5", b'"x"', b"null", b"[1,[2]]", b"[]", b"[" * 40 + b"]" * 40):
        is_deep = body.startswith(b"[[")
        for root, cells in (
            (b"connectionHello", "a 2 i i i"),
            (b"messageProtocolHandshake", "a 2 i i i"),
            (b"messageProtocolHandshakeError", "c c c i i"),
            (b"connectionPinState", "a 2 . i i"),
            (b"accessMethods", "a 2 b i i"),
            (b"connectionClose", UNREADABLE),
            (b"keyMaterialState", "a 2 i d i"),
            (b"data", UNREADABLE),
            (b"unknown", "a 2 i i i"),
        ):
            judged(b'\x01{"' + root + b'":' + body + b"}", UNREADABLE if is_deep else cells)


def test_whatever_comes_late_or_twice_is_judged_by_the_state_it_meets():
    for role in (SERVER, CLIENT):
        steps = [CMI, READY, ANNOUNCE_MAX, SELECT, PIN_NONE, ACCESS_METHODS, DATA]
        columns = [0, 1, 1, 2, 3, 3, 3]
        if role == CLIENT:
            del steps[2], columns[2]
        for count in range(1, len(steps) + 1):
            for late in steps[:count]:
                cells = next(cells for cells, inputs in MATRIX if late in inputs)
                expected = cells[2 * columns[count - 1]]
                if late == ANNOUNCE_MAX and columns[count - 1] == 1:
                    expected = "2"
                peer = Peer(role)
                peer.take()
                peer.say(*steps[:count])
                got = outcome(peer, late)
                assert got == expected, (role, steps[count - 1], late, got, expected)


def test_nothing_matters_after_the_end():
    for cells, inputs in MATRIX:
        for octets in inputs:
            for role in (SERVER, CLIENT):
                peer = in_data_exchange(role)
                assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE]
                peer.owner.take()
                assert peer.say(octets) == [] and peer.owner.take() == [], (octets, cells)
                peer = in_hello(role)
                peer.say(ABORTED)
                assert peer.say(octets) == [] and peer.owner.take() == [], octets


def test_anything_but_the_cmi_ends_a_connection_that_has_just_begun():
    for octets in messages():
        for role, answer in ((SERVER, [CMI]), (CLIENT, [])):
            peer = Peer(role)
            peer.take()
            assert peer.say(octets) == answer and peer.closed == (4001, "invalid CMI")


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
