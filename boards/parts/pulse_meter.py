"""Pulse meter (S0, IEC 62053-31): so many impulses per kilowatt-hour.

Counted by the chip's pulse counter where the image has one (`machine.Counter`, MicroPython >=
1.26), else by a pin interrupt, which waits while the interpreter is busy: of more than eight
pulses in such a pause some are lost. Power is what fits between two pulses, and sinks when the
next one is overdue. Currents are calculated from power, nominal voltage and the wired phases. The
energy starts at zero with the board.
"""

import machine
from machine import Pin
from micropython import const

from evse.metering import CALCULATED, NORMAL

_FASTEST_MS = const(20)
_DARK_MS = const(600_000)  # no pulse for so long: no power
_WATT_MS_PER_KWH = const(3_600_000_000)


class PulseMeter:
    """A meter at one pin that falls with each impulse."""

    def __init__(self, gpio: int, per_kwh: int, voltage_mv: int = 230_000):
        self._pin = Pin(gpio, Pin.IN, Pin.PULL_UP)
        self._per_kwh = per_kwh
        self._voltage_mv = voltage_mv
        self._pulses = 0
        self._counter = None
        if hasattr(machine, "Counter"):
            self._counter = machine.Counter(0, self._pin, edge=machine.Counter.FALLING)
        else:
            self._pin.irq(self._pulse, Pin.IRQ_FALLING)
        self._seen = 0
        self._pulse_ms = None
        self._gap_ms = _DARK_MS

    def _pulse(self, _):
        self._pulses += 1

    def poll(self, now: int) -> None:
        """Take the pulses since the last time."""
        count = self._counter.value() if self._counter else self._pulses
        if count != self._seen:
            if self._pulse_ms is not None:
                self._gap_ms = max(_FASTEST_MS, (now - self._pulse_ms) // (count - self._seen))
            self._seen = count
            self._pulse_ms = now

    def read(self, meter, now: int) -> None:
        """Fill an evse.metering.Meter."""
        gap_ms = self._gap_ms
        power_w = 0
        if self._pulse_ms is not None:
            gap_ms = max(gap_ms, now - self._pulse_ms)
            if gap_ms < _DARK_MS:
                power_w = _WATT_MS_PER_KWH // self._per_kwh // gap_ms
        phases = meter.phases
        for i in range(phases):
            meter.phase_power_w[i] = power_w // phases
            meter.voltage_mv[i] = self._voltage_mv
            meter.current_ma[i] = power_w * 1_000_000 // (phases * self._voltage_mv)
        meter.power_w = power_w
        meter.energy_wh = self._seen * 1_000 // self._per_kwh
        meter.value_source = CALCULATED
        meter.state = NORMAL
        meter.updated_ms = now
