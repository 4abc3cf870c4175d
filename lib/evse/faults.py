"""The set of faults, one bit each, and the rule by which each one clears.

Four rules: latched until the power is cycled, until the car is unplugged, timed (the cause is
gone and 30 s have passed), and while present. Names follow the EVerest/ChargeX error list.

Rules of this file: a fault that clears in one cycle still blocks in that cycle, so nothing
restarts before the next one; a warning never blocks.
"""

from micropython import const

DIODE = const(1 << 0)
VENTILATION = const(1 << 1)
PILOT = const(1 << 2)
CONTACTOR_WELDED = const(1 << 3)
CONTACTOR_OPEN = const(1 << 4)  # commanded closed, stays open
OVER_CURRENT = const(1 << 5)
PROXIMITY = const(1 << 6)
METER = const(1 << 7)
# Raised by boards that have the sensor for it.
GROUND = const(1 << 8)
RESIDUAL_CURRENT = const(1 << 9)
HIGH_TEMPERATURE = const(1 << 10)
EMERGENCY_STOP = const(1 << 11)
OVER_VOLTAGE = const(1 << 12)
UNDER_VOLTAGE = const(1 << 13)
POWER_LOSS = const(1 << 14)
VENDOR_ERROR = const(1 << 15)

_NAMES = (
    "DiodeFault VentilationNotAvailable PilotFault ContactorFault ContactorFault OverCurrent "
    "ProximityFault CommunicationFault GroundFailure GroundFailure HighTemperature "
    "EmergencyStop OverVoltage UnderVoltage PowerLoss VendorError"
)

_LATCHED = const(1 << 3 | 1 << 8)  # welded contacts, missing earth
_UNTIL_UNPLUG = const(1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 9)
_TIMED = const(1 << 2 | 1 << 4 | 1 << 14)
_WARNINGS = const(1 << 7)  # without a meter the signalled current is still a limit
_ORDERLY = const(1 << 1 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 10 | 1 << 12 | 1 << 13)

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
        """Return the names of the active faults, lowest bit first."""
        return [n for i, n in enumerate(_NAMES.split()) if self.active >> i & 1]
