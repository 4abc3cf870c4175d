"""One SPINE session with one charger: commissioning, our heartbeat, and what the charger tells.

Made anew for every connection, because nothing of SPINE may survive one: addresses, identifiers,
subscriptions and bindings are valid only as long as it lasts (IEC 63380-3 5.2.1, 5.5).

Rules of this file: what happens is recorded in the terms of the use cases (`events.py`); a
charger that is silent or talks nonsense costs a `problem` or `malformed` event, not the session.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .ev_limits import Opev, Oscev
from .ev_plan import BILL_DESCRIPTIONS, SERIES, Cevc, Evcs
from .events import Events
from .identity import Identity
from .local_device import DIAGNOSIS_SERVER, HEARTBEAT, LocalDevice
from .lpc import LIMITS, Lpc, Lpp
from .remote_device import RemoteDevice, entity_address
from .spine import DISCOVERY, USE_CASES, Spine, SpineError
from .use_cases import KEY_VALUES, MEASUREMENTS, STATE, Evsecc, Mpc, UseCase, Vehicle

_T_HEARTBEAT_GRACE_S = 5  # for a charger that neither subscribes to nor reads our heartbeat
_DISCOVERY_TRIES = 3
_BASIC = ("lpc", "mpc", "evsecc", "vehicle")
WITH_CAR = ("vehicle", "opev", "oscev", "cevc")  # there only while a car is


class Session:
    """`send(datagram)` is a coroutine function, `record` an `Events`, `stamp(name)` notes a time.

    `speed` is how much faster than ours the charger's clock runs.
    """

    def __init__(
        self,
        identity: Identity,
        send: Callable[[dict], Awaitable[None]],
        record: Events,
        stamp: Callable[[str], None],
        speed: float,
        for_cars: bool = False,
    ):
        self._record = record
        self._stamp = stamp
        self._speed = speed
        self._local = LocalDevice(identity.device, identity.ship_id, for_cars)
        self.remote = RemoteDevice()
        self.spine = Spine(self._local, self.remote, send, self._data_changed, self._event)
        self.use_cases = {
            "lpc": Lpc(self.spine),
            "mpc": Mpc(self.spine),
            "evsecc": Evsecc(self.spine),
            "vehicle": Vehicle(self.spine),
        }
        if for_cars:
            self.use_cases.update(
                opev=Opev(self.spine),
                oscev=Oscev(self.spine),
                cevc=Cevc(self.spine),
                evcs=Evcs(self.spine),
                lpp=Lpp(self.spine),
            )
        self.is_set_up = False
        self.last_problem = ""
        self.changed = asyncio.Event()
        self._heartbeat_period_s = 0
        self._beat_now = asyncio.Event()
        self._is_beat_heard = False
        self._started_at = time.monotonic()
        self._refresh_wanted = asyncio.Event()
        self._received_at: dict[tuple, float] = {}

    async def receive(self, datagram: dict) -> None:
        """Take one datagram. This is a task border: no content may end the connection."""
        try:
            await self.spine.receive(datagram)
        except SpineError:
            pass  # the answer could not be sent; the reader of the connection is about to see why
        except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
            self._record.emit("malformed", reason=f"{type(error).__name__}: {error}")

    # -- commissioning --------------------------------------------------------------------------

    async def run(self) -> None:
        """Discover the charger, its use cases, prepare each (5.5.1), then follow its changes."""
        for _ in range(_DISCOVERY_TRIES):
            if await self._try(self.spine.read_node(DISCOVERY)):
                break
        self._stamp("discovery")
        # Both at once: there are devices that close the connection if these two do not follow.
        await asyncio.gather(
            self._try(self.spine.subscribe_node()), self._try(self.spine.read_node(USE_CASES))
        )
        self._stamp("use_cases")
        await self._refresh()
        self.is_set_up = True
        self._stamp("ready")
        self._record.emit("ready", device=self.remote.address)
        self.changed.set()
        while True:
            await self._refresh_wanted.wait()
            await self._refresh()

    async def _refresh(self) -> None:
        """Set up every use case whose entity has appeared."""
        self._refresh_wanted.clear()
        found = [one for one in self.use_cases.values() if one.entity is None and one.find()]
        await asyncio.gather(*(self._set_up_one(one) for one in found))

    async def _set_up_one(self, use_case: UseCase) -> None:
        await use_case.setup()
        self.changed.set()

    async def _try(self, request: Awaitable) -> bool:
        try:
            await request
            return True
        except SpineError as error:
            self._event("problem", what="commissioning", reason=str(error))
            return False

    def is_usable(self, name: str) -> bool:
        """True when a use case is found, bound and described; LPC, LPP also had our heartbeat."""
        if not self.use_cases[name].is_usable:
            return False
        if name not in ("lpc", "lpp") or self._is_beat_heard or not self._local.heartbeat_on:
            return True
        return time.monotonic() - self._started_at > _T_HEARTBEAT_GRACE_S

    # -- heartbeat ------------------------------------------------------------------------------

    def heartbeat(self, is_on: bool, period_s: float) -> None:
        """Switch our heartbeat; the period is in the charger's time."""
        self._local.heartbeat_on = is_on
        self._heartbeat_period_s = period_s
        self._beat_now.set()

    async def beat(self) -> None:
        """Send heartbeats to who subscribed: periodically, and at once to a new subscriber."""
        while True:
            self._beat_now.clear()
            subscribers = self._local.subscribers(DIAGNOSIS_SERVER)
            if self._local.heartbeat_on and subscribers:
                beat = self._local.beat()
                for client in subscribers:
                    await self._try(self.spine.notify(DIAGNOSIS_SERVER, client, {HEARTBEAT: beat}))
                self._beat_heard()
                self._record.emit("heartbeat_sent", counter=beat["heartbeatCounter"])
            try:
                async with asyncio.timeout(self._heartbeat_period_s / self._speed):
                    await self._beat_now.wait()
            except TimeoutError:
                pass

    def _beat_heard(self) -> None:
        self._is_beat_heard = True
        self.changed.set()

    # -- what the charger says ------------------------------------------------------------------

    def _event(self, kind: str, **details: Any) -> None:
        """Record what SPINE reports, and react to changes of the charger's structure."""
        self._record.emit(kind, **details)
        if kind == "problem":
            self.last_problem = f": {details['what']}: {details['reason']}"
        if kind == "entity_removed":
            for name, one in self.use_cases.items():
                if one.entity is not None and one.entity not in self.remote.entities:
                    one.entity, one.is_usable = None, False
                    if name == "vehicle":
                        self._record.emit("vehicle", via="notify", **one.snapshot())
        if kind in ("entity_added", "entity_removed"):
            self._refresh_wanted.set()
        elif kind == "subscription_added":
            server = details["server"]
            if (entity_address(server), server.get("feature")) == DIAGNOSIS_SERVER:
                self._beat_now.set()
        elif kind == "read_by_charger" and details["function"] == HEARTBEAT:
            if self._local.heartbeat_on:
                self._beat_heard()

    def _data_changed(self, address: tuple, function: str, via: str) -> None:
        """Record changed data in the terms of the use case it belongs to."""
        entity, number = address
        self._received_at[entity, function] = time.monotonic()
        lpc, mpc, evsecc, vehicle = map(self.use_cases.get, _BASIC)
        known = {
            (lpc.entity, LIMITS): ("limit", lpc.limit),
            (lpc.entity, KEY_VALUES): ("failsafe", lpc.failsafe),
            (lpc.entity, HEARTBEAT): ("heartbeat", lpc.heartbeat),
            (evsecc.entity, STATE): ("state", evsecc.snapshot),
            (mpc.entity, MEASUREMENTS): ("measurement", mpc.snapshot),
            (vehicle.entity, STATE): ("vehicle", vehicle.snapshot),
            (vehicle.entity, MEASUREMENTS): ("vehicle", vehicle.snapshot),
            (vehicle.entity, KEY_VALUES): ("vehicle", vehicle.snapshot),
        }
        for name, watched in (("opev", LIMITS), ("cevc", SERIES), ("evcs", BILL_DESCRIPTIONS)):
            use_case = self.use_cases.get(name)
            if use_case and use_case.entity and use_case.is_usable:
                known[use_case.entity, watched] = (name, lambda one=use_case: one.snapshot())
        if (entity, function) in known:
            kind, snapshot = known[entity, function]
            self._record.emit(kind, via=via, **snapshot())
        else:
            self._record.emit(
                "data", via=via, entity=list(entity), feature=number, function=function
            )
        if function == USE_CASES:
            self._refresh_wanted.set()

    def values(self) -> dict:
        """Return what is known of the charger now, in plain numbers, as one dict."""
        lpc, mpc, evsecc, vehicle = map(self.use_cases.get, _BASIC)
        found = {"device": self.remote.address}
        if lpc.entity:
            found.update(lpc.snapshot())
            limit, beat = found["limit"], found["heartbeat"]
            if limit["ends_in_s"] is not None:
                age_s = self._age_s(lpc.entity, LIMITS)
                limit["ends_in_s"] = round(max(0, limit["ends_in_s"] - age_s), 1)
            beat["age_s"] = round(self._age_s(lpc.entity, HEARTBEAT), 1)
        if mpc.entity:
            found.update(mpc.snapshot())
        if evsecc.entity:
            found["evse"] = evsecc.snapshot()
        found["vehicle"] = vehicle.snapshot()
        for name in ("opev", "oscev", "cevc", "evcs", "lpp"):
            use_case = self.use_cases.get(name)
            if use_case and use_case.is_usable:
                found[name] = use_case.snapshot()
        return found

    def _age_s(self, entity: tuple, function: str) -> float:
        """Return how long ago data arrived, in the charger's time."""
        at = self._received_at.get((entity, function))
        return 0 if at is None else (time.monotonic() - at) * self._speed
