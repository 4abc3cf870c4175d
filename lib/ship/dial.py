"""Whom to call, where, and when: the client role of a node (SHIP 6, 7.4, 8.3; IEC 63380-3 6.3,
6.4.5, 6.5.3).

The owner says which trusted peers can be reached (`found`, `lost`) and how connections with them
ended (`ended`), whoever opened these; `next` hands out the call that is due. A peer that has just
appeared, or whose connection went well for a while, is called after a random delay, so that
two nodes that wait for each other do not call at the same moment. After a call that failed the
pauses grow, and they are random too. All addresses of a peer are tried before there is a pause.

Not here: which peer is trusted, sockets, and what to do when both have called (ship.double).
"""

from micropython import const

MAX_TARGETS = const(8)  # as many as there can be trusted peers
DELAY_MS = const(3_000)  # a random part of it before the first call
PAUSE_MS = const(3_000)  # shortest pause after the first failure, up to twice as long; doubled
PAUSE_MAX_MS = const(60_000)  # the pauses stop growing here, so between one and two minutes
EAGER = const(3)  # so many failures in a row are forgotten when an unreachable peer is heard of
STEADY_MS = const(30_000)  # after a connection that lasted so long there is no pause

# How a call or a connection ended
UNREACHABLE = const(0)  # no TCP connection
FAILED = const(1)  # ended before data exchange
REFUSED = const(2)  # the peer does not trust us (4452, hello aborted) or has no room
SHORT = const(3)  # ended soon after data exchange had begun
STEADY = const(4)  # lasted


class Target:
    """A peer that can be called. `addresses` are 4 or 16 octets each, in the order of trial."""

    def __init__(self, ski):
        self.ski = ski
        self.addresses = ()
        self.port = 0
        self.path = ""
        self.host = ""
        self.failures = 0
        self.is_unreachable = False  # the last call did not find anybody
        self.due_ms = 0
        self._at = 0  # which address is next

    def address(self):
        """The address to call now."""
        return self.addresses[self._at]

    def turn(self):
        """Go on to the next address; False once all have had their turn."""
        self._at = (self._at + 1) % len(self.addresses)
        return self._at != 0


class Dialler:
    """`random(n)` returns n random octets. `targets` are the peers that can be called."""

    def __init__(self, random):
        self.targets = []
        self._random = random

    def found(self, ski, addresses, port, path, host, now):
        """A trusted peer can be reached there; call it anew if that is news.

        Beyond MAX_TARGETS a peer has to call us.
        """
        target = self.find(ski)
        addresses = _in_order(addresses)
        if target is None:
            if len(self.targets) >= MAX_TARGETS or not addresses:
                return
            target = Target(ski)
            self.targets.append(target)
        elif (target.addresses, target.port, target.path) == (addresses, port, path):
            if target.is_unreachable and target.failures <= EAGER:
                target.due_ms = min(target.due_ms, now + self._between(0, DELAY_MS))
            return
        if not addresses:
            self.lost(ski)
            return
        target.addresses = addresses
        target.port = port
        target.path = path
        target.host = host
        target.failures = 0
        target._at = 0
        target.due_ms = now + self._between(0, DELAY_MS)

    def lost(self, ski):
        """A peer has left, or is not trusted any more: do not call it."""
        target = self.find(ski)
        if target:
            self.targets.remove(target)

    def find(self, ski):
        """The target with this key, or None."""
        for target in self.targets:
            if target.ski == ski:
                return target
        return None

    def next(self, now, is_busy):
        """The target to call now, or None. `is_busy(ski)`: there is a connection already.

        The target is not handed out again before `ended`, or two pauses if that is forgotten.
        """
        for target in self.targets:
            if target.due_ms <= now and not is_busy(target.ski):
                target.due_ms = now + 2 * PAUSE_MAX_MS
                return target
        return None

    def ended(self, ski, how, now):
        """A call, or a connection that either side had opened, is over."""
        target = self.find(ski)
        if target is None:
            return
        if how == STEADY:
            target.failures = 0
            target.due_ms = now + self._between(0, DELAY_MS)
            return
        if how == SHORT:
            target.failures = 0
        target.is_unreachable = how == UNREACHABLE
        if how == UNREACHABLE and target.turn():
            target.due_ms = now
            return
        pause_ms = PAUSE_MAX_MS
        if how != REFUSED and target.failures < 5:
            pause_ms = min(PAUSE_MS << target.failures, PAUSE_MAX_MS)
        target.failures += 1
        target.due_ms = now + self._between(pause_ms, 2 * pause_ms)

    def _between(self, low, high):
        """A random number of ms from `low` on, below `high`."""
        octets = self._random(2)
        return low + (octets[0] << 8 | octets[1]) * (high - low) // 65_536


def _in_order(addresses):
    """The usable addresses, IPv4 first: it works everywhere. Link-local IPv6 needs a scope."""
    order = [address for address in addresses if len(address) == 4]
    for address in addresses:
        if len(address) == 16 and not (address[0] == 0xFE and address[1] & 0xC0 == 0x80):
            order.append(address)
    return order
