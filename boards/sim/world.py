"""The physics around the simulated board: grid, contactor, pilot line, energy.

`advance(now)` moves in whole ticks of 10 ms, so a run gives the same figures however often it
is called. Energy is integrated in watt-milliseconds and carried over exactly; nothing drifts.

Rules of this file: integers only, at most 30 bits; nothing random.
"""

from micropython import const

_TICK_MS = const(10)
_MAX_TICKS = const(1_000)  # after a longer gap (a stopped process) the world has slept
_SWITCHING_MS = const(20)  # from the coil to the contacts
_SAG_MV_PER_A = const(200)
_WATT_MS_PER_WH = const(3_600_000)

_OPTIONS = (
    "nominal_mv frequency_mhz welded stuck_open meter_fails adc_fails cable_ma faults button"
)


class World:
    """`duty_u16` and `coil` are driven by the board, the rest is read by it."""

    def __init__(self, ev, phases: int):
        self.ev = ev
        self.phases = phases
        self.duty_u16 = 65535
        self.coil = False
        self.is_closed = False  # the contacts
        self.connected = phases  # that lead to the car, from L1
        self.nominal_mv = 230_000
        self.frequency_mhz = 50_000
        self.welded = False
        self.stuck_open = False
        self.meter_fails = False
        self.adc_fails = False
        self.cable_ma = None  # tethered
        self.faults = 0  # bits of `evse.faults` that the station's sensors report
        self.button = False  # the service button is held down
        self.current_ma = [0] * phases
        self.voltage_mv = [230_000] * phases
        self.phase_power_w = [0] * phases
        self.power_w = 0
        self.energy_wh = 0
        self.produced_wh = 0
        self._watt_ms = 0
        self._now = None
        self._coil_ms = 0

    def set(self, option: str, value: int) -> None:
        """Change one of `options()`; switches take 0 and 1. ValueError if that is wrong."""
        if option not in _OPTIONS.split():
            raise ValueError("no such option; there are: " + _OPTIONS)
        if not isinstance(value, int) or value < 0:
            raise ValueError("the value is an integer, 0 or more")
        setattr(self, option, value)

    def connect(self, count: int) -> None:
        """Lead so many phases to the car. RuntimeError if that would be under load."""
        if self.is_closed:
            raise RuntimeError("phases must not be switched while the contacts are closed")
        self.connected = count

    def options(self) -> "list[str]":
        """Return the names that `set` accepts."""
        return _OPTIONS.split()

    def advance(self, now: int) -> None:
        """Let time pass until `now`, in whole ticks; the rest waits for the next call."""
        if self._now is None:
            self._now = now
        ticks = (now - self._now) // _TICK_MS
        self._now += ticks * _TICK_MS
        for _ in range(min(ticks, _MAX_TICKS)):
            self._tick()

    def pilot_mv(self, out: "list[int]") -> None:
        """Put the high and the low level of the line into `out`."""
        level = self.ev.level
        high_mv = 12_000 - 3_000 * level
        if not self.duty_u16:  # constant -12 V, whatever is connected
            out[0] = out[1] = -12_000
        elif self.duty_u16 == 65535:
            out[0] = out[1] = high_mv
        else:
            is_symmetric = self.ev.is_plugged and (self.ev.diode_short or not high_mv)
            out[0] = high_mv
            out[1] = -high_mv if is_symmetric else -12_000

    def _tick(self):
        self._move_contacts()
        ev = self.ev
        ev.tick(_TICK_MS, self.duty_u16, self.is_closed)
        power_w = 0
        for i in range(self.phases):
            ma = ev.current_ma[i] if self.is_closed and i < self.connected else 0
            mv = self.nominal_mv + (0, 800, -600)[i] - ma * _SAG_MV_PER_A // 1000
            self.current_ma[i] = ma
            self.voltage_mv[i] = mv
            self.phase_power_w[i] = ma * (mv // 100) // 10_000
            power_w += self.phase_power_w[i]
        self.power_w = power_w
        if power_w:
            ev.charge(power_w * _TICK_MS)
            self._watt_ms += power_w * _TICK_MS
            if self._watt_ms >= _WATT_MS_PER_WH:
                self._watt_ms -= _WATT_MS_PER_WH
                self.energy_wh += 1
            elif self._watt_ms <= -_WATT_MS_PER_WH:
                self._watt_ms += _WATT_MS_PER_WH
                self.produced_wh += 1

    def _move_contacts(self):
        wanted = (self.coil and not self.stuck_open) or bool(self.welded)
        if wanted == self.is_closed:
            self._coil_ms = 0
            return
        self._coil_ms += _TICK_MS
        if self._coil_ms >= _SWITCHING_MS:
            self.is_closed = wanted
            self._coil_ms = 0
