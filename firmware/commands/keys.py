"""The commands `pin`, `peer-pin` and `key`: PINs, and this node's own key (SHIP 12.1, 12.5)."""

from firmware.pins import MODES, OFF
from ship.qr import parse_pin
from ship.ski import group, parse_ski


def run(console, name, words):
    """What makes a key is a coroutine: on a board it takes up to some minutes."""
    node = console.node
    if name == "pin":
        return _pin(node, words)
    if name == "peer-pin":
        return _peer_pin(node, words)
    if not words:
        return _keys(node)
    if words[0] == "change":
        return _change(node, words[1:] == ["yes"])
    if words in (["successor"], ["renew"]):
        return _make(node, words[0])
    raise ValueError("key [successor/change/renew]")


def _pin(node, words):
    """Show our PIN and whether peers have to give it, or change that."""
    pins = node.pins
    if words:
        if len(words) > 1 or words[0] not in MODES:
            raise ValueError("pin [%s]" % "/".join(MODES))
        if words[0] != OFF and not node.identity.pin:
            raise ValueError("the PIN of this node is damaged; it cannot be asked for")
        pins.set_mode(words[0])
    answer = {"pin": group(node.identity.pin), "mode": pins.mode}
    if pins.mode != OFF:
        lock = pins.lock()
        now = node.wall.now_ms()
        answer["wrong"] = lock.wrong
        answer["busy_s"] = (lock.busy_until - now + 999) // 1000 if lock.is_busy(now) else 0
    return answer


def _peer_pin(node, words):
    """Enter the PIN of a peer."""
    try:
        ski = parse_ski("".join(words[:1]))
        is_given = node.pins.enter(ski, parse_pin("".join(words[1:])))
    except ValueError as error:
        raise ValueError("%s: peer-pin SKI PIN" % error)
    text = "given to the peer" if is_given else "kept until the peer asks for it"
    return {"ski": ski, "given": is_given, "text": text}


def _keys(node):
    """Show this node's keys and which peers do not know of the last change."""
    identity = node.identity
    return {
        "ski": identity.ski,
        "successor": identity.successor,
        "predecessor": identity.predecessor,
        "update_counter": identity.counter,
        "pair_again": _uninformed(node),
    }


def _uninformed(node):
    """SKIs of the peers that have not heard of our newest key while it was the successor."""
    identity = node.identity
    needed = identity.counter if identity.successor else identity.counter - 1
    peers = node.registration.store.peers
    return [peer["ski"] for peer in peers if peer.get("told", 1) < needed]


def _change(node, is_confirmed):
    """Go over to the successor."""
    from firmware.key_change import change

    uninformed = _uninformed(node)
    if node.identity.successor and uninformed and not is_confirmed:
        names = ", ".join([ski[:8] for ski in uninformed])
        raise ValueError("to be paired again then: %s; if so, key change yes" % names)
    change(node)
    return {"text": "restarting with the new key; the SKI on the printed label is the old one"}


async def _make(node, what):
    """Make a successor, or a certificate for the present key."""
    from firmware.key_change import make_successor, renew

    if what == "successor":
        await make_successor(node)
        return {"text": "made; restarting, so that peers hear of it. Give them a month to do so"}
    await renew(node)
    return {"text": "made; restarting with the new certificate"}
