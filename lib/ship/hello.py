"""Hello phase: wait until both sides trust each other (SHIP 13.4.4.1; IEC 63380-3 6.10.4.1).

A side that trusts is `ready`, one that may trust soon is `pending`. `waiting` tells for how long
the sender goes on waiting; a pending side asks in time for more (`prolongationRequest`). Knows
nothing of trust itself: the owner calls `trust` or `reject`.

Rules of this file: what happens on which event stands in _REACTIONS and nowhere else, and every
reaction is one method; all times are below, with the symbols of SHIP 4.2.
"""

from micropython import const

from ship import messages, states
from ship.base import earliest, is_due

T_HELLO_INIT_MS = const(120_000)  # T_hello_init: Wait-For-Ready-Timer
T_HELLO_INC_MS = const(120_000)  # T_hello_inc: what an accepted prolongation adds to it
T_HELLO_PROLONG_THR_INC_MS = const(30_000)  # below such a `waiting` nobody asks for more
T_HELLO_PROLONG_WAITING_GAP_MS = const(15_000)  # we ask so long before the peer's time is up
_MIN_WAITING_MS = const(1_000)  # a received `waiting` is taken within these bounds
_MAX_WAITING_MS = const(600_000)
_LENIENT_WAITING_MS = const(60_000)  # what `ready` without `waiting` is taken for
_GUARD_MS = const(30_000)  # how long after too short a `waiting` the peer's abort may come

# Prolongations of one connection, asked for by either side: 30 minutes at T_hello_inc.
MAX_PROLONGATIONS = const(15)

_CLOSE_CODE = const(4001)
_REJECT_CODE = const(4452)
_REJECT_REASON = "Node rejected by application"

_READY = const(0)
_READY_WAITING = const(1)
_PENDING = const(2)
_PENDING_WAITING = const(3)
_REQUEST = const(4)
_ABORTED = const(5)
_OTHER = const(6)
_WAIT_EXPIRED = const(7)
_REQUEST_DUE = const(8)
_REPLY_EXPIRED = const(9)
_TRUST = const(10)
_REJECT = const(11)
_COLUMN = const(2)
_ROW = const(24)

# o hello ok   e end without an answer   a abort procedure   r the same, rejected   . ignore
# w peer is ready   q peer is pending   p decide prolongation request   t trust is granted
# s send prolongation request
_REACTIONS = (
    # ready
    # | ready, waiting
    # | | pending
    # | | | pending, waiting
    # | | | | pending, prolongationRequest
    # | | | | | aborted
    # | | | | | | any other message
    # | | | | | | | Wait-For-Ready expired
    # | | | | | | | | Send-Prolongation-Request expired
    # | | | | | | | | | Prolongation-Request-Reply expired
    # | | | | | | | | | | user trusts
    # | | | | | | | | | | | user rejects
    "o o . . p e a a . . . r "  # READY_LISTEN
    "w w a q p e a a s a t r "  # PENDING_LISTEN
)


class Hello:
    """The phase on one connection; `send(octets)` queues a message.

    `state` is a number of states.py. The phase is over when `is_done`, or when `failure` has
    become (WebSocket close code, reason). `counter` is the updateCounter of our keys, 0 if they
    never changed; `peer_counter` the peer's, None unless it speaks SHIP 1.1.
    """

    def __init__(self, send, counter=0):
        self._send = send
        self._counter = counter
        self.peer_counter = None
        self.state = states.HELLO
        self.is_done = False
        self.failure = None
        self.prolongations = 0
        self._peer_is_ready = False
        self._peer_waiting_ms = 0
        self._wait_until = None  # Wait-For-Ready-Timer
        self._request_at = None  # Send-Prolongation-Request-Timer
        self._reply_until = None  # Prolongation-Request-Reply-Timer

    def start(self, is_trusted, now):
        """Enter READY_INIT or PENDING_INIT."""
        self.state = states.READY_LISTEN if is_trusted else states.PENDING_LISTEN
        self._stop_timers()
        self._wait_until = now + T_HELLO_INIT_MS
        self._send_update(now)

    def receive(self, kind, body, now):
        """Take a decoded message of any kind."""
        phase = None
        is_request = False
        waiting_ms = None
        if kind == messages.HELLO:
            self._note_counter(body.get("keyMaterialState"))
            phase = body.get("phase")
            waiting_ms = messages.uint(body.get("waiting"))
            # the second spelling is in the firmware of one charger (WARP)
            is_request = messages.boolean(
                body.get("prolongationRequest", body.get("prolongation_request"))
            )
        event = _event(phase, waiting_ms is not None, is_request)
        if waiting_ms is None:
            waiting_ms = _LENIENT_WAITING_MS
        self._peer_waiting_ms = min(max(waiting_ms, _MIN_WAITING_MS), _MAX_WAITING_MS)
        self._react(event, now)
        if is_request and phase == "ready" and not self.is_done:
            self._react(_REQUEST, now)

    def _note_counter(self, state):
        if isinstance(state, dict):
            self.peer_counter = messages.uint(state.get("updateCounter"), 0xFFFF)

    def trust(self, now):
        """The user trusts the peer."""
        self._react(_TRUST, now)

    def reject(self, now):
        """The user does not trust the peer, or no longer."""
        self._react(_REJECT, now)

    def abort(self, now):
        """Abort procedure: this side does not want to go on."""
        self._react(_OTHER, now)

    def deadline(self):
        """When `tick` is to be called, or None."""
        return earliest(self._wait_until, self._request_at, self._reply_until)

    def tick(self, now):
        """Let time pass."""
        if is_due(self._wait_until, now):
            self._react(_WAIT_EXPIRED, now)
        elif is_due(self._reply_until, now):
            self._react(_REPLY_EXPIRED, now)
        elif is_due(self._request_at, now):
            self._react(_REQUEST_DUE, now)

    def _react(self, event, now):
        row = 0 if self.state == states.READY_LISTEN else _ROW
        reaction = _REACTIONS[row + _COLUMN * event]
        if reaction == "o":
            self._finish()
        elif reaction == "w":
            self._note_ready(now)
        elif reaction == "q":
            self._note_pending(now)
        elif reaction == "p":
            self._decide_prolongation(now)
        elif reaction == "s":
            self._ask_for_prolongation(now)
        elif reaction == "t":
            self._become_ready(now)
        elif reaction == "r":
            self._abort(states.REJECTED, _REJECT_CODE, _REJECT_REASON)
        elif reaction == "a":
            is_late = event == _WAIT_EXPIRED or event == _REPLY_EXPIRED
            reason = "hello timeout" if is_late else "hello aborted"
            self._abort(states.ABORT_SENT, _CLOSE_CODE, reason)
        elif reaction == "e":
            self._fail(states.ABORT_RECEIVED, _CLOSE_CODE, "hello aborted by the peer")

    # Reactions

    def _finish(self):
        self._stop_timers()
        self.state = states.HELLO_OK
        self.is_done = True

    def _note_ready(self, now):
        self._peer_is_ready = True
        self._wait_until = None
        self._arm_request(now)

    def _note_pending(self, now):
        self._peer_is_ready = False
        self._arm_request(now)

    def _arm_request(self, now):
        """Be ready to ask for more time before the peer's is up."""
        waiting_ms = self._peer_waiting_ms
        self._reply_until = None
        if waiting_ms >= T_HELLO_PROLONG_THR_INC_MS:
            self._request_at = now + waiting_ms - T_HELLO_PROLONG_WAITING_GAP_MS
            return
        self._request_at = None
        if self._wait_until is None:  # the peer is expected to abort; if not, we do
            self._wait_until = now + waiting_ms + _GUARD_MS

    def _decide_prolongation(self, now):
        """Accept, up to the limit; the answer tells in any case how long we wait."""
        if self.prolongations < MAX_PROLONGATIONS:
            self.prolongations += 1
            if self._wait_until is not None:
                self._wait_until += T_HELLO_INC_MS
        self._send_update(now)

    def _ask_for_prolongation(self, now):
        self._request_at = None
        if self.prolongations >= MAX_PROLONGATIONS:
            self._react(_REPLY_EXPIRED, now)
            return
        self.prolongations += 1
        self._reply_until = now + self._peer_waiting_ms
        self._send(messages.PROLONGATION_REQUEST)

    def _become_ready(self, now):
        """To READY_INIT. A peer that has said `ready` does not repeat it: take it at its word."""
        self.start(True, now)
        if self._peer_is_ready:
            self._finish()

    def _abort(self, state, code, reason):
        self._send(messages.ABORTED)
        self._fail(state, code, reason)

    def _fail(self, state, code, reason):
        self._stop_timers()
        self.state = state
        self.failure = (code, reason)

    def _send_update(self, now):
        phase = "ready" if self.state == states.READY_LISTEN else "pending"
        waiting_ms = T_HELLO_INIT_MS
        if self._wait_until is not None:
            waiting_ms = max(self._wait_until - now, _MIN_WAITING_MS)
        self._send(messages.hello(phase, waiting_ms, self._counter))

    def _stop_timers(self):
        self._wait_until = self._request_at = self._reply_until = None


def _event(phase, has_waiting, is_request):
    """Which event a hello is; `phase` is None for other messages."""
    if phase == "ready":
        return _READY_WAITING if has_waiting else _READY
    if phase == "pending":
        if is_request:
            return _REQUEST
        return _PENDING_WAITING if has_waiting else _PENDING
    return _ABORTED if phase == "aborted" else _OTHER
