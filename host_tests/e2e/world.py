"""What the end-to-end tests share: a blocking energy manager, and looks at a charger's insides."""

import asyncio
import contextlib
import threading
import time

from tools.energy_manager.manager import EnergyManager
from tools.simulate import Simulator

WAIT_S = 10.0
_SETTLE_S = 3.0  # for what a connection leaves behind to be collected

# Octets that may stay while a connection goes on. The collector takes an old number on a stack
# for a pointer now and then, which keeps one message (the largest has 2 KB) for a while. It is
# less than a connection, and gone to the octet when everybody has left.
HEAP_SLACK = 2560


class Manager:
    """An `EnergyManager` that lives in a thread of its own; its methods block here.

    Attributes are those of the manager; coroutine functions are waited for. A context manager.
    """

    def __init__(self, state, **options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._manager = self._run(self._make(state, options))

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *_) -> None:
        self._run(self._manager.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def __getattr__(self, name):
        value = getattr(self._manager, name)
        if not callable(value):
            return value
        return lambda *args, **options: self._run(self._call(value, args, options))

    def connect_to(self, charger: Simulator) -> None:
        """Connect to a simulated charger, up to the end of discovery."""
        self.connect("127.0.0.1", charger.port, charger.command("id")["ski"])
        self.wait_ready()

    def is_answered(self) -> bool:
        """Whether the charger answers a read now."""
        return "measurementData" in self.read("measurementListData", (1,))

    @staticmethod
    async def _make(state, options):
        return EnergyManager(state, **options)

    @staticmethod
    async def _call(function, args, options):
        result = function(*args, **options)
        return await result if asyncio.iscoroutine(result) else result

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)


@contextlib.contextmanager
def watched_charger(state, trusted, warm_up):
    """Yield (charger, manager that is connected, octets on the heap before and with that).

    `trusted` are the SKIs of further peers; `warm_up(charger, manager)` visits every kind of code
    once, because some is loaded, and some lists grow, when first used.
    """
    with Manager(state / "manager") as manager:
        trust = [manager.identity.ski, *trusted]
        with Simulator(port=0, state=state / "charger", no_mdns=True, trust=trust) as charger:
            for command in ("id", "log", "peers", "limits"):  # their names stay when first used
                charger.command(command)
            warm_up(charger, manager)
            idle = settled_heap(charger)
            manager.connect_to(charger)
            yield charger, manager, idle, settled_heap(charger)
            manager.close()


def heap_used(charger: Simulator) -> int:
    """Octets in use on the charger's heap, after a collection."""
    return charger.command("status")["heap_used"]


def settled_heap(charger: Simulator) -> int:
    """Octets in use when nothing is going on: the least, when ten more readings find no less.

    The command itself is loaded for each reading, and what a collection overlooks of it varies.
    """
    least = heap_used(charger)
    found = 0
    end = time.monotonic() + 3 * WAIT_S
    while found < 10:
        assert time.monotonic() < end, "the heap does not settle"
        time.sleep(0.03)
        used = heap_used(charger)
        found = 0 if used < least else found + 1
        least = min(least, used)
    return least


def wait_heap(charger: Simulator, used: int, slack: int = 0) -> None:
    """Wait until no more than this, or this plus `slack`, is in use; AssertionError if not."""
    try:
        wait_status(charger, WAIT_S, heap_used=lambda now: now <= used + slack)
    except AssertionError as error:
        raise AssertionError(f"{error}; wanted {used} + {slack}") from None


_ONCE = 256  # octets of what is made when it is first needed, a longer list say


def part_and_check_heap(charger: Simulator, manager: Manager, used: int) -> None:
    """Close the manager's connection; AssertionError if more than this stays in use for good.

    What an old number on a stack keeps goes when other code has used that stack: the manager
    comes and goes until it has. What leaks stays, a block of 32 octets at least for each case.
    """
    seen = []
    for _ in range(10):
        manager.close()
        wait_status(charger, connections=0)
        seen.append(min(heap_used(charger) for _ in range(10)))
        if seen[-1] <= used + _ONCE:
            return
        manager.connect_to(charger)
    raise AssertionError(f"{seen} octets are in use, before {used}")


def wait_status(charger: Simulator, timeout_s: float = _SETTLE_S, **wanted) -> dict:
    """Wait until `status` has these values; return it. AssertionError if it does not come to it.

    A value may be a function that is given the present one.
    """
    end = time.monotonic() + timeout_s
    while True:
        status = charger.command("status")
        if all(v(status[k]) if callable(v) else status[k] == v for k, v in wanted.items()):
            return status
        assert time.monotonic() < end, {name: status[name] for name in (*wanted, "why")}
        time.sleep(0.02)


class LogReader:
    """The charger's log from the time this object was made."""

    def __init__(self, charger: Simulator):
        self._charger = charger
        self._mark = charger.mark()
        self._last = charger.command("log")["lines"][-1:]

    def lines(self) -> list[str]:
        """All that was logged since, lines and events."""
        lines = self._charger.command("log")["lines"]
        if self._last and self._last[0] in lines:
            lines = lines[len(lines) - lines[::-1].index(self._last[0]) :]
        events = [line for line in self._charger.lines[self._mark :] if '"event"' in line]
        return lines + events

    def wait(self, text: str) -> None:
        """Wait for a line that contains `text`."""
        end = time.monotonic() + _SETTLE_S
        while not any(text in line for line in self.lines()):
            assert time.monotonic() < end, f"{text!r} is not in " + "\n".join(self.lines())
            time.sleep(0.02)
