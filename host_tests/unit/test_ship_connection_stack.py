"""WebSocket and SHIP connection together, both roles back to back, cut into any pieces."""

from test_ship_connection import DATAGRAM, SHIP_ID, Owner

from ship.base import CLIENT, SERVER
from ship.connection import Connection
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket


def entropy(count):
    return bytes([n * 37 & 0xFF for n in range(count)])


class Node:
    """What the firmware does around the two state machines, without sockets."""

    def __init__(self, role, is_trusted):
        self.owner = Owner()
        self.socket = WebSocket(role, entropy, "/ship/", "evse-0001.local:4712")
        self.connection = Connection(role, SHIP_ID, is_trusted, self.owner)
        self.socket.start(0)
        self.sent = []
        self.got = []

    def send(self):
        """Octets that go to the network."""
        for message in self.connection.take():
            self.sent.append(b"".join([bytes(part) for part in message]))
            self.socket.message(message)
        if self.connection.closed:
            self.socket.close(self.connection.closed[0], self.connection.closed[1], 0)
        return b"".join([bytes(part) for part in self.socket.take()])

    def receive(self, octets):
        while octets:
            space = self.socket.buffer()
            count = min(len(space), len(octets))
            space[:count] = octets[:count]
            octets = octets[count:]
            self.socket.received(count, 0)
            self._look_for_events()

    def _look_for_events(self):
        event = self.socket.next_event()
        while event is not None:
            if event == OPEN:
                self.connection.start(0)
            elif event == MESSAGE:
                self.got.append(bytes(self.socket.payload))
                self.connection.receive(self.socket.payload, 0)
            elif event == CLOSED:
                self.got.append((self.socket.close_code, self.socket.close_reason))
            event = self.socket.next_event()


def carry(one, two, at_once):
    """Carry octets both ways, at most `at_once` at a time, until there are none."""
    forth = back = b""
    while True:
        forth += one.send()
        back += two.send()
        if not forth and not back:
            return
        two.receive(forth[:at_once])
        one.receive(back[:at_once])
        forth = forth[at_once:]
        back = back[at_once:]


def session(at_once):
    """What both nodes see of a session with pairing, data both ways and a close."""
    client = Node(CLIENT, True)
    server = Node(SERVER, False)
    carry(client, server, at_once)
    assert server.owner.told == ["pending"]
    server.connection.trust(0)
    carry(client, server, at_once)
    assert client.connection.state == server.connection.state == 38
    big = b'{"datagram":[{"x":"' + b"y" * 12_000 + b'"}]}'
    for payload in (DATAGRAM, big, DATAGRAM):
        client.connection.send_data(payload)
        server.connection.send_data(payload)
        carry(client, server, at_once)
    server.connection.end("unspecific", 0)
    carry(client, server, at_once)
    for node in (client, server):
        assert node.owner.told[-3:] == [DATAGRAM, big, DATAGRAM]
        assert node.got[-1] == (4001, "close")
        assert node.socket.deadline() is None
    assert client.sent == server.got[:-1] and server.sent == client.got[:-1]
    return client.sent, server.sent, client.owner.told, server.owner.told


def test_a_session_is_the_same_in_pieces_of_any_size():
    expected = session(1_000_000)
    for at_once in (1, 2, 3, 64, 1000):
        assert session(at_once) == expected, at_once


def test_a_rejected_peer_learns_why():
    client = Node(CLIENT, True)
    server = Node(SERVER, False)
    carry(client, server, 100)
    server.connection.reject(0)
    carry(client, server, 1000)
    assert server.got[-1] == (4452, "Node rejected by application")
    assert client.got[-2:] == [
        b'\x01{"connectionHello":[{"phase":"aborted"}]}',
        (4452, "Node rejected by application"),
    ]
    assert client.connection.closed == (4001, "hello aborted by the peer")
