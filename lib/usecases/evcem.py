"""EVCEM - Measurement of Electricity during EV Charging, scenarios 1-3 (version 1.0.1).

Currents and powers of each wired phase, and the energy of this plug-in session, from the same
meter that feeds MPC. Ids are fixed: 1-3 current, 4-6 power, 7 energy; currents come first, one
energy manager takes the first parameter that names a phase.
"""

from micropython import const

from spine.device import SERVER
from spine.values import scaled
from usecases.measured import CONNECTION, VALUES, Measured

_PERIOD_MS = const(10_000)  # one manager distrusts currents that are 15 s old
_STEP_PERIOD_MS = const(1_000)
_STEP_MA = const(500)
_AFTER_LIMIT_MS = const(1_800)  # the car follows within 1.5 s to 5 s, the steps tell the rest

_CURRENT = const(1)
_POWER = const(4)
_ENERGY = const(7)


class Evcem(Measured):
    """`car` is an evse.car.Car; see usecases.measured."""

    name = "measurementOfElectricityDuringEvCharging"
    actor = "EV"
    version = "1.0.1"
    scenarios = (1, 2, 3)

    def __init__(self, entity, car, timestamp, now):
        measurement = entity.feature("Measurement", SERVER, 5)
        electrical = self._electrical = entity.feature("ElectricalConnection", SERVER, 4)
        super().__init__(entity, car.meter, car.has_meter, timestamp, measurement, electrical)
        self._car = car
        self._next = now + _PERIOD_MS
        self._told_at = now
        self._told_ma = [0] * car.phases
        self._told_phases = car.phases_in_use()

    def limit_changed(self, now):
        """A limit was written: currents follow within 2 s."""
        self._next = min(self._next, now + _AFTER_LIMIT_MS)

    def tick(self, now):
        current_ma = self._meter.current_ma
        if now >= self._next or (now - self._told_at >= _STEP_PERIOD_MS and self._has_moved()):
            self._next = now + _PERIOD_MS
            self._told_at = now
            self._told_ma[:] = current_ma
            self._measurement.changed(VALUES)
        if self._car.phases_in_use() != self._told_phases:
            self._told_phases = self._car.phases_in_use()
            self._electrical.changed(CONNECTION)

    def deadline(self):
        return self._next

    def _has_moved(self):
        current_ma = self._meter.current_ma
        for i in range(len(self._told_ma)):
            if abs(current_ma[i] - self._told_ma[i]) > _STEP_MA:
                return True
        return False

    def _connected_phases(self):
        return self._told_phases

    def _rows(self):
        phases = "abc"[: self._car.phases]
        for i in range(len(phases)):
            yield _CURRENT + i, "current", "A", "acCurrent", phases[i]
        for i in range(len(phases)):
            yield _POWER + i, "power", "W", "acPower", phases[i]
        yield _ENERGY, "energy", "Wh", "charge", phases

    def _value(self, number):
        if number < _POWER:
            return scaled(self._meter.current_ma[number - _CURRENT], -3)
        if number < _ENERGY:
            return scaled(self._meter.phase_power_w[number - _POWER])
        return scaled(self._car.session_wh())
