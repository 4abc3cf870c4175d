"""Our own PIN: its form, the check half of the PIN verification, and what wrong PINs cost.

Covers SHIP 12.5 and the check half of 13.4.4.3 (IEC 63380-3 6.9.5, 6.10.4.3.3). Loaded only by a
node that wants a PIN of its peers, or makes one. `PinLock` is one per device, because wrong PINs
count for the device and not for a connection: neither another connection nor a restart gives a
guesser a new start. `PinCheck` is one per connection.
"""

from eebus_json import to_wire
from micropython import const

from ship import states
from ship.base import is_due

_DIGITS = const(8)  # of a PIN that we make; 8 to 16 are allowed

# After the third wrong PIN, and after each further one, nothing is taken for a while; from the
# sixth one on it takes longer (SHIP 12.5).
FREE_TRIES = const(3)
SHORT_TRIES = const(6)
SHORT_DELAY_MS = const(12_000)  # 10 to 15 s
LONG_DELAY_MS = const(75_000)  # 60 to 90 s

_PIN_OK = b'\x01{"connectionPinState":[{"pinState":"pinOk"}]}'
_PIN_WRONG = b'\x01{"connectionPinError":[{"error":1}]}'


def make_pin(urandom) -> str:
    """Return a new random PIN of 8 digits; the first one is not 0, which some peers refuse."""
    octets = urandom(_DIGITS // 2 + 1)
    return "%x" % (octets[0] % 15 + 1) + bytes(octets[1:]).hex()[1:]


class PinLock:
    """The device's PIN and the count of wrong ones.

    `pin_state` is `required` or `optional`. `wrong` is the count that was stored last, `save(n)`
    stores it; both before the peer hears anything, so that a cut does not help to guess.
    """

    def __init__(self, pin, pin_state, wrong, save, now):
        self.pin = pin
        self.pin_state = pin_state
        self.wrong = wrong
        self._save = save
        self.busy_until = None
        self._penalise(now)

    def try_pin(self, text, now):
        """Whether `text` is the PIN. Not to be asked while `is_busy`."""
        is_right = isinstance(text, str) and text.lower() == self.pin
        wrong = 0 if is_right else self.wrong + 1
        if wrong != self.wrong:
            self.wrong = wrong
            self._save(wrong)
        self._penalise(now)
        return is_right

    def is_busy(self, now):
        """Whether no PIN is taken at present."""
        return self.busy_until is not None and now < self.busy_until

    def _penalise(self, now):
        self.busy_until = None
        if self.wrong >= FREE_TRIES:
            delay_ms = SHORT_DELAY_MS if self.wrong < SHORT_TRIES else LONG_DELAY_MS
            self.busy_until = now + delay_ms


class PinCheck:
    """The check half on one connection; see Pin. `accepted()` is called for the right PIN.

    `is_required`: the peer owes us a PIN and gets nothing before. `is_ok`: it has given it, now
    or in an earlier connection.
    """

    def __init__(self, lock, is_ok, accepted):
        self._lock = lock
        self._accepted = accepted
        self._send = None
        self._until = None  # end of the delay that we have announced
        self.is_ok = is_ok
        self.state = states.CHECK_OK

    @property
    def is_required(self):
        return not self.is_ok and self._lock.pin_state == "required"

    def start(self, send, now):
        """CHECK_INIT: announce our state."""
        self._send = send
        if self.is_ok:
            send(_PIN_OK)
        else:
            self._announce(now)

    def receive(self, pin, now):
        """Take the `pin` of a connectionPinInput; while busy it is not even looked at."""
        if self.is_ok or self._until is not None:
            return
        if self._lock.is_busy(now):  # because of another connection
            self._announce(now)
        elif self._lock.try_pin(pin, now):
            self.is_ok = True
            self.state = states.CHECK_OK
            self._send(_PIN_OK)
            self._accepted()
        else:
            self._send(_PIN_WRONG)
            if self._lock.is_busy(now):
                self._announce(now)

    def deadline(self):
        """When `tick` is to be called, or None."""
        return self._until

    def tick(self, now):
        """Let time pass: after the delay input is welcome again."""
        if is_due(self._until, now):
            self._announce(now)

    def _announce(self, now):
        is_busy = self._lock.is_busy(now)
        self._until = self._lock.busy_until if is_busy else None
        self.state = states.CHECK_BUSY_WAIT if is_busy else states.CHECK_LISTEN
        body = (
            ("pinState", self._lock.pin_state),
            ("inputPermission", "busy" if is_busy else "ok"),
        )
        self._send(b'\x01{"connectionPinState":%s}' % to_wire(body))
