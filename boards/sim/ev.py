"""A simulated electric vehicle on a Mode 3 cable.

It closes S2 when a current is offered, follows the pilot after a lag and with a ramp, takes a
few per cent less than offered, tapers above 80 % state of charge and stops at 100 %. Faults and
moods are options, so that tests and the console can ask for odd cars.

Rules of this file: integers, fixed ticks from the world, nothing random.
"""

from micropython import const

from evse.pilot import LEVEL_A, LEVEL_B, LEVEL_C, LEVEL_D, LEVEL_E, current_ma

_TAPER_PERMILLE = const(800)
_TAPER_MIN_MA = const(1_000)
_LAG_STOP_MS = const(1_000)  # IEC 61851-1: a car stops within 3 s, whatever its lag
_RAMP_DOWN = const(2)  # times the ramp up
_RAMP_STOP = const(8)
_SPREAD_PERMILLE = const(5)  # each further phase takes this much less
_WATT_MS_PER_WH = const(3_600_000)

_OPTIONS = (
    "phases max_ma battery_wh lag_ms ramp_ma_s take_permille "
    "wanted_wh departure_s iso15118 give_ma "
    "asleep ignores_pilot diode_short wants_ventilation pilot_short"
)


class EV:
    """The car; `level` is what it does to the pilot line, `current_ma` what it draws."""

    def __init__(self):
        self.is_plugged = False
        self.current_ma = [0, 0, 0]  # negative: it gives
        self.may_give_ma = 0  # on each phase; set by the board
        self.stored_wh = 0
        self._reset()

    def _reset(self):
        self.phases = 3
        self.max_ma = 16_000
        self.battery_wh = 60_000
        self.lag_ms = 1_500  # from a change of the pilot to the first reaction, at most 5 000
        self.ramp_ma_s = 4_000
        self.take_permille = 970  # of the current that is offered
        self.iso15118 = False  # it tells who it is, its charge, and what it wants
        self.wanted_wh = 0  # 0: it is full when its battery is
        self.departure_s = 0  # after plug-in; 0: it does not say
        self.give_ma = 0  # instead of charging: what it gives back on each phase, if it may
        self.asleep = False
        self.ignores_pilot = False  # draws what it can and never opens S2 by itself
        self.diode_short = False
        self.wants_ventilation = False
        self.pilot_short = False
        self._s2 = False
        self._seen_ma = 0
        self._followed_ma = 0
        self._since_ms = 0
        self._ma = 0
        self._watt_ms = 0

    def plug(
        self,
        phases: int = 3,
        max_ma: int = 16_000,
        soc_percent: int = 40,
        battery_wh: int = 60_000,
    ) -> None:
        """Plug a car in; all options are back at their defaults. ValueError for a bad value."""
        if phases not in (1, 2, 3) or not 0 <= soc_percent <= 100:
            raise ValueError("phases are 1 to 3, soc_percent is 0 to 100")
        self._reset()
        self.set("max_ma", max_ma)
        self.set("battery_wh", battery_wh)
        self.phases = phases
        self.stored_wh = battery_wh * soc_percent // 100
        self.is_plugged = True

    def unplug(self) -> None:
        """Pull the plug, under load if need be."""
        self.is_plugged = False
        self._s2 = False
        self._ma = 0
        self._share()

    def set(self, option: str, value: int) -> None:
        """Change one of `options()`; switches take 0 and 1. ValueError if that is wrong."""
        if option not in _OPTIONS.split():
            raise ValueError("no such option; there are: " + _OPTIONS)
        if not isinstance(value, int) or value < 0:
            raise ValueError("the value is an integer, 0 or more")
        if option == "phases" and not 1 <= value <= 3:
            raise ValueError("phases are 1 to 3")
        if option == "battery_wh" and not value:
            raise ValueError("the battery has a capacity")
        setattr(self, option, value)

    def options(self) -> "list[str]":
        """Return the names that `set` accepts."""
        return _OPTIONS.split()

    @property
    def level(self) -> int:
        """Return the level the car puts the line on, as in `evse.pilot`."""
        if not self.is_plugged:
            return LEVEL_A
        if self.pilot_short:
            return LEVEL_E
        if not self._s2:
            return LEVEL_B
        return LEVEL_D if self.wants_ventilation else LEVEL_C

    @property
    def soc_permille(self) -> int:
        """Return the state of charge."""
        return min(1000, self.stored_wh * 1000 // self.battery_wh)

    def tick(self, elapsed_ms: int, duty_u16: int, is_powered: bool) -> None:
        """Live for a few milliseconds with this pilot, with or without mains."""
        if not self.is_plugged:
            return
        self._follow(elapsed_ms, 0 if self.asleep else current_ma(duty_u16))
        offered_ma = self.max_ma if self.ignores_pilot else self._followed_ma
        if self.soc_permille >= 1000:
            offered_ma = 0
        if offered_ma:
            self._s2 = True
        elif not self._ma:
            self._s2 = False
        goal_ma = min(offered_ma, self.max_ma, self._taper_ma())
        if self.give_ma and self.may_give_ma:
            goal_ma = 0
        self._ramp(elapsed_ms, goal_ma, is_powered)
        self._share()

    def charge(self, watt_ms: int) -> None:
        """Put energy into the battery; a negative one is taken out."""
        self._watt_ms += watt_ms
        if abs(self._watt_ms) >= _WATT_MS_PER_WH:
            wh = 1 if watt_ms > 0 else -1
            self._watt_ms -= wh * _WATT_MS_PER_WH
            self.stored_wh += wh

    def _follow(self, elapsed_ms, offered_ma):
        """Believe the pilot `lag_ms` after it moved; the newest value counts."""
        if offered_ma == self._followed_ma:
            self._since_ms = 0
            return
        self._since_ms += elapsed_ms
        lag_ms = self.lag_ms
        if not offered_ma:
            lag_ms = min(lag_ms, _LAG_STOP_MS)
        if self._since_ms >= lag_ms:
            self._followed_ma = offered_ma
            self._since_ms = 0

    def _taper_ma(self):
        soc_permille = self.soc_permille
        if soc_permille <= _TAPER_PERMILLE:
            return self.max_ma
        taper_ma = self.max_ma * (1000 - soc_permille) // (1000 - _TAPER_PERMILLE)
        return max(taper_ma, _TAPER_MIN_MA)

    def _ramp(self, elapsed_ms, goal_ma, is_powered):
        step_ma = max(1, self.ramp_ma_s * elapsed_ms // 1000)
        if not is_powered or not self._s2:
            self._ma = 0
        elif self._ma < goal_ma:
            self._ma = min(goal_ma, self._ma + step_ma)
        else:
            step_ma *= _RAMP_DOWN if goal_ma else _RAMP_STOP
            self._ma = max(goal_ma, self._ma - step_ma)

    def _share(self):
        give_ma = 0
        if self._s2 and not self._ma and self.stored_wh > 0:
            give_ma = min(self.give_ma, self.may_give_ma, self._followed_ma)
        for i in range(3):
            if give_ma:
                self.current_ma[i] = -give_ma if i < self.phases else 0
                continue
            permille = self.take_permille - i * _SPREAD_PERMILLE
            self.current_ma[i] = self._ma * permille // 1000 if i < self.phases else 0
