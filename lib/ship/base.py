"""What the files of SHIP share: the roles, the two kinds of errors, and times that may be off.

The role is the one of the connection, not of the device: whoever opened the TCP connection is
TLS, WebSocket and SHIP client for its whole life (SHIP 13.4.1).
"""

from micropython import const

CLIENT = const(0)
SERVER = const(1)


class LocalError(Exception):
    """This node used the protocol wrongly, e.g. sent a message before the connection was open."""


class RemoteError(Exception):
    """The peer broke the protocol; the connection ends with this WebSocket code and reason."""

    def __init__(self, code, reason):
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


def earliest(*times):
    """The smallest of some times in ms; None stands for a timer that is off, and for no time."""
    first = None
    for time in times:
        if time is not None and (first is None or time < first):
            first = time
    return first


def is_due(time, now):
    """Whether a timer (None: off) has expired at `now`."""
    return time is not None and now >= time
