"""The set of faults, one bit each, and the rule by which each one clears.

Four rules: latched until the power is cycled, until the car is unplugged, timed (the cause is
gone and 30 s have passed), and while present. Names follow the EVerest/ChargeX error list.

Rules of this file: a fault that clears in one cycle still blocks in that cycle, so nothing
restarts before the next one; a warning never blocks.
"""

from micropython import const

# Most serious first. Those without a note are found by the charging control, the others are
# reported by boards that have the sensor.
GROUND = const(1 << 0)  # board: protective earth
CONTACTOR_WELDED = const(1 << 1)
RESIDUAL_CURRENT = const(1 << 2)  # board
EMERGENCY_STOP = const(1 << 3)  # board
DIODE = const(1 << 4)
CONTACTOR_OPEN = const(1 << 5)  # commanded closed, stays open
PILOT = const(1 << 6)
OVER_CURRENT = const(1 << 7)
HIGH_TEMPERATURE = const(1 << 8)  # board
PROXIMITY = const(1 << 9)
VENTILATION = const(1 << 10)
OVER_VOLTAGE = const(1 << 11)  # board
UNDER_VOLTAGE = const(1 << 12)  # board
POWER_LOSS = const(1 << 13)  # board
VENDOR_ERROR = const(1 << 14)  # board
METER = const(1 << 15)
SELF_TEST = const(1 << 16)  # the residual-current monitor did not react to its test
LOCK = const(1 << 17)  # board

_NAMES = (
    "GroundFailure ContactorFault GroundFailure EmergencyStop DiodeFault ContactorFault "
    "PilotFault OverCurrent HighTemperature ProximityFault VentilationNotAvailable OverVoltage "
    "UnderVoltage PowerLoss VendorError CommunicationFault SelfTestFailed BrokenLatch"
)

_LATCHED = const(GROUND | CONTACTOR_WELDED | SELF_TEST)
_UNTIL_UNPLUG = const(RESIDUAL_CURRENT | DIODE | OVER_CURRENT | PROXIMITY | VENTILATION)
_TIMED = const(CONTACTOR_OPEN | PILOT | POWER_LOSS)
_WARNINGS = const(METER)  # without a meter the signalled current is still a limit
# The car may stop first; the others open at once.
_ORDERLY = const(
    OVER_CURRENT | HIGH_TEMPERATURE | PROXIMITY | VENTILATION | OVER_VOLTAGE | UNDER_VOLTAGE | LOCK
)

_RETRY_MS = const(30_000)


class Faults:
    """`active` is the bit set; `blocking` are the bits that forbid charging in this cycle."""

    def __init__(self):
        self.active = 0
        self.blocking = 0
        self._retry_ms = 0

    def update(self, now: int, present: int) -> None:
        """Take the causes that are present in this cycle; set what is new, clear what may go."""
        before = self.active
        if present & _TIMED:
            self._retry_ms = now + _RETRY_MS
        kept = before & (_LATCHED | _UNTIL_UNPLUG)
        if now < self._retry_ms:
            kept |= before & _TIMED
        self.active = present | kept
        self.blocking = (before | self.active) & ~_WARNINGS

    def opens_at_once(self) -> bool:
        """Say whether a fault is too serious to let the car stop first."""
        return bool(self.blocking & ~_ORDERLY)

    def unplugged(self) -> None:
        """Clear the faults that end with the car; they still block in this cycle."""
        self.active &= ~_UNTIL_UNPLUG

    def names(self) -> "list[str]":
        """Return the names of the active faults, the most serious first."""
        return [n for i, n in enumerate(_NAMES.split()) if self.active >> i & 1]
