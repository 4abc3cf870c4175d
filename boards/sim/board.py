"""The simulated board: the interface of `evse.board` in front of a simulated world.

`create()` gives the board; `board.ev` is the car (`plug`, `unplug`, `set`), `board.world` the
station's physics and its defects (`set`), and `board.button = True` presses the button for
pairing. Time comes in through `poll`, so the firmware runs unchanged in real time and tests run
in virtual time.
"""

from micropython import const

from boards.sim.ev import EV
from boards.sim.world import World
from evse.board import Board
from evse.car import Told
from evse.metering import ERROR, NORMAL

_TALKS_MS = const(2_000)
_METRES_PER_WH = const(6)


class SimBoard(Board):
    """A three-phase station of 11 kW unless told otherwise."""

    VENDOR = "Pilotwire"
    BRAND = "Pilotwire"
    MODEL = "Simulated charger"
    HAS_DISPLAY = True  # the console

    def __init__(self, phases, max_current_ma, feed_in_w, iso15118, switch_phases):
        self.PHASES = phases
        self.CAN_SWITCH_PHASES = switch_phases and phases > 1
        self.MAX_CURRENT_MA = max_current_ma
        self.FEED_IN_W = feed_in_w
        self.ev = EV()
        self.world = World(self.ev, phases)
        self._pilot_mv = [0, 0]
        self._network = None
        self._told = Told() if iso15118 else None
        self._talks_ms = None  # when the car that is here will have told
        self.limit_feed_in(None)
        self.button = False

    def poll(self, now: int) -> None:
        """Let the world catch up."""
        self.world.advance(now)
        if self._told:
            self._talk(now)

    def set_pilot(self, duty_u16: int) -> None:
        """Drive the pilot line."""
        self.world.duty_u16 = duty_u16

    def pilot_mv(self) -> "list[int] | None":
        """Return the line's (high, low) level in mV, always the same list."""
        if self.world.adc_fails:
            return None
        self.world.pilot_mv(self._pilot_mv)
        return self._pilot_mv

    def set_contactor(self, closed: bool) -> None:
        """Switch the coil."""
        self.world.coil = closed

    def connect_phases(self, count: int) -> None:
        """Connect so many phases to the car. RuntimeError while the contacts are closed."""
        self.world.connect(count)

    def contactor_closed(self) -> bool:
        """Return the position of the contacts."""
        return self.world.is_closed

    def read_meter(self, meter, now: int) -> None:
        """Copy what the simulated meter behind the contactor shows."""
        world = self.world
        if world.meter_fails:
            meter.state = ERROR
            return
        for i in range(self.PHASES):
            meter.current_ma[i] = world.current_ma[i]
            meter.voltage_mv[i] = world.voltage_mv[i]
            meter.phase_power_w[i] = world.phase_power_w[i]
        meter.power_w = world.power_w
        meter.energy_wh = world.energy_wh
        if self.FEED_IN_W:
            meter.produced_wh = world.produced_wh
        meter.frequency_mhz = world.frequency_mhz
        meter.state = NORMAL
        meter.updated_ms = now

    def proximity_ma(self) -> "int | None":
        """Return the rating of the simulated cable; None while the station is tethered."""
        return self.world.cable_ma

    def told(self) -> "Told | None":
        """Return what the simulated car says of itself, if the station can ask it."""
        return self._told

    def _talk(self, now):
        """A car tells some seconds after it was plugged in; later only its charge changes."""
        ev = self.ev
        told = self._told
        if not (ev.is_plugged and ev.iso15118):
            self._talks_ms = None
            if told.identification:
                told.forget()
            return
        if self._talks_ms is None:
            self._talks_ms = now + _TALKS_MS
        if now < self._talks_ms:
            return
        if not told.identification:
            told.standard = "iso15118-2ed2"
            told.identification = "0A1B2C3D4E5F"
            told.manufacturer = {"brandName": self.BRAND, "deviceName": "Simulated car"}
            told.capacity_wh = ev.battery_wh
            told.soh_permille = 970
            missing_wh = max(0, ev.battery_wh - ev.stored_wh)
            told.wanted_wh = min(ev.wanted_wh, missing_wh) if ev.wanted_wh else missing_wh
            told.min_wh = told.wanted_wh // 2
            told.max_wh = missing_wh
            told.departure_s = ev.departure_s or None
        told.soc_permille = ev.soc_permille
        told.range_m = ev.stored_wh * _METRES_PER_WH
        told.is_finished = ev.soc_permille >= 1000

    def limit_feed_in(self, limit_w: "int | None") -> None:
        """Let the car give no more than this."""
        if limit_w is None or limit_w > self.FEED_IN_W:
            limit_w = self.FEED_IN_W
        line_mv = self.PHASES * self.world.nominal_mv * 11 // 10
        self.ev.may_give_ma = limit_w * 1_000_000 // line_mv

    def faults(self) -> int:
        """Return what the simulated sensors report."""
        return self.world.faults

    def service_button(self) -> bool:
        """Return whether the simulated service button is held down."""
        return bool(self.world.button)

    def network(self):
        """Return the make-believe Wi-Fi."""
        if self._network is None:
            from boards.sim.network import Network

            self._network = Network()
        return self._network

    def pairing_pressed(self) -> bool:
        """Return whether somebody has set `button`, and release it."""
        was_pressed = self.button
        self.button = False
        return was_pressed


def create(
    phases: int = 3,
    max_current_ma: int = 16_000,
    feed_in_w: int = 0,
    iso15118: bool = False,
    switch_phases: bool = False,
) -> SimBoard:
    """Return the one board of this process.

    With `feed_in_w` its car can give power back; with `iso15118` the station can ask the car;
    with `switch_phases` it can connect the car to one phase alone.
    """
    return SimBoard(phases, max_current_ma, feed_in_w, iso15118, switch_phases)
