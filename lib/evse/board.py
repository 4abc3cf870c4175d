"""What a board offers to the charging control and the console: the whole of its interface.

A board describes itself with the class attributes and translates between pins and numbers.
It decides nothing: it has no limits, no timers and no states of its own.

Rules: no method blocks or waits (a meter on a bus is read in the background and `read_meter`
copies the latest answer); at reset and before the first call the contactor is open and the
pilot is constant; `set_contactor` is called by `evse.charging` alone.
"""

from micropython import const


class Board:
    """Base class of all boards; methods without a body here must be written."""

    VENDOR = ""
    BRAND = ""
    MODEL = ""
    DEVICE_TYPE = "ChargingStation"
    VENDOR_ID = 0  # IANA private enterprise number of the maker; 0: names are made of VENDOR
    ECHONET_MAKER = b"\xff\xff\xf0"  # manufacturer code of the Consortium; this is nobody's

    PHASES = const(3)  # wired to the contactor
    MAX_CURRENT_MA = const(16_000)  # per phase: contactor, terminals, fixed cable
    NOMINAL_VOLTAGE_MV = const(230_000)  # phase to neutral
    HAS_METER = True
    CAN_SWITCH_PHASES = False  # the car can be connected to one phase or to all
    FEED_IN_W = const(0)  # the most a car may give back to the grid; 0: it cannot
    HAS_DISPLAY = False  # somebody can read what a session cost

    def poll(self, now: int) -> None:
        """Do what the hardware needs once per control cycle, before anything is read."""

    def set_pilot(self, duty_u16: int) -> None:
        """Drive the pilot: 65535 constant +12 V, 0 constant -12 V, else a 1 kHz wave."""
        raise NotImplementedError

    def pilot_mv(self) -> "tuple[int, int] | list[int] | None":
        """Return (high, low) of the line in mV, measured after the last `set_pilot`.

        Peaks over at least one period; with a constant pilot both are equal. None if there is
        no fresh measurement. The same list may be returned each time.
        """
        raise NotImplementedError

    def set_contactor(self, closed: bool) -> None:
        """Switch the coil."""
        raise NotImplementedError

    def connect_phases(self, count: int) -> None:
        """Connect the car to L1 alone, or to all phases, when the contactor closes the next time.

        Called if CAN_SWITCH_PHASES, with the contactor open for 10 s or more; all at reset.
        """

    def contactor_closed(self) -> "bool | None":
        """Return what the feedback contact shows; None if none is fitted."""
        return None

    def read_meter(self, meter, now: int) -> None:
        """Copy the latest answer into an `evse.metering.Meter`; set `updated_ms` and `state`.

        After three missed answers leave the values, set `state` to ERROR. Called every 200 ms
        if HAS_METER.
        """

    def proximity_ma(self) -> "int | None":
        """Return the rating of the plugged cable (13, 20, 32 or 63 A); None if tethered.

        0 if the coding resistor is outside every window: that is a fault, not a rating.
        """
        return None

    def told(self) -> "object | None":
        """Return what the car says of itself (`evse.car.Told`); None if the board cannot ask it.

        The same object each time; the board fills it while a car is here and empties it after.
        """
        return None

    def feed_watchdog(self) -> None:
        """Hold off the reset for another few seconds; a board that has a watchdog starts it here.

        Called after every control step and from nowhere else: whatever stops the control stops
        the feeding.
        """

    def limit_feed_in(self, limit_w: "int | None") -> None:
        """Take the most that may flow back into the grid, W; None for no limit."""

    def faults(self) -> int:
        """Return the bits of `evse.faults` whose sensors report a fault now."""
        return 0

    def service_button(self) -> "bool | None":
        """Return whether the service button is held down; None if there is none.

        Behind the cover, for the installer: it does instead of the console's password.
        """
        return None

    def network(self):
        """Return the Wi-Fi to choose a network with; None if there is nothing to choose.

        An object with `async scan()` (a list of name, signal in dBm, is open), `async join(name,
        password)` (OSError with what is wrong), `leave()`, and `state()`: a dictionary of `name`,
        `address`, `signal_dbm`, all None while it is not joined.
        """
        return None

    def pairing_pressed(self) -> bool:
        """Return whether the button for pairing was pressed since last asked, once per press."""
        return False
