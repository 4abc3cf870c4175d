"""Modelled on "ESP32-DevKitC EVSE" of the open project esp32-evse (its board configuration).

Pins and front-end values are that project's: pilot output GPIO 27 and input ADC1 channel 0, with
2405, 2099, 1792 and 1484 mV between the levels; proximity ADC1 channel 3, with 1650, 820 and
430 mV between the ratings, that is 1 kohm to 3.3 V; relay 26; lights 19 (charging), 18 (error);
button 0; RS-485 receive 32, transmit 25, direction 33. The levels are 306.5 mV apart for 3 V, and
2405 mV are 10.5 V: 1332 mV are 0 V.

Different here: an energy meter on the RS-485 (Eastron SDM120) in place of sampling currents and
voltages by the ADC, and the light of errors shows every state. The board has no feedback of its
relay and no residual-current monitor: it needs a type B device in front, and a weld is not seen.
"""

from boards.parts.board import PartsBoard
from boards.parts.meters import SDM120
from boards.parts.modbus import ModbusMaster
from boards.parts.modbus_meter import ModbusMeter
from boards.parts.network import Wifi
from boards.parts.pilot import ControlPilot
from boards.parts.proximity import Proximity
from boards.parts.relay import Relay
from boards.parts.signals import Button, Led


class Evse(PartsBoard):
    """A station of 7.4 kW with a socket."""

    VENDOR = "Pilotwire"
    BRAND = "Pilotwire"
    MODEL = "ESP32-DevKitC EVSE"
    CHIP = "ESP32"
    BOOT_PINS = (0,)  # the button: pressed during reset it starts the loader, which does no harm

    PHASES = 1
    MAX_CURRENT_MA = 32_000

    def __init__(self):
        self.relay = Relay(coil=26)
        self.pilot = ControlPilot(output=27, sense=36, zero_mv=1_332, gain=9_788)
        self.proximity = Proximity(sense=39, pull_up_ohm=1_000)
        self.meter = ModbusMeter(ModbusMaster(uart=1, tx=25, rx=32, direction=33), SDM120)
        self.led = Led(18)
        self.button = Button(0)
        self.wifi = Wifi(lambda: self.relay.is_on)


def create() -> Evse:
    """Return the one board of this process."""
    return Evse()
