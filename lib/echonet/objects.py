"""An ECHONET Lite object: its property values as they go over the wire, and what has changed.

All values lie in one bytearray, each as EPC, PDC, EDT, so that an answer copies and never encodes;
an index by EPC finds them. What an object has is decided while it is made (`add`, then `finish`,
which computes the property maps); later only values change (`put`, `put_octets`).

PDC 0 means that there is no value now: a Get is answered with SNA (ECHONET Lite Part 2, 4.2.2).
"""

from micropython import const

from echonet.classes import GET, INF, REQUIRED, access, find

_MAP_ANNOUNCED = const(0x9D)
_MAP_SET = const(0x9E)
_MAP_GET = const(0x9F)
_MAP_SIZE = const(17)
_LIST_MAX = const(15)  # a longer map is a bitmap


class Object:
    """One instance, `eoj` is its 3 octets. Read by the node: `values`, `places`, `settable`.

    `values[place]` is the PDC of a property, its EDT follows; the place is 1 more than twice
    `places[EPC - 80]`, and 1 if there is no such property. `changed` are EPC to be announced.
    """

    def __init__(self, eoj: bytes):
        self.eoj = eoj
        self.values = bytearray(2)
        self.places = bytearray(128)
        self.settable = b""
        self.announced = b""
        self.changed = b""
        self.announce_ms = None  # when they are announced
        self.announced_ms = None  # when some were, the last time

    def add(self, epc: int, value: bytes, room: int = 0) -> None:
        """Give the object a property; `room` is the largest size it will have."""
        values = self.values
        self.places[epc & 127] = len(values) >> 1
        values.append(epc)
        values.append(len(value))
        values.extend(value)
        values.extend(bytes(max(room - len(value), 0)))
        if len(values) & 1:
            values.append(0)

    def finish(self, settable: bytes, announced: bytes = b"") -> None:
        """Compute the property maps.

        `settable` are the EPC that `write` takes; announced are those that the class requires and
        those in `announced`.
        """
        for epc in (_MAP_ANNOUNCED, _MAP_SET, _MAP_GET):
            self.add(epc, b"", _MAP_SIZE)
        readable = bytearray()
        inform = bytearray()
        for epc in range(0x80, 0x100):
            if self.places[epc & 127]:
                allowed = access(find(self.eoj, epc))
                if allowed & GET:
                    readable.append(epc)
                if allowed & INF << REQUIRED or (allowed & INF and epc in announced):
                    inform.append(epc)
        self.settable = settable
        self.announced = bytes(inform)
        self.put_octets(_MAP_ANNOUNCED, property_map(inform))
        self.put_octets(_MAP_SET, property_map(bytes(sorted(settable))))
        self.put_octets(_MAP_GET, property_map(readable))
        self.changed = b""

    def value(self, epc: int) -> bytes:
        """Return the EDT of a property, empty if there is none now."""
        at = self.places[epc & 127] * 2 + 1
        return bytes(self.values[at + 1 : at + 1 + self.values[at]])

    def put(self, epc: int, number: "int | None", size: int = 1) -> None:
        """Set a number of `size` octets, two's complement; None: there is no value now.

        Nothing happens if the object has no such property. Allocates nothing.
        """
        at = self.places[epc & 127] * 2 + 1
        if at == 1:
            return
        values = self.values
        if number is None:
            number = size = 0
        is_new = values[at] != size
        values[at] = size
        while size:
            if values[at + size] != number & 255:
                values[at + size] = number & 255
                is_new = True
            number >>= 8
            size -= 1
        if is_new:
            self._mark(epc)

    def put_octets(self, epc: int, octets: bytes) -> None:
        """Set a value that is no number; it must not exceed the room the property has."""
        at = self.places[epc & 127] * 2 + 1
        end = at + 1 + len(octets)
        if self.values[at] != len(octets) or self.values[at + 1 : end] != octets:
            self.values[at] = len(octets)
            self.values[at + 1 : end] = octets
            self._mark(epc)

    def write(self, epc: int, edt: bytes) -> bool:
        """Take a value that is legal for the class; return False to refuse it."""
        return False

    def _mark(self, epc):
        if epc in self.announced and epc not in self.changed:
            self.changed += bytes([epc])


def property_map(epcs: bytes) -> bytes:
    """Return the EDT of a property map: a list of up to 15 EPC, or a bitmap of 16 octets."""
    if len(epcs) <= _LIST_MAX:
        return bytes([len(epcs)]) + bytes(epcs)
    edt = bytearray(_MAP_SIZE)
    edt[0] = len(epcs)
    for epc in epcs:
        edt[1 + (epc & 15)] |= 1 << (epc >> 4) - 8
    return bytes(edt)


def node_profile(devices: list, maker: bytes, unique: bytes, model: bytes) -> Object:
    """Return the node profile 0EF001 of a node with these device objects.

    `maker` are 3 octets, `unique` 10 that no other node has, `model` is ASCII.
    """
    profile = Object(b"\x0e\xf0\x01")
    instances = bytearray([len(devices)])
    classes = bytearray([0])
    for device in devices:
        instances.extend(device.eoj)
        if not has_class(classes, device.eoj):
            classes[0] += 1
            classes.extend(device.eoj[:2])
    profile.add(0x80, b"\x30")
    profile.add(0x82, b"\x01\x0e\x01\x00")  # version 1.14, format 1
    profile.add(0x83, identification(maker, unique, profile.eoj))
    profile.add(0x8A, maker)
    profile.add(0x8C, text(model))
    profile.add(0xD3, bytes([0, 0, len(devices)]))
    profile.add(0xD4, bytes([0, classes[0] + 1]))  # with the node profile
    profile.add(0xD5, instances)
    profile.add(0xD6, instances)
    profile.add(0xD7, classes)
    profile.finish(b"")
    return profile


def has_class(classes: bytes, eoj: bytes) -> bool:
    """Say whether a class list (count, then two octets each) has the class of this object."""
    for at in range(1, len(classes), 2):
        if classes[at : at + 2] == eoj[:2]:
            return True
    return False


def identification(maker: bytes, unique: bytes, eoj: bytes) -> bytes:
    """Return the EDT of 83: manufacturer specific, different for each object of the node."""
    return b"\xfe" + maker + unique + eoj


def text(ascii: bytes) -> bytes:
    """Return the 12 octets of 8C and 8D: left-justified, cut or filled up with 00."""
    return (ascii + bytes(12))[:12]
