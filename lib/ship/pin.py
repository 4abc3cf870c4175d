"""PIN verification for a node without PIN (SHIP 13.4.4.3; IEC 63380-3 6.10.4.3).

Our half is fulfilled from the start: `none` is announced at once, without waiting for the peer. A
peer that requires a PIN of us is left, because nobody can enter one here.
"""

from micropython import const

from ship import messages, states
from ship.base import is_due

WAIT_MS = const(10_000)  # for the peer's connectionPinState

_CLOSE_CODE = const(4001)


class Pin:
    """The phase on one connection; goes on to take updates when `is_done`.

    `send(octets)` queues a message. `state`, `is_done`, `failure` as in Hello.
    """

    def __init__(self, send):
        self._send = send
        self._until = None
        self.state = states.ASK_INIT
        self.is_done = False
        self.failure = None

    def start(self, now):
        """Announce that no PIN is needed here."""
        self._until = now + WAIT_MS
        self._send(messages.PIN_NONE)

    def receive(self, kind, body, now):
        """Take a decoded message; connectionPinInput and connectionPinError mean nothing here."""
        if kind != messages.PIN_STATE:
            return
        pin_state = body.get("pinState")
        if pin_state == "none" or pin_state == "pinOk":
            self._finish(states.ASK_OK)
        elif pin_state == "optional":
            self._finish(states.ASK_RESTRICTED)
        elif pin_state == "required":
            self._fail("the peer requires a PIN")
        else:
            self._fail("unknown PIN state")

    def deadline(self):
        """When `tick` is to be called, or None."""
        return self._until

    def tick(self, now):
        """Let time pass."""
        if is_due(self._until, now):
            self._fail("no PIN state in time")

    def _finish(self, state):
        self._until = None
        self.state = state
        self.is_done = True

    def _fail(self, reason):
        self._until = None
        self.state = states.ERROR
        self.failure = (_CLOSE_CODE, reason)
