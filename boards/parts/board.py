"""A board made of parts: the interface of `evse.board` in front of the drivers of this folder.

A board fills in the attributes below in its `__init__`; what stays None is not fitted. A board
with unusual hardware overrides the methods concerned.
"""

from boards.parts.signals import CHARGING, CONTACTOR, FAULT, OFF, PILOT, READY, RESIDUAL
from evse import faults
from evse.board import Board

_RESIDUAL = faults.RESIDUAL_CURRENT | faults.GROUND | faults.SELF_TEST
_CONTACTOR = faults.CONTACTOR_WELDED | faults.CONTACTOR_OPEN
_PILOT = faults.PILOT | faults.DIODE | faults.VENTILATION | faults.PROXIMITY


class PartsBoard(Board):
    """`pilot` and `relay` are mandatory, and `meter` if HAS_METER."""

    HAS_NETWORK = True

    pilot = None  # boards.parts.pilot.ControlPilot
    relay = None  # boards.parts.relay.Relay
    proximity = None  # boards.parts.proximity.Proximity
    rcm = None  # boards.parts.rcm.ResidualCurrentMonitor
    meter = None  # boards.parts.modbus_meter.ModbusMeter or pulse_meter.PulseMeter
    lock = None  # boards.parts.lock.MotorLock
    sensor = None  # boards.parts.ntc.Ntc
    led = None  # boards.parts.signals.Led
    button = None  # boards.parts.signals.Button, for pairing
    service = None  # boards.parts.signals.Button, behind the cover
    ethernet = None  # boards.parts.network.W5500
    wifi = None  # boards.parts.network.Wifi

    def poll(self, now: int) -> None:
        """Let the parts go on that do things over time."""
        for part in (self.lock, self.meter, self.led, self.button, self.service):
            if part:
                part.poll(now)
        if self.rcm:
            self.rcm.poll(now, self.relay.is_on)

    def set_pilot(self, duty_u16: int) -> None:
        """Drive the pilot line."""
        self.pilot.set(duty_u16)

    def pilot_mv(self) -> "list[int] | None":
        """Return the line's (high, low) level in mV."""
        return self.pilot.read_mv()

    def set_contactor(self, closed: bool) -> None:
        """Switch the coil."""
        self.relay.set(closed)

    def connect_phases(self, count: int) -> None:
        """Connect so many phases when the contactor closes the next time."""
        self.relay.connect(count)

    def contactor_closed(self) -> "bool | None":
        """Return what the feedback contact shows."""
        return self.relay.is_closed()

    def read_meter(self, meter, now: int) -> None:
        """Copy the latest answer of the meter."""
        self.meter.read(meter, now)

    def proximity_ma(self) -> "int | None":
        """Return the rating of the plugged cable; None if tethered."""
        return self.proximity.rating_ma() if self.proximity else None

    def faults(self) -> int:
        """Return what the sensors report."""
        present = 0
        if self.rcm and self.rcm.is_tripped:
            present |= faults.RESIDUAL_CURRENT
        if self.lock and self.lock.has_failed:
            present |= faults.LOCK
        if self.sensor and self.sensor.has_failed:
            present |= faults.HIGH_TEMPERATURE
        return present

    def start_self_test(self) -> None:
        """Begin the self-test of the residual-current monitor."""
        if self.rcm:
            self.rcm.start_test()

    def self_test_passed(self) -> "bool | None":
        """Return its result, None while it runs."""
        return self.rcm.test_passed() if self.rcm else True

    def set_lock(self, locked: bool) -> None:
        """Begin to lock or unlock the plug."""
        if self.lock:
            self.lock.set(locked)

    def is_locked(self) -> "bool | None":
        """Return what the lock's feedback shows."""
        return self.lock.is_locked() if self.lock else None

    def temperature_dc(self) -> "int | None":
        """Return the temperature at the terminals."""
        return self.sensor.temperature_dc() if self.sensor else None

    def show(self, control) -> None:
        """Blink the class of the most serious fault, else what the car does."""
        if not self.led:
            return
        present = control.faults & ~faults.METER
        if present & _RESIDUAL:
            pattern = RESIDUAL
        elif present & _CONTACTOR:
            pattern = CONTACTOR
        elif present & _PILOT:
            pattern = PILOT
        elif present:
            pattern = FAULT
        elif control.charging:
            pattern = CHARGING
        else:
            pattern = READY if control.ev_connected else OFF
        self.led.show(pattern)

    def pairing_pressed(self) -> bool:
        """Return whether the button for pairing was pressed."""
        return bool(self.button and self.button.take())

    def service_button(self) -> "bool | None":
        """Return whether the service button is held down."""
        return self.service.is_down if self.service else None

    def network(self):
        """Return the Wi-Fi, if there is one to choose."""
        return self.wifi

    async def connect(self, wifi: "dict | None") -> None:
        """Use the cable if there is one, else the Wi-Fi."""
        if self.ethernet and await self.ethernet.up():
            return
        if self.wifi and wifi:
            await self.wifi.join(wifi["name"], wifi["password"])
            return
        missing = ["no cable is plugged"] if self.ethernet else []
        if self.wifi:
            missing.append("no Wi-Fi is chosen (console: network join)")
        raise OSError(" and ".join(missing))

    def address(self) -> "str | None":
        """Return the address of the cable's interface, else of the Wi-Fi's."""
        address = self.ethernet.address() if self.ethernet else None
        if address is None and self.wifi:
            address = self.wifi.address()
        return address
