"""The simulated board: the interface of `evse.board` in front of a simulated world.

`create()` gives the board; `board.ev` is the car (`plug`, `unplug`, `set`), `board.world` the
station's physics and its defects (`set`). Time comes in through `poll`, so the firmware runs
unchanged in real time and tests run in virtual time.
"""

from boards.sim.ev import EV
from boards.sim.world import World
from evse.board import Board
from evse.metering import ERROR, NORMAL


class SimBoard(Board):
    """A three-phase station of 11 kW unless told otherwise."""

    VENDOR = "Pilotwire"
    BRAND = "Pilotwire"
    MODEL = "Simulated charger"

    def __init__(self, phases: int, max_current_ma: int):
        self.PHASES = phases
        self.MAX_CURRENT_MA = max_current_ma
        self.ev = EV()
        self.world = World(self.ev, phases)
        self._pilot_mv = [0, 0]
        self._network = None

    def poll(self, now: int) -> None:
        """Let the world catch up."""
        self.world.advance(now)

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
        meter.frequency_mhz = world.frequency_mhz
        meter.state = NORMAL
        meter.updated_ms = now

    def proximity_ma(self) -> "int | None":
        """Return the rating of the simulated cable; None while the station is tethered."""
        return self.world.cable_ma

    def faults(self) -> int:
        """Return what the simulated sensors report."""
        return self.world.faults

    def button(self) -> bool:
        """Return whether the simulated service button is held down."""
        return bool(self.world.button)

    def network(self):
        """Return the make-believe Wi-Fi."""
        if self._network is None:
            from boards.sim.network import Network

            self._network = Network()
        return self._network


def create(phases: int = 3, max_current_ma: int = 16_000) -> SimBoard:
    """Return the one board of this process."""
    return SimBoard(phases, max_current_ma)
