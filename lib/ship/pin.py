"""PIN verification on one connection (SHIP 13.4.4.3; IEC 63380-3 6.10.4.3).

Two halves run side by side. The *ask* half is here: does the peer want a PIN of us? The *check*
half, does it owe us ours, is `ship.pin_check`, which only a node that wants a PIN loads; without
it `none` is announced. Either way our state goes out at once, without waiting for the peer's.

The phase is over when neither side insists on a PIN any more. Both halves go on in data exchange,
where a PIN may still be given and a state may change.
"""

from micropython import const

from ship import messages, states
from ship.base import earliest, is_due

WAIT_MS = const(10_000)  # for the peer's connectionPinState
USER_MS = const(300_000)  # from then on for people who type a PIN, here or there

_CLOSE_CODE = const(4001)


class Pin:
    """The phase on one connection.

    `send(octets)` queues a message. `ask(was_wrong)` is called when the peer takes a PIN and gives
    it, or None: then `enter` may follow. `check` is a PinCheck, or None for a node without PIN.
    `state`, `is_done`, `failure` as in Hello.
    """

    def __init__(self, send, ask, check=None):
        self._send = send
        self._ask = ask
        self._check = check
        self._until = None
        self._has_state = False  # the peer has announced its state
        self._is_required = False
        self._takes_input = False
        self._entered = None  # by a user while the peer was busy
        self._ask_state = states.ASK_INIT
        self.is_done = False
        self.failure = None

    @property
    def state(self):
        """Number of the state: that of the half that is not yet through."""
        if self.failure:
            return states.ERROR
        if self._check and self._ask_state >= states.ASK_RESTRICTED:
            return self._check.state
        return self._ask_state

    def start(self, now):
        """Announce our state."""
        self._until = now + WAIT_MS
        if self._check:
            self._check.start(self._send, now)
        else:
            self._send(messages.PIN_NONE)

    def receive(self, kind, body, now):
        """Take a decoded message; what is no matter of the PIN is ignored."""
        if kind == messages.PIN_STATE:
            self._take_state(body, now)
        elif kind == messages.PIN_INPUT:
            if self._check:
                self._check.receive(body.get("pin"), now)
        elif kind == messages.PIN_ERROR and self._ask_state == states.ASK_PROCESS:
            self._wait_for_pin()
            self._give(self._ask(True))
        self._judge()

    def enter(self, pin):
        """A user gives the peer's PIN: it is sent as soon as the peer takes it.

        Returns False if the peer wants none.
        """
        if self.failure or not self._has_state or self._ask_state == states.ASK_OK:
            return False
        self._entered = pin
        if self._takes_input:
            self._give(pin)
        return True

    def deadline(self):
        """When `tick` is to be called, or None."""
        return earliest(self._until, self._check.deadline() if self._check else None)

    def tick(self, now):
        """Let time pass."""
        if self._check:
            self._check.tick(now)
        if is_due(self._until, now):
            if not self._has_state:
                self._fail("no PIN state in time")
            elif self._is_required:
                self._fail("the peer requires a PIN")
            else:
                self._fail("our PIN was not given")

    def _take_state(self, body, now):
        pin_state = body.get("pinState")
        if pin_state not in ("none", "pinOk", "optional", "required"):
            if not self.is_done:
                self._fail("unknown PIN state")
            return
        if not self._has_state:
            self._has_state = True
            self._until = now + USER_MS
        self._is_required = pin_state == "required"
        if pin_state == "none" or pin_state == "pinOk":
            self._takes_input = False
            self._ask_state = states.ASK_OK
            return
        self._takes_input = body.get("inputPermission") != "busy"
        self._wait_for_pin()
        if self._takes_input:
            self._give(self._entered or self._ask(False))

    def _wait_for_pin(self):
        self._ask_state = states.ASK_INIT if self._is_required else states.ASK_RESTRICTED

    def _give(self, pin):
        """Send the PIN, if there is one."""
        if pin:
            self._entered = None
            self._ask_state = states.ASK_PROCESS
            self._send(messages.pin_input(pin))

    def _judge(self):
        is_owed = self._check and self._check.is_required
        if self._has_state and not (self._is_required or is_owed or self.failure):
            self._until = None
            self.is_done = True

    def _fail(self, reason):
        self._until = None
        self.failure = (_CLOSE_CODE, reason)
