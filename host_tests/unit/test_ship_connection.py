"""Complete SHIP sessions with literal octets, both roles, and what the owner is told.

`Owner` and `Peer` below serve the other test_ship_connection_… files as well.
"""

from ship.base import CLIENT, SERVER, LocalError
from ship.connection import MAX_OUTBOX, Connection

SHIP_ID = "i:12345_u:EVSE-0001"

CMI = b"\x00\x00"
READY = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}'
OUR_READY = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":120000}]}'
OUR_PENDING = b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":120000}]}'
REQUEST = b'\x01{"connectionHello":[{"phase":"pending"},{"prolongationRequest":true}]}'
ABORTED = b'\x01{"connectionHello":[{"phase":"aborted"}]}'
ANNOUNCE_MAX = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"announceMax"},{"version":[{"major":1},'
    b'{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
SELECT = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"select"},{"version":[{"major":1},'
    b'{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
PIN_NONE = b'\x01{"connectionPinState":[{"pinState":"none"}]}'
ACCESS_METHODS_REQUEST = b'\x01{"accessMethodsRequest":[]}'
OUR_ACCESS_METHODS = b'\x01{"accessMethods":[{"id":"i:12345_u:EVSE-0001"},{"dnsSd_mDns":[]}]}'
ACCESS_METHODS = b'\x01{"accessMethods":[{"id":"i:54321_u:HEMS-1"}]}'
ANNOUNCE_CLOSE = (
    b'\x03{"connectionClose":[{"phase":"announce"},{"maxTime":500},{"reason":"unspecific"}]}'
)
CONFIRM_CLOSE = b'\x03{"connectionClose":[{"phase":"confirm"}]}'
DATAGRAM = (
    b'{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":'
    b'[{"device":"d:_i:54321_HEMS-1"},{"entity":[0]},{"feature":0}]},{"addressDestination":'
    b'[{"entity":[0]},{"feature":0}]},{"msgCounter":1},{"cmdClassifier":"read"}]},'
    b'{"payload":[{"cmd":[[{"nodeManagementDetailedDiscoveryData":[]}]]}]}]}'
)
DATA = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":' + DATAGRAM + b"}]}"


class Owner:
    """Notes what it is told; `answer` is what it says about the peer's SHIP ID.

    `check` is our half of the PIN phase, `peer_pin` what it knows of the peer's PIN.
    """

    def __init__(self, answer=True):
        self.told = []
        self.log = []
        self.answer = answer
        self.check = None
        self.peer_pin = None

    def ship_pending(self, connection):
        self.told.append("pending")

    def ship_open(self, connection):
        self.told.append("open")

    def ship_data(self, connection, payload):
        self.told.append(bytes(payload))

    def ship_access_methods(self, connection, ship_id):
        self.told.append(ship_id)
        return self.answer

    def ship_pin_check(self, connection):
        return self.check

    def ship_pin_wanted(self, connection, was_wrong):
        self.told.append("wrong PIN" if was_wrong else "PIN wanted")
        if was_wrong:
            self.peer_pin = None
        return self.peer_pin

    def ship_key_management(self, connection, root, body):
        self.told.append((root, body))

    def ship_log(self, connection, text):
        self.log.append(text)

    def take(self):
        told = self.told
        self.told = []
        return told


class Peer:
    """A started connection with a clock, seen from the other side of the WebSocket."""

    def __init__(self, role, is_trusted=True, owner=None):
        self.owner = owner or Owner()
        self.now = 0
        self.connection = Connection(role, SHIP_ID, is_trusted, self.owner)
        self.connection.start(0)

    def take(self):
        return [b"".join([bytes(part) for part in parts]) for parts in self.connection.take()]

    def say(self, *messages):
        """Send messages; return what comes back."""
        for message in messages:
            self.connection.receive(memoryview(bytearray(message)), self.now)
        return self.take()

    def wait_until(self, now):
        """Let time pass as its deadlines demand; return what was sent meanwhile."""
        deadline = self.connection.deadline()
        while deadline is not None and deadline <= now:
            self.connection.tick(deadline)
            following = self.connection.deadline()
            assert following is None or following > deadline
            deadline = following
        self.now = now
        self.connection.tick(now)
        return self.take()

    @property
    def state(self):
        return self.connection.state

    @property
    def closed(self):
        return self.connection.closed


def in_hello(role=SERVER, is_trusted=True):
    """In the hello phase, our update sent."""
    peer = Peer(role, is_trusted)
    expected = [OUR_READY if is_trusted else OUR_PENDING]
    if role == SERVER:
        assert peer.say(CMI) == [CMI] + expected
    else:
        assert peer.take() == [CMI]
        assert peer.say(CMI) == expected
    return peer


def in_protocol_handshake(role=SERVER):
    peer = in_hello(role)
    assert peer.say(READY) == ([] if role == SERVER else [ANNOUNCE_MAX])
    return peer


def in_pin(role=SERVER):
    peer = in_protocol_handshake(role)
    if role == SERVER:
        assert peer.say(ANNOUNCE_MAX) == [SELECT]
        assert peer.say(SELECT) == [PIN_NONE]
    else:
        assert peer.say(SELECT) == [SELECT, PIN_NONE]
    return peer


def in_data_exchange(role=SERVER, owner=None):
    peer = in_pin(role)
    if owner:
        peer.owner = peer.connection._owner = owner
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST]
    assert peer.owner.take() == ["open"]
    return peer


def test_a_whole_session_as_server():
    peer = Peer(SERVER)
    assert peer.take() == [] and peer.state == 4
    assert peer.say(CMI) == [CMI, OUR_READY] and peer.state == 8
    assert peer.say(OUR_READY) == [] and peer.state == 20
    assert peer.say(ANNOUNCE_MAX) == [SELECT] and peer.state == 21
    assert peer.say(SELECT) == [PIN_NONE] and peer.state == 32
    assert peer.owner.take() == []
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST] and peer.state == 38
    assert peer.owner.take() == ["open"]
    assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]
    assert peer.say(ACCESS_METHODS) == []
    assert peer.owner.take() == ["i:54321_u:HEMS-1"]
    assert peer.say(DATA) == []
    assert peer.owner.take() == [DATAGRAM]
    peer.connection.send_data(DATAGRAM)
    assert peer.take() == [DATA]
    peer.connection.end("unspecific", 1000)
    assert peer.take() == [ANNOUNCE_CLOSE] and peer.state == 40
    assert peer.closed is None
    assert peer.say(CONFIRM_CLOSE) == []
    assert peer.closed == (4001, "close")
    assert peer.connection.deadline() is None


def test_a_whole_session_as_client():
    peer = Peer(CLIENT)
    assert peer.take() == [CMI] and peer.state == 2
    assert peer.say(CMI) == [OUR_READY] and peer.state == 8
    assert peer.say(OUR_READY) == [ANNOUNCE_MAX] and peer.state == 22
    assert peer.say(SELECT) == [SELECT, PIN_NONE] and peer.state == 32
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST] and peer.state == 38
    assert peer.say(ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]
    assert peer.say(ACCESS_METHODS) == []
    peer.connection.send_data(memoryview(DATAGRAM))
    assert peer.take() == [DATA]
    assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE] and peer.state == 41
    assert peer.owner.take() == ["open", "i:54321_u:HEMS-1"]


def test_the_user_accepts_while_the_peer_waits():
    peer = Peer(SERVER, is_trusted=False)
    assert peer.say(CMI) == [CMI, OUR_PENDING] and peer.state == 11
    assert peer.owner.take() == ["pending"]
    assert peer.say(READY) == []
    assert peer.wait_until(44_999) == []
    assert peer.wait_until(45_000) == [REQUEST]
    assert peer.say(b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":75000}]}') == []
    peer.now = 80_000
    peer.connection.trust(80_000)
    assert peer.take() == [OUR_READY] and peer.state == 20
    assert peer.say(ANNOUNCE_MAX) == [SELECT]
    assert peer.owner.take() == []


def test_the_user_accepts_as_client_of_a_pending_server():
    peer = in_hello(CLIENT, is_trusted=False)
    assert peer.owner.take() == ["pending"]
    peer.connection.trust(1000)
    assert peer.take() == [OUR_READY] and peer.state == 8
    assert peer.say(READY) == [ANNOUNCE_MAX]


def test_the_user_may_accept_while_being_asked():
    class Quick(Owner):
        def ship_pending(self, connection):
            connection.trust(0)

    peer = Peer(SERVER, is_trusted=False, owner=Quick())
    assert peer.say(CMI) == [CMI, OUR_PENDING, OUR_READY]
    assert peer.say(READY) == [] and peer.state == 20


def test_trust_before_the_peer_has_spoken_makes_us_ready():
    peer = Peer(SERVER, is_trusted=False)
    peer.connection.trust(0)
    assert peer.say(CMI) == [CMI, OUR_READY]
    assert peer.owner.take() == []


def test_the_user_rejects():
    peer = in_hello(is_trusted=False)
    peer.connection.reject(5000)
    assert peer.take() == [ABORTED] and peer.state == 17
    assert peer.closed == (4452, "Node rejected by application")


def test_trust_is_withdrawn_in_every_phase():
    for peer in (Peer(SERVER), Peer(CLIENT), in_protocol_handshake(), in_pin()):
        peer.take()
        peer.connection.reject(0)
        assert peer.take() == []
        assert peer.closed == (4452, "Node rejected by application")
    peer = in_hello()
    peer.connection.reject(0)
    assert peer.take() == [ABORTED]
    assert peer.closed == (4452, "Node rejected by application")
    peer = in_data_exchange()
    peer.connection.reject(0)
    assert peer.take() == [ANNOUNCE_CLOSE.replace(b"unspecific", b"removedConnection")]
    assert peer.closed is None
    assert peer.say(DATA) == [] and peer.owner.take() == []


def test_an_invalid_cmi_is_answered_by_a_server_only():
    for octets in (b"\x01\x00", b"\x00\x01", b"\x00", b"", b"\x02", b"\xff\x00", READY):
        peer = Peer(SERVER)
        assert peer.say(octets) == [CMI], octets
        assert peer.closed == (4001, "invalid CMI")
        peer = Peer(CLIENT)
        assert peer.take() == [CMI]
        assert peer.say(octets) == [], octets
        assert peer.closed == (4001, "invalid CMI")


def test_octets_after_the_cmi_are_tolerated():
    assert Peer(SERVER).say(b"\x00\x00\x00") == [CMI, OUR_READY]


def test_a_hello_instead_of_the_handshake_is_error_2():
    for role in (SERVER, CLIENT):
        peer = in_protocol_handshake(role)
        answer = peer.say(b'\x01{"connectionHello":[{"phase":"ready"}]}')
        assert answer == [b'\x01{"messageProtocolHandshakeError":[{"error":2}]}']
        assert peer.closed == (4001, "protocol handshake error 2")


def test_a_hello_that_crosses_after_a_prolongation_is_tolerated_once():
    peer = in_hello()
    assert peer.say(REQUEST) == [b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":240000}]}']
    assert peer.say(READY, READY) == []
    assert peer.say(ANNOUNCE_MAX) == [SELECT]


def test_handshake_errors_of_the_peer_close():
    for octets in (b'\x01{"messageProtocolHandshakeError":[{"error":3}]}', b'\x01{"error":3}'):
        for role in (SERVER, CLIENT):
            peer = in_protocol_handshake(role)
            assert peer.say(octets) == []
            assert peer.closed == (4001, "protocol handshake error by the peer")


def test_data_flows_without_access_methods():
    peer = in_data_exchange()
    for _ in range(3):
        assert peer.say(DATA, ACCESS_METHODS_REQUEST) == [OUR_ACCESS_METHODS]
    peer.connection.send_data(DATAGRAM)
    assert peer.take() == [DATA]
    assert peer.owner.take() == [DATAGRAM] * 3


def test_another_ship_id_ends_the_connection():
    peer = in_data_exchange(owner=Owner(answer=False))
    assert peer.say(ACCESS_METHODS) == []
    assert peer.closed == (4450, "SHIP id mismatch")


def test_access_methods_without_id_are_only_logged():
    peer = in_data_exchange()
    for body in (b"[]", b'[{"dnsSd_mDns":[]}]', b'[{"id":5}]', b'[{"id":null}]'):
        assert peer.say(b'\x01{"accessMethods":' + body + b"}") == []
    assert peer.closed is None and peer.owner.take() == []
    assert peer.owner.log[-1] == "accessMethods without id"


def test_a_ship_id_is_escaped():
    connection = Connection(CLIENT, 'quote " and \\', True, Owner())
    connection.start(0)
    for message in (CMI, READY, SELECT, PIN_NONE, ACCESS_METHODS_REQUEST):
        connection.receive(memoryview(message), 0)
    assert connection.take()[-1] == [
        b'\x01{"accessMethods":[{"id":"quote \\" and \\\\"},{"dnsSd_mDns":[]}]}'
    ]


def test_key_management_is_the_owners_matter():
    peer = in_data_exchange()
    assert peer.say(b'\x01{"commissioningRequest":[]}') == []
    assert peer.owner.take() == [("commissioningRequest", {})]
    peer.connection.send(b'\x01{"commissioningResponse":[{"accept":false}]}')
    assert peer.take() == [b'\x01{"commissioningResponse":[{"accept":false}]}']
    peer.connection.end("unspecific", 0)
    peer.take()
    peer.connection.send(b'\x01{"keyMaterialRequest":[]}')
    assert peer.take() == []


def test_the_parts_of_a_data_message_are_not_copied():
    peer = in_data_exchange()
    payload = bytearray(DATAGRAM)
    peer.connection.send_data(payload)
    (parts,) = peer.connection.take()
    assert parts[1] is payload


def test_data_before_data_exchange_is_a_local_error():
    for peer in (Peer(SERVER), in_hello(), in_protocol_handshake(), in_pin()):
        try:
            peer.connection.send_data(DATAGRAM)
        except LocalError:
            continue
        raise AssertionError("accepted")


def test_data_after_the_end_is_dropped():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 0)
    peer.take()
    peer.connection.send_data(DATAGRAM)
    assert peer.take() == []
    peer.say(CONFIRM_CLOSE)
    peer.connection.send_data(DATAGRAM)
    assert peer.take() == []
    peer = in_hello()
    peer.connection.end("unspecific", 0)
    peer.take()
    peer.connection.send_data(DATAGRAM)
    assert peer.take() == []


def test_ending_before_data_exchange_needs_no_announcement():
    for peer in (Peer(SERVER), in_protocol_handshake(), in_pin()):
        peer.connection.end("unspecific", 0)
        assert peer.take() == [] and peer.closed == (4001, "close")
    peer = in_hello()
    peer.connection.end("unspecific", 0)
    assert peer.take() == [ABORTED] and peer.closed == (4001, "hello aborted")


def test_ending_twice_announces_once():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 0)
    peer.connection.end("unspecific", 100)
    assert peer.take() == [ANNOUNCE_CLOSE]
    assert peer.connection.deadline() == 500


def test_crossing_announcements_are_confirmed_and_closed():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 0)
    peer.take()
    assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE]
    assert peer.closed == (4001, "close")


def test_after_our_confirmation_everything_is_ignored():
    peer = in_data_exchange()
    assert peer.say(ANNOUNCE_CLOSE) == [CONFIRM_CLOSE]
    assert peer.say(DATA, ACCESS_METHODS_REQUEST, ANNOUNCE_CLOSE, CONFIRM_CLOSE) == []
    peer.connection.end("unspecific", 0)
    assert peer.take() == [] and peer.owner.take() == []


def test_nothing_is_done_after_the_end():
    peer = in_protocol_handshake()
    peer.say(CMI, b"\x01{")
    log = len(peer.owner.log)
    assert peer.say(ANNOUNCE_MAX, CMI, DATA) == []
    peer.connection.trust(0)
    peer.connection.reject(0)
    peer.connection.end("unspecific", 0)
    assert peer.wait_until(1_000_000) == []
    assert peer.closed == (4001, "protocol handshake error 2")
    assert len(peer.owner.log) == log


def test_the_log_tells_state_and_reason_of_every_end():
    peer = in_protocol_handshake()
    peer.say(DATA)
    assert peer.owner.log == [
        "closing in state 39 ERROR: protocol handshake error 2 (last message: data)"
    ]
    peer = in_hello()
    peer.say(ABORTED)
    expected = "closing in state 16 ABORT_RECEIVED: hello aborted by the peer"
    assert peer.owner.log == [expected + " (last message: connectionHello)"]
    peer = in_data_exchange()
    peer.say(b'\x03{"connectionClose":[{"phase":"announce"},{"reason":"User close"}]}')
    assert peer.owner.log == ["peer closes: unspecific"]
    peer = in_data_exchange()
    peer.say(b'\x03{"connectionClose":[{"phase":"announce"},{"reason":"removedConnection"}]}')
    assert peer.owner.log == ["peer closes: removedConnection"]


def test_the_outbox_is_bounded():
    peer = in_data_exchange()
    for _ in range(MAX_OUTBOX):
        peer.connection.send_data(DATAGRAM)
    assert peer.closed is None
    peer.connection.send_data(DATAGRAM)
    assert peer.closed == (1008, "overload")
    assert len(peer.take()) == MAX_OUTBOX


def exchange(one, two):
    """Carry messages between two connections until there are none; return them all."""
    log = []
    while True:
        forth = one.take()
        for message in forth:
            two.connection.receive(memoryview(message), two.now)
        back = two.take()
        for message in back:
            one.connection.receive(memoryview(message), one.now)
        if not forth and not back:
            return log
        log += forth + back


def test_a_trusted_client_and_server_say_what_the_specification_shows():
    one = Peer(CLIENT)
    two = Peer(SERVER)
    log = exchange(one, two)
    assert log == [
        CMI,
        CMI,
        OUR_READY,
        OUR_READY,
        ANNOUNCE_MAX,
        SELECT,
        SELECT,
        PIN_NONE,
        PIN_NONE,
        ACCESS_METHODS_REQUEST,
        ACCESS_METHODS_REQUEST,
        OUR_ACCESS_METHODS,
        OUR_ACCESS_METHODS,
    ]
    assert one.owner.take() == two.owner.take() == ["open", SHIP_ID]
    one.connection.send_data(DATAGRAM)
    two.connection.send_data(DATAGRAM)
    exchange(one, two)
    assert one.owner.take() == two.owner.take() == [DATAGRAM]
    two.connection.end("unspecific", 0)
    assert exchange(one, two) == [ANNOUNCE_CLOSE, CONFIRM_CLOSE]
    assert two.closed == (4001, "close") and one.closed is None


def test_two_strangers_get_to_know_each_other():
    one = Peer(CLIENT, is_trusted=False)
    two = Peer(SERVER, is_trusted=False)
    exchange(one, two)
    assert one.owner.take() == two.owner.take() == ["pending"]
    for now in range(15_000, 600_001, 15_000):
        for peer in (one, two):
            for message in peer.wait_until(now):
                other = two if peer is one else one
                other.connection.receive(memoryview(message), now)
            other = two if peer is one else one
            other.now = now
        exchange(one, two)
    assert one.closed is None and two.closed is None
    one.connection.trust(600_000)
    exchange(one, two)
    assert (one.state, two.state) == (8, 11)
    two.connection.trust(610_000)
    exchange(one, two)
    assert one.state == two.state == 38
