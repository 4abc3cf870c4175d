"""Another key for this node, or another certificate for its key (SHIP 12.1, SHIP 1.1 12.1.3).

    successor   made in advance; peers that speak SHIP 1.1 hear of it and will trust it
    change      the successor becomes the key of this node, the old one its predecessor
    renew       a new certificate for the present key: nothing changes for anybody

The state file `keys` exists once there has been a successor. The key of the label, in `identity`,
is never given up: a factory reset returns to it, as the label promises. `updateCounter` is never
taken back, or peers would not believe us any more. Each step takes effect with a restart of the
firmware, so that every peer sees it in the next hello.

Loaded when one of these is wanted, and at a start where `keys` exists.
"""

import json

from firmware.identity import Identity, make, split

_NAME = "keys"
_MAX_COUNTER = 0xFFFF  # updateCounter is an unsignedShort


def apply(storage, label):
    """The identity in use, from that of the label and `keys`. Raises OSError if it is damaged."""
    state = _load(storage)
    identity = label
    if state["current"]:
        identity = Identity(*split(bytes.fromhex(state["current"])))
        identity.pin = label.pin
    identity.counter = state["counter"]
    identity.predecessor = state["predecessor"]
    if state["next"]:
        identity.successor = Identity(*split(bytes.fromhex(state["next"]))).ski
    return identity


async def make_successor(node):
    """Make the key that is to come, and start again to tell of it."""
    data = await make(node.ship_id, node.board.VENDOR)
    state = _load(node.storage)
    state["next"] = data.hex()
    _count(state)
    _save(node.storage, state)
    node.stop("restart")


def change(node):
    """Use the successor from now on, and start again with it. Raises ValueError without one."""
    state = _load(node.storage)
    if not state["next"]:
        raise ValueError("there is no successor yet; key successor makes one")
    state["current"] = state["next"]
    state["next"] = ""
    state["predecessor"] = node.identity.ski
    _count(state)
    _save(node.storage, state)
    node.stop("restart")


async def renew(node):
    """Make a new certificate for the key in use, and start again with it."""
    data = await make(node.ship_id, node.board.VENDOR, node.identity.key)
    state = _load(node.storage)
    if state["current"]:
        state["current"] = data.hex()
        _save(node.storage, state)
    else:
        node.storage.save("identity", data)
    node.stop("restart")


def forget(storage):
    """Factory reset: back to the key of the label."""
    state = _load(storage)
    state["current"] = state["next"] = state["predecessor"] = ""
    _count(state)
    _save(storage, state)


def _load(storage):
    text = storage.load(_NAME)
    if text:
        return json.loads(text)
    if storage.has(_NAME):
        raise OSError("keys are damaged")
    return {"counter": 1, "predecessor": "", "current": "", "next": ""}


def _save(storage, state):
    storage.save(_NAME, json.dumps(state).encode())


def _count(state):
    if state["counter"] >= _MAX_COUNTER:
        raise ValueError("the key of this node was changed too often")
    state["counter"] += 1
