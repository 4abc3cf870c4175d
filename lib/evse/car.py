"""What the station knows of the plugged car, for whoever tells it on: values, no decisions.

`Told` is what a car says of itself by ISO 15118. A board that can talk with cars gives one from
`Board.told()` and fills it while a car is here; a board without has None, and nothing of it is
announced.
"""

from micropython import const

from evse.arbiter import CABLE, HARDWARE, INSTALLATION, strictest

_ASLEEP_MS = const(60_000)  # offered this long and nothing taken: the car sleeps (or is full)


class Told:
    """Facts from the car; None where it has not said anything."""

    def __init__(self):
        self.forget()

    def forget(self) -> None:
        """The car has left."""
        self.standard = "iec61851"  # or iso15118-2ed1, iso15118-2ed2
        self.is_asymmetric = False
        self.identification = None  # EVCCID: MAC address, 12 hexadecimal digits
        self.manufacturer = None  # natural manufacturer data, such as {"brandName": …}
        self.is_finished = False  # the car said that it is done
        self.soc_permille = None
        self.soh_permille = None
        self.capacity_wh = None
        self.range_m = None
        self.min_wh = self.wanted_wh = self.max_wh = None  # energy until departure
        self.departure_s = None  # from the moment it was told; None: no departure time


class Car:
    """The car at one charging control."""

    def __init__(self, control):
        self._control = control
        board = control.board
        self.phases = board.PHASES
        self.nominal_mv = board.NOMINAL_VOLTAGE_MV
        self.meter = control.meter
        self.has_meter = board.HAS_METER
        self.told = board.told()
        self._offered_ms = None  # since when it could charge and does not

    def max_ma(self) -> int:
        """Return the most that station, cable and installation allow on a phase."""
        most_ma = self._control.board.MAX_CURRENT_MA
        for source in (HARDWARE, CABLE, INSTALLATION):
            published = self._control.arbiter.published(source, 0)
            if published and not published[0]:
                most_ma = min(most_ma, strictest(published[1], self.phases))
        return most_ma

    def phases_in_use(self) -> int:
        """Return how many phases the car draws from."""
        return self._control.phases_in_use

    def session_wh(self) -> int:
        """Return the energy since plug-in."""
        return self._control.session.energy_wh

    def state(self, now: int) -> str:
        """Return the operatingState of EVCC scenario 7."""
        if self.told and self.told.is_finished:
            return "finished"
        if self._control.state != "B2":
            self._offered_ms = None
        elif self._offered_ms is None:
            self._offered_ms = now
        elif now - self._offered_ms >= _ASLEEP_MS:
            return "standby"
        return "normalOperation"
