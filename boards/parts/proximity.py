"""Proximity line of a socket: the rating of the plugged cable (IEC 61851-1 B.2).

A resistor in the plug, measured below a pull-up. What is outside every window is a fault and not a
rating: a shorted line must not become the largest cable.
"""

from boards.parts.analog import analog_in, divider_ohm, read_mv

# Upper end of each window in ohms, and the rating in amperes: 100, 220, 680 and 1500 ohms.
_WINDOWS = ((50, 0), (150, 63), (330, 32), (1_000, 20), (2_700, 13))


class Proximity:
    """The line at one pin, with the resistor that pulls it up."""

    def __init__(self, sense: int, pull_up_ohm: int, supply_mv: int = 3_300):
        self._adc = analog_in(sense)
        self._pull_up_ohm = pull_up_ohm
        self._supply_mv = supply_mv

    def rating_ma(self) -> int:
        """Return the rating in mA, 0 if there is no plug or no valid coding."""
        ohm = divider_ohm(read_mv(self._adc), self._supply_mv, self._pull_up_ohm)
        if ohm is not None:
            for end_ohm, amperes in _WINDOWS:
                if ohm <= end_ohm:
                    return amperes * 1000
        return 0
