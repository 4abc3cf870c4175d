"""The time in which a node accepts a registration (SHIP 5, 7.3.2; IEC 63380-3 6.2.1, 6.9.3).

A local action opens it: a button, a command. As long as it is open the TXT key `register` is
true, so that partners list this node. With auto accept the next peer that comes is trusted unseen,
and that ends it; without, a user decides about each peer. It is never open for longer than two
minutes.
"""

from micropython import const

MAX_MS = const(120_000)


class Pairing:
    """Closed at first."""

    def __init__(self):
        self._until = None
        self._is_auto = False

    def open(self, now, duration_ms=MAX_MS, is_auto=False):
        """Open it, or begin anew; at most for MAX_MS."""
        self._until = now + min(duration_ms, MAX_MS)
        self._is_auto = is_auto

    def close(self):
        """Close it now."""
        self._until = None

    def remaining_ms(self, now):
        """For how long it is still open; 0 if it is closed."""
        return max(0, self._until - now) if self._until is not None else 0

    def accepts(self, now):
        """Whether the peer that comes now is to be trusted unseen. Once: it closes the window."""
        if not self._is_auto or not self.remaining_ms(now):
            return False
        self._until = None
        return True

    def has_ended(self, now):
        """True once when the time is over."""
        if self._until is None or now < self._until:
            return False
        self._until = None
        return True
