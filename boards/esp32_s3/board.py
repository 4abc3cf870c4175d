"""ESP32-S3-DevKitC (N8R2: quad PSRAM): three phases with switching to one, socket with lock.

    GPIO 4    pilot output, inverting stage (low: +12 V), 1 kohm in series
    GPIO 1    pilot input: 0.1 V per volt around 1.5 V, 20 us filter at most
    GPIO 2    proximity, 1 kohm to 3.3 V
    GPIO 5    NTC 10 kohm at the terminals, 10 kohm to 3.3 V
    GPIO 6    contactor L1 and N, driver with pull-down
    GPIO 7    contactor L2 and L3, driver with pull-down
    GPIO 15   feedback of both, low while one is closed, resistor to 3.3 V on the board
    GPIO 16   residual-current monitor: trip, high when tripped
    GPIO 17   residual-current monitor: test
    GPIO 8    lock motor, close
    GPIO 9    lock motor, open
    GPIO 18   lock feedback, high while locked
    GPIO 38   light
    GPIO 39   button for pairing, to earth
    GPIO 40   service button behind the cover, to earth
    GPIO 41   RS-485 transmit, GPIO 42 receive, GPIO 47 driver enable: Eastron SDM630, address 1
    GPIO 10   W5500 chip select, GPIO 11 MOSI, 12 SCK, 13 MISO, 14 interrupt

With a cable the Ethernet is used, without one the Wi-Fi. A module with octal PSRAM (R8) has
GPIO 35 to 37 inside; none of them is used here.
"""

from boards.parts.board import PartsBoard
from boards.parts.lock import MotorLock
from boards.parts.meters import SDM630
from boards.parts.modbus import ModbusMaster
from boards.parts.modbus_meter import ModbusMeter
from boards.parts.network import W5500, Wifi
from boards.parts.ntc import Ntc
from boards.parts.pilot import ControlPilot
from boards.parts.proximity import Proximity
from boards.parts.rcm import ResidualCurrentMonitor
from boards.parts.relay import Relay
from boards.parts.signals import Button, Led


class SocketStation(PartsBoard):
    """A station of 22 kW."""

    VENDOR = "Pilotwire"
    BRAND = "Pilotwire"
    MODEL = "S3 charger"
    CHIP = "ESP32-S3"

    PHASES = 3
    MAX_CURRENT_MA = 32_000
    CAN_SWITCH_PHASES = True

    def __init__(self):
        self.relay = Relay(coil=6, coil_l2_l3=7, feedback=15)
        self.pilot = ControlPilot(output=4, sense=1, zero_mv=1_500, gain=10_000, is_inverted=True)
        self.proximity = Proximity(sense=2, pull_up_ohm=1_000)
        self.sensor = Ntc(sense=5, pull_up_ohm=10_000)
        self.rcm = ResidualCurrentMonitor(trip=16, test=17)
        self.lock = MotorLock(lock=8, unlock=9, feedback=18)
        self.meter = ModbusMeter(ModbusMaster(uart=1, tx=41, rx=42, direction=47), SDM630)
        self.led = Led(38)
        self.button = Button(39)
        self.service = Button(40)
        self.ethernet = W5500(spi=2, sck=12, mosi=11, miso=13, cs=10, interrupt=14)
        self.wifi = Wifi(lambda: self.relay.is_on)


def create() -> SocketStation:
    """Return the one board of this process."""
    return SocketStation()
