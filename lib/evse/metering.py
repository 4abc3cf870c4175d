"""What the meter says, as integers.

Boards fill a `Meter`, use cases read it. Consumption is positive. Energy is the lifetime
import in watt-hours. A failed meter keeps its last values and says so in `state`: consumers
mark them, they do not replace them by zero (MPC).
"""

from micropython import const

NORMAL = const(0)
ERROR = const(1)
OUT_OF_RANGE = const(2)

MEASURED = const(0)
CALCULATED = const(1)
EMPIRICAL = const(2)

_STALE_MS = const(5_000)


class Meter:
    """The latest readings; lists have one item per wired phase."""

    def __init__(self, phases: int):
        self.phases = phases
        self.power_w = 0
        self.phase_power_w = [0] * phases
        self.current_ma = [0] * phases
        self.voltage_mv = [0] * phases
        self.energy_wh = 0
        self.produced_wh = None  # lifetime export; None: nothing can flow back
        self.frequency_mhz = None  # not measured
        self.state = ERROR  # until the first reading
        self.value_source = MEASURED
        self.updated_ms = None  # time of the last good reading

    def is_good(self, now: int) -> bool:
        """Say whether the values may be used for control: normal, and at most 5 s old."""
        updated_ms = self.updated_ms
        return self.state == NORMAL and updated_ms is not None and now - updated_ms <= _STALE_MS

    def mean_voltage_mv(self) -> int:
        """Return the mean phase voltage of the last good reading, 0 if there was none."""
        return sum(self.voltage_mv) // self.phases

    def max_current_ma(self) -> int:
        """Return the largest phase current."""
        return max(self.current_ma)
