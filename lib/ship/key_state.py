"""Change of keys without a new pairing (SHIP 1.1 12.1.3; IEC 63380-3 6.9.1.3, Tables 50 to 52).

A node tells its peers which key it will have next (`successor`) while it still uses the `current`
one. When it comes back with that key it is known already; the old one is a `predecessor` then and
counts no more. `updateCounter` grows with every change and is part of the hello, so that a peer
that has missed one asks for it. Only curve 23 (secp256r1) is of interest.

Only loaded for a peer that speaks SHIP 1.1: others must never see these messages. What is agreed
stands in the peer's record of the trust store: `next` its successor, `counter` the updateCounter
of its keys, `told` the one of ours that it has accepted.
"""

from eebus_json import to_wire
from micropython import const

from ship.base import is_due
from ship.messages import boolean, uint
from ship.ski import parse_ski

RESPONSE_MS = const(30_000)  # for keyMaterialStateResponse, twice
MAX_ENTRIES = const(16)  # of one keyMaterialState

_CURVE = const(23)  # secp256r1 in IANA's TLS Supported Groups


class KeyState:
    """The procedure on one connection in data exchange, with the peer `ski`.

    `registration` has `store` (TrustStore) and `save()`; `identity` is our key: `ski`, `counter`
    (1 if it never changed) and `key_set()`, a list of (currentState, ski).
    """

    def __init__(self, registration, identity, connection, ski):
        self._registration = registration
        self._identity = identity
        self._connection = connection
        self._ski = ski
        self._until = None
        self._tries = 0

    def start(self, now):
        """Data exchange begins: ask for what we have missed, tell what the peer has missed."""
        peer = self._registration.store.find(self._ski)
        if peer is None:
            return
        known = peer.get("counter", 1)
        if (self._connection.peer_counter or 0) > known:
            self._connection.send(
                b'\x01{"keyMaterialStateRequest":[{"knownUpdateCounter":%d}]}' % known
            )
        if peer.get("told", 1) < self._identity.counter:
            self._announce(now)

    def receive(self, root, body, now):
        """Take one of the three messages; anything else is ignored."""
        if root == "keyMaterialStateRequest":
            self._tries = 0
            self._announce(now)
        elif root == "keyMaterialStateResponse":
            self._take_response(boolean(body.get("accept")))
        elif root == "keyMaterialState":
            accept = self._apply(body)
            self._connection.send(
                b'\x01{"keyMaterialStateResponse":[{"accept":%s}]}'
                % (b"true" if accept else b"false")
            )

    def deadline(self):
        """When `tick` is to be called, or None."""
        return self._until

    def tick(self, now):
        """Let time pass: after the second silence the peer is left, to be told next time."""
        if not is_due(self._until, now):
            return
        if self._tries < 2:
            self._announce(now)
        else:
            self._until = None
            self._connection.end("unspecific", now)

    # Our keys

    def _announce(self, now):
        self._tries += 1
        self._until = now + RESPONSE_MS
        entries = [
            (("currentState", state), ("curve", _CURVE), ("ski", ski.upper()))
            for state, ski in self._identity.key_set()
        ]
        body = (("updateCounter", self._identity.counter), ("entry", entries))
        self._connection.send(b'\x01{"keyMaterialState":%s}' % to_wire(body))

    def _take_response(self, accept):
        if self._until is None:
            return  # nobody has asked
        self._until = None
        peer = self._registration.store.find(self._ski)
        if accept and peer:
            peer["told"] = self._identity.counter
            self._registration.save()

    # The peer's keys

    def _apply(self, body):
        """Take over the peer's set of keys; returns whether it is credible."""
        peer = self._registration.store.find(self._ski)
        counter = uint(body.get("updateCounter"), 0xFFFF)
        keys = _keys(body)
        if peer is None or counter is None or keys is None or counter < peer.get("counter", 1):
            return False
        current = keys.get("current")
        successor = keys.get("successor")
        if current is None or self._ski not in (current, keys.get("predecessor")):
            return False  # not the keys of whom we are talking to
        for ski in (current, successor):
            other = self._registration.store.find(ski) if ski else None
            if ski == self._identity.ski or (other and other is not peer):
                return False
        peer["ski"] = current
        peer["counter"] = counter
        if successor:
            peer["next"] = successor
        elif "next" in peer:
            del peer["next"]
        self._registration.save()
        return True


def _keys(body):
    """currentState → SKI of the entries of our curve; None if they are malformed."""
    entries = body.get("entry")
    entries = [entries] if isinstance(entries, dict) and entries else entries or []
    if not isinstance(entries, list) or len(entries) > MAX_ENTRIES:
        return None
    keys = {}
    try:
        for entry in entries:
            if uint(entry["curve"]) != _CURVE:
                continue
            state = entry["currentState"]
            if state in keys:
                return None
            keys[state] = parse_ski(entry["ski"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return keys
