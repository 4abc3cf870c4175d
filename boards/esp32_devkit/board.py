"""ESP32-DevKitC (ESP32-WROOM-32, no PSRAM): one phase, fixed cable, relay, pulse meter.

Wiring of the carrier; all pins are free on the 38-pin module:

    GPIO 25   pilot output, inverting stage (low: +12 V), 1 kohm in series
    GPIO 36   pilot input: 0.1 V per volt around 1.5 V, 20 us filter at most
    GPIO 26   relay driver with pull-down
    GPIO 27   feedback of the relay, low while closed, resistor to 3.3 V on the board
    GPIO 33   residual-current monitor: trip, high when tripped
    GPIO 32   residual-current monitor: test
    GPIO 39   NTC 10 kohm at the terminals, 10 kohm to 3.3 V
    GPIO 13   S0 output of the meter
    GPIO 18   light
    GPIO 19   button for pairing, to earth
"""

from boards.parts.board import PartsBoard
from boards.parts.network import Wifi
from boards.parts.ntc import Ntc
from boards.parts.pilot import ControlPilot
from boards.parts.pulse_meter import PulseMeter
from boards.parts.rcm import ResidualCurrentMonitor
from boards.parts.relay import Relay
from boards.parts.signals import Button, Led


class DevKit(PartsBoard):
    """A station of 3.7 kW."""

    VENDOR = "Pilotwire"
    BRAND = "Pilotwire"
    MODEL = "DevKit charger"
    CHIP = "ESP32"

    PHASES = 1
    MAX_CURRENT_MA = 16_000

    def __init__(self):
        self.relay = Relay(coil=26, feedback=27)  # first: the coil is off from here on
        self.pilot = ControlPilot(
            output=25, sense=36, zero_mv=1_500, gain=10_000, is_inverted=True
        )
        self.rcm = ResidualCurrentMonitor(trip=33, test=32)
        self.sensor = Ntc(sense=39, pull_up_ohm=10_000)
        self.meter = PulseMeter(13, per_kwh=1_000)
        self.led = Led(18)
        self.button = Button(19)
        self.wifi = Wifi(lambda: self.relay.is_on)


def create() -> DevKit:
    """Return the one board of this process."""
    return DevKit()
