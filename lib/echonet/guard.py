"""Who may write, and how much anybody may ask: ECHONET Lite itself has no security at all.

Any host of the network can send requests, with any source address. So writing is off until it is
switched on at the charger, and then it is for a few named controllers only. Reading is for
everybody, within a rate: frames beyond it get no answer, as if they were lost.

Only frames that would be answered count, so that garbage with a forged source address does not
use up that controller's share. A source is whatever the owner uses as address: it is compared.
"""

from micropython import const

# Frames per second of one controller; all together may send twice as many. Wide, because some ask
# for sixty properties one by one; what holds a flood back is that each turn of the event loop
# takes one datagram. An installer may choose less.
RATE = const(100_000)

_SEEN_MAX = const(4)
_WRITES = const(20)  # frames per second of one controller that may write; beyond, SNA
_NOTIFICATIONS = const(20)  # answers to INF_REQ per second: each is a multicast
_WINDOW_MS = const(1_000)


class Controller:
    """One that has sent requests: when last, how many, and its property writes."""

    def __init__(self, source):
        self.source = source
        self.last_ms = 0
        self.requests = 0
        self.writes = 0  # properties accepted
        self.refused = 0  # properties not accepted
        self.reading = [0, 0]  # count and start of a window
        self.writing = [0, 0]


class Guard:
    """`writes_on` and `allowed` (a list of sources) are what was decided at the charger."""

    def __init__(self, writes_on: bool, allowed: list):
        self.writes_on = writes_on
        self.allowed = allowed
        self.rate = RATE
        self.seen = []  # of Controller, the last few
        self.dropped = 0  # frames beyond the rate
        self._all = [0, 0]
        self._notifications = [0, 0]

    def admit(self, source, now: int) -> "Controller | None":
        """Return the sender of a frame that is to be answered; None: it gets no answer."""
        for controller in self.seen:
            if controller.source == source:
                break
        else:
            controller = self._remember(source)
        controller.last_ms = now
        rate = self.rate
        if _take(controller.reading, now, rate) and _take(self._all, now, 2 * rate):
            controller.requests += 1
            return controller
        self.dropped += 1
        return None

    def may_write(self, controller: Controller, now: int) -> bool:
        """Say whether a frame of this controller may change anything."""
        return (
            self.writes_on
            and controller.source in self.allowed
            and _take(controller.writing, now, _WRITES)
        )

    def may_notify(self, now: int) -> bool:
        """Say whether a request may be answered by multicast."""
        return _take(self._notifications, now, _NOTIFICATIONS)

    def _remember(self, source):
        """Make room for a new one: who was away longest goes, those who may write go last."""
        if len(self.seen) == _SEEN_MAX:
            oldest = best = None
            for controller in self.seen:
                rank = (controller.source in self.allowed, controller.last_ms)
                if oldest is None or rank < best:
                    oldest, best = controller, rank
            self.seen.remove(oldest)
        controller = Controller(source)
        self.seen.append(controller)
        return controller


def _take(window, now, limit):
    """Count one; False if that is more than the limit in this second."""
    if now - window[1] >= _WINDOW_MS:
        window[0] = 0
        window[1] = now
    window[0] += 1
    return window[0] <= limit
