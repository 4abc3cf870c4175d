"""Our WebSocket against the sans-IO protocols of `websockets`, octet for octet, both roles."""

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from ship.base import CLIENT, SERVER
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket

SIZES = (0, 1, 2, 125, 126, 127, 300, 1024, 5000, 16384)


def entropy(count):
    return bytes((n * 73 + 11) & 0xFF for n in range(count))


class Ours:
    """Our side with its events, content included."""

    def __init__(self, role):
        self.socket = WebSocket(role, entropy, "/ship/", "evse-0001.local:4712")
        self.socket.start(0)
        self.events = []

    def receive(self, octets, at_once=100_000):
        while octets:
            space = self.socket.buffer()
            count = min(len(space), len(octets), at_once)
            space[:count] = octets[:count]
            octets = octets[count:]
            self.socket.received(count, 0)
            while (event := self.socket.next_event()) is not None:
                if event == MESSAGE:
                    self.events.append(bytes(self.socket.payload))
                elif event == CLOSED:
                    self.events.append((self.socket.close_code, self.socket.close_reason))
                else:
                    assert event == OPEN
                    self.events.append("open")

    def take(self):
        return b"".join(bytes(part) for part in self.socket.take())


def theirs_out(protocol):
    """Octets the foreign side wants to send; the end of its stream is left out."""
    return b"".join(protocol.data_to_send())


def data_frames(protocol):
    return [event for event in protocol.events_received() if isinstance(event, Frame)]


def foreign_client(ours, at_once=100_000, **options):
    protocol = ClientProtocol(
        parse_uri("wss://evse-0001.local:4712/ship/"), subprotocols=["foo", "ship"], **options
    )
    protocol.send_request(protocol.connect())
    ours.receive(theirs_out(protocol), at_once)
    protocol.receive_data(ours.take())
    (answer,) = protocol.events_received()
    assert isinstance(answer, Response) and answer.status_code == 101
    assert protocol.state is State.OPEN and protocol.subprotocol == "ship"
    return protocol


def foreign_server(ours, at_once=100_000):
    protocol = ServerProtocol(subprotocols=["ship"])
    protocol.receive_data(ours.take())
    (request,) = protocol.events_received()
    assert isinstance(request, Request) and request.path == "/ship/"
    answer = protocol.accept(request)
    assert answer.status_code == 101
    protocol.send_response(answer)
    ours.receive(theirs_out(protocol), at_once)
    assert protocol.state is State.OPEN and protocol.subprotocol == "ship"
    return protocol


PAIRS = pytest.mark.parametrize(
    ("role", "connect"), [(SERVER, foreign_client), (CLIENT, foreign_server)]
)


@PAIRS
@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_messages_of_every_size_go_both_ways(role, connect, at_once):
    ours = Ours(role)
    theirs = connect(ours, at_once)
    assert ours.events == ["open"]
    for size in SIZES:
        payload = bytes(n & 0xFF for n in range(size))
        ours.socket.message([payload[: size // 2], payload[size // 2 :]])
        theirs.receive_data(ours.take())
        (frame,) = data_frames(theirs)
        assert frame == Frame(Opcode.BINARY, payload)
        theirs.send_binary(payload)
        ours.receive(theirs_out(theirs), at_once)
        assert ours.events.pop() == payload


@PAIRS
def test_fragments_with_a_ping_between_them_arrive_as_one(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    theirs.send_binary(b"one ", fin=False)
    theirs.send_continuation(b"two ", fin=False)
    theirs.send_ping(b"are you there?")
    theirs.send_continuation(b"three", fin=True)
    ours.receive(theirs_out(theirs), 3)
    assert ours.events == ["open", b"one two three"]
    theirs.receive_data(ours.take())
    assert data_frames(theirs) == [Frame(Opcode.PONG, b"are you there?")]


@PAIRS
def test_our_ping_is_answered(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    ours.socket.tick(50_000)
    theirs.receive_data(ours.take())
    assert data_frames(theirs) == [Frame(Opcode.PING, b"")]
    assert ours.socket.deadline() == 60_000
    ours.receive(theirs_out(theirs))
    assert ours.socket.deadline() == 100_000


@PAIRS
def test_our_close_is_understood_and_answered(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    ours.socket.close(4001, "close", 0)
    theirs.receive_data(ours.take())
    assert theirs.close_rcvd == Close(4001, "close")
    ours.receive(theirs_out(theirs))
    assert ours.events == ["open", (4001, "close")]


@PAIRS
def test_their_close_is_answered(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    theirs.send_close(4452, "Node rejected by application")
    ours.receive(theirs_out(theirs))
    assert ours.events == ["open", (4452, "Node rejected by application")]
    theirs.receive_data(ours.take())
    theirs.receive_eof()
    assert theirs.state is State.CLOSED
    assert theirs.close_code == 4452


@PAIRS
def test_text_is_refused_in_a_way_they_understand(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    theirs.send_text(b"{}")
    ours.receive(theirs_out(theirs))
    assert ours.events == ["open", (1003, "text")]
    theirs.receive_data(ours.take())
    assert theirs.close_rcvd == Close(1003, "text")


@PAIRS
def test_a_message_too_big_is_refused_in_a_way_they_understand(role, connect):
    ours = Ours(role)
    theirs = connect(ours)
    theirs.send_binary(bytes(16_385))
    ours.receive(theirs_out(theirs)[:20])
    assert ours.events == ["open", (1009, "message too big")]
    theirs.receive_data(ours.take())
    assert theirs.close_rcvd == Close(1009, "message too big")


def test_a_client_that_offers_compression_gets_none():
    ours = Ours(SERVER)
    theirs = foreign_client(ours, extensions=[ClientPerMessageDeflateFactory()])
    assert theirs.extensions == []


def test_a_foreign_client_without_ship_is_refused():
    ours = Ours(SERVER)
    protocol = ClientProtocol(parse_uri("wss://evse/ship/"), subprotocols=["chat"])
    protocol.send_request(protocol.connect())
    ours.receive(theirs_out(protocol))
    protocol.receive_data(ours.take())
    protocol.receive_eof()
    (answer,) = protocol.events_received()
    assert answer.status_code == 400
    assert protocol.handshake_exc is not None


def test_a_foreign_server_without_ship_is_left():
    ours = Ours(CLIENT)
    protocol = ServerProtocol()
    protocol.receive_data(ours.take())
    (request,) = protocol.events_received()
    protocol.send_response(protocol.accept(request))
    ours.receive(theirs_out(protocol))
    assert ours.events == [(1002, "sub-protocol ship is not selected")]


def test_a_foreign_server_that_is_full_is_left():
    ours = Ours(CLIENT)
    protocol = ServerProtocol(subprotocols=["ship"])
    protocol.receive_data(ours.take())
    protocol.events_received()
    protocol.send_response(protocol.reject(503, "full"))
    ours.receive(theirs_out(protocol))
    assert ours.events == [(1002, "not upgraded: HTTP status 503")]
