"""Protocol handshake: every state with every input, errors 1, 2 and 3, timers."""

from ship import messages, states
from ship.base import CLIENT, SERVER
from ship.protocol_handshake import ProtocolHandshake

ANNOUNCE_MAX = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"announceMax"},{"version":[{"major":1},'
    b'{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
SELECT = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"select"},{"version":[{"major":1},'
    b'{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
HELLO_READY = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}'
ERRORS = (
    b'\x01{"messageProtocolHandshakeError":[{"error":0}]}',
    b'\x01{"messageProtocolHandshakeError":[{"error":1}]}',
    b'\x01{"messageProtocolHandshakeError":[{"error":2}]}',
    b'\x01{"messageProtocolHandshakeError":[{"error":3}]}',
)


class Side:
    def __init__(self, machine, sent):
        self.machine = machine
        self.sent = sent

    def take(self):
        sent = self.sent[:]
        del self.sent[:]
        return sent

    def receive(self, octets, now=0):
        kind, body = messages.decode(memoryview(octets))
        self.machine.receive(kind, body, now)
        return self.take()

    def is_waiting(self, state):
        machine = self.machine
        return machine.state == state and not machine.is_done and machine.failure is None

    def is_over(self, state):
        machine = self.machine
        return (machine.state, machine.is_done, machine.failure, machine.deadline()) == (
            state,
            True,
            None,
            None,
        )

    def has_failed(self, error):
        """Whether it has ended with this error, or None for an end without a message."""
        machine = self.machine
        reason = "protocol handshake error by the peer"
        if error is not None:
            reason = "protocol handshake error %d" % error
        return (
            machine.failure == (4001, reason)
            and not machine.is_done
            and machine.deadline() is None
            and machine.state == (states.PROTOCOL_TIMEOUT if error == 1 else states.ERROR)
        )


def started(role, allows_late_hello=False, minor=0):
    sent = []
    machine = ProtocolHandshake(role, allows_late_hello, sent.append, minor)
    machine.start(0)
    return Side(machine, sent)


def client(allows_late_hello=False):
    side = started(CLIENT, allows_late_hello)
    assert side.take() == [ANNOUNCE_MAX]
    assert side.is_waiting(states.CLIENT_LISTEN_CHOICE)
    return side


def server(allows_late_hello=False):
    side = started(SERVER, allows_late_hello)
    assert side.take() == []
    assert side.is_waiting(states.SERVER_LISTEN_PROPOSAL)
    return side


def server_that_has_selected():
    side = server()
    assert side.receive(ANNOUNCE_MAX) == [SELECT]
    assert side.is_waiting(states.SERVER_LISTEN_CONFIRM)
    return side


def handshake(step, version="1.0", formats='[{"format":["JSON-UTF8"]}]'):
    """A messageProtocolHandshake with the given values."""
    major, minor = version.split(".")
    text = '{"messageProtocolHandshake":[{"handshakeType":"%s"},{"version":[{"major":%s},' % (
        step,
        major,
    )
    return b"\x01" + (text + '{"minor":%s}]},{"formats":%s}]}' % (minor, formats)).encode()


def test_the_messages_are_literally_right():
    assert handshake("announceMax") == ANNOUNCE_MAX == messages.handshake(b"announceMax", 0)
    assert handshake("select") == SELECT == messages.handshake(b"select", 0)
    assert handshake("select", "1.1") == messages.handshake(b"select", 1)
    for number in (1, 2, 3):
        assert messages.handshake_error(number) == ERRORS[number]


def test_client_announces_echoes_and_is_done():
    side = client()
    assert side.receive(SELECT) == [SELECT]
    assert side.is_over(states.CLIENT_OK)


def test_server_selects_waits_for_the_echo_and_is_done():
    side = server_that_has_selected()
    assert side.receive(SELECT) == []
    assert side.is_over(states.SERVER_OK)


def test_the_lower_of_both_maxima_is_selected():
    assert server().receive(handshake("announceMax", "1.0")) == [SELECT]
    for version in ("1.1", "1.2", "2.0", "65535.65535"):
        side = server()
        assert side.receive(handshake("announceMax", version)) == [handshake("select", "1.1")]
        assert side.receive(handshake("select", "1.1")) == []
        assert side.is_over(states.SERVER_OK) and side.machine.minor == 1


def test_a_client_announces_1_1_to_a_peer_that_speaks_it():
    for selected, minor in (("1.0", 0), ("1.1", 1)):
        side = started(CLIENT, False, 1)
        assert side.take() == [handshake("announceMax", "1.1")]
        assert side.receive(handshake("select", selected)) == [handshake("select", selected)]
        assert side.is_over(states.CLIENT_OK) and side.machine.minor == minor


def test_no_other_version_than_the_selected_one_is_confirmed():
    side = server()
    side.receive(handshake("announceMax", "1.1"))
    assert side.receive(SELECT) == [ERRORS[3]]
    assert side.has_failed(3)


def test_an_older_or_unreadable_version_is_a_mismatch():
    for version in ("0.9", "-1.0", "65536000000.0", '"x".0', "null.null", "1.null"):
        side = server()
        assert side.receive(handshake("announceMax", version)) == [ERRORS[3]], version
        assert side.has_failed(3)


def test_a_missing_version_is_a_mismatch():
    for body in (b'[{"handshakeType":"announceMax"}]', b'{"handshakeType":"announceMax"}'):
        side = server()
        assert side.receive(b'\x01{"messageProtocolHandshake":' + body + b"}") == [ERRORS[3]]
        assert side.has_failed(3)


def test_json_utf8_is_found_among_other_formats():
    for formats in (
        '[{"format":["JSON-UTF16","JSON-UTF8"]}]',
        '[{"format":["something","JSON-UTF8"]}]',
        '[{"format":"JSON-UTF8"}]',
        '{"format":["JSON-UTF8"]}',
        '["JSON-UTF8"]',
        "[]",
        "null",
    ):
        assert server().receive(handshake("announceMax", "1.0", formats)) == [SELECT], formats
        assert client().receive(handshake("select", "1.0", formats)) == [SELECT], formats


def test_without_json_utf8_there_is_no_common_format():
    for formats in ('[{"format":["JSON-UTF16"]}]', '[{"format":"json-utf8"}]'):
        assert server().receive(handshake("announceMax", "1.0", formats)) == [ERRORS[3]]
        assert client().receive(handshake("select", "1.0", formats)) == [ERRORS[3]]


def test_the_client_accepts_no_other_version_than_its_own():
    for version in ("1.1", "0.9", "2.0"):
        side = client()
        assert side.receive(handshake("select", version)) == [ERRORS[3]]
        assert side.has_failed(3)


def test_the_echo_must_be_the_selection():
    for other in (handshake("select", "1.1"), handshake("select", "1.0", '["JSON-UTF16"]')):
        side = server_that_has_selected()
        assert side.receive(other) == [ERRORS[3]]
        assert side.has_failed(3)


def test_an_echo_in_other_order_and_spelling_is_the_selection():
    side = server_that_has_selected()
    text = (
        b'\x01 { "messageProtocolHandshake" : {"formats":{"format":["JSON-UTF8"]},'
        b'"version":{"minor":"0","major":"1"},"handshakeType":"select"} }\r\n'
    )
    assert side.receive(text) == []
    assert side.is_over(states.SERVER_OK)


def test_any_other_message_is_unexpected():
    for octets in (
        HELLO_READY,
        b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":60000}]}',
        b'\x01{"connectionPinState":[{"pinState":"none"}]}',
        b'\x01{"accessMethodsRequest":[]}',
        b'\x01{"messageProtocolHandshake":[{"handshakeType":"other"}]}',
        b'\x01{"messageProtocolHandshake":[]}',
        b'\x01{"unknown":[]}',
        b"\x01{",
        b"\x02",
        b"\xff\x00",
    ):
        for side in (client(), server(), server_that_has_selected()):
            assert side.receive(octets) == [ERRORS[2]], octets
            assert side.has_failed(2)


def test_a_handshake_message_out_of_turn_is_unexpected():
    for side, octets in (
        (client(), ANNOUNCE_MAX),
        (client(), handshake("announceMax", "0.1")),
        (server(), SELECT),
        (server(), handshake("select", "9.9")),
        (server_that_has_selected(), ANNOUNCE_MAX),
        (server_that_has_selected(), handshake("announceMax", "0.1")),
    ):
        assert side.receive(octets) == [ERRORS[2]], octets
        assert side.has_failed(2)


def test_the_peers_error_is_not_answered():
    for octets in ERRORS + (b'\x01{"error":3}',):
        for side in (client(), server(), server_that_has_selected()):
            assert side.receive(octets) == []
            assert side.has_failed(None)


def test_the_wait_timer_is_10_seconds_in_each_state():
    for side in (client(), server()):
        assert side.machine.deadline() == 10_000
        side.machine.tick(9_999)
        assert side.take() == [] and side.machine.failure is None
        side.machine.tick(10_000)
        assert side.take() == [ERRORS[1]]
        assert side.has_failed(1)


def test_the_wait_timer_starts_again_for_the_echo():
    side = server()
    side.receive(ANNOUNCE_MAX, 9_000)
    assert side.machine.deadline() == 19_000
    side.machine.tick(18_999)
    assert side.machine.failure is None
    side.machine.tick(19_000)
    assert side.take() == [ERRORS[1]]
    assert side.has_failed(1)


def test_one_late_hello_is_ignored_after_a_prolongation():
    for side in (client(True), server(True)):
        state = side.machine.state
        assert side.receive(HELLO_READY) == []
        assert side.is_waiting(state) and side.machine.deadline() == 10_000
        assert side.receive(HELLO_READY) == [ERRORS[2]]
        assert side.has_failed(2)


def test_the_tolerance_for_a_late_hello_excuses_nothing_else():
    for octets in (SELECT, handshake("select", "9.9")):
        assert server(True).receive(octets) == [ERRORS[2]]
    for octets in (ANNOUNCE_MAX, handshake("announceMax", "0.1"), b"\x01{"):
        assert client(True).receive(octets) == [ERRORS[2]]
        side = server(True)
        side.receive(ANNOUNCE_MAX)
        assert side.receive(octets) == [ERRORS[2]]


def test_a_late_hello_must_be_ready_and_come_before_the_first_message():
    side = server(True)
    assert side.receive(b'\x01{"connectionHello":[{"phase":"aborted"}]}') == [ERRORS[2]]
    side = server(True)
    side.receive(ANNOUNCE_MAX)
    assert side.receive(HELLO_READY) == [ERRORS[2]]
