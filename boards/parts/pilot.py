"""Control pilot: 1 kHz by the PWM unit, both half waves by the ADC (IEC 61851-1 A.3).

The PWM unit keeps its pin readable, so the wave itself tells when to measure: the reading begins
in the middle of a half wave and counts only if the wave has not turned meanwhile. Following the
wave takes 1.5 ms on average, 2.5 ms at most. Half waves shorter than 90 us cannot be measured like
this: such a board has a peak detector, or offers 51 A at most.

Constant levels are duties of 0 and 100 %: MicroPython >= 1.25 makes them without an edge, and the
change happens at the end of a period, whereas giving the pin back to the GPIO unit cuts one.

The front end turns -12 ... +12 V at the line into what the pin bears, linearly:
line = (pin - zero_mv) * gain / 1000.
"""

from time import sleep_us

from machine import PWM, Pin, time_pulse_us
from micropython import const

from boards.parts.analog import analog_in, read_mv

_FREQUENCY_HZ = const(1_000)
_PERIOD_US = const(1_000)
_FULL = const(65535)
_LEAD_US = const(50)  # from the edge to the ADC's look at the line, through Python
_TRIES = const(2)  # an interrupt may come between


class ControlPilot:
    """`duty_u16` as `evse.board.Board.set_pilot` means it; the line is +12 V from the start."""

    def __init__(
        self, output: int, sense: int, zero_mv: int, gain: int, is_inverted: bool = False
    ):
        self._zero_mv = zero_mv
        self._gain = gain
        self._high = 0 if is_inverted else 1  # level of the pin while the line is positive
        self._pin = Pin(output, Pin.OUT, value=self._high)
        self._adc = analog_in(sense)
        self._line_mv = [0, 0]
        self._duty_u16 = _FULL
        self._pwm = PWM(self._pin, freq=_FREQUENCY_HZ, duty_u16=self._pin_duty(_FULL))

    def set(self, duty_u16: int) -> None:
        """Drive the line; takes effect at the end of a period."""
        self._duty_u16 = duty_u16
        self._pwm.duty_u16(self._pin_duty(duty_u16))

    def _pin_duty(self, duty_u16):
        return duty_u16 if self._high else _FULL - duty_u16

    def read_mv(self) -> "list[int] | None":
        """Return the line's (high, low) level in mV, always the same list; None if it failed."""
        duty_u16 = self._duty_u16
        line_mv = self._line_mv
        if duty_u16 in (0, _FULL):
            line_mv[0] = line_mv[1] = self._line(read_mv(self._adc))
            return line_mv
        high_us = duty_u16 * _PERIOD_US // _FULL
        high_mv = self._sample(self._high, high_us)
        low_mv = self._sample(1 - self._high, _PERIOD_US - high_us)
        if high_mv is None or low_mv is None:
            return None
        line_mv[0] = self._line(high_mv)
        line_mv[1] = self._line(low_mv)
        return line_mv

    def _sample(self, level, width_us):
        """Return what the pin shows in the middle of the next half wave of this level."""
        for _ in range(_TRIES):
            # Returns at the edge where the other half wave ends; negative: there is no wave.
            if time_pulse_us(self._pin, 1 - level, 2 * _PERIOD_US) < 0:
                return None
            wait_us = width_us // 2 - _LEAD_US
            if wait_us > 0:
                sleep_us(wait_us)
            pin_mv = read_mv(self._adc)
            if self._pin.value() == level:
                return pin_mv
        return None

    def _line(self, pin_mv):
        return (pin_mv - self._zero_mv) * self._gain // 1000
