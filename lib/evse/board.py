"""What a board offers to the charging control and the console: the whole of its interface.

A board describes itself with the class attributes and translates between pins and numbers.
It decides nothing: it has no limits, and no states beyond those of a pulse it has begun.

Mandatory are `set_pilot`, `pilot_mv`, `set_contactor`, and what a capability among the class
attributes promises; everything else is optional, and what is written here means "not fitted".

Rules: no method blocks or waits longer than the 2.5 ms that measuring a 1 kHz wave takes (a meter
on a bus is read in the background and `read_meter` copies the latest answer); at reset and before
the first call the contactor is open and the pilot is constant; `set_contactor` is called by
`evse.charging` alone. `told`, `limit_feed_in` and the methods behind `faults` are called from the
firmware's tasks, all others from the control cycle.
"""


class Board:
    """Base class of all boards; methods without a body here must be written."""

    VENDOR = ""
    BRAND = ""
    MODEL = ""
    DEVICE_TYPE = "ChargingStation"
    VENDOR_ID = 0  # IANA private enterprise number of the maker; 0: names are made of VENDOR
    ECHONET_MAKER = b"\xff\xff\xf0"  # manufacturer code of the Consortium; this is nobody's

    PHASES = 3  # wired to the contactor
    MAX_CURRENT_MA = 16_000  # per phase: contactor, terminals, fixed cable
    NOMINAL_VOLTAGE_MV = 230_000  # phase to neutral
    HAS_METER = True
    CAN_SWITCH_PHASES = False  # the car can be connected to one phase or to all
    FEED_IN_W = 0  # the most a car may give back to the grid; 0: it cannot
    HAS_DISPLAY = False  # somebody can read what a session cost
    CHIP = None  # of tools/chips.py, such as "ESP32-S3"; None: it uses no pins
    BOOT_PINS = ()  # strapping pins that are used all the same, because it does no harm
    HAS_NETWORK = False  # `connect` brings it up; False: the host has one already

    HOT_DC = 600  # tenths of a degree Celsius: from here on the current is lowered ...
    TOO_HOT_DC = 700  # ... to 6 A here, where charging stops

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

    def start_self_test(self) -> None:
        """Begin the self-test of the residual-current monitor; the contactor is open."""

    def self_test_passed(self) -> "bool | None":
        """Return the result of the latest self-test, None while it runs; True if none is fitted.

        Takes 5 s at most. What the monitor shows during a test is not in `faults`.
        """
        return True

    def set_lock(self, locked: bool) -> None:
        """Begin to lock or unlock the plug in the socket; called when the wish changes."""

    def is_locked(self) -> "bool | None":
        """Return what the lock's feedback shows; None if the plug needs no lock.

        A lock that does not obey is LOCK in `faults`.
        """
        return None

    def temperature_dc(self) -> "int | None":
        """Return the temperature at the terminals, tenths of a degree Celsius; None: no sensor.

        A sensor that is broken shows HIGH_TEMPERATURE in `faults`.
        """
        return None

    def show(self, control) -> None:
        """Light what a person has to know; called when an evse.charging control has changed."""

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

    async def connect(self, wifi: "dict | None") -> None:
        """Bring up the network; `wifi` has `name` and `password`, None if none was chosen.

        Called if HAS_NETWORK, and again when `address` is None. OSError says what is wrong.
        """

    def address(self) -> "str | None":
        """Return the IPv4 address of the interface that is up, None without one."""
        return None

    def pairing_pressed(self) -> bool:
        """Return whether the button for pairing was pressed since last asked, once per press."""
        return False
