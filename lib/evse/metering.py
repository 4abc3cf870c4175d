"""What the meter says, as integers, and how many phases the car uses.

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

_USED_MA = const(1_000)  # a phase above this is used
_UNUSED_MA = const(500)  # below this it is not; between them the picture says nothing
_DECIDED_MS = const(20_000)


class Meter:
    """The latest readings; lists have one item per wired phase."""

    def __init__(self, phases: int):
        self.phases = phases
        self.power_w = 0
        self.phase_power_w = [0] * phases
        self.current_ma = [0] * phases
        self.voltage_mv = [0] * phases
        self.energy_wh = 0
        self.frequency_mhz = 0
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


class PhaseCount:
    """How many phases, counted from L1, the car draws from.

    Assumes all wired phases until a smaller picture has lasted 20 s, because a wrong "one"
    breaks a power limit and a wrong "three" only wastes some of it. A larger picture counts
    at once. A one-phase car is on L1 (IEC 62196-2).
    """

    def __init__(self, wired: int, now: int):
        self.wired = wired
        self.in_use = wired
        self._seen = 0
        self._seen_ms = now

    def reset(self) -> None:
        """Forget the car."""
        self.in_use = self.wired
        self._seen = 0

    def interrupt(self) -> None:
        """No current can flow now: what was seen does not go on."""
        self._seen = 0

    def update(self, now: int, current_ma: "list[int]") -> None:
        """Take the phase currents of one reading."""
        seen = 0
        for i in range(self.wired):
            if current_ma[i] > _USED_MA:
                seen = i + 1
            elif current_ma[i] >= _UNUSED_MA:
                self._seen = 0  # neither used nor unused
                return
        if seen != self._seen:
            self._seen = seen
            self._seen_ms = now
        if seen > self.in_use or (seen and now - self._seen_ms >= _DECIDED_MS):
            self.in_use = seen
