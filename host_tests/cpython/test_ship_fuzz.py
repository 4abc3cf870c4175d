"""Property tests of SHIP: whatever comes in, the rules of RFC 6455 and SHIP 13.4 hold."""

import json

from eebus_json import end_of_value, from_wire, members, to_wire
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ship import commissioning, frames, messages
from ship.base import CLIENT, SERVER
from ship.connection import Connection
from ship.key_state import KeyState
from ship.pin_check import PinCheck, PinLock
from ship.trust import MAX_PEERS, USER_VERIFICATION, TrustStore
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket

QUICK = settings(max_examples=150, deadline=None)

REQUEST = (
    b"GET /ship/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Protocol: ship\r\n\r\n"
)
SAMPLES = (
    messages.CMI,
    messages.hello("ready", 60_000),
    messages.hello("pending", 60_000),
    messages.PROLONGATION_REQUEST,
    messages.ABORTED,
    messages.handshake(b"announceMax", 0),
    messages.handshake(b"select", 0),
    messages.pin_input("12345678"),
    messages.pin_input("8765fedc"),
    b'\x01{"connectionPinState":[{"pinState":"required"},{"inputPermission":"ok"}]}',
    b'\x01{"connectionPinState":[{"pinState":"optional"},{"inputPermission":"busy"}]}',
    b'\x01{"connectionPinError":[{"error":1}]}',
    messages.handshake_error(2),
    messages.PIN_NONE,
    messages.REQUEST_ACCESS_METHODS,
    messages.access_methods("i:1_u:x"),
    messages.announce_close(500, "unspecific"),
    messages.CONFIRM_CLOSE,
    b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[]}}]}',
)

numbers = st.integers(-(1 << 64), 1 << 64) | st.floats(allow_nan=False)  # none beyond MAX_NUMBER
scalars = st.none() | st.booleans() | numbers | st.text()
trees = st.recursive(
    scalars,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=25,
)


def entropy(count):
    return bytes(range(count))


def feed(socket, octets, cuts):
    """Hand octets in, cut into pieces of the given sizes (used in turn); return the events."""
    events = []
    turn = 0
    while octets:
        space = socket.buffer()
        assert 0 < len(space) <= 18_000
        count = min(len(space), len(octets), cuts[turn % len(cuts)])
        turn += 1
        space[:count] = octets[:count]
        octets = octets[count:]
        socket.received(count, 0)
        while (event := socket.next_event()) is not None:
            if event == MESSAGE:
                event = bytes(socket.payload)
            elif event == CLOSED:
                event = (socket.close_code, socket.close_reason)
            events.append(event)
    return events


def masked(opcode, payload, mask, is_final):
    head = bytearray(frames.header(opcode, len(payload), mask))
    if not is_final:
        head[0] &= 0x7F
    return bytes(head) + bytes(octet ^ mask[i & 3] for i, octet in enumerate(payload))


# JSON


@QUICK
@given(trees, st.binary(max_size=20), st.booleans())
def test_a_value_ends_where_it_was_written(tree, behind, is_pretty):
    text = json.dumps(tree, ensure_ascii=not is_pretty, indent=1 if is_pretty else None).encode()
    behind = b"," + behind
    assert end_of_value(text + behind, 0) == len(text)
    assert end_of_value(memoryview(b"[ " + text + behind), 1) == len(text) + 2


@QUICK
@given(st.binary(max_size=300), st.integers(0, 300))
def test_any_octets_end_somewhere_or_raise_value_error(octets, start):
    try:
        end = end_of_value(memoryview(octets), start)
    except ValueError:
        pass
    else:
        assert start < end <= len(octets)
    try:
        for _, begin, end in members(memoryview(octets), start):
            assert start < begin < end <= len(octets)
    except ValueError:
        pass


@QUICK
@given(st.text(alphabet='[]{}",:\\1 ', max_size=200))
def test_what_the_parser_accepts_is_cut_right(text):
    try:
        json.loads(text)
    except ValueError:
        return
    octets = text.encode()
    assert octets[end_of_value(octets, 0) :].strip() == b""


@QUICK
@given(st.dictionaries(st.text(max_size=8), st.text() | numbers, min_size=1, max_size=8))
def test_elements_are_read_as_they_were_written(fields):
    text = to_wire(tuple(fields.items()))
    assert from_wire(json.loads(text)) == fields
    names = [json.loads(b'"' + name + b'"') for name, _, _ in members(text, 0)]
    assert names == list(fields)


# WebSocket


@QUICK
@given(st.binary(max_size=400), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_any_octets_instead_of_an_upgrade_are_survived(octets, cuts):
    for role in (SERVER, CLIENT):
        socket = WebSocket(role, entropy)
        socket.start(0)
        events = feed(socket, octets, cuts)
        assert [event for event in events if isinstance(event, tuple)] == events
        assert len(events) <= 1


@QUICK
@given(st.binary(max_size=400), st.lists(st.integers(1, 50), min_size=1, max_size=5))
def test_any_octets_after_the_upgrade_give_the_same_events_in_any_pieces(octets, cuts):
    results = []
    for pieces in ([100_000], cuts):
        socket = WebSocket(SERVER, entropy)
        socket.start(0)
        assert feed(socket, REQUEST, [100_000]) == [OPEN]
        events = feed(socket, octets, pieces)
        results.append((events, b"".join(bytes(part) for part in socket.take())))
    assert results[0] == results[1]
    closes = [event for event in results[0][0] if isinstance(event, tuple)]
    assert len(closes) <= 1


@QUICK
@given(
    st.lists(
        st.tuples(
            st.lists(st.binary(max_size=1500), min_size=1, max_size=4),
            st.binary(max_size=125),
            st.binary(min_size=4, max_size=4),
        ),
        max_size=6,
    ),
    st.lists(st.integers(1, 3000), min_size=1, max_size=5),
)
@example([([b""], b"\0", bytes(4)), ([b"", b"\1", b""], bytes(5), bytes(4))], [2])
def test_fragmented_messages_with_pings_arrive_whole(contents, cuts):
    octets = b""
    pongs = []
    for fragments, ping, mask in contents:
        last = len(fragments) - 1
        for n, fragment in enumerate(fragments):
            opcode = frames.CONTINUATION if n else frames.BINARY
            octets += masked(opcode, fragment, mask, n == last)
            octets += masked(frames.PING, ping, mask, True)
            pongs.append(frames.header(frames.PONG, len(ping)) + ping)
    socket = WebSocket(SERVER, entropy)
    socket.start(0)
    assert feed(socket, REQUEST, [100_000]) == [OPEN]
    socket.take()
    assert feed(socket, octets, cuts) == [b"".join(item[0]) for item in contents]
    assert b"".join(bytes(part) for part in socket.take()) == b"".join(pongs)


# Messages and connection


@QUICK
@given(st.binary(max_size=200))
def test_any_octets_are_a_message_of_some_kind(octets):
    for message in (octets, b"\x01" + octets, b"\x02{" + octets):
        kind, body = messages.decode(memoryview(message))
        assert messages.INIT <= kind <= messages.OTHER
        assert body is None or isinstance(body, (dict, memoryview))


@QUICK
@given(trees, st.sampled_from(("connectionHello", "accessMethods", "data", "connectionClose")))
def test_any_tree_under_a_known_root_is_a_message_of_some_kind(tree, root):
    text = json.dumps({root: tree}).encode()
    kind, body = messages.decode(memoryview(b"\x01" + text))
    assert messages.UNREADABLE <= kind <= messages.OTHER
    assert body is None or isinstance(body, (dict, memoryview))


class Owner:
    def __init__(self, pin_state):
        self.told = []
        self.check = None
        if pin_state:
            lock = PinLock("8765fedc", pin_state, 0, lambda wrong: None, 0)
            self.check = PinCheck(lock, False, lambda: None)

    def ship_pending(self, connection):
        self.told.append("pending")

    def ship_open(self, connection):
        assert connection.state == 38
        self.told.append("open")

    def ship_data(self, connection, payload):
        assert self.told[0] == "open" or self.told[:2] == ["pending", "open"]

    def ship_pin_check(self, connection):
        return self.check

    def ship_pin_wanted(self, connection, was_wrong):
        return None if was_wrong else "1234abcd"

    def ship_key_management(self, connection, root, body):
        connection.send(messages.CONFIRM_CLOSE)

    def ship_access_methods(self, connection, ship_id):
        assert "open" in self.told
        return True

    def ship_log(self, connection, text):
        assert text


hellos = st.builds(
    lambda body: b"\x01" + json.dumps({"connectionHello": body}).encode(),
    st.fixed_dictionaries(
        {},
        optional={
            "phase": st.sampled_from(["ready", "pending", "aborted", "other"]) | trees,
            "waiting": st.integers(-1, 700_000) | trees,
            "prolongationRequest": st.booleans() | trees,
        },
    ),
)
steps = st.lists(
    st.sampled_from(SAMPLES)
    | hellos
    | st.binary(max_size=30)
    | st.integers(0, 130_000)
    | st.sampled_from(["trust", "reject", "end", "PIN"]),
    max_size=25,
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from([CLIENT, SERVER]),
    st.booleans(),
    st.sampled_from(["", "required", "optional"]),
    steps,
)
def test_no_sequence_of_inputs_breaks_a_connection(role, is_trusted, pin_state, sequence):
    owner = Owner(pin_state)
    connection = Connection(role, "i:1_u:x", is_trusted, owner)
    now = 0
    connection.start(now)
    for step in (messages.CMI, *sequence):
        was_closed = connection.closed
        if isinstance(step, bytes):
            connection.receive(memoryview(step), now)
        elif isinstance(step, int):
            now += step
            connection.tick(now)
            deadline = connection.deadline()
            assert deadline is None or deadline > now
        elif step == "trust":
            connection.trust(now)
            is_trusted = True
        elif step == "reject":
            connection.reject(now)
        elif step == "PIN":
            connection.enter_pin("abcd1234")
        else:
            connection.end("unspecific", now)
        connection.state_name()
        assert was_closed is None or connection.closed == was_closed
        assert not connection.closed or connection.deadline() is None
    assert "open" not in owner.told or is_trusted
    for message in connection.take():
        kind, _ = messages.decode(memoryview(b"".join(message)))
        assert kind != messages.UNREADABLE


class Registration:
    """A node with one trusted peer; counts what is written to flash."""

    def __init__(self):
        self.store = TrustStore()
        self.store.add(PEER, USER_VERIFICATION, "console")
        self.untrusted = []

    def commission(self, tool, ski, level):
        return self.store.commission(tool, ski, level)

    def untrust(self, ski):
        self.untrusted.append(ski)
        return self.store.remove(ski)

    def save(self):
        self.store = TrustStore(json.loads(json.dumps(self.store.peers)))


class Identity:
    ski = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
    counter = 2

    def key_set(self):
        return [("current", self.ski)]


PEER = "11" * 20
skis = st.sampled_from([PEER, PEER.upper(), "22" * 20, Identity.ski, "12", ""]) | trees
entries = st.fixed_dictionaries(
    {},
    optional={
        "curve": st.sampled_from([23, "23", 26]) | trees,
        "ski": skis,
        "publicKey": st.sampled_from(["04" * 65, "04"]) | trees,
        "userTrust": st.integers(-1, 100) | trees,
        "commissioningTool": st.booleans() | trees,
        "id": st.text(max_size=70) | trees,
        "currentState": st.sampled_from(["current", "successor", "predecessor"]) | trees,
    },
)
key_bodies = (
    st.fixed_dictionaries(
        {},
        optional={
            "updateCounter": st.integers(-1, 70_000) | trees,
            "accept": st.booleans() | trees,
            "entry": st.lists(entries, max_size=4) | entries | trees,
        },
    )
    | trees
)
key_roots = st.sampled_from(
    (
        "commissioningRequest commissioningResponse keyMaterialRequest keyMaterial "
        "keyMaterialResponse keyMaterialDelete keyMaterialDeleteResponse keyMaterialState "
        "keyMaterialStateResponse keyMaterialStateRequest keyMaterialOther"
    ).split(" ")
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(key_roots, key_bodies), max_size=6))
def test_no_key_management_breaks_the_trust_store(sequence):
    registration = Registration()
    owner = Owner("")
    connection = Connection(SERVER, "i:1_u:x", True, owner)
    state = KeyState(registration, Identity(), connection, PEER)

    def take(_, root, body):
        if root.startswith("keyMaterialState"):
            state.receive(root, body, 0)
        else:
            commissioning.receive(registration, Identity.ski, PEER, root, body, connection.send)

    owner.ship_key_management = take
    connection.start(0)
    for octets in (SAMPLES[0], SAMPLES[1], SAMPLES[5], SAMPLES[6], messages.PIN_NONE):
        connection.receive(memoryview(octets), 0)
    connection.take()
    for root, body in sequence:
        connection.receive(memoryview(b"\x01" + json.dumps({root: body}).encode()), 0)
        for message in connection.take():
            kind, _ = messages.decode(memoryview(b"".join(message)))
            assert kind in (messages.KEY_MANAGEMENT, messages.CLOSE_ANNOUNCE)
    assert connection.closed is None
    for peer in registration.store.peers:
        for name in ("ski", "next"):
            if name in peer:
                assert len(peer[name]) == 40 and peer[name] != Identity.ski
        assert isinstance(peer["id"], str)
        assert registration.store.level(peer["ski"]) <= USER_VERIFICATION
    assert len(registration.store.peers) <= MAX_PEERS
