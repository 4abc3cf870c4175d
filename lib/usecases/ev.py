"""The EV entity [1,1] and its use cases: here exactly while a car is plugged in.

    1 DeviceClassification   2 DeviceDiagnosis   3 DeviceConfiguration   4 ElectricalConnection
    5 Measurement   6 LoadControl   7 Identification   8 TimeSeries   9 IncentiveTable
    10 DeviceDiagnosis (client)

All data is there before the entity is announced: managers read within milliseconds. Limits belong
to the session and go with the car.
"""

from micropython import const

from spine import node_management
from usecases.evcc import Evcc
from usecases.evcem import Evcem
from usecases.opev import Opev
from usecases.oscev import NORMAL, Oscev
from usecases.supervision import Supervision

_CLIENT = const(10)

DEFAULT_SAFE_MA = const(6_000)

# Keys in the settings store.
SET_SAFE_MA = "opev_safe_ma"  # None: the manager's silence means nothing
SET_STRICT = "opev_strict"
SET_MODE = "charge_mode"


class Ev:
    """`car` is an evse.car.Car; `on_limit()` is called when a current limit may have changed."""

    def __init__(self, device, car, settings, clock, timestamp, on_limit):
        now = clock()
        self._device = device
        self._clock = clock
        self._on_limit = on_limit
        entity = self._entity = device.entity((1, 1), "EV")
        # EVCEM's parameters come before EVCC's: the order is that of the list on the wire.
        self.evcem = Evcem(entity, car, timestamp, now)
        self.evcc = Evcc(entity, car, now)
        names = (Opev.name, Oscev.name, "coordinatedEvCharging")
        partner = Supervision(entity, names, _CLIENT, settings.get(SET_STRICT, False))
        safe_ma = settings.get(SET_SAFE_MA, DEFAULT_SAFE_MA)
        changed = self._limit_changed
        self.opev = Opev(entity, car, partner, changed, safe_ma, now)
        self.oscev = Oscev(entity, car, partner, changed, lambda: settings.get(SET_MODE, NORMAL))
        self._use_cases = [self.evcc, self.evcem, self.opev, self.oscev, partner]
        self.cevc = None
        if car.told:  # the board can ask the car: only then these two have anything to say
            from usecases.cevc import Cevc
            from usecases.evsoc import Evsoc

            self.cevc = Cevc(entity, car, clock, changed)
            self._use_cases += [Evsoc(entity, car, now), self.cevc]
            self.cevc.tick(now)
        device.use_cases.extend(self._use_cases)
        node_management.announce_entity(device, entity, "added")
        for peer in device.peers:
            if peer.remote.known:
                partner.peer_changed(peer, now)

    def _limit_changed(self):
        self.evcem.limit_changed(self._clock())
        self._on_limit()

    def remove(self):
        """The car was unplugged."""
        device = self._device
        node_management.announce_entity(device, self._entity, "removed")
        device.remove_entity(self._entity)
        for use_case in self._use_cases:
            device.use_cases.remove(use_case)
