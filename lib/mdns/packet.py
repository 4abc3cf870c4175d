"""DNS messages as multicast DNS uses them: names, a reader and a writer.

Names are `bytes` in wire form, not compressed: `\\x05_ship\\x04_tcp\\x05local\\x00`. They compare
without regard to the case of ASCII letters (RFC 6762 16).

`Reader` walks a received message entry by entry and builds no objects on the way: a question or
record is a handful of integer attributes, and a name is the offset where it begins. `Reader.open`
has checked the whole message before anybody acts on its first entry, so nothing after it can fail.
The only exception that a packet can cause is PacketError.

`Writer` compresses names (RFC 1035 4.1.4): it takes about a third off an announcement, and it
makes lists of known answers short.

Covers RFC 1035 4.1, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6762 18. Knows nothing about what is
asked or answered.
"""

import struct

from micropython import const

_PACKET_MAX = const(9000)  # RFC 6762 17
_ENTRIES_MAX = const(256)  # questions and records; more is no packet of a sane peer
_NAME_MAX = const(255)  # bytes of a name in wire form, RFC 1035 2.3.4
_LABEL_MAX = const(63)
_JUMPS_MAX = const(32)  # compression pointers followed for one name

_HEADER = const(12)
_POINTER = const(0xC0)

_A = const(1)
_CNAME = const(5)
_PTR = const(12)
_TXT = const(16)
_AAAA = const(28)
_SRV = const(33)
_NSEC = const(47)

_RESPONSE = const(0x8000)  # QR
_TRUNCATED = const(0x0200)  # TC
_OPCODE_AND_RCODE = const(0x780F)


class PacketError(Exception):
    """A received packet is not a message for us; the reaction is to ignore it (RFC 6762 18)."""


def encode_name(*labels):
    """Return the name made of `labels` (str) and `local`.

    Raises ValueError if a label is empty or longer than 63 bytes of UTF-8, or the name is longer
    than 255 bytes.
    """
    name = bytearray()
    for label in labels + ("local",):
        text = label.encode()
        if not 0 < len(text) <= _LABEL_MAX:
            raise ValueError("label %r needs 1 to 63 bytes" % label)
        name.append(len(text))
        name += text
    name.append(0)
    if len(name) > _NAME_MAX:
        raise ValueError("name of %d bytes is too long" % len(name))
    return bytes(name)


def skip_name(packet, at):
    """Return the offset behind the name at `at`, having checked every byte that it refers to.

    Pointers must lead backwards; loops end at the limits of RFC 1035. Raises PacketError.
    """
    end = 0
    length = 1
    jumps = 0
    size = len(packet)
    while at < size:
        count = packet[at]
        if count == 0:
            return end or at + 1
        if count < _POINTER:
            length += count + 1
            if count > _LABEL_MAX or length > _NAME_MAX:
                raise PacketError("name too long")
            at += count + 1
            continue
        if at + 1 == size:
            break
        target = (count & 0x3F) << 8 | packet[at + 1]
        end = end or at + 2
        jumps += 1
        if not _HEADER <= target < at or jumps > _JUMPS_MAX:
            raise PacketError("bad compression pointer")
        at = target
    raise PacketError("name runs out of the packet")


def read_name(packet, at):
    """Return the name at `at` of a checked packet, uncompressed."""
    name = bytearray()
    while True:
        count = packet[at]
        if count >= _POINTER:
            at = (count & 0x3F) << 8 | packet[at + 1]
            continue
        name += packet[at : at + count + 1]
        if count == 0:
            return bytes(name)
        at += count + 1


def is_name(packet, at, name, start=0):
    """Tell whether the name at `at` of a checked packet is `name` from its offset `start` on."""
    while True:
        count = packet[at]
        if count >= _POINTER:
            at = (count & 0x3F) << 8 | packet[at + 1]
            continue
        if count != name[start]:
            return False
        if count == 0:
            return True
        for i in range(1, count + 1):
            a = packet[at + i]
            b = name[start + i]
            if a != b and ((a ^ b) != 32 or not 97 <= (a | 32) <= 122):
                return False
        at += count + 1
        start += count + 1


def same_rdata(kind, a, b):
    """Tell whether two RDATA of one type are equal; case does not count in names."""
    if kind == _PTR:
        return a.lower() == b.lower()
    if kind == _SRV:
        return a[:6] == b[:6] and a[6:].lower() == b[6:].lower()
    return a == b


class Reader:
    """Walk through the entries of a received message; one object serves all packets.

    `open` a packet, then `next` until it returns False. The attributes of an entry: `section`
    (0 question, 1 answer, 2 authority, 3 additional), `name` (offset), `kind` (type), `klass`
    without its top bit, `top` (that bit: answer by unicast in a question, cache-flush in a
    record), `after` (offset behind the entry), and of a record `ttl_s`, `data` and `end` (offsets
    of the RDATA and behind it).
    """

    def __init__(self):
        self.close()

    def close(self):
        """Let go of the packet."""
        self.packet = b""
        self.section = 3
        self._left = 0

    def open(self, packet):
        """Check a whole message (bytes or memoryview) and stand before its first entry.

        Raises PacketError; then the reader is closed.
        """
        self.close()
        if not _HEADER <= len(packet) <= _PACKET_MAX:
            raise PacketError("bad length")
        flags = packet[2] << 8 | packet[3]
        if flags & _OPCODE_AND_RCODE:
            raise PacketError("not a standard query or response")
        self.is_response = bool(flags & _RESPONSE)
        self.is_truncated = bool(flags & _TRUNCATED)
        self.packet = packet
        try:
            entries = 0
            for section in range(4):
                entries += self.count(section)
            if entries > _ENTRIES_MAX:
                raise PacketError("too many entries")
            self.rewind()
            while self.next():
                self._check()
        except PacketError:
            self.close()
            raise
        self.rewind()

    def count(self, section):
        """Return how many entries a section has."""
        return self.packet[4 + 2 * section] << 8 | self.packet[5 + 2 * section]

    def rewind(self):
        """Stand before the first entry again."""
        self.section = 0
        self._left = self.count(0)
        self.after = _HEADER

    def next(self):
        """Go to the next entry; return False behind the last."""
        while self._left == 0:
            if self.section == 3:
                return False
            self.section += 1
            self._left = self.count(self.section)
        self._left -= 1
        packet = self.packet
        self.name = self.after
        at = skip_name(packet, self.after)
        size = len(packet)
        if at + (4 if self.section == 0 else 10) > size:
            raise PacketError("entry runs out of the packet")
        self.kind = packet[at] << 8 | packet[at + 1]
        self.klass = (packet[at + 2] & 0x7F) << 8 | packet[at + 3]
        self.top = packet[at + 2] >= 0x80
        at += 4
        if self.section:
            ttl_s = packet[at] << 24 | packet[at + 1] << 16 | packet[at + 2] << 8 | packet[at + 3]
            self.ttl_s = 0 if ttl_s >> 31 else ttl_s  # RFC 2181 8
            self.data = at + 6
            self.end = self.data + (packet[at + 4] << 8 | packet[at + 5])
            if self.end > size:
                raise PacketError("record runs out of the packet")
            at = self.end
        self.after = at
        return True

    def _check(self):
        """Check the RDATA of the types that somebody may look into."""
        if self.section == 0:
            return
        kind = self.kind
        length = self.end - self.data
        is_good = True
        if kind in (_PTR, _CNAME):
            is_good = skip_name(self.packet, self.data) == self.end
        elif kind == _SRV:
            is_good = length > 6 and skip_name(self.packet, self.data + 6) == self.end
        elif kind == _A:
            is_good = length == 4
        elif kind == _AAAA:
            is_good = length == 16
        elif kind == _TXT:
            at = self.data
            while at < self.end:
                at += self.packet[at] + 1
            is_good = at == self.end
        if not is_good:
            raise PacketError("bad data in a record of type %d" % kind)

    def is_named(self, name):
        """Tell whether the entry's name is `name`."""
        return is_name(self.packet, self.name, name)

    def rdata(self):
        """Return the RDATA of a record as bytes, names in it uncompressed."""
        packet = self.packet
        if self.kind in (_PTR, _CNAME):
            return read_name(packet, self.data)
        if self.kind == _SRV:
            return bytes(packet[self.data : self.data + 6]) + read_name(packet, self.data + 6)
        return bytes(packet[self.data : self.end])


class Writer:
    """Build one message; `bytes(writer.out)` is what to send.

    Sections are written in their order: questions, answers, authority, additional.
    """

    def __init__(self, flags, packet_id=0):
        self.out = bytearray(_HEADER)
        self.out[0] = packet_id >> 8
        self.out[1] = packet_id & 0xFF
        self.out[2] = flags >> 8
        self._labels = []  # offsets of the labels that a later name can end with

    def count(self, section, entries=1):
        """Note `entries` more in a section; the sum stays below 256."""
        self.out[5 + 2 * section] += entries

    def question(self, name, kind, klass):
        """Ask for records of type `kind`; the top bit of `klass` asks for a unicast answer."""
        self.count(0)
        self._name(name, 0)
        self.out += struct.pack(">HH", kind, klass)

    def record(self, section, name, kind, klass, ttl_s, rdata, compress=True):
        """Add a record; `rdata` has its names uncompressed, as Reader.rdata returns them.

        `compress=False` leaves them so: a legacy resolver need not understand more
        (RFC 6762 18.14).
        """
        out = self.out
        self.count(section)
        self._name(name, 0)
        out += struct.pack(">HHIH", kind, klass, ttl_s, 0)
        start = len(out)
        if compress and kind in (_PTR, _SRV, _NSEC):
            head = 6 if kind == _SRV else 0
            out += rdata[:head]
            end = self._name(rdata, head)
            out += rdata[end:]
        else:
            out += rdata
        length = len(out) - start
        out[start - 2] = length >> 8
        out[start - 1] = length & 0xFF

    def _name(self, name, start):
        """Write the name at `start`; return the offset behind it in `name`."""
        out = self.out
        new = []
        at = start
        while name[at]:
            known = self._find(name, at)
            if known:
                out += bytes((_POINTER | known >> 8, known & 0xFF))
                break
            new.append(len(out))
            end = at + name[at] + 1
            out += name[at:end]
            at = end
        else:
            out.append(0)
        self._labels += new
        return skip_name(name, at)

    def _find(self, name, at):
        for known in self._labels:
            if is_name(self.out, known, name, at):
                return known
        return 0
