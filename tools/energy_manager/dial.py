"""From what the user said about a charger to a connection with it.

An address that is stated, or was used at pairing, is dialled first, as the SKI is checked anyway;
only if nobody, or somebody else, is there the charger is searched for by mDNS. An address alone is
enough for a paired charger and for `pair`, which shows the SKI it finds to the user.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from .discovery import discover
from .identity import normalise_ski
from .manager import EnergyManager
from .output import Output, Trace
from .peers import Peer, Target, UnknownTarget, parse_target
from .ship_messages import NotReachable, WrongPeer

DEFAULT_PORT = 4712
_T_SEARCH_S = 15  # what is announced is seen within seconds


class NotFound(Exception):
    """The charger was not found."""


@asynccontextmanager
async def manager_for(args: argparse.Namespace) -> AsyncIterator[EnergyManager]:
    """Give the manager the common options describe; at the end it leaves its charger properly."""
    with Trace(args.trace) if args.trace else nullcontext() as trace:
        for_cars = getattr(args, "for_cars", False)
        options = {"speed": args.speed, "trace": trace, "for_cars": for_cars}
        async with EnergyManager(args.state, pin=args.pin or "", **options) as manager:
            yield manager


def target_of(args: argparse.Namespace, manager: EnergyManager) -> Peer:
    """Put together what was said and what was paired; host or SKI may still be empty."""
    named = getattr(args, "target", None)
    target = parse_target(named) if named else Target()
    ski, host, port = target.ski, target.host, target.port
    if args.ski:
        try:
            ski = normalise_ski(args.ski)
        except ValueError:
            ski = manager.peers.named(args.ski).ski
    if args.host:
        host, port = args.host, args.port or DEFAULT_PORT
    # An address given to `pair` asks for whoever is there now, maybe with a new key.
    known = None if named and not ski else _paired(manager, ski, host, port)
    if known is None:
        return Peer(ski, target.ship_id, host, port, name=target.name)
    return Peer(known.ski, known.ship_id, host or known.host, port or known.port, known.path,
                known.name)  # fmt: skip


def _paired(manager: EnergyManager, ski: str, host: str, port: int) -> Peer | None:
    """Return the paired charger that is meant."""
    if ski:
        return manager.peers.get(ski)
    if host:
        here = [peer for peer in manager.peers if (peer.host, peer.port) == (host, port)]
        return here[0] if len(here) == 1 else None
    if len(manager.peers) == 1:
        return next(iter(manager.peers))
    count = len(manager.peers)
    raise UnknownTarget(f"{count} chargers are paired: name one by --ski, or by --host and --port")


async def dial(
    manager: EnergyManager,
    args: argparse.Namespace,
    patience_s: float,
    trust: Callable | None = None,
) -> Peer:
    """Connect to the charger that is meant; return it with all that is known of it."""
    peer = target_of(args, manager)
    if not peer.ski and trust is None:
        raise UnknownTarget("the SKI at this address is not known: pair first, or give --ski")
    failure = None
    if peer.host:
        try:
            return await _connect(manager, peer, patience_s, trust)
        except (NotReachable, WrongPeer) as error:
            if args.host or not peer.ski:
                raise
            failure = error
    found = await discover(min(args.timeout, _T_SEARCH_S), args.interface, peer.ski)
    node = next((each for each in found if each.ski == peer.ski), None)
    if node is None:
        if failure is not None:
            raise failure  # says more than that nobody announces that SKI either
        raise NotFound(f"no charger with SKI {peer.ski} announces itself; try --host and --port")
    name = peer.name or f"{node.brand} {node.model}".strip() or node.name
    peer = Peer(peer.ski, node.ship_id, node.host, node.port, node.path, name)
    return await _connect(manager, peer, patience_s, trust)


async def _connect(
    manager: EnergyManager, peer: Peer, patience_s: float, trust: Callable | None
) -> Peer:
    ask = None if peer.ski else trust
    options = {"path": peer.path, "trust": ask, "patience_s": patience_s}
    await manager.connect(peer.host, peer.port, peer.ski or None, **options)
    peer.ski = manager.peer_ski
    return peer


@asynccontextmanager
async def connected(args: argparse.Namespace, out: Output) -> AsyncIterator[EnergyManager]:
    """Connect for one command; leave the charger properly at the end."""
    async with manager_for(args) as manager:
        async with showing_hello(manager, out):
            await dial(manager, args, args.timeout)
        yield manager


@asynccontextmanager
async def showing_hello(manager: EnergyManager, out: Output) -> AsyncIterator[None]:
    """Tell the user, once, when the charger waits for its own user."""

    async def show() -> None:
        async for event in manager.events():
            if event.kind == "ship" and event.data["phase"] == "hello_pending":
                ski = manager.identity.ski
                text = f"The charger does not trust us yet. On its console: trust {ski}"
                out.say(text, event="pending", own_ski=ski)
                return

    task = asyncio.create_task(show())
    await asyncio.sleep(0)  # let it start to listen
    try:
        yield
    finally:
        task.cancel()
