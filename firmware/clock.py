"""Monotonic time for everything in lib/: milliseconds since start that never wrap.

`time.ticks_ms` wraps after 12.4 days on 32-bit ports; protocols that last for years should not
have to know, so this class widens it and plain subtraction is right everywhere else. `speed` > 1
lets the simulated world run faster than the wall clock; on a board it is 1.
"""

import time


class Clock:
    """Call `now_ms` at least once in six days (any task does)."""

    def __init__(self, speed=1):
        self.speed = speed
        self._last = time.ticks_ms()
        self._total = 0

    def now_ms(self):
        """Milliseconds since this clock was made."""
        ticks = time.ticks_ms()
        self._total += time.ticks_diff(ticks, self._last)
        self._last = ticks
        return self._total * self.speed

    def real_ms(self, duration_ms):
        """How long to sleep for `duration_ms` of this clock to pass, at least 1 ms."""
        return max(1, duration_ms // self.speed)

    def timestamp(self):
        """Wall time as xs:dateTime in UTC, or None while it is not known (before 2025)."""
        year, month, day, hour, minute, second = time.gmtime()[:6]
        if year < 2025:
            return None
        return "%04d-%02d-%02dT%02d:%02d:%02dZ" % (year, month, day, hour, minute, second)
