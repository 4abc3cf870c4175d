"""The energy manager: connects to one charger, controls it, records what it observes.

    async with EnergyManager("build/energy_manager") as manager:
        await manager.connect("192.0.2.7", 4712, "b467a3999eb5efa671de0032f08a9c9e5efda0e1")
        await manager.wait_usable("lpc")
        result = await manager.set_limit(4200, duration_s=900)
        async for event in manager.events():
            print(event.as_dict())

It may connect again after a connection has ended. Physical quantities carry the unit in their
name. The record goes on over all connections of one object; `events.py` lists the kinds of events.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .events import Event, Events
from .identity import DEFAULT_STATE, Identity, normalise_ski
from .lpc import Lpc, NotUsable
from .peers import Peers
from .remote_device import RemoteDevice
from .session import WITH_CAR, Session
from .ship import ShipConnection
from .ship_messages import ShipError, Trace
from .spine import ErrorResult, NoAnswer

HEARTBEAT_S = 20  # well below the 60 s we announce, so that jitter never counts as silence


@dataclass(frozen=True)
class WriteResult:
    """How the charger answered a write. `error` is 0 when it accepted."""

    error: int
    text: str
    took_ms: float

    @property
    def ok(self) -> bool:
        """True if the charger accepted."""
        return self.error == 0


class EnergyManager:
    """See the module. `trace(direction, octets)` sees all SHIP messages, `>` sent, `<` received.

    `speed` divides our heartbeat period, for a simulated charger whose clock runs so much faster.
    `for_cars`: we also announce and use OPEV, OSCEV, CEVC and EVCS; the charger then relies on us.
    `pin` is given to a charger that asks for its PIN.
    """

    def __init__(
        self,
        state: Path | str = DEFAULT_STATE,
        *,
        speed: float = 1,
        heartbeat_s: float = HEARTBEAT_S,
        trace: Trace | None = None,
        for_cars: bool = False,
        pin: str = "",
    ):
        self._pin = pin
        self.identity = Identity.load(state)
        self.peers = Peers(state)
        self.times_ms: dict[str, float] = {}
        self.close_reason = "never connected"
        self._speed = speed
        self._trace = trace
        self._for_cars = for_cars
        self._heartbeat = (True, heartbeat_s)
        self._record = Events()
        self._times: dict[str, float] = {}
        self._ship: ShipConnection | None = None
        self._session: Session | None = None
        self._running: asyncio.Task | None = None

    async def __aenter__(self) -> "EnergyManager":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # -- connection -----------------------------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        """True from the start of data exchange to the end of the connection."""
        return self._ship is not None

    @property
    def peer_ski(self) -> str:
        """The SKI at the other end, as proven by its key; empty when not connected."""
        return self._ship.peer_ski if self._ship else ""

    async def connect(
        self,
        host: str,
        port: int,
        ski: str | None,
        *,
        path: str = "/ship/",
        trust: Callable[[str], Awaitable[bool]] | None = None,
        patience_s: float = 120,
    ) -> None:
        """Connect up to SHIP data exchange; discovery then goes on by itself.

        `ski` is the charger's, 40 hex digits; it is checked before anything is sent. Without one
        (None) `trust(ski)` must be given, a coroutine function that decides while the charger
        waits in the hello phase. `patience_s` bounds that phase on our side: a charger that has
        to ask its user gets so much time. Raises the `ShipError` family.
        """
        if self._ship is not None:
            raise RuntimeError("connected already")
        if ski is None and trust is None:
            raise ValueError("neither an SKI nor somebody to ask for trust")
        expected = normalise_ski(ski) if ski else ""
        self._times = {"start": time.perf_counter()}
        ship = await ShipConnection.dial(
            self.identity,
            host,
            port,
            path,
            expected,
            self._times,
            trace=self._trace,
            on_phase=self._phase,
            pin=self._pin,
        )
        await ship.prepare(trust(ship.peer_ski) if trust else None, patience_s)
        self._stamp("data")
        self._record.emit("connected", ski=ship.peer_ski, host=host, port=port)
        self._ship = ship
        self._session = Session(
            self.identity, self._send, self._record, self._stamp, self._speed, self._for_cars
        )
        self._session.heartbeat(*self._heartbeat)
        self._running = asyncio.create_task(self._run(ship, self._session))

    async def _run(self, ship: ShipConnection, session: Session) -> None:
        """Serve one connection until its end."""
        helpers = [asyncio.create_task(session.run()), asyncio.create_task(session.beat())]
        for task in helpers:
            task.add_done_callback(self._helper_ended)
        reason = "the connection was given up"
        try:
            reason = await ship.run(session.receive)
        finally:
            self._ship = None
            self.close_reason = reason
            for task in helpers:
                task.cancel()
            session.spine.end()
            session.changed.set()
            self._record.emit("closed", reason=reason)

    def _helper_ended(self, task: asyncio.Task) -> None:
        """Make a mistake of ours visible instead of leaving a session that silently does less."""
        if not task.cancelled() and task.exception() is not None:
            self._record.emit("problem", reason=f"internal error: {task.exception()!r}")

    async def ship_id(self, timeout_s: float = 10) -> str:
        """Return the charger's SHIP ID from its access methods, empty if it does not tell."""
        ship = self._ship
        if ship is None:
            return ""
        try:
            async with asyncio.timeout(timeout_s):
                await ship.ship_id_known.wait()
        except TimeoutError:
            pass
        return ship.peer_ship_id

    async def close(self, reason: str = "unspecific") -> None:
        """End the connection with SHIP termination; `removedConnection` if trust is withdrawn."""
        if self._ship is not None:
            await self._ship.close(reason)
        await self.wait_closed()

    def drop(self) -> None:
        """Cut the connection without goodbye on any layer; `wait_closed` tells when it is gone."""
        if self._ship is not None:
            self._ship.drop()

    async def wait_closed(self) -> str:
        """Wait until the connection has ended; return the reason."""
        if self._running is not None:
            await asyncio.shield(self._running)
        return self.close_reason

    def _phase(self, name: str, detail: str) -> None:
        self._record.emit("ship", phase=name, detail=detail)

    async def _send(self, datagram: dict) -> None:
        if self._ship is None:
            raise NoAnswer("not connected")
        try:
            await self._ship.send_datagram(datagram)
        except ShipError as error:
            raise NoAnswer(str(error)) from error

    def _stamp(self, name: str) -> None:
        """Note the time since the start of dialling; the first of each name counts."""
        self._times.setdefault(name, time.perf_counter())
        start = self._times["start"]
        self.times_ms = {k: round((v - start) * 1000, 2) for k, v in self._times.items()}

    # -- observation ----------------------------------------------------------------------------

    async def wait_usable(self, *names: str, timeout_s: float = 10) -> None:
        """Wait until use cases (`lpc`, `mpc`, `evsecc`, `vehicle`; default `lpc`) can be used.

        For LPC also until the charger has had a heartbeat of ours, because before that it has to
        reject limits. Raises `NotUsable` when the charger does not offer one, TimeoutError.
        """
        session = self._session
        names = names or ("lpc",)
        async with asyncio.timeout(timeout_s):
            while session is None or not all(session.is_usable(name) for name in names):
                if self._ship is None:
                    raise NotUsable(f"not connected: {self.close_reason}")
                missing = [name for name in names if not session.use_cases[name].is_usable]
                if session.is_set_up and set(missing) - set(WITH_CAR):
                    text = f"the charger offers no usable {', '.join(missing)}"
                    raise NotUsable(text + session.last_problem)
                session.changed.clear()
                try:
                    async with asyncio.timeout(0.5):  # the heartbeat's grace period may end too
                        await session.changed.wait()
                except TimeoutError:
                    pass
        self._stamp("usable")

    async def wait_ready(self, timeout_s: float = 10) -> None:
        """Wait until the charger is discovered and every use case has been tried."""
        async with asyncio.timeout(timeout_s):
            while not (self._session and self._session.is_set_up):
                session = self._connected_session()
                session.changed.clear()
                await session.changed.wait()

    def values(self) -> dict:
        """Return what is known of the charger now, in plain numbers, as one dict."""
        known = self._session.values() if self._session else {}
        return {"is_connected": self.is_connected, **known}

    @property
    def limit_entity(self) -> tuple | None:
        """The entity that plays the controllable system of LPC, a tuple; None if there is none."""
        return self._session.use_cases["lpc"].entity if self._session else None

    @property
    def remote(self) -> RemoteDevice | None:
        """The charger's structure and raw data, a `RemoteDevice`; None before a connection."""
        return self._session.remote if self._session else None

    async def read(self, function: str, entity: tuple, feature: int | None = None) -> dict:
        """Read any function of a server feature; return its content decoded.

        `entity` is a tuple such as `(1, 1)`. Without a feature number the one that announces the
        function is taken. Raises `NotUsable`, `SpineError`.
        """
        session = self._connected_session()
        for one in session.remote.features.values():
            if one.entity == tuple(entity) and feature in (one.number, None):
                if one.can("read", function) or feature is not None:
                    return await session.spine.read(one, function)
        raise NotUsable(f"no feature of entity {list(entity)} offers {function}")

    def events(self) -> AsyncIterator[Event]:
        """Iterate asynchronously over everything observed from now on."""
        return self._record.stream()

    @property
    def history(self) -> list[Event]:
        """The events recorded so far, oldest first."""
        return list(self._record.history)

    def note(self, kind: str, **data: Any) -> None:
        """Add an observation of the caller's to the record."""
        self._record.emit(kind, **data)

    def mark(self) -> int:
        """Return the place in the record from which `wait_event(after=…)` looks."""
        return self._record.mark()

    async def wait_event(
        self,
        kind: str,
        where: Callable[[dict], bool] | None = None,
        after: int | None = None,
        timeout_s: float | None = 10,
    ) -> Event:
        """Return the first event of `kind` with `where(data)` true; see `Events.wait`."""
        return await self._record.wait(kind, where, after, timeout_s)

    # -- control --------------------------------------------------------------------------------

    def heartbeat(self, is_on: bool = True, period_s: float | None = None) -> None:
        """Switch our heartbeat; `period_s` is in the charger's time, see `speed`."""
        self._heartbeat = (is_on, period_s or self._heartbeat[1])
        if self._session:
            self._session.heartbeat(*self._heartbeat)

    async def set_limit(
        self, limit_w: float | None, duration_s: float | None = None, is_active: bool = True
    ) -> WriteResult:
        """Limit the charger's consumption; without a duration until further notice.

        Returns a `WriteResult`, also for a refusal. Raises `NoAnswer`, `NotUsable`.
        """
        return await self.write_limit(limit_w, is_active, duration_s, duration_s is None)

    async def release(self) -> WriteResult:
        """Take the limit away: deactivated, no duration, the value left as it is."""
        limit_w = self._usable_lpc().limit()["limit_w"]
        return await self.write_limit(limit_w, is_active=False, delete_duration=True)

    async def write_limit(
        self,
        limit_w: float | None = None,
        is_active: bool | None = None,
        duration_s: float | None = None,
        delete_duration: bool = False,
    ) -> WriteResult:
        """Write any combination of the limit's elements; what is None stays as it is."""
        request = self._usable_lpc().write_limit(limit_w, is_active, duration_s, delete_duration)
        return await self._written("limit", request)

    async def failsafe(
        self, power_w: float | None = None, duration_s: float | None = None
    ) -> WriteResult:
        """Write the failsafe values that are not None; `values()` has the present ones."""
        request = self._usable_lpc().write_failsafe(power_w, duration_s)
        return await self._written("failsafe", request)

    # -- cars (`for_cars`) ----------------------------------------------------------------------

    async def limit_currents(
        self, amperes: float | dict[str, float | None] | None, recommended: bool = False
    ) -> WriteResult:
        """Limit the current of every phase, or by phase (`{"a": 10, …}`); None releases.

        An obligation (OPEV), or what we recommend (OSCEV).
        """
        name = "oscev" if recommended else "opev"
        use_case = self._car_use_case(name)
        if isinstance(amperes, dict):
            return await self._written(name, use_case.limit(amperes))
        return await self._written(name, use_case.limit_all(amperes))

    async def limit_production(
        self, limit_w: float | None, duration_s: float | None = None
    ) -> WriteResult:
        """Limit what the charger feeds into the grid (LPP), a magnitude in W; None releases."""
        lpp = self._car_use_case("lpp")
        is_active = limit_w is not None
        if not is_active:
            limit_w = lpp.limit()["limit_w"]
        request = lpp.write_limit(limit_w, is_active, duration_s, duration_s is None)
        return await self._written("production", request)

    async def plan_charge(
        self, curve: list[tuple[float, float]], prices: list[tuple[float, float]]
    ) -> WriteResult:
        """Answer the car's demand (CEVC): (duration s, W) and (duration s, price) slots."""
        cevc = self._car_use_case("cevc")
        result = await self._written("cevc", cevc.write_curve(curve))
        if result.ok:
            result = await self._written("cevc", cevc.write_prices(prices))
        return result

    async def summarise(self, energy_wh: float, cost: float, solar_percent: float) -> WriteResult:
        """Tell what the session cost (EVCS)."""
        evcs = self._car_use_case("evcs")
        return await self._written("evcs", evcs.summarise(energy_wh, cost, solar_percent))

    def _car_use_case(self, name: str):
        use_case = self._connected_session().use_cases.get(name)
        if use_case is None or not use_case.is_usable:
            raise NotUsable(f"the charger does not offer {name} now")
        return use_case

    def _connected_session(self) -> Session:
        if self._ship is None:
            raise NotUsable(f"not connected: {self.close_reason}")
        return self._session

    def _usable_lpc(self) -> Lpc:
        lpc = self._connected_session().use_cases["lpc"]
        if lpc.entity is None:
            raise NotUsable("the charger does not offer the limitation of power consumption")
        return lpc

    async def _written(self, what: str, request: Awaitable) -> WriteResult:
        start = time.perf_counter()
        error, text = 0, ""
        try:
            await request
        except ErrorResult as refusal:
            error, text = refusal.number, refusal.text
        result = WriteResult(error, text, round((time.perf_counter() - start) * 1000, 3))
        self._record.emit("result", what=what, error=error, text=text, took_ms=result.took_ms)
        return result
