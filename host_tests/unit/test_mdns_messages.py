"""Messages for the mDNS tests, written and read without the code under test.

`message` builds packets without compression; `read` takes a packet apart into text. Names are
dotted text, so labels in these tests have no dots. Instances and hosts are those of `node`.
"""

from mdns.service import Service

A, PTR, TXT, AAAA, SRV, NSEC, ANY = 1, 12, 16, 28, 33, 47, 255
IN, TOP = 1, 0x8000
QUERY, TRUNCATED, RESPONSE = 0, 0x0200, 0x8400

TYPE = "_ship._tcp.local"
SERVICES = "_services._dns-sd._udp.local"
INSTANCE = "EVSE 1._ship._tcp.local"
HOST = "evse-1.local"
ADDRESS = b"\x0a\x00\x00\x05"
ADDRESS_6 = b"\xfd" + bytes(14) + b"\x05"
STRINGS = [b"txtvers=1", b"path=/ship/"]
TXT_RDATA = b"\x09txtvers=1\x0bpath=/ship/"


def node(**other):
    """A service; `other` replaces arguments."""
    arguments = {
        "instance": "EVSE 1",
        "host": "evse-1",
        "port": 4712,
        "txt": STRINGS,
        "addresses": [ADDRESS],
    }
    arguments.update(other)
    return Service(**arguments)


def no_random(count):
    """The random source that always gives the smallest delay."""
    return bytes(count)


def name(text):
    """Wire form of a dotted name."""
    wire = b""
    for label in text.split("."):
        wire += bytes([len(label.encode())]) + label.encode()
    return wire + b"\0"


def srv(host=HOST, port=4712):
    """RDATA of an SRV record."""
    return b"\0\0\0\0" + port.to_bytes(2, "big") + name(host)


def question(owner, kind, klass=IN):
    return name(owner) + kind.to_bytes(2, "big") + klass.to_bytes(2, "big")


def record(owner, kind, rdata, ttl_s=120, klass=IN):
    return (
        question(owner, kind, klass)
        + ttl_s.to_bytes(4, "big")
        + len(rdata).to_bytes(2, "big")
        + rdata
    )


def message(flags, questions=(), answers=(), authority=(), additional=(), packet_id=0):
    sections = (questions, answers, authority, additional)
    packet = packet_id.to_bytes(2, "big") + flags.to_bytes(2, "big")
    for section in sections:
        packet += len(section).to_bytes(2, "big")
    for section in sections:
        for entry in section:
            packet += entry
    return packet


def ours(ttl_s=120):
    """The four records that `node` has to itself or about itself, as a peer would send them."""
    return [
        record(TYPE, PTR, name(INSTANCE), ttl_s),
        record(INSTANCE, SRV, srv(), ttl_s, IN | TOP),
        record(INSTANCE, TXT, TXT_RDATA, ttl_s, IN | TOP),
        record(HOST, A, ADDRESS, ttl_s, IN | TOP),
    ]


def _name_at(packet, at):
    labels = []
    end = None
    while packet[at]:
        if packet[at] >= 0xC0:
            end = end or at + 2
            at = (packet[at] & 0x3F) << 8 | packet[at + 1]
        else:
            labels.append(str(bytes(packet[at + 1 : at + 1 + packet[at]]), "utf-8"))
            at += 1 + packet[at]
    return ".".join(labels), end or at + 1


def _number(packet, at, size):
    return int.from_bytes(packet[at : at + size], "big")


def read(packet):
    """Return (id, flags, [questions, answers, authority, additional]).

    A question is (name, type, class), a record (name, type, class, ttl, data); data is a name for
    PTR, (port, target) for SRV, otherwise bytes.
    """
    sections = ([], [], [], [])
    at = 12
    for index, section in enumerate(sections):
        for _ in range(_number(packet, 4 + 2 * index, 2)):
            owner, at = _name_at(packet, at)
            kind, klass = _number(packet, at, 2), _number(packet, at + 2, 2)
            at += 4
            if index == 0:
                section.append((owner, kind, klass))
                continue
            ttl_s, length = _number(packet, at, 4), _number(packet, at + 4, 2)
            at += 6
            data = bytes(packet[at : at + length])
            if kind == PTR:
                data = _name_at(packet, at)[0]
            elif kind == SRV:
                data = (_number(packet, at + 4, 2), _name_at(packet, at + 6)[0])
            at += length
            section.append((owner, kind, klass, ttl_s, data))
    assert at == len(packet)
    return _number(packet, 0, 2), _number(packet, 2, 2), sections


def kinds(packet):
    """Return (types in the answer section, types in the additional section)."""
    _, _, sections = read(packet)
    return [entry[1] for entry in sections[1]], [entry[1] for entry in sections[3]]


def run(machine, until, now=None):
    """Let time pass for a responder or browser; return [(ms, packet)] of what was multicast.

    `now` is the time given to what has waited since before.
    """
    sent = [(now, packet) for packet, _ in machine.take()]
    while machine.deadline() is not None and machine.deadline() <= until:
        now = machine.deadline()
        machine.tick(now)
        for packet, destination in machine.take():
            assert destination is None
            sent.append((now, packet))
    return sent


def test_what_message_writes_is_what_read_reads():
    packet = message(
        RESPONSE,
        [question("a.local", ANY, IN | TOP)],
        [record("a.local", SRV, srv("b.local", 80), 7)],
        [record("a.local", PTR, name("c.local"))],
        [record("a.local", A, b"\1\2\3\4", 0, IN | TOP)],
        0x1234,
    )
    assert packet[:14] == b"\x12\x34\x84\0\0\1\0\1\0\1\0\1\1a"
    assert read(packet) == (
        0x1234,
        0x8400,
        (
            [("a.local", 255, 0x8001)],
            [("a.local", 33, 1, 7, (80, "b.local"))],
            [("a.local", 12, 1, 120, "c.local")],
            [("a.local", 1, 0x8001, 0, b"\1\2\3\4")],
        ),
    )
