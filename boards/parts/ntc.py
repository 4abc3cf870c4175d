"""Temperature by an NTC resistor between pin and earth, below a pull-up."""

from math import log

from micropython import const

from boards.parts.analog import analog_in, divider_ohm, read_mv

_KELVIN_25 = 298.15
_KELVIN_0 = 273.15
_SHORT_OHM = const(50)  # hotter than any board: the sensor is shorted


class Ntc:
    """`ohm_25` is the resistance at 25 degrees Celsius, `beta` the constant of the data sheet."""

    def __init__(
        self,
        sense: int,
        pull_up_ohm: int,
        ohm_25: int = 10_000,
        beta: int = 3_950,
        supply_mv: int = 3_300,
    ):
        self._adc = analog_in(sense)
        self._pull_up_ohm = pull_up_ohm
        self._ohm_25 = ohm_25
        self._beta = beta
        self._supply_mv = supply_mv
        self.has_failed = False
        self._latest_dc = None

    def temperature_dc(self) -> "int | None":
        """Return tenths of a degree Celsius, the latest ones if the sensor is broken."""
        ohm = divider_ohm(read_mv(self._adc), self._supply_mv, self._pull_up_ohm)
        self.has_failed = ohm is None or ohm < _SHORT_OHM
        if not self.has_failed:
            kelvin = 1 / (1 / _KELVIN_25 + log(ohm / self._ohm_25) / self._beta)
            self._latest_dc = int((kelvin - _KELVIN_0) * 10)
        return self._latest_dc
