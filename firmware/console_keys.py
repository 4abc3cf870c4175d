"""Console commands about PINs and about this node's key (SHIP 12.1, 12.5).

Each function is a command of firmware.console: it takes the node and the arguments, returns a
dictionary, and raises CommandError with what to do instead.
"""

import asyncio

from firmware import key_change
from firmware.console import CommandError
from firmware.pins import MODES, OFF
from ship.qr import parse_pin
from ship.ski import group, parse_ski


def pin(node, arguments):
    """Show our PIN and whether peers have to give it, or change that."""
    pins = node.pins
    if arguments:
        if len(arguments) > 1 or arguments[0] not in MODES:
            raise CommandError("pin [%s]" % "|".join(MODES))
        if arguments[0] != OFF and not node.identity.pin:
            raise CommandError("the PIN of this node is damaged; it cannot be asked for")
        pins.set_mode(arguments[0])
    result = {"pin": group(node.identity.pin), "mode": pins.mode}
    if pins.mode != OFF:
        lock = pins.lock()
        now = node.wall.now_ms()
        result["wrong"] = lock.wrong
        result["busy_s"] = (lock.busy_until - now + 999) // 1000 if lock.is_busy(now) else 0
    return result


def peer_pin(node, arguments):
    """Enter the PIN of a peer, as its label shows it."""
    try:
        ski = parse_ski("".join(arguments[:1]))
        digits = parse_pin("".join(arguments[1:]))
        is_given = node.pins.enter(ski, digits)
    except ValueError as error:
        raise CommandError("%s: peer-pin SKI PIN" % error)
    text = "given to the peer" if is_given else "kept until the peer asks for it"
    return {"ski": ski, "given": is_given, "text": text}


def key(node, arguments):
    """Show this node's keys and who knows of the next one, or take a step of the change."""
    if arguments and arguments[0] not in ("successor", "change", "renew"):
        raise CommandError("key [successor|change|renew]")
    if arguments:
        return _step(node, arguments[0], arguments[1:] == ["yes"])
    identity = node.identity
    return {
        "ski": identity.ski,
        "successor": identity.successor,
        "predecessor": identity.predecessor,
        "update_counter": identity.counter,
        "pair_again": _uninformed(node),
    }


def _uninformed(node):
    """SKIs of the peers that would not recognise us with the successor."""
    return [
        peer["ski"]
        for peer in node.registration.store.peers
        if peer.get("told", 1) < node.identity.counter
    ]


def _step(node, step, is_confirmed):
    identity = node.identity
    if identity.work:
        raise CommandError("a key is being made; wait for the restart")
    if step == "change":
        uninformed = _uninformed(node)
        if identity.successor and uninformed and not is_confirmed:
            names = ", ".join([ski[:8] for ski in uninformed])
            raise CommandError("peers to pair again then: %s; key change yes" % names)
        try:
            key_change.change(node)
        except ValueError as error:
            raise CommandError(str(error))
        return {"text": "restarting with the new key; the printed label is no longer valid"}
    work = key_change.make_successor if step == "successor" else key_change.renew
    identity.work = asyncio.create_task(_finish(node, work, step))
    return {"text": "takes up to some minutes on a board; then the firmware starts again"}


async def _finish(node, work, step):
    """Run a step that takes long; the task ends here whatever happens."""
    try:
        await work(node)
    except Exception as error:
        node.identity.work = None
        node.log.exception("key " + step, error)
