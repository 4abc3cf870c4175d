"""Two connections with one peer: which one stays (SHIP 12.2.2, 1.1: 12.2.3; IEC 63380-3 6.9.2.3).

The node with the larger SKI keeps the most recent connection. The other one leaves the decision
to it; if after a while nothing has happened it asks all connections for a sign of life, and much
later it closes the older one itself.

Deployed nodes have other rules: some keep the connection that the larger SKI has opened, as soon
as there are two; some close just that one, once both are in data exchange. If we acted at once,
both connections could be lost. So nothing is done before the newest has been in data exchange for
a while, and at most one connection is closed at a time: whatever the peer does by then, one is
left.
"""

from micropython import const

GRACE_MS = const(3_000)  # for the peer to decide, SHIP 1.1 12.2.3
GIVE_UP_MS = const(30_000)  # smaller SKI: from then on it closes the older one

PING = "ping"
CLOSE = "close"


class Double:
    """The connections with one peer from the time when there are two in data exchange.

    `is_larger` says that our SKI is the larger one, as a number; lower-case digits compare alike.
    """

    def __init__(self, is_larger):
        self._is_larger = is_larger
        self._newest_ms = None
        self._has_pinged = False
        self._next_ms = 0

    def decide(self, opened, now):
        """What to do now: None, PING all of them, or CLOSE the oldest.

        `opened` has for each connection, the oldest first, when it reached data exchange.
        """
        if len(opened) < 2:
            return None
        if opened[-1] != self._newest_ms:
            self._newest_ms = opened[-1]
            self._has_pinged = False
            self._next_ms = self._newest_ms + GRACE_MS
        if now < self._next_ms:
            return None
        if self._is_larger:
            self._next_ms = now + GRACE_MS
            return CLOSE
        if not self._has_pinged:
            self._has_pinged = True
            self._next_ms = self._newest_ms + GIVE_UP_MS
            return PING
        self._next_ms = now + GRACE_MS
        return CLOSE
