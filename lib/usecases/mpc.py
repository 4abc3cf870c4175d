"""MPC - Monitoring of Power Consumption, monitored unit, scenarios 1-5 (version 1.0.0).

Serves the station's meter on Measurement and ElectricalConnection. Ids are fixed: 1 total power,
2-4 power, 5 energy, 7-9 current, 10-12 voltage of phases a, b, c, 16 frequency. Only phases that
are wired are published; energy is the lifetime import, with 6 the lifetime export beside it where
power can flow back. Without a meter nothing is announced, without a frequency scenario 5 is not.
"""

from micropython import const

from spine.device import SERVER
from spine.values import scaled
from usecases.use_case import UseCase

# Changes reach subscribers within 10 s, a step of total power at once (the rule says 120 s).
_PERIOD_MS = const(10_000)
_STEP_PERIOD_MS = const(1_000)
_STEP_W = const(100)

_TOTAL_POWER = const(1)
_POWER = const(2)
_ENERGY = const(5)
_PRODUCED = const(6)
_CURRENT = const(7)
_VOLTAGE = const(10)
_FREQUENCY = const(16)

_ELECTRICAL_CONNECTION_ID = const(1)
_PHASES = "abc"
SOURCES = ("measuredValue", "calculatedValue", "empiricalValue")
STATES = ("normal", "error", "outOfRange")
_VALUES = "measurementListData"


class Mpc(UseCase):
    """`meter` is an evse.metering.Meter; `has_meter` False: nobody fills it; `timestamp()` gives
    wall time as text or None."""

    name = "monitoringOfPowerConsumption"
    actor = "MonitoredUnit"

    def __init__(self, entity, meter, has_meter, timestamp, now):
        super().__init__(entity)
        if not has_meter:
            self.name = None  # the lists stay: limits are tied to the power they describe
        self._meter = meter
        self._timestamp = timestamp
        self._next = now
        self._told_w = None
        self._told_state = None
        self._feature = entity.feature("Measurement", SERVER)
        self._feature.serve("measurementDescriptionListData", self._descriptions)
        self._feature.serve(_VALUES, self._values)
        electrical = entity.feature("ElectricalConnection", SERVER)
        electrical.serve("electricalConnectionDescriptionListData", self._connection)
        electrical.serve("electricalConnectionParameterDescriptionListData", self._parameters)

    def support(self):
        self.scenarios = (1, 2, 3, 4) if self._meter.frequency_mhz is None else (1, 2, 3, 4, 5)
        return super().support()

    def tick(self, now):
        """Notify when the period is over, or earlier after a step of total power."""
        meter = self._meter
        if self._told_w is None or meter.state != self._told_state:
            step = True
        else:
            step = abs(meter.power_w - self._told_w) > max(_STEP_W, abs(self._told_w) // 20)
        if now < self._next and not (step and now >= self._next - _PERIOD_MS + _STEP_PERIOD_MS):
            return
        self._next = now + _PERIOD_MS
        self._told_w = meter.power_w
        self._told_state = meter.state
        self._feature.changed(_VALUES)

    def deadline(self):
        return self._next

    def _rows(self):
        """(measurementId, measurementType, unit, scopeType, phase letter or None) of each."""
        phases = _PHASES[: self._meter.phases]
        yield _TOTAL_POWER, "power", "W", "acPowerTotal", None
        for i in range(len(phases)):
            yield _POWER + i, "power", "W", "acPower", phases[i]
        yield _ENERGY, "energy", "Wh", "acEnergyConsumed", None
        if self._meter.produced_wh is not None:
            yield _PRODUCED, "energy", "Wh", "acEnergyProduced", None
        for i in range(len(phases)):
            yield _CURRENT + i, "current", "A", "acCurrent", phases[i]
        for i in range(len(phases)):
            yield _VOLTAGE + i, "voltage", "V", "acVoltage", phases[i]
        if self._meter.frequency_mhz is not None:
            yield _FREQUENCY, "frequency", "Hz", "acFrequency", None

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
        meter = self._meter
        if number == _TOTAL_POWER:
            return scaled(meter.power_w)
        if number < _ENERGY:
            return scaled(meter.phase_power_w[number - _POWER])
        if number == _ENERGY:
            return scaled(meter.energy_wh)
        if number == _PRODUCED:
            return scaled(meter.produced_wh)
        if number < _VOLTAGE:
            return scaled(meter.current_ma[number - _CURRENT], -3)
        if number < _FREQUENCY:
            return scaled(meter.voltage_mv[number - _VOLTAGE], -3)
        return scaled(meter.frequency_mhz, -3)

    def _values(self, peer):
        timestamp = self._timestamp()
        for number, _, _, _, _ in self._rows():
            data = {
                "measurementId": number,
                "valueType": "value",
                "value": self._value(number),
                "valueSource": SOURCES[self._meter.value_source],
                "valueState": STATES[self._meter.state],
            }
            if timestamp:
                data["timestamp"] = timestamp
            yield data

    def _connection(self, peer):
        yield {
            "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
            "powerSupplyType": "ac",
            "acConnectedPhases": self._meter.phases,
            "positiveEnergyDirection": "consume",
        }

    def _parameters(self, peer):
        wired = _PHASES[: self._meter.phases]
        for number, kind, _, _, phase in self._rows():
            data = {
                "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
                "parameterId": number,
                "measurementId": number,
                "voltageType": "ac",
            }
            if kind != "frequency":
                data["acMeasurementType"] = "apparent" if kind == "voltage" else "real"
            if kind not in ("frequency", "energy"):
                data["acMeasuredPhases"] = phase or wired
                data["acMeasurementVariant"] = "rms"
            if kind in ("power", "voltage"):
                data["acMeasuredInReferenceTo"] = "neutral"
            yield data
