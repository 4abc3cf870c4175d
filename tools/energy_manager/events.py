"""What a manager has observed, in order and with the time: to iterate, to wait, to look back.

An event is a sequence number, a wall-clock time, a kind and a dict. The kinds:

`ship` (phase, detail), `connected`, `closed` (reason), `ready`; `entity_added`, `entity_removed`
(entity, type); `limit`, `failsafe`, `heartbeat`, `measurement`, `state`, `vehicle` (values, `via`
is `reply` or `notify`), `opev`, `cevc`, `evcs` (the same, with `for_cars`), `data` (any other
function); `result` (what, error, text, took_ms); `heartbeat_sent`; `subscription_added`,
`subscription_deleted`, `binding_added`, `binding_deleted`, `read_by_charger` (what the charger
does with us); `problem`, `malformed`, `unexpected_answer`; `retry` (reason, pause_s) of the
command line.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

MAX_HISTORY = 10_000  # events kept to look back at; older ones are forgotten
MAX_BACKLOG = 1_000  # events a slow iterator may be behind; it loses the oldest


@dataclass(frozen=True)
class Event:
    """One observation. `at` is seconds since the epoch."""

    seq: int
    at: float
    kind: str
    data: dict

    def as_dict(self) -> dict:
        """Return the event as one flat dict for JSON output."""
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(self.at))
        stamp = f"{clock}.{int(self.at % 1 * 1000):03d}Z"
        return {"time": stamp, "event": self.kind, **self.data}


class Events:
    """The record of one manager."""

    def __init__(self) -> None:
        self.history: deque[Event] = deque(maxlen=MAX_HISTORY)
        self._seq = 0
        self._queues: list[_Queue] = []
        self._waiting: list[tuple[Callable[[Event], bool], asyncio.Future]] = []

    def emit(self, kind: str, /, **data: Any) -> None:
        """Record an event and wake whoever waits for it."""
        self._seq += 1
        event = Event(self._seq, time.time(), kind, data)
        self.history.append(event)
        for queue in self._queues:
            queue.append(event)
        for wanted, future in self._waiting:
            if not future.done() and wanted(event):
                future.set_result(event)

    def mark(self) -> int:
        """Return the place in the record to wait from: `wait(…, after=mark)`."""
        return self._seq

    async def wait(
        self,
        kind: str,
        where: Callable[[dict], bool] | None = None,
        after: int | None = None,
        timeout_s: float | None = 10,
    ) -> Event:
        """Return the first event of `kind` for which `where(data)` is true.

        With `after`, a mark, events recorded since then count as well. Raises TimeoutError.
        """

        def wanted(event: Event) -> bool:
            return event.kind == kind and (where is None or where(event.data))

        for event in self.history if after is not None else ():
            if event.seq > after and wanted(event):
                return event
        entry = (wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout_s):
                return await entry[1]
        finally:
            self._waiting.remove(entry)

    async def stream(self) -> AsyncIterator[Event]:
        """Iterate over the events from now on; leave the loop to end."""
        queue = _Queue(maxlen=MAX_BACKLOG)
        self._queues.append(queue)
        try:
            while True:
                await queue.filled.wait()
                while queue:
                    yield queue.popleft()
                queue.filled.clear()
        finally:
            self._queues.remove(queue)


class _Queue(deque):
    """A bounded queue that can be waited for."""

    def __init__(self, maxlen: int):
        super().__init__(maxlen=maxlen)
        self.filled = asyncio.Event()

    def append(self, event: Event) -> None:
        super().append(event)
        self.filled.set()
