"""A charging station with SHIP and SPINE, wired as firmware.ship_link does it, without sockets."""

from spine_world import World

from ship.connection import Connection
from spine.peer import Peer

SHIP_ID = "ACME-EVSE-42"


class Node:
    """SHIP connection, SPINE peer and charging station, as firmware.ship_link wires them."""

    def __init__(self, role):
        self.world = World(connect=False)
        self.connection = Connection(role, SHIP_ID, True, self)
        self.peer = None
        self.log = []
        self.peer_ship_id = None
        self.sent = []  # every message, type octet included
        self._start = self.world.now

    def start(self):
        """The WebSocket is open."""
        self.connection.start(self.world.now)
        self.collect()

    def receive(self, message):
        """Take one message (memoryview)."""
        self.connection.receive(message, self.world.now)
        self.collect()

    def plug(self, connected):
        """The car comes or goes."""
        self.world.station.ev_connected(connected)
        self.collect()

    def pass_time(self, ms):
        """Let time pass until `ms` after the start, and run what becomes due."""
        device = self.world.device
        end = self._start + ms
        while self.world.now < end:
            at = device.deadline()
            soon = self.world.now + 1
            self.world.now = end if at is None else min(end, max(at, soon))
            self.connection.tick(self.world.now)
            device.tick(self.world.now)
            self.collect()

    def collect(self):
        """Move what there is to say from SPINE to SHIP to `sent`."""
        self.world.device.flush()
        if self.peer:
            datagrams = self.peer.outbox
            self.peer.outbox = []
            for datagram in datagrams:
                self.connection.send_data(datagram)
        for parts in self.connection.take():
            self.sent.append(b"".join([bytes(part) for part in parts]))

    # What the SHIP connection reports

    def ship_pending(self, connection):
        raise AssertionError("the manager is trusted")

    def ship_open(self, connection):
        self.peer = Peer(self.world.device, "ski", lambda peer, text: self.log.append(text))
        self.peer.start(self.world.now)

    def ship_data(self, connection, payload):
        self.peer.receive(payload, self.world.now)

    def ship_pin_check(self, connection):
        return None

    def ship_pin_wanted(self, connection, was_wrong):
        raise AssertionError("the manager has no PIN")

    def ship_key_management(self, connection, root, body):
        raise AssertionError("the manager speaks SHIP 1.0")

    def ship_access_methods(self, connection, ship_id):
        self.peer_ship_id = ship_id

    def ship_log(self, connection, text):
        self.log.append(text)
