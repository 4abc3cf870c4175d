"""Contactor or relay: coil, optional second coil for L2 and L3, optional feedback contact.

During reset the pins float: the coil drivers need pull-downs. The feedback of more than one pole
is wired so that it says "closed" if any pole is.
"""

from machine import Pin


class Relay:
    """`feedback_closed` is the level of the feedback pin while the contacts are closed."""

    def __init__(
        self,
        coil: int,
        coil_l2_l3: "int | None" = None,
        feedback: "int | None" = None,
        feedback_closed: int = 0,
    ):
        self._coil = Pin(coil, Pin.OUT, value=0)
        self._others = None if coil_l2_l3 is None else Pin(coil_l2_l3, Pin.OUT, value=0)
        self._feedback = None if feedback is None else Pin(feedback, Pin.IN)
        self._feedback_closed = feedback_closed
        self._has_others = True
        self.is_on = False

    def set(self, closed: bool) -> None:
        """Switch the coils; L1 opens last and closes first, as the neutral goes with it."""
        self.is_on = closed
        if closed:
            self._coil.value(1)
        if self._others:
            self._others.value(1 if closed and self._has_others else 0)
        if not closed:
            self._coil.value(0)

    def connect(self, count: int) -> None:
        """Close L1 alone the next time (1), or all phases."""
        self._has_others = count > 1

    def is_closed(self) -> "bool | None":
        """Return what the feedback shows, None without one."""
        if self._feedback is None:
            return None
        return self._feedback.value() == self._feedback_closed
