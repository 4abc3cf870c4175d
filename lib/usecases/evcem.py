"""EVCEM - Measurement of Electricity during EV Charging, scenarios 1-3 (version 1.0.1).

Currents and powers of each wired phase, and the energy of this plug-in session, from the same
meter that feeds MPC. Ids are fixed: 1-3 current, 4-6 power, 7 energy; currents come first, one
energy manager takes the first parameter that names a phase.
"""

from micropython import const

from spine.device import SERVER
from spine.values import scaled
from usecases.mpc import SOURCES, STATES
from usecases.use_case import UseCase

_PERIOD_MS = const(10_000)  # one manager distrusts currents that are 15 s old
_STEP_PERIOD_MS = const(1_000)
_STEP_MA = const(500)
_AFTER_LIMIT_MS = const(1_800)  # the car follows within 1.5 s to 5 s, the steps tell the rest

_CURRENT = const(1)
_POWER = const(4)
_ENERGY = const(7)
_ELECTRICAL_CONNECTION_ID = const(1)

_VALUES = "measurementListData"
_CONNECTION = "electricalConnectionDescriptionListData"


class Evcem(UseCase):
    """`car` is an evse.car.Car; `timestamp()` gives wall time as text or None."""

    name = "measurementOfElectricityDuringEvCharging"
    actor = "EV"
    version = "1.0.1"
    scenarios = (1, 2, 3)

    def __init__(self, entity, car, timestamp, now):
        super().__init__(entity)
        if not car.has_meter:
            self.name = None  # the lists stay: limits are tied to the currents they describe
        self._car = car
        self._timestamp = timestamp
        self._next = now + _PERIOD_MS
        self._told_at = now
        self._told_ma = [0] * car.phases
        self._told_phases = car.phases_in_use()
        self._electrical = entity.feature("ElectricalConnection", SERVER, 4)
        self._electrical.serve(_CONNECTION, self._connection)
        self._electrical.serve(
            "electricalConnectionParameterDescriptionListData", self._parameters
        )
        self._measurement = entity.feature("Measurement", SERVER, 5)
        self._measurement.serve("measurementDescriptionListData", self._descriptions)
        self._measurement.serve(_VALUES, self._values)

    def limit_changed(self, now):
        """A limit was written: currents follow within 2 s."""
        self._next = min(self._next, now + _AFTER_LIMIT_MS)

    def tick(self, now):
        current_ma = self._car.meter.current_ma
        if now >= self._next or (now - self._told_at >= _STEP_PERIOD_MS and self._has_moved()):
            self._next = now + _PERIOD_MS
            self._told_at = now
            self._told_ma[:] = current_ma
            self._measurement.changed(_VALUES)
        if self._car.phases_in_use() != self._told_phases:
            self._told_phases = self._car.phases_in_use()
            self._electrical.changed(_CONNECTION)

    def deadline(self):
        return self._next

    def _has_moved(self):
        current_ma = self._car.meter.current_ma
        for i in range(len(self._told_ma)):
            if abs(current_ma[i] - self._told_ma[i]) > _STEP_MA:
                return True
        return False

    def _rows(self):
        """(measurementId, measurementType, unit, scopeType, phases) of each."""
        phases = "abc"[: self._car.phases]
        for i in range(len(phases)):
            yield _CURRENT + i, "current", "A", "acCurrent", phases[i]
        for i in range(len(phases)):
            yield _POWER + i, "power", "W", "acPower", phases[i]
        yield _ENERGY, "energy", "Wh", "charge", phases

    def _descriptions(self, peer):
        for number, kind, unit, scope, _ in self._rows():
            yield {
                "measurementId": number,
                "measurementType": kind,
                "commodityType": "electricity",
                "unit": unit,
                "scopeType": scope,
            }

    def _value(self, number):
        car = self._car
        if number < _POWER:
            return scaled(car.meter.current_ma[number - _CURRENT], -3)
        if number < _ENERGY:
            return scaled(car.meter.phase_power_w[number - _POWER])
        return scaled(car.session_wh())

    def _values(self, peer):
        meter = self._car.meter
        timestamp = self._timestamp()
        for number, _, _, _, _ in self._rows():
            data = {
                "measurementId": number,
                "valueType": "value",
                "value": self._value(number),
                "valueSource": SOURCES[meter.value_source],
                "valueState": STATES[meter.state],
            }
            if timestamp:
                data["timestamp"] = timestamp
            yield data

    def _connection(self, peer):
        yield {
            "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
            "powerSupplyType": "ac",
            "acConnectedPhases": self._told_phases,
            "positiveEnergyDirection": "consume",
        }

    def _parameters(self, peer):
        for number, kind, _, _, phases in self._rows():
            data = {
                "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
                "parameterId": number,
                "measurementId": number,
                "voltageType": "ac",
                "acMeasuredPhases": phases,
                "acMeasurementType": "real",
            }
            if kind == "power":
                data["acMeasuredInReferenceTo"] = "neutral"
            if kind != "energy":
                data["acMeasurementVariant"] = "rms"
            yield data
