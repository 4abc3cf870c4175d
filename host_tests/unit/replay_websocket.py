"""A replayed session again, through the WebSocket and in whatever pieces.

`Replay` (replay.py) has found out what the manager says to our node; here the same messages reach
a new node as octets. `Cut` decides where frames and reads end. The far end of the WebSocket is
written with literal frame bytes, so that a mistake in ship.frames cannot hide.
"""

import binascii
import hashlib

from ship_station import Node

from ship.base import CLIENT, SERVER
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket


class Cut:
    """How octets are cut: frames of `fragment()` octets of payload, reads of `chunk()`."""

    def __init__(self, fragment, chunk):
        self._fragment = fragment
        self._chunk = chunk

    def fragment(self):
        return self._fragment

    def chunk(self):
        return self._chunk

    def ping(self):
        """Whether a ping comes before the next frame."""
        return False


class RandomCut(Cut):
    """Frames and reads of any size, pings in between; the same for the same seed."""

    def __init__(self, seed, fragment, chunk):
        super().__init__(fragment, chunk)
        self._state = seed

    def _next(self, below):
        self._state = (self._state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self._state >> 8) % below

    def fragment(self):
        return 1 + self._next(self._fragment)

    def chunk(self):
        return 1 + self._next(self._chunk)

    def ping(self):
        return self._next(8) == 0


def assert_same_over_websocket(replay, cut):
    """Give the messages of a replayed session to a new node through its WebSocket.

    Asserts that the node sends the same messages. Messages of the manager of the same millisecond
    arrive in one stretch, so that a read may hold the end of one and the begin of the next.
    """
    far = _FarEnd(replay.role, cut, replay.node.sent)
    waiting = []
    last = 0
    for ms, step in replay.steps:
        if ms != last or not isinstance(step, bytes):
            far.deliver(waiting)
            waiting = []
            far.pass_time(ms)
            last = ms
        if isinstance(step, bytes):
            waiting.extend(far.frames(step))
        else:
            far.plug(step)
    far.deliver(waiting)
    far.end()


class _FarEnd:
    """The other end of the WebSocket of a `Node`, with literal frames."""

    def __init__(self, role, cut, expected):
        self._node = Node(role)
        self._expected = expected
        self._got = 0  # messages
        self._pings = self._pongs = 0
        self._cut = cut
        self._role = role
        self._socket = WebSocket(role, _entropy, "/ship/", "evse-42.local:4712")
        self._socket.start(self._node.world.now)
        if role == SERVER:
            self._feed(_REQUEST)
            assert self._octets().startswith(b"HTTP/1.1 101 ")
        else:
            self._feed(_switching(self._octets()))
        self._take()

    def frames(self, message):
        """The octets of a message in frames of the size that `cut` says, masked for a server."""
        opcode = 2
        at = 0
        while at < len(message):
            if self._cut.ping():
                self._pings += 1
                yield self._frame(0x89, b"?")
            size = self._cut.fragment()
            part = message[at : at + size]
            at += size
            yield self._frame((0x80 if at >= len(message) else 0) | opcode, part)
            opcode = 0

    def _frame(self, first, payload):
        masked = self._role == SERVER
        length = len(payload)
        head = bytes((first, (0x80 if masked else 0) | min(length, 126)))
        if length >= 126:
            head = head[:1] + bytes((head[1], length >> 8, length & 0xFF))
        if masked:
            return head + _MASK + _masked(payload, _MASK)
        return head + payload

    def deliver(self, frames):
        """Let the octets of frames arrive, in reads of the size that `cut` says."""
        self._feed(b"".join(frames))
        self._take()

    def _feed(self, octets):
        at = 0
        while at < len(octets):
            space = self._socket.buffer()
            count = min(self._cut.chunk(), len(space), len(octets) - at)
            space[:count] = octets[at : at + count]
            at += count
            self._socket.received(count, self._node.world.now)
            self._events()

    def _events(self):
        event = self._socket.next_event()
        while event is not None:
            assert event != CLOSED, self._socket.close_reason
            if event == OPEN:
                self._node.start()
            elif event == MESSAGE:
                self._node.receive(self._socket.payload)
            self._pump()
            event = self._socket.next_event()

    def _pump(self):
        for message in self._node.sent:
            self._socket.message([message])
        self._node.sent = []

    def pass_time(self, ms):
        """Let time pass until `ms` after the start."""
        self._node.pass_time(ms)
        self._socket.tick(self._node.world.now)
        self._take()

    def plug(self, connected):
        """The car comes or goes."""
        self._node.plug(connected)
        self._take()

    def end(self):
        """Nothing is missing at the end."""
        assert self._got == len(self._expected)
        assert self._pings == self._pongs
        assert self._node.connection.closed is None

    def _octets(self):
        return b"".join([bytes(part) for part in self._socket.take()])

    def _take(self):
        """Read the frames that the node has sent, and compare."""
        self._pump()
        octets = self._octets()
        at = 0
        while at < len(octets):
            first, length = octets[at], octets[at + 1] & 0x7F
            assert (octets[at + 1] >= 0x80) == (self._role == CLIENT)
            at += 2
            if length == 126:
                length = octets[at] << 8 | octets[at + 1]
                at += 2
            payload = octets[at : at + length]
            if self._role == CLIENT:
                payload = _masked(octets[at + 4 : at + 4 + length], octets[at : at + 4])
                at += 4
            at += length
            assert first in (0x82, 0x8A), first
            if first == 0x82:
                assert payload == self._expected[self._got]
                self._got += 1
            else:
                assert payload == b"?"
                self._pongs += 1


_MASK = b"\x17\x2a\xe5\x91"

_REQUEST = (
    b"GET /ship/ HTTP/1.1\r\nHost: evse-42.local:4712\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ship\r\n\r\n"
)


def _masked(octets, mask):
    result = bytearray(octets)
    for i in range(len(result)):
        result[i] ^= mask[i & 3]
    return result


def _entropy(count):
    return bytes([n * 37 + 11 & 0xFF for n in range(count)])


def _switching(request):
    """A server's answer to the upgrade request of our node (RFC 6455 4.2.2)."""
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: %s\r\nSec-WebSocket-Protocol: ship\r\n\r\n"
        % binascii.b2a_base64(digest).strip()
    )
