"""Bad input on every layer, while a good connection stays open.

Each case ends as SHIP and SPINE say (alert, HTTP status, close code, abort or error number),
leaves a line in the log, leaves no octet on the heap, and an energy manager that is connected all
the time goes on being answered.
"""

import functools
import os
import ssl

import pytest

from host_tests.e2e.peer import (
    BINARY,
    CLOSE,
    CONTINUATION,
    DISCOVERY,
    PING,
    TEXT,
    Closed,
    Peer,
    make_certificate,
    nested,
)
from host_tests.e2e.world import (
    HEAP_SLACK,
    LogReader,
    Manager,
    part_and_check_heap,
    settled_heap,
    wait_heap,
    wait_status,
    watched_charger,
)
from tools.simulate import Simulator

MAX_MESSAGE = 16_384  # what a charger announces nowhere and accepts
KINDS = ("good", "stranger", "forged", "no-ski", "p384", "rsa")

LOAD_CONTROL = ((1,), 4)
CONFIGURATION = ((1,), 5)
DIAGNOSIS = ((1,), 3)
LIMITS = "loadControlLimitListData"
KEY_VALUES = "deviceConfigurationKeyValueListData"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """One certificate of each kind."""
    folder = tmp_path_factory.mktemp("certificates")
    made = {kind: make_certificate(folder, kind) for kind in KINDS if kind != "stranger"}
    return {**made, "stranger": make_certificate(folder, name="stranger"), "none": None}


@pytest.fixture(scope="module")
def world(tmp_path_factory, certificates):
    """(charger, manager that is connected, octets on the heap before and with that)."""
    state = tmp_path_factory.mktemp("state")
    warm = functools.partial(warm_up, certificates)
    with watched_charger(state, [certificates["good"].ski], warm) as made:
        yield made


def warm_up(certificates, charger, manager):
    manager.connect_to(charger)
    manager.wait_usable()
    manager.release()  # controlled: the charger changes no state by itself meanwhile
    charger.command("log")
    charger.command("peers")
    for _ in range(3):
        peers = [Peer(charger.port, certificates["good"]).reach("data")]
        peers.append(Peer(charger.port, certificates["stranger"]).reach("upgrade"))
        peers[0].discover()
        peers[1].write(Peer.frame(b"", masked=False))
        peers[1].wait_closed()
        peers[0].drop()
        wait_status(charger, connections=1)
    manager.close()
    wait_status(charger, connections=0)


@pytest.fixture
def bad(world, certificates):
    """What a case needs: `bad.peer(kind)`, `bad.logged(text)`; afterwards all is as before."""
    charger, manager, _, heap = world
    case = Case(charger, certificates)
    yield case
    case.end()
    assert manager.is_answered()
    wait_status(charger, connections=1)
    wait_heap(charger, heap, HEAP_SLACK)
    assert len(charger.command("peers")["connections"]) == 1


class Case:
    """One case against one charger."""

    def __init__(self, charger, certificates):
        self.charger = charger
        self._certificates = certificates
        self._log = LogReader(charger)
        self._peers = []

    def peer(self, kind="good", stage="tcp", **options):
        """Connect a peer with this kind of certificate, up to a stage."""
        peer = Peer(self.charger.port, self._certificates[kind], **options)
        self._peers.append(peer)
        return peer.reach(stage)

    def logged(self, *texts):
        """Wait until each text is in a line that was logged during this case."""
        for text in texts:
            self._log.wait(text)

    def end(self):
        for peer in self._peers:
            peer.drop()


# --- below TLS, and in the handshake ---


@pytest.mark.parametrize(
    "octets",
    [
        b"GET /ship/ HTTP/1.1\r\nHost: charger\r\nUpgrade: websocket\r\n\r\n",
        b"\x00" * 64,
        bytes(range(256)) * 8,
        b"\x16\x03\x01\xff\xff" + b"\x01" * 100,
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
    ids=["http-in-clear", "zeros", "rubbish", "endless-record", "alert"],
)
def test_what_is_not_tls_is_ended(bad, octets):
    peer = bad.peer()
    peer.send_octets(octets)
    while peer.receive_octets():
        pass
    bad.logged("connection lost")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
@pytest.mark.parametrize("kind", ["forged", "no-ski", "p384", "rsa"])
def test_a_certificate_that_names_nobody_ends_the_handshake(bad, kind, version):
    peer = bad.peer(kind)
    with pytest.raises((ssl.SSLError, Closed)):
        peer.do_tls(version=version)
        peer.write(peer.request_head())
        peer.read()
    bad.logged("certificate")


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_without_certificate_nothing_is_answered(bad, version):
    peer = bad.peer("none")
    peer.do_tls(version=version)
    peer.write(peer.request_head())
    assert peer.wait_closed()[0] is None
    bad.logged("no usable certificate: none was sent")


def test_a_cipher_suite_that_ship_does_not_name_is_refused(bad):
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        bad.peer().do_tls(version="TLSv1_2", ciphers="ECDHE-ECDSA-AES256-GCM-SHA384")
    bad.logged("connection lost")


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"])
def test_both_cipher_suites_of_ship_are_served_in_small_records(bad, suite):
    peer = bad.peer()
    peer.do_tls(version="TLSv1_2", ciphers=suite)
    assert peer.cipher[:2] == (suite, "TLSv1.2")
    for step in (peer.do_upgrade, peer.do_cmi, peer.do_hello, peer.do_handshake, peer.do_data):
        step()
    peer.discover()
    overhead = 64  # IV, padding and MAC of the mandatory suite
    assert 1024 < max(peer.records) <= 1024 + overhead


# --- HTTP ---


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (Peer.request_head(protocol="chat"), 400),
        (Peer.request_head(protocol=""), 400),
        (Peer.request_head(upgrade=False), 426),
        (Peer.request_head(path="/admin"), 404),
        (Peer.request_head().replace(b"GET", b"POST"), 405),
        (Peer.request_head().replace(b"Version: 13", b"Version: 8"), 426),
        (Peer.request_head().replace(b"HTTP/1.1", b"HTTP/1.0"), 505),
        (b"\x00\x00\r\n\r\n", 400),
        (b"X: " + b"y" * 4000, 431),
    ],
    ids=["chat", "none", "no-upgrade", "path", "POST", "version", "HTTP/1.0", "no-HTTP", "long"],
)
def test_a_request_that_is_no_upgrade_to_ship_gets_its_http_status(bad, head, status):
    peer = bad.peer("good", "tls")
    assert peer.upgrade(head) == status
    peer.wait_closed()
    bad.logged(f"HTTP {status}")


# --- WebSocket frames ---

_CMI = b"\0\0"


def frames(*parts):
    """Frames in a row: each is (payload, options)."""
    return b"".join(Peer.frame(payload, **options) for payload, options in parts)


@pytest.mark.parametrize(
    ("octets", "code", "reason"),
    [
        (Peer.frame(_CMI, masked=False), 1002, "not masked"),
        (Peer.frame(_CMI, rsv=4), 1002, "reserved bit"),
        (Peer.frame(_CMI, rsv=1), 1002, "reserved bit"),
        (Peer.frame(_CMI, opcode=3), 1002, "unknown opcode"),
        (Peer.frame(b"text", opcode=TEXT), 1003, "text"),
        (Peer.frame(_CMI, opcode=CONTINUATION), 1002, "fragments in disorder"),
        (
            frames((b"\0", {"final": False}), (_CMI, {"opcode": BINARY})),
            1002,
            "fragments in disorder",
        ),
        (Peer.frame(b"", opcode=PING, final=False), 1002, "long control frame"),
        (Peer.frame(bytes(126), opcode=PING), 1002, "long control frame"),
        (Peer.frame(b"\x03\xed", opcode=CLOSE), 1002, "close code"),
        (Peer.frame(b"\x03\xe8\xff\xfe", opcode=CLOSE), 1002, "close reason"),
        (Peer.frame(bytes(MAX_MESSAGE + 1))[:20], 1009, "message too big"),
        (b"\x82\xff" + b"\x00\x00\x01\x00\x00\x00\x00\x00" + bytes(4), 1009, "message too big"),
        (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1009, "message too big"),
        (
            Peer.frame(bytes(1024), final=False)
            + Peer.frame(bytes(1024), CONTINUATION, final=False) * 16,
            1009,
            "message too big",
        ),
        (
            Peer.frame(b"", final=False) + Peer.frame(b"", CONTINUATION, final=False) * 1024,
            1009,
            "message too big",
        ),
    ],
    ids=[
        "unmasked",
        "rsv1",
        "rsv3",
        "opcode",
        "text",
        "continuation-first",
        "interleaved",
        "ping-fragment",
        "long-ping",
        "close-code",
        "close-text",
        "16-KiB-and-1",
        "1-TiB",
        "all-ones",
        "large-by-fragments",
        "endless-fragments",
    ],
)
def test_a_wrong_frame_ends_the_connection_with_its_code(bad, octets, code, reason):
    peer = bad.peer("good", "upgrade")
    peer.write(octets)
    assert peer.wait_closed() == (code, reason)
    bad.logged(reason)


def test_endless_fragments_of_a_message_that_never_ends_stop_being_taken(bad):
    peer = bad.peer("good", "upgrade")
    peer.write(Peer.frame(b"\1", final=False))
    with pytest.raises((Closed, BrokenPipeError, ssl.SSLError)):
        for _ in range(10_000):
            peer.write(Peer.frame(b"x", CONTINUATION, final=False) * 16)
            peer.set_wait(0.001)
            try:
                peer.receive()
            except TimeoutError:
                pass
    bad.logged("message too big")


# --- SHIP ---

_DATA = b'\2{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[]}}]}'
_HELLO = b'\1{"connectionHello":[{"phase":"ready"},{"waiting":60000}]}'
_ANNOUNCE = (
    b'\1{"messageProtocolHandshake":[{"handshakeType":"announceMax"},'
    b'{"version":[{"major":%d},{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
_DEEP = b'\1{"connectionHello":%s}' % nested(5000)
_RUBBISH = b"\1" + os.urandom(MAX_MESSAGE // 2 - 1).hex().encode()[: MAX_MESSAGE - 1]


@pytest.mark.parametrize("message", [b"\1\0", b"\0\1", b"\0", b"", _HELLO, _DATA, _DEEP])
def test_what_is_no_cmi_is_answered_with_cmi_and_close(bad, message):
    peer = bad.peer("good", "upgrade")
    peer.send(message)
    assert peer.receive() == b"\0\0"
    assert peer.wait_closed() == (4001, "invalid CMI")
    bad.logged("closing in state 4 CMI_SERVER_WAIT: invalid CMI")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\1",
        b'\7{"connectionHello":[{"phase":"ready"}]}',
        b"\1{",
        b'\1{"connectionHello":[{"phase":"ready"',
        b'\1{"connectionHello":[{"phase":"maybe"}]}',
        b'\1{"connectionHello":7}',
        b"\1[]",
        _DEEP,
        _RUBBISH,
        b'\1{"connectionHello":[{"phase":"ready"}]}garbage',
        _ANNOUNCE % 1,
        _DATA,
        b'\1{"accessMethodsRequest":[]}',
        b'\1{"nobodyKnows":[]}',
    ],
    ids=[
        "empty",
        "no-value",
        "unknown-type",
        "brace",
        "cut",
        "unknown-phase",
        "number",
        "array",
        "deep",
        "16-KiB-of-rubbish",
        "trailing",
        "protocol-handshake",
        "data",
        "access-methods",
        "unknown-message",
    ],
)
def test_what_does_not_belong_into_hello_aborts_it(bad, message):
    peer = bad.peer("good", "cmi")
    peer.send(message)
    phases = [peer.expect("connectionHello")[1]["phase"] for _ in range(2)]
    assert phases == ["ready", "aborted"]
    assert peer.wait_closed() == (4001, "hello aborted")
    bad.logged("hello aborted")


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (b"\1{", 2),
        (b"", 2),
        (_DEEP, 2),
        (_HELLO, 2),
        (_DATA, 2),
        (b'\1{"connectionPinState":[{"pinState":"none"}]}', 2),
        (_ANNOUNCE % 0, 3),
        (_ANNOUNCE.replace(b"JSON-UTF8", b"JSON-UTF16") % 1, 3),
    ],
    ids=["brace", "empty", "deep", "hello", "data", "pin", "version-0", "format"],
)
def test_what_does_not_belong_into_the_protocol_handshake_gets_its_error(bad, message, error):
    peer = bad.peer("good", "hello")
    peer.send(message)
    assert peer.expect("messageProtocolHandshakeError")[1] == {"error": error}
    assert peer.wait_closed() == (4001, f"protocol handshake error {error}")
    bad.logged(f"protocol handshake error {error}")


@pytest.mark.parametrize(
    "message",
    [
        b"\1{",
        _DEEP,
        b'\1{"connectionPinState":[{"pinState":"perhaps"}]}',
        b'\3{"connectionClose":[{"phase":"confirm"}]}',
    ],
    ids=["brace", "deep", "unknown", "confirm"],
)
def test_what_does_not_belong_into_the_pin_phase_closes(bad, message):
    peer = bad.peer("good", "handshake")
    peer.send(message)
    assert peer.wait_closed()[0] == 4001
    bad.logged("closing in state")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\1",
        b"\x09{}",
        b"\1{",
        b'\2{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":',
        _DEEP,
        _RUBBISH,
    ],
    ids=["empty", "no-value", "unknown-type", "brace", "cut-data", "deep", "16-KiB-of-rubbish"],
)
def test_unreadable_messages_in_data_exchange_are_logged_and_ignored(bad, message):
    peer = bad.peer("good", "data")
    peer.send(message)
    assert peer.discover().address
    bad.logged("ignored: ")


def test_a_stranger_gets_no_further_than_pending(bad):
    peer = bad.peer("stranger", "cmi")
    assert peer.expect("connectionHello")[1]["phase"] == "pending"
    peer.send(_HELLO)
    peer.send(_DATA)
    assert peer.expect("connectionHello")[1]["phase"] == "aborted"
    assert peer.wait_closed() == (4001, "hello aborted")
    bad.logged('"pending"', "hello aborted")


def test_data_before_the_pin_state_waits_and_too_much_of_it_closes(bad):
    peer = bad.peer("good", "handshake")
    for _ in range(9):
        peer.send(_DATA)
    assert peer.wait_closed() == (1008, "too much before data exchange")
    bad.logged("too much before data exchange")


# --- SPINE ---


@pytest.fixture
def partner(bad):
    """(case, peer in data exchange that knows the node's address)."""
    peer = bad.peer("good", "data")
    remote = peer.discover()
    assert remote.features[LOAD_CONTROL].type == "LoadControl"
    return bad, peer


@pytest.mark.parametrize(
    "payload",
    [
        b'{"datagram":[{"header":[}{]}]}',
        b'{"datagram":7}',
        b'{"datagram":[]}',
        b'{"datagram":[{"header":[]},{"payload":[]}]}',
        b'{"datagram":%s}' % nested(12),
        b'{"datagram":[{"header":%s}]}' % nested(25),
        b'{"datagram":[{"header":[{"msgCounter":"many"}]}]}',
        b'{"rubbish":"%s"}' % (b"x" * (MAX_MESSAGE - 100)),
        b'{"datagram":[%s]}' % (b'{"header":[{"msgCounter":1}]},' * 500)[:-1],
    ],
    ids=["json", "number", "empty", "no-header", "nested", "deep", "counter", "16-KiB", "headers"],
)
def test_what_is_no_datagram_is_discarded(partner, payload):
    bad, peer = partner
    peer.send_payload(payload)
    assert peer.discover().address
    bad.logged("datagram discarded")


@pytest.mark.parametrize("depth", [40, 5000])
def test_a_datagram_nested_too_deep_is_unreadable(partner, depth):
    bad, peer = partner
    peer.send_payload(b'{"datagram":%s}' % nested(depth))
    assert peer.discover().address
    bad.logged("ignored: unreadable")


def call(name, **content):
    """A NodeManagement call."""
    return {f"nodeManagement{name}": content}


def relation(entity, feature, feature_type="LoadControl"):
    """Content of a binding or subscription request."""
    client = {"entity": [1], "feature": 1}
    server = {"entity": entity, "feature": feature}
    return {"clientAddress": client, "serverAddress": server, "serverFeatureType": feature_type}


_LIMIT = {LIMITS: {"loadControlLimitData": [{"limitId": 1, "isLimitActive": True}]}}
_READ = {LIMITS: {}}
_PARTIAL = {"cmdControl": {"partial": {}}}


@pytest.mark.parametrize(
    ("classifier", "cmd", "options", "error"),
    [
        ("read", {"smellData": {}}, {"to": LOAD_CONTROL}, 6),
        ("read", {"measurementListData": {}}, {"to": LOAD_CONTROL}, 6),
        ("read", {"nodeManagementBindingRequestCall": {}}, {}, 6),
        ("read", {DISCOVERY: {}}, {"to": DIAGNOSIS}, 6),
        ("read", _READ, {"to": ((7,), 1)}, 4),
        ("read", _READ, {"to": ((1, 1, 1), 1)}, 4),
        ("read", _READ, {"to": ((1,), 99)}, 4),
        ("read", _READ, {"to": LOAD_CONTROL, "device": "d:_n:somebody_else"}, 5),
        ("guess", _READ, {"to": LOAD_CONTROL}, 6),
        ("call", _READ, {"to": LOAD_CONTROL}, 6),
        ("read", [_READ, _READ], {"to": LOAD_CONTROL}, 1),
        ("read", [], {"to": LOAD_CONTROL}, 1),
        ("read", {"function": "measurementListData", **_READ}, {"to": LOAD_CONTROL}, 7),
        ("read", {"filter": [_PARTIAL, _PARTIAL], **_READ}, {"to": LOAD_CONTROL}, 8),
        (
            "read",
            {"filter": [{**_PARTIAL, "measurementListDataSelectors": {}}], **_READ},
            {"to": LOAD_CONTROL},
            7,
        ),
        ("write", _LIMIT, {"to": LOAD_CONTROL}, 9),
        ("write", _LIMIT, {"to": LOAD_CONTROL, "ack": False}, 9),
        ("write", {KEY_VALUES: {}}, {"to": CONFIGURATION}, 9),
        ("write", {"measurementListData": {}}, {"to": ((1,), 7)}, 6),
        ("write", {DISCOVERY: {}}, {}, 6),
        (
            "call",
            call("BindingRequestCall", bindingRequest=relation([1], 99)),
            {},
            4,
        ),
        ("call", call("BindingRequestCall", bindingRequest=relation([1], 1)), {}, 7),
        ("call", call("BindingRequestCall", bindingRequest=relation([0], 0)), {}, 7),
        ("call", call("BindingRequestCall", bindingRequest=relation([1], 4, "Bill")), {}, 7),
        ("call", call("BindingRequestCall", bindingRequest=relation([1], 4)), {}, 7),
        ("call", call("BindingRequestCall", bindingRequest={}), {}, 4),
        ("call", call("BindingRequestCall"), {}, 1),
        (
            "call",
            call("SubscriptionRequestCall", subscriptionRequest=relation([9], 1)),
            {},
            4,
        ),
        ("call", call("PartyRequestCall", partyRequest={}), {}, 6),
    ],
    ids=[
        "unknown-function",
        "function-elsewhere",
        "read-of-a-call",
        "discovery-elsewhere",
        "unknown-entity",
        "unknown-sub-entity",
        "unknown-feature",
        "other-device",
        "unknown-classifier",
        "call-of-data",
        "two-commands",
        "no-command",
        "other-function-stated",
        "two-filters",
        "filter-of-another-function",
        "write-unbound",
        "write-unbound-without-ack",
        "write-unbound-configuration",
        "write-what-is-read-only",
        "write-discovery",
        "bind-unknown-feature",
        "bind-client-feature",
        "bind-node-management",
        "bind-other-type",
        "bind-what-another-has",
        "bind-nothing",
        "bind-without-request",
        "subscribe-unknown-entity",
        "unknown-call",
    ],
)
def test_a_request_that_cannot_be_served_gets_its_error_number(
    partner, classifier, cmd, options, error
):
    bad, peer = partner
    assert peer.request(classifier, cmd, **options) == error
    assert peer.discover().address
    bad.logged(f"refused: {error} ")


def test_a_reply_nobody_asked_for_and_a_strange_notify_get_no_answer(partner):
    _, peer = partner
    for classifier, cmd in (
        ("reply", {LIMITS: {}}),
        ("notify", {"smellData": {"smell": "burnt"}}),
        ("result", {"resultData": {"errorNumber": 7}}),
        ("notify", {DISCOVERY: {"entityInformation": [{"description": {}}]}}),
    ):
        counter = peer.datagram(classifier, cmd, ack=False)
        assert peer.discover().address  # the node has seen the datagram before
        with pytest.raises(TimeoutError):
            peer.set_wait(0.05)
            peer.answer(counter)
        peer.set_wait(10)


def test_all_of_this_leaves_nothing_on_the_heap(world):
    charger, manager, idle, _ = world
    part_and_check_heap(charger, manager, idle)


# --- values, on a charger that no energy manager has bound yet ---


@pytest.fixture(scope="module")
def controlled(tmp_path_factory, certificates):
    """(charger, a peer that has bound its limits and is alive to it, a manager that watches)."""
    state = tmp_path_factory.mktemp("controlled")
    with Manager(state / "manager") as manager:
        trust = [manager.identity.ski, certificates["good"].ski]
        with Simulator(port=0, state=state / "charger", no_mdns=True, trust=trust) as charger:
            with Peer(charger.port, certificates["good"]).reach("data") as writer:
                writer.discover()
                for feature, kind in ((4, "LoadControl"), (5, "DeviceConfiguration")):
                    assert writer.relate("binding", ((1,), feature), kind) == 0
                writer.beat()
                warm_up_values(charger, writer)
                manager.connect_to(charger)
                yield charger, writer, manager, settled_heap(charger)
                manager.close()


def limit(**entry):
    """A partial write of limit 1."""
    entries = [{"limitId": 1, **entry}]
    return {"function": LIMITS, "filter": [_PARTIAL], LIMITS: {"loadControlLimitData": entries}}


def key(number, **value):
    """A partial write of a failsafe value."""
    entries = [{"keyId": number, "value": value}]
    content = {"deviceConfigurationKeyValueData": entries}
    return {"function": KEY_VALUES, "filter": [_PARTIAL], KEY_VALUES: content}


def watts(number, scale=0):
    return {"number": number, "scale": scale}


def warm_up_values(charger, writer):
    for _ in range(3):
        good = limit(isLimitActive=False, value=watts(7000))
        assert writer.request("write", good, to=LOAD_CONTROL) == 0
        assert writer.request("write", limit(value="x"), to=LOAD_CONTROL) != 0
        charger.command("limits")
    assert writer.request("write", key(1, scaledNumber=watts(4200)), to=CONFIGURATION) == 0
    assert writer.request("write", key(2, duration="PT24H"), to=CONFIGURATION) == 0


@pytest.mark.parametrize(
    ("cmd", "to", "error"),
    [
        (limit(value=watts(-1)), LOAD_CONTROL, 7),
        (limit(value=watts(-(2**40))), LOAD_CONTROL, 7),
        (limit(value=watts(1, 400)), LOAD_CONTROL, 7),
        (limit(value=watts(1, -400)), LOAD_CONTROL, 7),
        (limit(value={"scale": 0, "number": {}}), LOAD_CONTROL, 1),
        (limit(value=watts("many")), LOAD_CONTROL, 1),
        (limit(value=4200), LOAD_CONTROL, 1),
        (limit(value="4200"), LOAD_CONTROL, 1),
        (limit(isLimitActive="maybe"), LOAD_CONTROL, 1),
        (limit(isLimitActive={}), LOAD_CONTROL, 1),
        (limit(timePeriod={"endTime": "P1Y"}), LOAD_CONTROL, 7),
        (limit(timePeriod={"endTime": "soon"}), LOAD_CONTROL, 7),
        (limit(timePeriod={"endTime": "PT" + "9" * 30 + "S"}), LOAD_CONTROL, 7),
        (limit(timePeriod={"endTime": 7}), LOAD_CONTROL, 7),
        (limit(limitId=2), LOAD_CONTROL, 7),
        (limit(limitId="one"), LOAD_CONTROL, 1),
        ({LIMITS: {"loadControlLimitData": [{"isLimitActive": True}]}}, LOAD_CONTROL, 7),
        ({LIMITS: {"loadControlLimitData": 7}}, LOAD_CONTROL, 1),
        ({LIMITS: "limit"}, LOAD_CONTROL, 1),
        (
            {"filter": [{"cmdControl": {"delete": {}}}], LIMITS: {}, "function": LIMITS},
            LOAD_CONTROL,
            8,
        ),
        (key(1, scaledNumber=watts(-1)), CONFIGURATION, 7),
        (key(1, duration="PT2H"), CONFIGURATION, 7),
        (key(1, string="much"), CONFIGURATION, 7),
        (key(2, duration="PT1H"), CONFIGURATION, 7),
        (key(2, duration="PT25H"), CONFIGURATION, 7),
        (key(2, duration="forever"), CONFIGURATION, 7),
        (key(2, scaledNumber=watts(7200)), CONFIGURATION, 7),
        (key(3, duration="PT2H"), CONFIGURATION, 7),
    ],
)
def test_a_value_that_cannot_be_applied_is_refused_and_changes_nothing(controlled, cmd, to, error):
    charger, writer, manager, heap = controlled
    log = LogReader(charger)
    before = charger.command("limits")["lpc"]
    assert writer.request("write", cmd, to=to) == error
    after = charger.command("limits")["lpc"]
    # a failsafe duration that is too long is refused and sets the longest (LPC-016)
    assert {**after, "failsafe_duration_s": 0} == {**before, "failsafe_duration_s": 0}
    log.wait(f"refused: {error} ")
    assert manager.is_answered()
    wait_heap(charger, heap, HEAP_SLACK)
