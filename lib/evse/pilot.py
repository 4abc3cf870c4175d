"""Control pilot: duty cycle as a current, line voltage as a level A to F.

Covers IEC 61851-1 A.3: the code of the duty cycle and the voltages of the states. All numbers
are integers: tenths of an ampere, milliamperes, millivolts, and a 16-bit duty where 65535 is
constant +12 V and 0 constant -12 V (both without edges).

Rules of this file: the signalled current is never above the wanted one; currents without a
code are refused, not rounded; a level is believed quickly when it ends charging and slowly
when it starts charging. It knows nothing about faults, limits or the contactor.
"""

from micropython import const

CONSTANT_HIGH = const(65535)  # +12 V: no current offered, a car can still be seen
CONSTANT_LOW = const(0)  # -12 V: state F

MIN_CURRENT_MA = const(6000)  # the lowest current the pilot can express

LEVEL_A = const(0)
LEVEL_B = const(1)
LEVEL_C = const(2)
LEVEL_D = const(3)
LEVEL_E = const(4)
LEVEL_F = const(5)
LEVEL_NONE = const(6)  # not classified yet, or no fresh reading

_TOP_MV = const(10_500)  # between A and B; B/C, C/D and D/E follow every 3 V
_STEP_MV = const(3_000)
_NEGATIVE_MV = const(-6_000)  # between E and F
_HYSTERESIS_MV = const(300)  # every level +-1 V is still told apart from its neighbours

# Level C starts charging. Some cars show it for a quarter of a second without meaning it.
_STABLE_MS = const(500)
_STABLE_READINGS = const(8)

# Every other level ends charging: a second reading 20 ms later, or none where there is no time
# for it. With a reading every T ms the worst case is T + 20 + T (T < 20), 2 T (T <= 50), T
# (above): within the 100 ms of IEC 61851-1 for every T up to 100 ms.
_LEAVE_MS = const(20)
_LATE_MS = const(50)

_DIODE_MV = const(-10_000)  # the low half wave stays below this if a diode blocks it
_DIODE_READINGS = const(8)
_NO_DIODE_MS = const(100)
_NO_DIODE_LOADED_MS = const(1_000)  # switching spikes do not open under load


def duty_for(deci_amps: int) -> int:
    """Return the duty_u16 for tenths of an ampere, 60 (6 A) to 800 (80 A).

    51.1 to 52.4 A have no code and become 51.0 A; 52.5 A shares its code with 51.0 A (85 %).
    ValueError outside the range: below 6 A the only choice is a pause.
    """
    if not 60 <= deci_amps <= 800:
        raise ValueError("no duty cycle for this current")
    if deci_amps < 525:
        return min(deci_amps, 510) * 65535 // 600
    return (deci_amps + 1600) * 65535 // 2500


def current_ma(duty_u16: int) -> int:
    """Return the milliamperes per phase a car may draw at this duty; 0 for none.

    The bands without a meaning, constant levels and the digital communication code (5 %) are 0.
    """
    permyriad = duty_u16 * 10_000 // 65535
    if permyriad < 800 or permyriad > 9700:
        return 0
    if permyriad < 1000:
        return 6000
    if permyriad <= 8500:
        return duty_u16 * 4000 // 4369  # 60 A of 65535
    if permyriad <= 9600:
        return (duty_u16 * 5 - 209_712) * 1000 // 13107 * 10  # (D - 64 %) * 2.5 A
    return 80_000


def classify(high_mv: int, previous: int) -> int:
    """Return the level of a reading of the positive half wave, with hysteresis to `previous`."""
    level = 0
    bound_mv = _TOP_MV
    while level < 5:
        if previous == LEVEL_NONE:
            margin_mv = 0
        elif previous > level:
            margin_mv = _HYSTERESIS_MV
        else:
            margin_mv = -_HYSTERESIS_MV
        if high_mv >= bound_mv + margin_mv:
            break
        level += 1
        bound_mv = bound_mv - _STEP_MV if level < 4 else _NEGATIVE_MV
    return level


class PilotInput:
    """The debounced level of the line, fed with one reading per control cycle.

    `level` is what the charger acts on, `level_ms` the time it began, `is_confirmed` whether
    the latest reading agrees with it.
    """

    def __init__(self, now: int):
        self.level = LEVEL_NONE
        self.level_ms = now
        self.is_confirmed = False
        self._raw = LEVEL_NONE
        self._raw_ms = now
        self._raw_count = 0
        self._agreed_ms = now
        self._missed_ms = None  # first of an unbroken row of readings of other levels

    def feed(self, now: int, high_mv: "int | None") -> None:
        """Take one reading; None if there is no fresh one."""
        raw = LEVEL_NONE if high_mv is None else classify(high_mv, self._raw)
        if raw != self._raw:
            self._raw = raw
            self._raw_ms = now
            self._raw_count = 0
        if self._raw_count < _STABLE_READINGS:
            self._raw_count += 1
        self.is_confirmed = raw == self.level
        if self.is_confirmed:
            self._agreed_ms = now
            self._missed_ms = None
            return
        if self._missed_ms is None:
            self._missed_ms = now
        if not self._is_believed(now, raw):
            return
        self.level = raw
        self.level_ms = now
        self.is_confirmed = True
        self._agreed_ms = now
        self._missed_ms = None

    def _is_believed(self, now, raw):
        if raw == LEVEL_C or self.level == LEVEL_NONE:
            return self._raw_count >= _STABLE_READINGS and now - self._raw_ms >= _STABLE_MS
        return now - self._agreed_ms > _LATE_MS or now - self._missed_ms >= _LEAVE_MS


class DiodeCheck:
    """While there is a wave and a car, its diode must keep the low half wave at -12 V.

    Where it does not, the "car" is a resistor, a shorted diode or a person.
    """

    def __init__(self, now: int):
        self.reset(now)

    def reset(self, now: int) -> None:
        """Start again: no wave, no car, or no reading."""
        self._good = 0
        self._good_ms = now

    def feed(self, now: int, low_mv: int) -> None:
        """Take one reading of the low half wave."""
        if low_mv > _DIODE_MV:
            self._good = 0
            return
        self._good_ms = now
        if self._good < _DIODE_READINGS:
            self._good += 1

    def is_proven(self) -> bool:
        """Say whether enough good readings came in a row for the contactor to close."""
        return self._good >= _DIODE_READINGS

    def is_missing(self, now: int, is_loaded: bool) -> bool:
        """Say whether the diode has been missed for too long."""
        return now - self._good_ms >= (_NO_DIODE_LOADED_MS if is_loaded else _NO_DIODE_MS)
