"""The current that is offered to the car: lowered at once, raised slowly, trimmed by the meter.

`Offer` applies the time rules of IEC 61851-1 to the pilot. `PowerTrim` closes the loop from
measured total power to a watt limit. Both work on integers and touch no hardware.

Why raises are spaced by 5 s and not ramped: a car may take 5 s to follow a change, so a raise
within that time would act on readings of a car that is still moving, and every step of a ramp
is a change the car has to follow.

Why the trim only lowers: what the watt limit allows by the measured voltage is the most that
may be signalled. A car that takes less is no reason to promise more, it may take it all.
"""

from micropython import const

_RAISE_MS = const(5_000)
_FOLLOW_MS = const(7_000)  # 5 s for the car to follow a reduction, 2 s for ramp and meter
_CONSTANT_MS = const(3_000)  # +12 V lasts at least this long between two offers

_TOLERATED_MS = const(10_000)  # up to 2 % above the limit may last this long
_RELAX_MS = const(5_000)
_STEP_MA = const(100)


class Offer:
    """`ma` per phase is what the pilot signals, 0 for a constant pilot.

    `lowered_ms` is the time of the last reduction that the car needs time for. A single step of
    0.1 A is none: it is less than 2 % of any offer, and a trembling voltage makes many of them.
    """

    def __init__(self, now: int):
        self.ma = 0
        self.lowered_ms = now
        self.stopped_ms = now
        self._changed_ms = now

    def update(self, now: int, allowed_ma: int, may_start: bool) -> None:
        """Move towards `allowed_ma`; 0 stops, `may_start` allows the way back from 0."""
        ma = self.ma
        if allowed_ma < ma:
            if ma - allowed_ma > _STEP_MA:
                self.lowered_ms = now
            if not allowed_ma:
                self.stopped_ms = now
        elif allowed_ma == ma:
            return
        elif not ma:
            if not may_start or now - self.stopped_ms < _CONSTANT_MS:
                return
        elif now - self._changed_ms < _RAISE_MS:
            return
        self.ma = allowed_ma
        self._changed_ms = now


class PowerTrim:
    """`ma` is what has to be taken off the offered current to keep measured power in its limit."""

    def __init__(self, now: int):
        self.ma = 0
        self._within_ms = now
        self._changed_ms = now

    def reset(self, now: int) -> None:
        """Start again: nothing is offered, or there is no watt limit."""
        self.ma = 0
        self._within_ms = now

    def update(self, now: int, power_w: int, decision, lowered_ms: int) -> None:
        """Take a fresh reading while `decision.limit_w` applies and a current is offered."""
        over_w = power_w - decision.limit_w
        line_mv = decision.phases * decision.voltage_mv
        if over_w <= 0:
            self._within_ms = now
            # room for two steps before one is given back, or the loop would hunt
            has_room = -over_w * 10_000 >= 2 * line_mv
            if self.ma and has_room and now - self._changed_ms >= _RELAX_MS:
                self.ma -= _STEP_MA
                self._changed_ms = now
            return
        # A car that was told to take less is given its time before it is told again.
        if now - lowered_ms < _FOLLOW_MS:
            return
        if over_w * 50 > decision.limit_w or now - self._within_ms >= _TOLERATED_MS:
            self.ma += (over_w * 10_000 // line_mv + 1) * _STEP_MA
            self._within_ms = self._changed_ms = now
