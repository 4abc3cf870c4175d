"""Bringing up the network of a board: who has UDP port 5353 when, and what follows an address."""

from tools import fake_machine

network = fake_machine.load("firmware.network")


class End(Exception):
    """The test has seen enough."""


class Port:
    """Stands in for the module `socket`: one UDP port and whoever holds it."""

    AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_REUSEADDR = 2, 2, 1, 2

    def __init__(self, is_taken=False):
        self.is_taken = is_taken
        self.holders = 0

    def getaddrinfo(self, host, port):
        assert (host, port) == ("0.0.0.0", 5353)
        return [(2, 2, 0, "", (host, port))]

    def socket(self, family, kind):
        return Socket(self)


class Socket:
    def __init__(self, port):
        self._port = port
        self._is_bound = False

    def setsockopt(self, level, option, value):
        pass

    def bind(self, address):
        if self._port.is_taken:
            raise OSError(98)
        self._port.holders += 1
        self._is_bound = True

    def close(self):
        if self._is_bound:
            self._port.holders -= 1
            self._is_bound = False


class Node:
    """A node and its board; `script` says what each look at the address gives."""

    HAS_NETWORK = True

    def __init__(self, script, port, failures=()):
        self.script = list(script)
        self.failures = list(failures)
        self.port = port
        self.told = []
        self.board = self.log = self.neighbours = self.settings = self.config = self
        self.mdns_address = "0.0.0.0"
        self.echonet_address = "0.0.0.0"
        self.echonet = None

    def address(self):
        if not self.script:
            raise End()
        return self.script.pop(0)

    async def connect(self, wifi):
        self.told.append(("connect", wifi, self.port.holders))
        if self.failures:
            raise OSError(self.failures.pop(0))

    def get(self, key, default):
        assert key == "wifi"
        return {"name": "Carport", "password": "sunny side"}

    def error(self, text):
        self.told.append(text)

    def event(self, name, **fields):
        self.told.append((name, fields["address"]))

    def start_discovery(self):
        self.told.append(("discovery", self.mdns_address, self.echonet_address, self.port.holders))
        self.echonet = self

    def moved(self, address):
        self.told.append(("moved", address))

    def move_echonet(self, address):
        self.told.append(("echonet", address))


def run(script, failures=(), is_taken=False):
    world = fake_machine.reset()
    port = Port(is_taken)
    network.socket = port
    node = Node(script, port, failures)
    try:
        fake_machine.run(network.NetworkTask(node).run())
        raise AssertionError("it ended")
    except End:
        pass
    assert port.holders == 0
    return node.told, world.now_us // 1_000


WIFI = {"name": "Carport", "password": "sunny side"}


def test_the_port_is_held_until_there_is_an_address_and_free_when_discovery_starts():
    told, _ = run([None, "192.0.2.7"])
    assert told == [
        ("connect", WIFI, 1),
        ("network", "192.0.2.7"),
        ("discovery", "192.0.2.7", "192.0.2.7", 0),
    ]


def test_a_failure_is_told_once_and_tried_again_every_10_s():
    told, now = run([None] * 4 + ["192.0.2.7"], ["wrong password"] * 3)
    assert told[:3] == [
        ("connect", WIFI, 1),
        "no network: wrong password",
        ("connect", WIFI, 1),
    ]
    assert len([entry for entry in told if entry[0] == "connect"]) == 4
    assert told[-1][0] == "discovery"
    assert 30_000 <= now <= 33_000


def test_another_address_and_the_same_after_an_outage_move_what_is_announced():
    told, _ = run(["192.0.2.7", "192.0.2.7", "192.0.2.9", None, "192.0.2.9"], ["gone"])
    assert told[2:] == [
        ("network", "192.0.2.9"),
        ("moved", "192.0.2.9"),
        ("echonet", "192.0.2.9"),
        ("connect", WIFI, 0),
        "no network: gone",
        ("network", "192.0.2.9"),
        ("moved", "192.0.2.9"),
        ("echonet", "192.0.2.9"),
    ]


def test_a_port_that_is_taken_does_not_keep_the_network_down():
    told, _ = run([None, "192.0.2.7"], is_taken=True)
    assert told[0] == ("connect", WIFI, 0)
    assert told[-1][0] == "discovery"


def test_what_is_switched_off_stays_off():
    fake_machine.reset()
    network.socket = Port()
    node = Node(["192.0.2.7"], network.socket)
    node.mdns_address = node.echonet_address = None
    try:
        fake_machine.run(network.NetworkTask(node).run())
    except End:
        pass
    assert node.told[-1] == ("discovery", None, None, 0)
