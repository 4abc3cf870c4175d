"""What the ECHONET Lite unit tests share: a reference node, and a network that is a list.

The reference node has fixed values, so that expected frames can be written down: node profile,
charger 02A101 and charger/discharger 027E01 (abbreviated, to have a second class), and 02A102 if
there are two outlets. Its objects accept what a real charger with these values would accept.
"""

from echonet.guard import Guard
from echonet.node import Node
from echonet.objects import Object

PROFILE = (
    "80=30 82=010E0100 83=FEFFFFF000000000A0B1C2D3E4F50EF001 8A=FFFFF0 "
    "8C=455653452D52310000000000 D3=000002 D4=0003 D5=0202A101027E01 D6=0202A101027E01 "
    "D7=0202A1027E"
)
CHARGER = (
    "80=30 81=00 82=00005202 83=FEFFFFF000000000A0B1C2D3E4F502A101 86=01FFFFF000 88=42 89=0000 "
    "8A=FFFFF0 8C=455653452D52310000000000 8D=534E30303030303030303031 C5=00001CC0 C7=41 "
    "C8=0000056400001CC0 CA=003C0140 CC=11 CD= D2=00E6 D3=00000000 D8=0001E240 DA=44 E6=00 "
    "E7=00000000 EB=00001CC0 ED=0140"
)
DISCHARGER = (
    "80=30 81=00 82=00005202 83=FEFFFFF000000000A0B1C2D3E4F5027E01 88=42 89=0000 8A=FFFFF0 "
    "8C=455653452D52310000000000 C5=00001CC0 C6=00000000 C7=41 C8=0000056400001CC0 "
    "C9=0000000000000000 CA=003C0140 CB=00000000 CC=11 D2=00E6 D3=00000000 D4=0000 D8=0001E240 "
    "DA=44 DC=01 DD=00 E1=44 E6=00 EB=00001CC0 ED=0140"
)
HEMS = "controller"  # a source is whatever compares equal


class Fixture(Object):
    """An object of fixed values with the write rules of the reference node."""

    def __init__(self, eoj, values, settable=""):
        super().__init__(bytes.fromhex(eoj))
        for word in values.split():
            epc, _, edt = word.partition("=")
            self.add(int(epc, 16), bytes.fromhex(edt), 17 if epc == "81" else 0)
        self.finish(bytes.fromhex(settable))

    def write(self, epc, edt):
        number = int.from_bytes(edt, "big")
        if epc == 0xDA and number == 0x42 and self.value(0xC7) in (b"\x30", b"\x40"):
            return False
        if epc == 0xDA and number not in (0x42, 0x44, 0x47):
            return False
        if epc == 0xEB and number and not 1380 <= number <= 7360:
            return False
        if epc == 0xED and number and not 60 <= number <= 320:
            return False
        if epc != 0xCD:
            self.put_octets(epc, edt)
        return True


def zeros(size):
    """The random source that always says zero."""
    return bytes(size)


class World:
    """A node and its network. `sent` are (destination or None, frame in hex), since `take`."""

    def __init__(self, objects=None, writes_on=True, allowed=(HEMS,), random=zeros):
        self.now = 0
        self.sent = []
        self.guard = Guard(writes_on, list(allowed))
        self.node = Node(objects or reference(), self.guard, random, self._send)

    def _send(self, octets, destination):
        self.sent.append((destination, bytes(octets).hex().upper()))

    def feed(self, frame, source=HEMS, is_multicast=False):
        """The node gets a frame given in hex or as octets."""
        if isinstance(frame, str):
            frame = bytes.fromhex(frame)
        self.node.received(frame, source, is_multicast, self.now)

    def run(self, duration_ms):
        """Let time pass."""
        end = self.now + duration_ms
        while self.now < end:
            self.now += 100
            self.node.tick(self.now)

    def take(self):
        """What was sent since the last time, as `U <hex>` to the sender and `M <hex>`."""
        sent, self.sent = self.sent, []
        return [("M " if place is None else "U ") + frame for place, frame in sent]

    def ask(self, frame, **options):
        """What a frame is answered with, announcements of what it changed included."""
        self.feed(frame, **options)
        self.run(1_200)
        return self.take()


def reference(two_outlets=False, vehicle="41"):
    """The objects of the reference node; `vehicle` is C7 of all of them."""
    chargers = [
        Fixture("02A101", CHARGER, "81CDDAE7EBED"),
        Fixture("027E01", DISCHARGER, "81DAEBED"),
    ]
    if two_outlets:
        chargers.insert(1, Fixture("02A102", CHARGER, "81CDDAE7EBED"))
    for charger in chargers:
        charger.put(0xC7, int(vehicle, 16))
        charger.changed = b""
    return [Fixture("0EF001", PROFILE)] + chargers


def vectors(text):
    """Yield (title, frame, answers) of a text of vectors.

    A vector is its title, a line `> frame`, and a line for each answer in order: `U` to the
    sender's address, `M` to the multicast group. Indented lines continue the line before.
    """
    vector = title = None
    for line in text.strip().split("\n"):
        if line.startswith(">"):
            vector = [title, line[1:].strip(), []]
        elif line.startswith("  "):
            if vector[2]:
                vector[2][-1] += line[2:]
            else:
                vector[1] += line[2:]
        elif line.startswith("U ") or line.startswith("M "):
            vector[2].append(line)
        else:
            if vector:
                yield vector
            title = line
    yield vector


def check_vectors(text):
    """Feed every vector to a fresh reference node; return how many there are.

    In the title, [no vehicle] and [two outlets] say what is different.
    """
    count = 0
    for title, frame, answers in vectors(text):
        vehicle = "30" if "[no vehicle]" in title else "41"
        world = World(reference("[two outlets]" in title, vehicle))
        assert world.ask(frame) == answers, title
        count += 1
    return count
