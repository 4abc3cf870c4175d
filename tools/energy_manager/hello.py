"""The hello phase: both sides say whether they trust the other, and wait for each other.

Covers SHIP 13.4.4.1. We are *ready* at once when the user has named the peer's SKI, and *pending*
while the user is asked. A charger that has to ask its own user is pending on its side: we wait,
and grant each prolongation it asks for, until our patience ends.

Timers, in seconds of the event loop's clock, None when stopped: `_ready_by` Wait-For-Ready,
`_ask_at` Send-Prolongation-Request, `_reply_by` Prolongation-Request-Reply.
"""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING

from .eebus_json import as_bool, as_int
from .ship_messages import (
    T_HELLO_INIT_MS,
    T_PROLONG_GAP_MS,
    T_PROLONG_THRESHOLD_MS,
    WAITING_MAX_MS,
    Frame,
    PeerError,
    Refused,
    ShipError,
    ShipTimeout,
)

if TYPE_CHECKING:
    from .ship import ShipConnection

_DEFAULT_WAITING_MS = 60_000  # of a peer that says ready and leaves `waiting` out


class Hello:
    """One run through the hello phase of `connection`."""

    def __init__(
        self, connection: "ShipConnection", trust: Awaitable[bool] | None, patience_s: float
    ):
        self._connection = connection
        self._now = asyncio.get_running_loop().time
        self._decision = None if trust is None else asyncio.ensure_future(trust)
        self._peer_ready = False
        self._prolonged = False
        self._give_up = self._now() + patience_s
        self._ready_by = None
        self._ask_at = None
        self._reply_by = None
        self._waiting_ms = T_HELLO_INIT_MS

    async def run(self) -> bool:
        """Return when both sides are ready: True if a prolongation was granted or asked for.

        Raises `Refused`, `ShipTimeout`, `PeerError`; `aborted` has been sent where it is due.
        """
        received = None
        try:
            await asyncio.sleep(0)
            if self._decision is not None and self._decision.done():
                await self._decided()  # nobody had to be asked: no reason to be pending at all
            else:
                await self._start_waiting()
            while not (self._peer_ready and self._decision is None):
                received = received or asyncio.ensure_future(self._connection.receive())
                waits = {received} if self._decision is None else {received, self._decision}
                timeout = max(0, self._next_timer() - self._now())
                done, _ = await asyncio.wait(
                    waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if self._decision in done:
                    await self._decided()
                elif received in done:
                    frame, received = received.result(), None
                    await self._take(frame)
                else:
                    await self._expired()
        except asyncio.CancelledError:
            with suppress(ShipError):  # we were interrupted; the charger need not wait any longer
                await self._abort()
            raise
        finally:
            left = [task for task in (received, self._decision) if task is not None]
            for task in left:
                task.cancel()
            # the next phase is the next reader: this one must have let go of the connection
            await asyncio.gather(*left, return_exceptions=True)
        return self._prolonged

    def _next_timer(self) -> float:
        timers = (self._ready_by, self._ask_at, self._reply_by, self._give_up)
        return min(timer for timer in timers if timer is not None)

    async def _start_waiting(self) -> None:
        """READY_INIT or PENDING_INIT: start Wait-For-Ready and say so."""
        self._ready_by = self._now() + T_HELLO_INIT_MS / 1000
        self._ask_at = self._reply_by = None
        await self._update()

    async def _update(self) -> None:
        """Send our phase and what is left of Wait-For-Ready."""
        phase = "ready" if self._decision is None else "pending"
        left_ms = T_HELLO_INIT_MS
        if self._ready_by is not None:
            left_ms = round((self._ready_by - self._now()) * 1000)
        body = {"phase": phase, "waiting": max(left_ms, 1000)}
        await self._connection.send_control("connectionHello", body)

    async def _take(self, frame: Frame) -> None:
        """READY_LISTEN and PENDING_LISTEN."""
        phase = frame.body.get("phase") if frame.name == "connectionHello" else None
        wants_more = as_bool(frame.body.get("prolongationRequest")) or as_bool(
            frame.body.get("prolongation_request")  # one charger firmware spells it so
        )
        if phase == "aborted":
            raise Refused("the peer aborted the hello phase: it does not trust us")
        if phase not in ("ready", "pending"):
            await self._abort()
            raise PeerError(f"unexpected {frame.name or 'message'} in the hello phase")
        if phase == "ready":
            self._peer_ready = True
            self._connection.on_phase("hello_ready", "")
        else:
            self._connection.on_phase("hello_pending", "the charger asks its user")
        if wants_more:
            await self._prolong()
        elif self._decision is not None:
            self._arm(as_int(frame.body.get("waiting"), _DEFAULT_WAITING_MS))

    async def _prolong(self) -> None:
        """Grant a prolongation request: extend Wait-For-Ready and send an update."""
        self._prolonged = True
        self._ready_by = (self._ready_by or self._now()) + T_HELLO_INIT_MS / 1000
        await self._update()

    def _arm(self, waiting_ms: int) -> None:
        """The peer waits for us that long: ask for more in time (pending side only)."""
        waiting_ms = min(max(waiting_ms, 1000), WAITING_MAX_MS)
        self._waiting_ms = waiting_ms
        self._reply_by = None
        if self._peer_ready:
            self._ready_by = None
        if waiting_ms >= T_PROLONG_THRESHOLD_MS:
            self._ask_at = self._now() + (waiting_ms - T_PROLONG_GAP_MS) / 1000
        else:
            # too short to ask: the peer will abort; this timer only guards against its silence
            self._ask_at = None
            self._reply_by = self._now() + (waiting_ms + T_PROLONG_THRESHOLD_MS) / 1000

    async def _decided(self) -> None:
        """Our user has answered."""
        trusted, self._decision = self._decision.result(), None
        if not trusted:
            await self._abort()
            raise Refused("the user does not trust the peer")
        await self._start_waiting()

    async def _expired(self) -> None:
        """One of the timers has run out."""
        now = self._now()
        if self._ask_at is not None and now >= self._ask_at and now < self._give_up:
            self._prolonged = True
            self._ask_at = None
            self._reply_by = now + self._waiting_ms / 1000
            body = {"phase": "pending", "prolongationRequest": True}
            await self._connection.send_control("connectionHello", body)
            return
        await self._abort()
        raise ShipTimeout("the peer did not become ready: its user has not trusted us in time")

    async def _abort(self) -> None:
        await self._connection.send_control("connectionHello", {"phase": "aborted"})
