"""The commands of the command line: coroutines of the arguments that return an exit code.

Exit codes: 0 done, 1 refused by the charger (or not offered by it), 2 wrong usage, 3 not found,
not reachable or no answer in time, 130 interrupted. Everything else is raised, `cli.py` maps it.
"""

import argparse
import asyncio
import json
import sys
import time

from .dial import NotFound, connected, dial, manager_for, showing_hello, target_of
from .discovery import discover
from .identity import Identity, grouped
from .live_view import LiveView
from .lpc import LIMITS, NotUsable
from .manager import EnergyManager, WriteResult
from .output import Output, failsafe_text, limit_text
from .peers import UnknownTarget
from .ship_messages import ConnectionLost, NotReachable, ShipTimeout
from .spine import NoAnswer
from .use_cases import KEY_VALUES

OK, REFUSED, USAGE, NOT_FOUND, INTERRUPTED = 0, 1, 2, 3, 130

_T_LATE_S = 5  # how late a charger may report the end of a limit
_T_NOTIFY_S = 3  # a charger need not notify a write that changed nothing
_RETRY_S = (1, 3, 10, 20, 60)  # SHIP 6 gives no figures; peers in the field do about the same


async def identity(args: argparse.Namespace, out: Output) -> int:
    """Show who this energy manager is."""
    own = Identity.load(args.state)
    text = f"SKI      {grouped(own.ski)}\nSHIP ID  {own.ship_id}\ndevice   {own.device}"
    out.say(text, event="identity", ski=own.ski, ship_id=own.ship_id, device=own.device)
    return OK


async def discover_chargers(args: argparse.Namespace, out: Output) -> int:
    """List what announces itself as SHIP node."""
    found = await discover(args.timeout, args.interface)
    for node in found:
        state = "accepts pairing" if node.register else ""
        text = (
            f"{node.name}\n  {node.host}:{node.port}{node.path}  {state}\n"
            f"  SKI {grouped(node.ski)}\n"
            f"  {node.ship_id}  {node.brand} {node.model} {node.type}".rstrip()
        )
        out.say(text, event="found", **vars(node))
    if not found:
        out.error(f"no SHIP node announced itself within {args.timeout:g} s")
        return NOT_FOUND
    return OK


async def pair(args: argparse.Namespace, out: Output) -> int:
    """Connect, wait until both sides trust each other, remember the charger."""
    async with manager_for(args) as manager:
        own = manager.identity
        out.say(
            f"Our SKI: {grouped(own.ski)}\nOn the charger's console: trust {own.ski}",
            event="identity",
            ski=own.ski,
            ship_id=own.ship_id,
        )
        if not target_of(args, manager).ski and not args.yes and not sys.stdin.isatty():
            raise UnknownTarget("nobody to ask whether the charger's SKI is right: --ski or --yes")

        async def trust(ski: str) -> bool:
            return args.yes or await _ask(f"The charger's SKI: {grouped(ski)}\nTrust it? [y/N] ")

        out.hint(f"Connecting, and waiting for trust for up to {args.timeout:g} s")
        async with showing_hello(manager, out):
            peer = await dial(manager, args, args.timeout, trust)
        peer.ship_id = await manager.ship_id() or peer.ship_id
        manager.peers.store(peer)
        out.say(
            f"Paired with {peer.name or peer.ship_id}\n  SKI {grouped(peer.ski)}",
            event="paired",
            ski=peer.ski,
            ship_id=peer.ship_id,
            host=peer.host,
            port=peer.port,
        )
    return OK


async def _ask(question: str) -> bool:
    """Ask on the terminal without stopping the event loop, which keeps the charger waiting."""
    print(question, end="", flush=True)
    loop = asyncio.get_running_loop()
    readable = loop.create_future()
    loop.add_reader(sys.stdin, lambda: readable.done() or readable.set_result(None))
    try:
        await readable
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def limit(args: argparse.Namespace, out: Output) -> int:
    """Write a limit or take it away; show the charger's answer and the resulting state."""
    async with connected(args, out) as manager:
        await manager.wait_usable("lpc", timeout_s=args.timeout)
        mark = manager.mark()
        if args.release:
            result = await manager.release()
        else:
            result = await manager.set_limit(args.watts, args.duration)
        if not _say_result(out, "limit", result):
            return REFUSED
        await _say_limit(manager, mark, out)
        if args.stay:
            end_s = None if args.duration is None else args.duration / args.speed + _T_LATE_S
            await _stay(manager, mark, out, end_s)
        elif not args.release:
            out.hint(
                "Nobody sends heartbeats from here on: in two minutes the charger falls back to "
                "its failsafe limit. --stay keeps the connection."
            )
    return OK


def _say_result(out: Output, what: str, result: WriteResult) -> bool:
    """Show how a write was answered; return True if it was accepted."""
    fields = {"error": result.error, "text": result.text, "took_ms": result.took_ms}
    if result.ok:
        text = f"accepted after {result.took_ms:.1f} ms"
    else:
        text = f"refused: error {result.error} {result.text}".rstrip()
    out.say(text, event="result", what=what, **fields)
    return result.ok


async def _say_limit(manager: EnergyManager, mark: int, out: Output) -> None:
    """Show what the charger notifies; a charger that does not is asked."""
    try:
        event = await manager.wait_event(
            "limit", lambda data: data["via"] == "notify", after=mark, timeout_s=_T_NOTIFY_S
        )
    except TimeoutError:
        mark = manager.mark()
        await manager.read(LIMITS, manager.limit_entity)
        event = await manager.wait_event("limit", after=mark)
    via = "notified" if event.data["via"] == "notify" else "read back"
    out.say(f"{via}: {limit_text(event.data)}", **event.as_dict())


async def _stay(manager: EnergyManager, mark: int, out: Output, end_s: float | None) -> None:
    """Keep the connection and the heartbeats until the limit or the connection ends.

    After `end_s` seconds a charger that has not reported the end is overdue.
    """
    out.hint("Sending heartbeats until the limit ends, or Ctrl-C.")
    ends = asyncio.ensure_future(
        manager.wait_event("limit", lambda data: not data["is_active"], mark, timeout_s=end_s)
    )
    closed = asyncio.ensure_future(manager.wait_closed())
    try:
        await asyncio.wait({ends, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not ends.done():
            raise ConnectionLost(manager.close_reason)
        out.event(ends.result())
    except TimeoutError:
        raise NoAnswer("the charger has not reported the end of the limit") from None
    finally:
        ends.cancel()
        closed.cancel()


async def current(args: argparse.Namespace, out: Output) -> int:
    """Limit the current of the car on each phase (OPEV), or recommend one (OSCEV).

    A charger that waits for the first limit of its guard is told that there is none: until then
    its failsafe value holds, whatever the car is allowed.
    """
    args.for_cars = True
    name = "oscev" if args.recommend else "opev"
    async with connected(args, out) as manager:
        await manager.wait_usable("lpc", timeout_s=args.timeout)
        if not manager.values()["limit"]["is_active"]:
            await manager.release()
        try:
            await manager.wait_usable(name, timeout_s=args.timeout)
        except TimeoutError:
            raise NotUsable(f"no car is plugged in, or the charger offers no {name}") from None
        result = await manager.limit_currents(
            None if args.release else args.amperes, args.recommend
        )
        if not _say_result(out, "current", result):
            return REFUSED
        if not args.release and not args.duration:
            out.hint("Nobody protects the fuse from here on: the charger takes a safe current.")
        await asyncio.sleep((args.duration or 0) / args.speed)
    return OK


async def failsafe(args: argparse.Namespace, out: Output) -> int:
    """Show the failsafe values, after writing them if asked."""
    async with connected(args, out) as manager:
        await manager.wait_ready(timeout_s=args.timeout)
        await manager.wait_usable("lpc", timeout_s=args.timeout)
        mark = manager.mark()
        if args.power is not None or args.duration is not None:
            result = await manager.failsafe(args.power, args.duration)
            if not _say_result(out, "failsafe", result):
                return REFUSED
            await _settled(manager, mark)
        values = manager.values()
        fields = {name: values[name] for name in ("failsafe_w", "failsafe_duration_s")}
        out.say(failsafe_text(values), event="failsafe", **fields)
    return OK


async def _settled(manager: EnergyManager, mark: int) -> None:
    """Wait for the notify that follows a write of the failsafe values, or read them again."""
    try:
        await manager.wait_event("failsafe", after=mark, timeout_s=_T_NOTIFY_S)
    except TimeoutError:
        await manager.read(KEY_VALUES, manager.limit_entity)


async def read(args: argparse.Namespace, out: Output) -> int:
    """Read one function of the charger and print it decoded."""
    async with connected(args, out) as manager:
        await manager.wait_ready(timeout_s=args.timeout)
        content = await manager.read(args.function, args.entity, args.feature)
        text = json.dumps(content, indent=2, ensure_ascii=False)
        out.say(text, entity=list(args.entity), function=args.function, data=content)
    return OK


async def watch(args: argparse.Namespace, out: Output) -> int:
    """Show what the charger does; connect again whenever the connection is lost."""
    end = None if args.duration is None else time.monotonic() + args.duration
    async with manager_for(args) as manager:
        view = LiveView(manager) if sys.stdout.isatty() and not out.is_json else None
        shown = asyncio.create_task(view.run() if view else _print_events(manager, out))
        await asyncio.sleep(0)  # let it start to listen
        try:
            async with asyncio.timeout(None if end is None else args.duration):
                await _keep_connected(args, manager)
        except TimeoutError:
            if end is None or time.monotonic() < end:
                raise
        finally:
            await manager.close()
            await asyncio.sleep(0)
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
    return OK


async def _print_events(manager: EnergyManager, out: Output) -> None:
    async for event in manager.events():
        out.event(event)


async def _keep_connected(args: argparse.Namespace, manager: EnergyManager) -> None:
    """Connect, and after a loss connect again, with growing pauses; a refusal ends it.

    A charger that cannot be reached in the first place is not waited for.
    """
    failures, was_connected = 0, False
    while True:
        try:
            await dial(manager, args, max(args.timeout, 120))
            failures, was_connected = 0, True
            reason = await manager.wait_closed()
        except (NotFound, NotReachable, ShipTimeout, ConnectionLost) as error:
            if not was_connected:
                raise
            reason = str(error)
        pause_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
        failures += 1
        manager.note("retry", reason=reason, pause_s=pause_s)
        await asyncio.sleep(pause_s)
