"""The charging station as a SPINE device: its entities and the use cases on them.

    [0]    DeviceInformation   NodeManagement, DeviceClassification
    [1]    EVSE                LPC, LPP, MPC, EVSECC, EVCS; heartbeats both ways
    [1,1]  EV                  only while a car is plugged in (ev.py)

A further use case is one file beside this one and one line in `Station` or `Ev`. What only some
boards can do is imported where it is made, and costs the others nothing.
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

    `description` has `address` (SPINE device address), `manufacturer` (natural manufacturer data),
    `nominal_w` and `feed_in_w` (0: nothing can flow back); `meter` is an evse.metering.Meter,
    `faults()` the text of the most serious fault, `settings` the store of values that outlive a
    restart, `clock()` monotonic milliseconds, `timestamp()` wall time as text or None,
    `on_limit()` is called when a limit may have changed, `car` is an evse.car.Car, and
    `on_summary(summary)` shows what a session cost; None if nobody could read it.
    """

    def __init__(
        self,
        description,
        meter,
        faults,
        settings,
        clock,
        timestamp,
        on_limit,
        car,
        on_summary=None,
    ):
        device = self.device = LocalDevice(
            description.address, "ChargingStation", settings.get("msg_counter", 0)
        )
        root = node_management.install(device)
        evse = device.entity((1,), "EVSE")
        guard = Guard(evse, [Lpc.name])
        # The order fixes feature numbers and the order of the announcement.
        self.evsecc = Evsecc(evse, root, description.manufacturer, faults)
        heartbeat = HeartbeatSource(evse, timestamp)
        self.lpc = Lpc(evse, guard, description.nominal_w, settings, clock, on_limit)
        self.mpc = Mpc(evse, meter, car.has_meter, timestamp, clock())
        device.use_cases = [self.lpc, self.mpc, self.evsecc, heartbeat, guard]
        self.lpp = None
        if description.feed_in_w:
            from usecases.lpp import Lpp

            guard.use_cases.append(Lpp.name)
            self.lpp = Lpp(evse, guard, description.feed_in_w, settings, clock, on_limit)
            self.lpp.twin = self.lpc
            self.lpc.twin = self.lpp
            device.use_cases.append(self.lpp)
        self.evcs = None
        if on_summary:
            from usecases.evcs import Evcs

            self.evcs = Evcs(evse, clock, on_summary)
            device.use_cases.append(self.evcs)
        self._clock = clock
        self.ev = None  # an Ev while a car is plugged in
        self._make_ev = lambda: Ev(device, car, settings, clock, timestamp, on_limit)

    def release(self):
        """The last trusted partner is gone: power limits are switched off."""
        for power_limit in (self.lpc, self.lpp):
            if power_limit:
                power_limit.release(self._clock())

    def ev_connected(self, connected):
        """A car was plugged in or unplugged: entity [1,1] appears or disappears."""
        if self.evcs and connected != (self.ev is not None):
            self.evcs.session(connected, self._clock())
        if connected and self.ev is None:
            self.ev = self._make_ev()
        elif not connected and self.ev is not None:
            self.ev.remove()
            self.ev = None
