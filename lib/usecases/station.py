"""The charging station as a SPINE device: its entities and the use cases on them.

    [0]    DeviceInformation   NodeManagement, DeviceClassification
    [1]    EVSE                LPC, MPC, EVSECC; heartbeats both ways
    [1,1]  EV                  only while a car is plugged in (ev.py)

A further use case is one file beside this one and one line in `Station` or `Ev`.
"""

from spine import node_management
from spine.device import LocalDevice
from usecases.ev import Ev
from usecases.evsecc import Evsecc
from usecases.heartbeat import Guard, HeartbeatSource
from usecases.lpc import Lpc
from usecases.mpc import Mpc


class Station:
    """Builds and keeps the device.

    `description` has `address` (SPINE device address), `manufacturer` (natural manufacturer data)
    and `nominal_w`; `meter` is an evse.metering.Meter, `faults()` the text of the most serious
    fault, `settings` the store of values that outlive a restart, `clock()` monotonic milliseconds,
    `timestamp()` wall time as text or None, `on_limit()` is called when a limit may have changed,
    `car` is an evse.car.Car.
    """

    def __init__(self, description, meter, faults, settings, clock, timestamp, on_limit, car):
        device = self.device = LocalDevice(
            description.address, "ChargingStation", settings.get("msg_counter", 0)
        )
        root = node_management.install(device)
        evse = device.entity((1,), "EVSE")
        guard = Guard(evse, (Lpc.name,))
        # The order fixes feature numbers and the order of the announcement.
        self.evsecc = Evsecc(evse, root, description.manufacturer, faults)
        heartbeat = HeartbeatSource(evse, timestamp)
        self.lpc = Lpc(evse, guard, description.nominal_w, settings, clock, on_limit)
        self.mpc = Mpc(evse, meter, timestamp, clock())
        device.use_cases = [self.lpc, self.mpc, self.evsecc, heartbeat, guard]
        self.ev = None  # an Ev while a car is plugged in
        self._make_ev = lambda: Ev(device, car, settings, clock, timestamp, on_limit)

    def ev_connected(self, connected):
        """A car was plugged in or unplugged: entity [1,1] appears or disappears."""
        if connected and self.ev is None:
            self.ev = self._make_ev()
        elif not connected and self.ev is not None:
            self.ev.remove()
            self.ev = None
