"""Lights and buttons: a pattern for a person, a debounced press for us.

A pattern is four bytes in `PATTERNS`, times in 50 ms: on, off, how often, pause. The numbers of
blinks are those of the table in boards/README.md.
"""

from machine import Pin
from micropython import const

_UNIT_MS = const(50)
_DEBOUNCE_MS = const(50)

OFF = const(0)  # nothing plugged
READY = const(1)  # a car is here: steady
CHARGING = const(2)  # slow blinking
FAULT = const(3)  # and above: one blink more than the number says, then two seconds dark
RESIDUAL = const(4)
CONTACTOR = const(5)
PILOT = const(6)

PATTERNS = (
    b"\x00\x01\x01\x00"
    b"\x01\x00\x01\x00"
    b"\x14\x14\x01\x00"
    b"\x05\x05\x02\x28"
    b"\x05\x05\x03\x28"
    b"\x05\x05\x04\x28"
    b"\x05\x05\x05\x28"
)


class Led:
    """`lit` is the level of the pin when the light is on."""

    def __init__(self, gpio: int, lit: int = 1):
        self._pin = Pin(gpio, Pin.OUT, value=1 - lit)
        self._lit = lit
        self._pattern = OFF
        self._since_ms = None

    def show(self, pattern: int) -> None:
        """Show one of the patterns from its beginning; the same again goes on."""
        if pattern != self._pattern:
            self._pattern = pattern
            self._since_ms = None

    def poll(self, now: int) -> None:
        """Switch the light as the pattern wants it."""
        if self._since_ms is None:
            self._since_ms = now
        on, off, count, pause = PATTERNS[self._pattern * 4 : self._pattern * 4 + 4]
        at = (now - self._since_ms) // _UNIT_MS % ((on + off) * count + pause)
        is_on = at < (on + off) * count and at % (on + off) < on
        self._pin.value(self._lit if is_on else 1 - self._lit)


class Button:
    """Between pin and earth; `has_pull_up` if there is a resistor on the board."""

    def __init__(self, gpio: int, has_pull_up: bool = False):
        self._pin = Pin(gpio, Pin.IN) if has_pull_up else Pin(gpio, Pin.IN, Pin.PULL_UP)
        self._was_down = False
        self._changed_ms = None
        self.is_down = False
        self._presses = False

    def poll(self, now: int) -> None:
        """Look at the button; a level counts after 50 ms."""
        is_down = self._pin.value() == 0
        if self._changed_ms is None:
            self.is_down = is_down  # held at the start is no press
        if self._changed_ms is None or is_down != self._was_down:
            self._was_down = is_down
            self._changed_ms = now
        elif is_down != self.is_down and now - self._changed_ms >= _DEBOUNCE_MS:
            self.is_down = is_down
            if is_down:
                self._presses = True

    def take(self) -> bool:
        """Return whether it was pressed since last asked."""
        pressed = self._presses
        self._presses = False
        return pressed
