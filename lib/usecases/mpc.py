"""MPC - Monitoring of Power Consumption, monitored unit, scenarios 1-5 (version 1.0.0).

Serves the station's meter on Measurement and ElectricalConnection. Ids are fixed: 1 total power,
2-4 power, 5 energy, 7-9 current, 10-12 voltage of phases a, b, c, 16 frequency. Only phases that
are wired are published; energy is the lifetime import, with 6 the lifetime export beside it where
power can flow back. Without a meter nothing is announced, without a frequency scenario 5 is not.
"""

from micropython import const

from spine.device import SERVER
from spine.values import scaled
from usecases.measured import VALUES, Measured

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

_PHASES = "abc"


class Mpc(Measured):
    """See usecases.measured."""

    name = "monitoringOfPowerConsumption"
    actor = "MonitoredUnit"

    def __init__(self, entity, meter, has_meter, timestamp, now):
        measurement = entity.feature("Measurement", SERVER)
        electrical = entity.feature("ElectricalConnection", SERVER)
        super().__init__(entity, meter, has_meter, timestamp, measurement, electrical)
        self._next = now
        self._told_w = None
        self._told_state = None

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
        self._measurement.changed(VALUES)

    def deadline(self):
        return self._next

    def _connected_phases(self):
        return self._meter.phases

    def _rows(self):
        wired = _PHASES[: self._meter.phases]
        yield _TOTAL_POWER, "power", "W", "acPowerTotal", wired
        for i in range(len(wired)):
            yield _POWER + i, "power", "W", "acPower", wired[i]
        yield _ENERGY, "energy", "Wh", "acEnergyConsumed", None
        if self._meter.produced_wh is not None:
            yield _PRODUCED, "energy", "Wh", "acEnergyProduced", None
        for i in range(len(wired)):
            yield _CURRENT + i, "current", "A", "acCurrent", wired[i]
        for i in range(len(wired)):
            yield _VOLTAGE + i, "voltage", "V", "acVoltage", wired[i]
        if self._meter.frequency_mhz is not None:
            yield _FREQUENCY, "frequency", "Hz", "acFrequency", None

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
