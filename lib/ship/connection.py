"""One SHIP connection above the WebSocket, from CMI to connectionClose (SHIP 13.4; IEC 63380-3
6.10): the order of the phases, data exchange, access methods, termination.

The owner hands in messages (`receive`) and the time (`tick`), sends what `take` returns as one
WebSocket message each, and closes the WebSocket when `closed` is set. It is told what happens by
these methods of its own:

    ship_pending(connection)                  the peer is not trusted: ask, then `trust`, `reject`
    ship_open(connection)                     data exchange has begun
    ship_data(connection, payload)            a SPINE message; the memoryview is valid in the call
    ship_access_methods(connection, ship_id)  the peer's SHIP ID; False ends the connection
    ship_pin_check(connection)                a PinCheck if the peer has to give our PIN, or None
    ship_pin_wanted(connection, was_wrong)    the peer's PIN, or None: ask, then `enter_pin`
    ship_key_management(connection, root, body)  a message of SHIP 1.1, answered with `send`
    ship_log(connection, text)                a line for the log

Rules of this file: _REACTIONS decides about every message in every phase (6.10.9); each phase
before data exchange is an object of its own that tells when it is done or has failed.
"""

from micropython import const

from ship import messages, states
from ship.base import CLIENT, LocalError, earliest, is_due
from ship.hello import Hello
from ship.pin import Pin
from ship.protocol_handshake import ProtocolHandshake

CMI_TIMEOUT_MS = const(30_000)  # CmiTimeout
ACCESS_METHODS_LOG_MS = const(60_000)  # after that an unanswered request is worth a line
CLOSE_MAX_TIME_MS = const(500)  # `maxTime` we announce
CLOSE_DEFAULT_MS = const(2_000)  # where the peer announces none
CLOSE_LIMIT_MS = const(5_000)  # how long we wait at most for the peer to close

MAX_EARLY_MESSAGES = const(8)  # kept until data exchange
MAX_EARLY_OCTETS = const(32768)
MAX_OUTBOX = const(96)  # messages that wait for `take`; beyond it, close 1008

_CODE_CLOSE = const(4001)
_CODE_OVERLOAD = const(1008)
_CODE_SHIP_ID = const(4450)
_CODE_REJECTED = const(4452)
_REJECTED = "Node rejected by application"

# Phases: the columns of _REACTIONS. CMI (below 0) has its own rule and _CONFIRMED ignores all.
_CMI = const(-1)
_HELLO = const(0)
_PROTOCOL = const(1)
_PIN = const(2)
_DATA = const(3)
_ANNOUNCED = const(4)
_CONFIRMED = const(5)
_COLUMN = const(2)
_ROW = const(10)

# m matter of the phase: it accepts the message, or ends with abort or error 2   . ignore
# d data exchange   q keep until data exchange   h only the peer's abort counts
# k confirm and close   x close
_REACTIONS = (
    # hello
    # | protocol handshake
    # | | PIN
    # | | | data exchange
    # | | | | after our announcement to close
    ". . . . . "  # init
    "m m . . . "  # empty or of unknown type
    "m m x . . "  # unreadable
    "m m h h . "  # connectionHello
    "m m . . . "  # messageProtocolHandshake
    "x m x . . "  # messageProtocolHandshakeError
    "m m m d . "  # connectionPinState
    "m m m d . "  # connectionPinInput
    "m m m d . "  # connectionPinError
    "m m q d . "  # accessMethodsRequest
    "m m q d . "  # accessMethods
    "m m q d . "  # data
    "k k k k k "  # connectionClose announce
    "x x x x x "  # connectionClose confirm
    "m m . d . "  # key management
    "m m . . . "  # any other
)


class Connection:
    """The connection; `own_ship_id` equals the `id` of the mDNS announcement (SHIP 7.3.2).

    `closed` becomes (WebSocket close code, reason) when all is said. `counter` is the
    updateCounter of our keys, 0 if they never changed. `minor` is that of the agreed version,
    `peer_counter` the peer's updateCounter, None if it has none.
    """

    def __init__(self, role, own_ship_id, is_trusted, owner, counter=0):
        self.role = role
        self.closed = None
        self.minor = 0
        self.peer_counter = None
        self._counter = counter
        self._ship_id = own_ship_id
        self._is_trusted = is_trusted
        self._owner = owner
        self._phase = _CMI
        self._machine = None  # of the phase; in data exchange that of the PIN goes on
        self._state = states.CLIENT_WAIT if role == CLIENT else states.SERVER_WAIT
        self._until = None  # time limit of a phase without machine
        self._access_methods_by = None
        self._last_kind = messages.INIT
        self._early = []
        self._outbox = []

    @property
    def state(self):
        """Number of the state as in the logs of other stacks (see states.py)."""
        return self._machine.state if self._phase < _DATA and self._machine else self._state

    def state_name(self):
        """Name of the state, for logs."""
        return states.name_of(self.state)

    # From the owner

    def start(self, now):
        """Begin, when the WebSocket is open."""
        self._until = now + CMI_TIMEOUT_MS
        if self.role == CLIENT:
            self._send(messages.CMI)

    def receive(self, message, now):
        """Take one message (memoryview of a whole WebSocket message)."""
        if self.closed or self._phase == _CONFIRMED:
            return
        if self._phase == _CMI:
            self._take_init(message, now)
            return
        kind, body = messages.decode(message)
        self._last_kind = kind
        reaction = _REACTIONS[kind * _ROW + self._phase * _COLUMN]
        if reaction == "d":
            self._exchange(kind, body, now)
        elif reaction == "m":
            self._machine.receive(kind, body, now)
            self._proceed(now)
        elif reaction == "q":
            self._keep(message)
        elif reaction == "k":
            self._confirm(body, now)
        elif reaction == "x":
            is_proper = kind == messages.CLOSE_CONFIRM
            self._close(_CODE_CLOSE, "close" if is_proper else messages.name_of(kind))
        elif reaction == "h":
            if body.get("phase") == "aborted":
                self._close(_CODE_CLOSE, "aborted by the peer")
        elif kind == messages.EMPTY or kind == messages.UNREADABLE:
            self._log("ignored: " + messages.name_of(kind))

    def send_data(self, payload):
        """Send a SPINE message, a buffer or a list of them; they must not change before `take`.

        Raises LocalError before data exchange; once the close has begun it is dropped.
        """
        if self._phase == _DATA:
            self._queue(messages.data_parts(payload))
        elif self._phase < _DATA and not self.closed:
            raise LocalError("no data exchange yet")

    def send(self, octets):
        """Send a control message of the owner's, in data exchange only."""
        if self._phase == _DATA:
            self._send(octets)

    def enter_pin(self, pin):
        """A user gives the peer's PIN. Returns False if the peer wants none."""
        if self._phase not in (_PIN, _DATA) or self.closed:
            return False
        return self._machine.enter(pin)

    def trust(self, now):
        """The user trusts the peer."""
        self._is_trusted = True
        if self._phase == _HELLO and not self.closed:
            self._machine.trust(now)
            self._proceed(now)

    def reject(self, now):
        """The user does not trust the peer, or no longer."""
        self._is_trusted = False
        if self._phase == _HELLO and not self.closed:
            self._machine.reject(now)
            self._proceed(now)
        elif self._phase < _DATA:
            self._close(_CODE_REJECTED, _REJECTED)
        else:
            self.end("removedConnection", now)

    def end(self, reason, now):
        """End properly: `reason` is `unspecific` or `removedConnection` (SHIP 13.4.7)."""
        if self.closed:
            return
        if self._phase == _DATA:
            self._send(messages.announce_close(CLOSE_MAX_TIME_MS, reason))
            self._enter(_ANNOUNCED, states.CLOSE_ANNOUNCED, now + CLOSE_MAX_TIME_MS)
        elif self._phase == _HELLO:
            self._machine.abort(now)
            self._proceed(now)
        elif self._phase < _DATA:
            self._close(_CODE_CLOSE, "close")

    def take(self):
        """The messages to send, each a list of buffers."""
        outbox = self._outbox
        if not outbox:
            return ()
        self._outbox = []
        return outbox

    def deadline(self):
        """When `tick` is to be called, or None."""
        if self.closed:
            return None
        has_machine = self._machine and self._phase <= _DATA
        machine = self._machine.deadline() if has_machine else None
        return earliest(self._until, self._access_methods_by, machine)

    def tick(self, now):
        """Let time pass."""
        if self.closed:
            return
        if is_due(self._until, now):
            self._close(_CODE_CLOSE, "no CMI in time" if self._phase == _CMI else "close")
            return
        if is_due(self._access_methods_by, now):
            self._access_methods_by = None
            self._log("accessMethodsRequest is not answered")
        if self._phase <= _DATA and self._machine:
            self._machine.tick(now)
            self._proceed(now)

    # Phases before data exchange

    def _take_init(self, message, now):
        """CMI: the server answers before it judges (SHIP 13.4.3)."""
        if self.role != CLIENT:
            self._send(messages.CMI)
        if message[:2] != messages.CMI:
            self._close(_CODE_CLOSE, "invalid CMI")
            return
        self._machine = Hello(self._send, self._counter)
        self._enter(_HELLO, states.HELLO, None)
        self._machine.start(self._is_trusted, now)
        if not self._is_trusted:
            self._owner.ship_pending(self)

    def _proceed(self, now):
        """Look at the machine of the phase and begin the next phase if it is done."""
        machine = self._machine
        if machine.failure:
            self._close(machine.failure[0], machine.failure[1])
        elif not machine.is_done:
            return
        elif self._phase == _HELLO:
            self.peer_counter = machine.peer_counter
            minor = 0 if self.peer_counter is None else 1
            self._machine = ProtocolHandshake(
                self.role, machine.prolongations > 0, self._send, minor
            )
            self._phase = _PROTOCOL
            self._machine.start(now)
        elif self._phase == _PROTOCOL:
            self.minor = machine.minor
            check = self._owner.ship_pin_check(self)
            self._machine = Pin(self._send, self._ask_pin, check)
            self._phase = _PIN
            self._machine.start(now)
        elif self._phase == _PIN:
            self._begin_exchange(now)

    def _ask_pin(self, was_wrong):
        return self._owner.ship_pin_wanted(self, was_wrong)

    def _keep(self, message):
        """Keep a message that came before its time (SHIP 13.4.4.3.5)."""
        octets = len(message)
        for early in self._early:
            octets += len(early)
        if len(self._early) >= MAX_EARLY_MESSAGES or octets > MAX_EARLY_OCTETS:
            self._close(_CODE_OVERLOAD, "too much before data exchange")
        else:
            self._early.append(bytes(message))

    # Data exchange

    def _begin_exchange(self, now):
        """Data may flow at once; access methods never hold it up (SHIP 13.4.5, 13.4.6)."""
        self._enter(_DATA, states.COMPLETE, None)
        self._access_methods_by = now + ACCESS_METHODS_LOG_MS
        self._send(messages.REQUEST_ACCESS_METHODS)
        self._owner.ship_open(self)
        early = self._early
        self._early = []
        for message in early:
            self.receive(memoryview(message), now)

    def _exchange(self, kind, body, now):
        if kind == messages.DATA:
            if body is None:
                self._log("ignored: data of an unknown protocol")
            else:
                self._owner.ship_data(self, body)
        elif kind == messages.ACCESS_METHODS_REQUEST:
            self._send(messages.access_methods(self._ship_id))
        elif kind == messages.ACCESS_METHODS:
            self._take_access_methods(body.get("id"))
        elif kind == messages.KEY_MANAGEMENT:
            self._owner.ship_key_management(self, body[0], body[1])
        else:
            self._machine.receive(kind, body, now)
            self._proceed(now)

    def _take_access_methods(self, ship_id):
        self._access_methods_by = None
        if not isinstance(ship_id, str):
            self._log("accessMethods without id")
        elif self._owner.ship_access_methods(self, ship_id) is False:
            self._close(_CODE_SHIP_ID, "SHIP id mismatch")

    # Termination

    def _confirm(self, body, now):
        """The peer announces its close: confirm, then leave the closing to it (SHIP 13.4.7)."""
        self._send(messages.CONFIRM_CLOSE)
        if self._phase != _DATA:
            self._close(_CODE_CLOSE, "close")
            return
        max_time_ms = messages.uint(body.get("maxTime"))
        wait_ms = CLOSE_DEFAULT_MS if max_time_ms is None else max_time_ms
        self._enter(_CONFIRMED, states.CLOSE_CONFIRMED, now + min(wait_ms, CLOSE_LIMIT_MS))
        is_removed = body.get("reason") == "removedConnection"  # any other text: unspecific
        self._log("peer closes: " + ("removedConnection" if is_removed else "unspecific"))

    def _close(self, code, reason):
        if not self.closed:
            last = messages.name_of(self._last_kind)
            where = (self.state, self.state_name(), reason, last)
            self._log("closing in state %d %s: %s (last message: %s)" % where)
            self.closed = (code, reason)

    # Small things

    def _enter(self, phase, state, until):
        self._phase = phase
        self._state = state
        self._until = until
        self._access_methods_by = None

    def _send(self, octets):
        self._queue([octets])

    def _queue(self, parts):
        if len(self._outbox) < MAX_OUTBOX:
            self._outbox.append(parts)
        else:
            self._close(_CODE_OVERLOAD, "overload")

    def _log(self, text):
        self._owner.ship_log(self, text)
