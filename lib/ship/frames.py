"""Frames of a WebSocket: headers, masks, close payloads (RFC 6455 5; SHIP 10).

`Header` reads one header out of a buffer and raises RemoteError for what no peer of ours may send:
reserved bits, unknown opcodes, text, long or fragmented control frames, a wrong mask bit.
"""

from micropython import const

from ship.base import SERVER, RemoteError

CONTINUATION = const(0)
TEXT = const(1)
BINARY = const(2)
CLOSE = const(8)
PING = const(9)
PONG = const(10)

_FINAL = const(0x80)
_RESERVED = const(0x70)
_MASKED = const(0x80)
_MASK_SIZE = const(4)
_MAX_CONTROL_PAYLOAD = const(125)

_PROTOCOL_ERROR = const(1002)
_UNSUPPORTED = const(1003)

# A mask is applied to this many octets at a time, as one big integer: ten times faster than octet
# by octet, with temporary memory that stays small.
_CHUNK = const(256)


class Header:
    """The header of one received frame. One object serves all frames of a connection."""

    def __init__(self, role):
        self._is_masked = role == SERVER  # whether the peer must mask (RFC 6455 5.1)
        self.is_final = False
        self.opcode = 0
        self.size = 2  # octets of the header, as far as known
        self.length = 0  # octets of the payload

    def read(self, buffer, at, end):
        """Read the header at `at`; False if more than `end - at` octets (see `size`) are needed.

        Raises RemoteError.
        """
        self.size = 2
        if end - at < 2:
            return False
        first = buffer[at]
        second = buffer[at + 1]
        self.is_final = first >= _FINAL
        self.opcode = first & 0x0F
        self._check(first, second)
        length = second & 0x7F
        if length > _MAX_CONTROL_PAYLOAD:
            extra = 2 if length == 126 else 8
            self.size = 2 + extra
            if end - at < self.size:
                return False
            length = int.from_bytes(buffer[at + 2 : at + 2 + extra], "big")
        self.length = length
        if self._is_masked:
            self.size += _MASK_SIZE
        return end - at >= self.size

    def _check(self, first, second):
        if first & _RESERVED:
            raise RemoteError(_PROTOCOL_ERROR, "reserved bit")
        if (second >= _MASKED) != self._is_masked:
            raise RemoteError(_PROTOCOL_ERROR, "masked" if second >= _MASKED else "not masked")
        opcode = self.opcode
        if opcode == TEXT:
            raise RemoteError(_UNSUPPORTED, "text")
        if opcode > PONG or BINARY < opcode < CLOSE:
            raise RemoteError(_PROTOCOL_ERROR, "unknown opcode")
        if opcode >= CLOSE and not (self.is_final and second & 0x7F <= _MAX_CONTROL_PAYLOAD):
            raise RemoteError(_PROTOCOL_ERROR, "long control frame")

    def unmask(self, view, start):
        """Unmask the payload, which begins at `start` of the buffer's memoryview, in place."""
        if self._is_masked:
            mask = bytes(view[start - _MASK_SIZE : start])
            apply_mask(view[start : start + self.length], mask)


def header(opcode, length, mask=b""):
    """Header of a frame that is a whole message; a client gives its mask of four octets."""
    bit = _MASKED if mask else 0
    first = _FINAL | opcode
    if length <= _MAX_CONTROL_PAYLOAD:
        return bytes((first, bit | length)) + mask
    if length < 0x10000:
        return bytes((first, bit | 126, length >> 8, length & 0xFF)) + mask
    return bytes((first, bit | 127)) + length.to_bytes(8, "big") + mask


def apply_mask(view, mask):
    """XOR `view` with the repeated four octets of `mask`, in place (RFC 6455 5.3)."""
    size = len(view)
    mask = mask * (_CHUNK // _MASK_SIZE)
    start = 0
    if size >= _CHUNK:
        number = int.from_bytes(mask, "little")
        while start + _CHUNK <= size:
            part = view[start : start + _CHUNK]
            part[:] = (int.from_bytes(part, "little") ^ number).to_bytes(_CHUNK, "little")
            start += _CHUNK
    if start < size:
        part = view[start:]
        number = int.from_bytes(mask[: size - start], "little")
        part[:] = (int.from_bytes(part, "little") ^ number).to_bytes(size - start, "little")


def close_payload(code, reason):
    """Payload of a close frame; the reason is cut to what fits."""
    return code.to_bytes(2, "big") + reason.encode()[: _MAX_CONTROL_PAYLOAD - 2]


def read_close(payload):
    """(code, reason) of a received close payload, which is not empty. Raises RemoteError."""
    code = int.from_bytes(payload[:2], "big")
    if len(payload) < 2 or not _may_be_sent(code):
        raise RemoteError(_PROTOCOL_ERROR, "close code")
    try:
        return code, str(payload[2:], "utf-8")
    except ValueError:
        raise RemoteError(_PROTOCOL_ERROR, "close reason")


def _may_be_sent(code):
    """Whether a close code may be on the wire (RFC 6455 7.4 and the registry it founded)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
