"""The ECHONET Lite node: takes frames, answers them, announces what has changed.

Covers ECHONET Lite Part 2 (ISO/IEC 14543-4-3): frame format 1 with all request services, several
properties, SetGet, instance 00, the SNA forms, silent discard; instance list at start and after a
change of address; announcement of changed properties. It has no sockets: frames come in through
`received`, go out through `send`, and `tick` follows the time (every 100 ms will do). It does not
know what properties mean; that is the objects' business, e.g. charger.py.

Why none of the packages: pychonet (PyPI) is a controller; no MicroPython package is a node.

Rules of this file: a frame is parsed to its end before anything is done with it, so that a broken
one leaves no trace. Writes are not atomic (4.2.2): what is accepted stays, whatever follows it.
One buffer holds the answer; besides it a Get takes one block of the heap, to empty the buffer.
"""

from micropython import const

from echonet.classes import find, is_legal

# Longer requests are not answered: this is Get of 255 properties, and what every host takes
REQUEST_MAX = const(576)
FRAME_MAX = const(1472)  # longest answer: one UDP datagram in an Ethernet frame

_SETI = const(0x60)
_SETC = const(0x61)
_GET = const(0x62)
_INF_REQ = const(0x63)
_SETGET = const(0x6E)
_INF = const(0x73)
_INFC = const(0x74)
_INFC_RES = const(0x7A)
_TO_RES = const(0x10)  # 6x becomes 7x, or 5x if the service is not available for a property
_HEADER = const(11)  # octets before OPC
_FORMAT = const(1)  # where the format is

_DELAY_MS = const(300)  # a multicast question is answered within this time: there are other nodes
_DELAYED_MAX = const(8)  # such questions waiting; beyond, they are answered at once
_DELAYED_SIZE_MAX = const(128)  # octets of such a question; longer ones are answered at once
_BUFFER = const(256)  # octets of the buffer; one that grew for a longer answer is not kept

_COLLECT_MS = const(100)  # changes within this time are announced together
_PAUSE_MS = const(1_000)  # between announcements of one object
_START_MS = const(1_000)  # from the network to the first instance list
_REPEAT_MIN_MS = const(5_000)  # the first multicast after joining is often lost: once again
_REPEAT_MAX_MS = const(30_000)
_INSTANCE_LIST = const(0xD5)


class Node:
    """Serves `objects`, the node profile first, for as long as the owner calls it.

    `guard` is an echonet.guard.Guard, `random` a callable `random(n) -> bytes`.
    `send(octets, destination)` is to send a frame to a source, or to the multicast group for None;
    the octets are valid during the call only. `written(controller, object, epc, edt)`, if there is
    one, is told of every accepted write that changed a value.
    """

    def __init__(self, objects: list, guard, random, send):
        self.objects = objects
        self.guard = guard
        self.written = None
        self.ignored = 0  # frames of others, of other services, to objects that are not here
        self.malformed = 0
        self._random = random
        self._send = send
        self._out = bytearray(_BUFFER)
        self._is_good = True
        self._delayed = []  # (due, frame, source)
        self._list_ms = None  # when the instance list is multicast
        self._list_left = 0

    # --- the owner's side

    def start(self, now: int) -> None:
        """There is a network, for the first time or with another address (Part 2, 4.3.1)."""
        self._list_ms = now + _START_MS
        self._list_left = 2

    def tick(self, now: int) -> None:
        """Do what is due."""
        if self._list_left and now >= self._list_ms:
            self._list_left -= 1
            self._list_ms = now + self._between(_REPEAT_MIN_MS, _REPEAT_MAX_MS)
            self._inform(self.objects[0], bytes([_INSTANCE_LIST]))
        while self._delayed and self._delayed[0][0] <= now:
            _, frame, source = self._delayed.pop(0)
            self._execute(frame, source, False, now)
        for item in self.objects:
            if item.changed:
                self._announce(item, now)

    def received(self, frame: bytes, source, is_multicast: bool, now: int) -> None:
        """Take a datagram. `source` is where an answer goes to, the standard port of its sender.

        `is_multicast` says that it was sent to the group: then many nodes got it.
        """
        if len(frame) > _FORMAT and frame[0] == 0x10 and frame[1] == 0x82:
            self.ignored += 1  # format 2: whatever a maker likes, after the TID
            return
        if len(frame) <= _HEADER or frame[0] != 0x10 or frame[1] != 0x81:
            self.malformed += 1
            return
        service = frame[10]
        if not (_SETI <= service <= _INF_REQ or service == _SETGET or service == _INFC):
            self.ignored += 1
            return
        size = len(frame)
        end = frame[_HEADER] and list_end(frame, _HEADER, size)
        if service == _SETGET and end:
            end = end < size and frame[end] and list_end(frame, end, size)
        if not end or size > REQUEST_MAX:
            self.malformed += 1
            return
        self._execute(frame, source, is_multicast, now)

    # --- requests

    def _execute(self, frame, source, is_multicast, now):
        """Carry out a good frame for each object that it is for, or plan to."""
        controller = None
        service = frame[10]
        group, kind, instance = frame[7], frame[8], frame[9]
        for item in self.objects:
            eoj = item.eoj
            if eoj[1] != kind or eoj[0] != group or (instance and eoj[2] != instance):
                continue
            if controller is None:
                if is_multicast and self._delay(frame, source, now):
                    return
                controller = self.guard.admit(source, now)
                if controller is None:
                    return
                may_write = False
                if service <= _SETC or service == _SETGET:
                    may_write = self.guard.may_write(controller, now)
            self._answer(item, frame, controller, may_write, now)
        if controller is None:
            self.ignored += 1

    def _answer(self, item, frame, controller, may_write, now):
        out = self._out
        service = frame[10]
        out[:] = b""
        for i in range(4):  # a slice would be one more object
            out.append(frame[i])
        out.extend(item.eoj)
        for i in range(4, 7):
            out.append(frame[i])
        out.append(service + _TO_RES)
        self._is_good = True
        if service == _GET or service == _INF_REQ:
            self._read(item, frame, _HEADER)
        elif service == _INFC:
            self._acknowledge(frame)
        else:
            at = self._write(item, frame, controller, may_write)
            if service == _SETGET:
                self._read(item, frame, at)
        if len(out) > _BUFFER:
            self._out = bytearray(_BUFFER)
        destination = controller.source
        if service == _INFC:
            out[10] = _INFC_RES
        elif not self._is_good:
            out[10] = service - _TO_RES
        elif service == _SETI:
            return
        elif service == _INF_REQ:
            if not self.guard.may_notify(now):
                return
            destination = None
        self._send(out, destination)

    def _read(self, item, frame, at):
        """Append the values of the properties of the list at `at`."""
        out = self._out
        values = item.values
        places = item.places
        left = frame[at]
        at += 1
        out.append(left)
        while left:
            left -= 1
            epc = frame[at]
            at += 2 + frame[at + 1]  # a value in a question is skipped
            place = places[epc & 127] * 2 + 1 if epc & 128 else 1
            size = values[place]
            # The rest must find room too, at least as refusals
            if not size or len(out) + size + 2 * left + 2 > FRAME_MAX:
                size = 0
                self._is_good = False
            out.append(epc)
            for index in range(place, place + size + 1):
                out.append(values[index])
            if not size:
                out[-1] = 0

    def _write(self, item, frame, controller, may_write):
        """Write the properties of the list, append the outcomes; return where the list ends."""
        out = self._out
        out.append(frame[_HEADER])
        at = _HEADER + 1
        for _ in range(frame[_HEADER]):
            epc = frame[at]
            size = frame[at + 1]
            edt = frame[at + 2 : at + 2 + size]
            out.append(epc)
            if may_write and epc in item.settable and self._take(item, epc, edt, controller):
                out.append(0)
            else:
                self._is_good = False
                controller.refused += 1
                out.append(size)
                out.extend(edt)
            at += 2 + size
        return at

    def _take(self, item, epc, edt, controller):
        """Write one property; say whether it was accepted."""
        if not is_legal(find(item.eoj, epc), edt):
            return False
        before = item.value(epc)
        if not item.write(epc, edt):
            return False
        controller.writes += 1
        if self.written and item.value(epc) != before:
            self.written(controller, item, epc, edt)
        return True

    def _acknowledge(self, frame):
        """Append the EPC of a notification that wants an answer, whatever they are."""
        out = self._out
        out.append(frame[_HEADER])
        at = _HEADER + 1
        for _ in range(frame[_HEADER]):
            out.append(frame[at])
            out.append(0)
            at += 2 + frame[at + 1]

    def _delay(self, frame, source, now):
        """Keep a question for later, in the order of times; False if it cannot wait."""
        delayed = self._delayed
        at = len(delayed)
        is_question = frame[10] == _GET or frame[10] == _INF_REQ
        if not is_question or at >= _DELAYED_MAX or len(frame) > _DELAYED_SIZE_MAX:
            return False
        due = now + self._between(0, _DELAY_MS)
        while at and delayed[at - 1][0] > due:
            at -= 1
        delayed.insert(at, (due, frame, source))
        return True

    # --- announcements

    def _announce(self, item, now):
        """Announce changed properties together and not too often, always with the last values."""
        if item.announce_ms is None:
            item.announce_ms = now + _COLLECT_MS
            if item.announced_ms is not None:
                item.announce_ms = max(item.announce_ms, item.announced_ms + _PAUSE_MS)
        if now >= item.announce_ms:
            epcs = bytes([epc for epc in item.announced if epc in item.changed])
            item.changed = b""
            item.announce_ms = None
            item.announced_ms = now
            self._inform(item, epcs)

    def _inform(self, item, epcs):
        """Multicast an INF (Part 2, 4.2.3); TID 0 is no answer to anybody."""
        out = self._out
        out[:] = b"\x10\x81\0\0"
        out.extend(item.eoj)
        out.extend(b"\x0e\xf0\x01")
        out.append(_INF)
        out.append(0)
        for epc in epcs:
            edt = item.value(epc)
            if edt:
                out[_HEADER] += 1
                out.append(epc)
                out.append(len(edt))
                out.extend(edt)
        if out[_HEADER]:
            self._send(out, None)

    def _between(self, low, high):
        """Return a random int from `low` to `high`."""
        return low + int.from_bytes(self._random(2), "big") % (high - low + 1)


def list_end(octets, at: int, size: int) -> int:
    """Return where a property list ends (Part 2, 3.2); 0 if it is not all in the first `size`."""
    if at >= size:
        return 0
    left = octets[at]
    at += 1
    while left:
        if at + 1 >= size:
            return 0
        at += 2 + octets[at + 1]
        left -= 1
    return at if at <= size else 0
