"""Analogue inputs: millivolts at the pin, with the calibration of the chip.

11 dB of attenuation: linear from about 150 to 2450 mV. On the ESP32 only ADC1 (GPIO 32-39) works
while Wi-Fi is on; `make check` refuses other pins.
"""

from machine import ADC, Pin


def analog_in(gpio: int):
    """Return the ADC of a pin; `read_uv()` gives microvolts."""
    return ADC(Pin(gpio), atten=ADC.ATTN_11DB)


def read_mv(adc) -> int:
    """Return millivolts at the pin."""
    return adc.read_uv() // 1000


def divider_ohm(pin_mv: int, supply_mv: int, pull_up_ohm: int) -> "int | None":
    """Return the resistance between pin and earth below a pull-up; None if nothing is there.

    Within 2 % of the supply there is nothing: an open line.
    """
    if pin_mv * 50 >= supply_mv * 49:
        return None
    return pull_up_ohm * max(0, pin_mv) // (supply_mv - pin_mv)
