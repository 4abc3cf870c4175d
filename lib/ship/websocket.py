"""WebSocket for SHIP, both roles, without I/O (RFC 6455; SHIP 10; IEC 63380-3 6.7).

The owner reads from the network into `buffer()`, reports it with `received`, then calls
`next_event` until it returns None, and sends what `take` hands out. Payload is unmasked and put
together in place: a message is a view into the receive buffer. The buffer is small, grows only
when a frame announces more, and shrinks afterwards.

Anything RFC 6455 forbids ends the connection with the close code it names. Control frames and the
keep-alive (ping and pong) are dealt with here and never seen outside.
"""

from micropython import const

from ship import frames, upgrade
from ship.base import CLIENT, SERVER, LocalError, RemoteError, earliest, is_due

# Events of `next_event`
OPEN = const(1)  # the upgrade has succeeded
MESSAGE = const(2)  # `payload` is a binary message until `buffer` or `next_event` is called
CLOSED = const(3)  # send what `take` returns, then close TLS and TCP; see `close_code`

MAX_MESSAGE = const(16384)  # default of the longest accepted message: beyond it, close 1009
MAX_OUTBOX = const(32768)  # octets the owner may leave unsent: beyond it, close 1008
FRAME_COST = const(64)  # what each frame counts in the outbox beside its payload
MAX_FRAGMENTS = const(1024)  # frames of one message: beyond it, close 1009
MAX_HEAD = const(2048)  # octets of the upgrade request or answer: beyond it, HTTP 431
SMALL_BUFFER = const(1024)  # receive buffer between large messages

UPGRADE_TIMEOUT_MS = const(15_000)
PING_INTERVAL_MS = const(50_000)  # SHIP 10.4
PONG_TIMEOUT_MS = const(10_000)  # SHIP 10.4
CLOSE_TIMEOUT_MS = const(500)  # wait for the peer's close frame

# Close codes (RFC 6455 7.4.1)
_PROTOCOL_ERROR = const(1002)
_NO_CODE = const(1005)
_ABNORMAL = const(1006)
_POLICY = const(1008)
_TOO_BIG = const(1009)

_CONNECTING = const(0)
_OPEN = const(1)
_CLOSING = const(2)  # our close frame is on its way, the peer's is awaited
_CLOSED = const(3)
_REPORTED = const(4)  # closed, and the owner knows


class WebSocket:
    """One connection; `urandom(n)` gives n random octets.

    A client asks for the announced `path` at `host` (with port); a server serves `path`.
    """

    def __init__(self, role, urandom, path="/ship/", host="", max_message=MAX_MESSAGE):
        self._role = role
        self._urandom = urandom
        self._path = path
        self._host = host
        self._key = b""
        self._max_message = max_message
        self._state = _CONNECTING
        self.payload = None
        self.is_busy = False  # server: there is no room for the peer, answer so
        self.close_code = _ABNORMAL  # the first code given by either side
        self.close_reason = ""

        self._buffer = bytearray(SMALL_BUFFER)
        self._view = memoryview(self._buffer)
        self._at = 0  # begin of what is not yet read as frame
        self._end = 0  # end of what was received
        self._need = 1  # octets from `_at` that must be there to go on
        self._header = frames.Header(role)
        self._fragments = 0  # frames of the message that is put together at _head.._tail
        self._head = 0
        self._tail = 0

        self._outbox = []
        self._queued = 0
        self._now = 0
        self._until = None  # time limit of the state; while open, of a pong
        self._ping_at = None

    def start(self, now):
        """Begin the upgrade, when TLS stands."""
        self._now = now
        self._until = now + UPGRADE_TIMEOUT_MS
        if self._role == CLIENT:
            self._key = upgrade.new_key(self._urandom(16))
            self._outbox.append(upgrade.request(self._host, self._path, self._key))

    # Receiving

    def buffer(self):
        """Free space for what comes from the network, a memoryview of at least one octet."""
        self._release()
        if self._state >= _CLOSED:  # nothing is of interest any more
            self._at = self._end
            self._need = 1
            self._fragments = 0
        message = self._tail - self._head if self._fragments else 0
        rest = self._end - self._at
        if not message and not rest:
            self._head = self._tail = self._at = self._end = 0
        used = message + max(rest, self._need)
        if used <= SMALL_BUFFER < len(self._buffer):
            self._move(bytearray(SMALL_BUFFER), message, rest)
        elif self._at + self._need > len(self._buffer):
            target = self._buffer
            if used > len(target):
                target = bytearray((used // SMALL_BUFFER + 1) * SMALL_BUFFER)
            self._move(target, message, rest)
        return self._view[self._end :]

    def _move(self, target, message, rest):
        """Move what is still needed to the begin of `target`, which may be the buffer itself."""
        view = memoryview(target)
        view[:message] = self._view[self._head : self._head + message]
        view[message : message + rest] = self._view[self._at : self._end]
        self._buffer = target
        self._view = view
        self._head = 0
        self._tail = self._at = message
        self._end = message + rest

    def _release(self):
        """Give up the message that was handed out."""
        if self.payload is not None:
            self.payload = None
            self._fragments = 0

    def received(self, count, now):
        """Take note of `count` octets that were read into `buffer()`."""
        if count > len(self._buffer) - self._end:
            raise LocalError("more than the buffer holds")
        self._now = now
        if self._state >= _CLOSED:
            return
        self._end += count

    def next_event(self):
        """OPEN, MESSAGE or CLOSED; None if nothing (more) has happened. CLOSED comes once."""
        self._release()
        event = None
        try:
            if self._state == _CONNECTING:
                event = self._read_head()
            elif self._state < _CLOSED:
                event = self._read_frames()
        except RemoteError as error:
            self._fail(error.code, error.reason)
        except upgrade.Refused as refusal:
            self._outbox.append(refusal.answer)
            self._fail(_PROTOCOL_ERROR, refusal.reason)
        if event is None and self._state == _CLOSED:
            self._state = _REPORTED
            event = CLOSED
        return event

    def _read_head(self):
        """Look for the whole head of the upgrade; then OPEN, or an exception."""
        end = self._buffer.find(upgrade.END_OF_HEAD, 0, self._end)
        if end < 0:
            if self._end >= MAX_HEAD:
                raise upgrade.head_too_large()
            self._need = self._end + 1
            return None
        head = bytes(self._view[:end])
        if self._role == CLIENT:
            upgrade.check_answer(head, self._key)
        else:
            if self.is_busy:
                raise upgrade.no_room()
            self._outbox.append(upgrade.answer(head, self._path))
        self._at = end + len(upgrade.END_OF_HEAD)
        self._state = _OPEN
        self._until = None
        self._ping_at = self._now + PING_INTERVAL_MS
        return OPEN

    def _read_frames(self):
        """Read frames until one ends a message, or is not complete, or closes the connection."""
        header = self._header
        while self._state < _CLOSED:
            at = self._at
            if not header.read(self._buffer, at, self._end):
                self._need = header.size
                return None
            if header.opcode < frames.CLOSE:
                self._check_message(header)
            start = at + header.size
            stop = start + header.length
            if stop > self._end:
                self._need = stop - at
                return None
            if self._state == _OPEN:
                self._until = None  # any whole frame is a sign of life, not only the pong
            header.unmask(self._view, start)
            self._at = stop
            self._need = 1
            if header.opcode >= frames.CLOSE:
                self._take_control(header.opcode, bytes(self._view[start:stop]))
            elif self._take_data(header, start, stop):
                return MESSAGE
        return None

    def _check_message(self, header):
        """Check a data frame against the message it belongs to, before its payload is awaited."""
        is_first = header.opcode != frames.CONTINUATION
        if is_first == bool(self._fragments):
            raise RemoteError(_PROTOCOL_ERROR, "fragments in disorder")
        length = header.length
        if not is_first:
            length += self._tail - self._head
        if length > self._max_message or self._fragments >= MAX_FRAGMENTS:
            raise RemoteError(_TOO_BIG, "message too big")

    def _take_data(self, header, start, stop):
        """Put a data frame to its message; return whether that is complete and wanted."""
        if not self._fragments:
            self._head = start
            self._tail = stop
        else:
            tail = self._tail
            self._tail = tail + stop - start
            self._view[tail : self._tail] = self._view[start:stop]
        self._fragments += 1
        if not header.is_final:
            return False
        if self._state != _OPEN:  # after our close frame nothing is of interest but the peer's
            self._fragments = 0
            return False
        self.payload = self._view[self._head : self._tail]
        return True

    def _take_control(self, opcode, payload):
        if opcode == frames.PING and self._state == _OPEN:
            self._send_frame(frames.PONG, [payload])
        elif opcode == frames.CLOSE:
            code, reason = frames.read_close(payload) if payload else (_NO_CODE, "")
            if self._state == _OPEN:
                self.close_code = code
                self.close_reason = reason
                payload = payload[:2]
                self._queue(frames.CLOSE, [payload], len(payload))
            self._state = _CLOSED

    # Sending

    def message(self, parts):
        """Queue a binary message given as a list of buffers; they must not change before `take`.

        After the close has begun messages are dropped. Raises LocalError before OPEN.
        """
        if self._state == _CONNECTING:
            raise LocalError("not open")
        if self._state == _OPEN:
            self._send_frame(frames.BINARY, parts)

    def take(self):
        """The buffers to send, in order; a frame may be spread over several of them."""
        outbox = self._outbox
        if not outbox:
            return ()
        self._outbox = []
        self._queued = 0
        return outbox

    def _send_frame(self, opcode, parts):
        """Queue a frame, unless the owner does not get rid of the earlier ones."""
        length = 0
        for part in parts:
            length += len(part)
        self._queued += length + FRAME_COST
        if self._queued > MAX_OUTBOX:
            self._outbox = []  # whole frames: the peer has got no part of them
            self._fail(_POLICY, "overload")
        else:
            self._queue(opcode, parts, length)

    def _queue(self, opcode, parts, length):
        if self._role == SERVER:
            self._outbox.append(frames.header(opcode, length))
            self._outbox.extend(parts)
            return
        mask = self._urandom(4)
        head = frames.header(opcode, length, mask)
        at = len(head)
        frame = bytearray(at + length)
        view = memoryview(frame)
        view[:at] = head
        for part in parts:
            view[at : at + len(part)] = part
            at += len(part)
        frames.apply_mask(view[len(head) :], mask)
        self._outbox.append(frame)

    # Ending

    def close(self, code, reason, now):
        """Begin to close; CLOSED comes with the peer's close frame or after CLOSE_TIMEOUT_MS."""
        was_open = self._state == _OPEN
        if self._state == _CONNECTING and self.is_busy:
            self._outbox.append(upgrade.no_room().answer)
        if self._state < _CLOSING:
            self._fail(code, reason)
        if was_open:
            self._state = _CLOSING
            self._until = now + CLOSE_TIMEOUT_MS
            self._ping_at = None

    def _fail(self, code, reason):
        """End at once, with a close frame if the connection is open."""
        if self._state < _CLOSING:
            self.close_code = code
            self.close_reason = reason
        if self._state == _OPEN:
            payload = frames.close_payload(code, reason)
            self._queue(frames.CLOSE, [payload], len(payload))
        self._state = _CLOSED

    # Time

    def ping(self, now):
        """Ask for a sign of life at the next `tick` instead of when it is time for it."""
        if self._state == _OPEN and self._until is None:
            self._ping_at = now

    def deadline(self):
        """When `tick` is to be called at the latest, or None."""
        return None if self._state >= _CLOSED else earliest(self._until, self._ping_at)

    def tick(self, now):
        """Let time pass; look for events afterwards."""
        self._now = now
        if self._state >= _CLOSED:
            return
        if is_due(self._until, now):
            if self._state == _CONNECTING:
                self._fail(_ABNORMAL, "no upgrade in time")
            else:  # a pong is missing, or the peer's close frame
                self._fail(_PROTOCOL_ERROR, "no pong in time")
        elif is_due(self._ping_at, now):
            self._ping_at = now + PING_INTERVAL_MS
            self._until = now + PONG_TIMEOUT_MS
            self._send_frame(frames.PING, [])
