"""Residual-current monitor (RDC-DD, IEC 62955): trip output and self-test.

The monitor opens the contactor in hardware; here it is only learned. Self-test: the test input is
driven until the trip output answers, 500 ms at most, and the output must be idle again within
1.2 s after that. A trip counts with the contactor closed, not in the first second after switching,
and if it lasts for 50 ms.
"""

from machine import Pin
from micropython import const

_TEST_MS = const(500)
_IDLE_MS = const(1_200)
_SETTLING_MS = const(1_000)
_TRIPPED_MS = const(50)


class ResidualCurrentMonitor:
    """`tripped` is the level of the trip pin when it has tripped, `testing` that of the test pin
    during a test."""

    def __init__(self, trip: int, test: "int | None" = None, tripped: int = 1, testing: int = 1):
        self._trip = Pin(trip, Pin.IN)
        self._tripped = tripped
        self._testing = testing
        self._test = None if test is None else Pin(test, Pin.OUT, value=1 - testing)
        self._phase_ms = None  # since when the test pin is driven, or waited for idle
        self._is_driven = False
        self._passed = None
        self._quiet_ms = 0  # last time there was nothing to report
        self._switched_ms = 0
        self._was_on = False
        self.is_tripped = False
        self._starts = False

    def start_test(self) -> None:
        """Begin a self-test at the next `poll`."""
        self._passed = None
        self._starts = True

    def test_passed(self) -> "bool | None":
        """Return the result of the latest test, None while it runs; without a test pin True."""
        return True if self._test is None else self._passed

    def poll(self, now: int, is_on: bool) -> None:
        """Go on with the test, look for a trip; `is_on` says that the contactor is closed."""
        active = self._trip.value() == self._tripped
        if is_on != self._was_on:
            self._was_on = is_on
            self._switched_ms = now
        if self._starts and self._test is not None:
            self._starts = False
            self._drive(now, True)
        elif self._phase_ms is not None:
            self._go_on(now, active)
        is_watched = is_on and now - self._switched_ms >= _SETTLING_MS and self._phase_ms is None
        if not (active and is_watched):
            self._quiet_ms = now
        self.is_tripped = now - self._quiet_ms >= _TRIPPED_MS

    def _go_on(self, now, active):
        """End the first half of the test by an answer, and the second by idleness."""
        if self._is_driven:
            if active:
                self._drive(now, False)
            elif now - self._phase_ms >= _TEST_MS:
                self._end(False)
        elif not active:
            self._end(True)
        elif now - self._phase_ms >= _IDLE_MS:
            self._end(False)

    def _drive(self, now, is_driven):
        self._is_driven = is_driven
        self._phase_ms = now
        self._test.value(self._testing if is_driven else 1 - self._testing)

    def _end(self, passed):
        self._passed = passed
        self._phase_ms = None
        self._is_driven = False
        self._test.value(1 - self._testing)
