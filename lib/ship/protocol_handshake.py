"""Protocol handshake: agree on version and format (SHIP 13.4.4.2; IEC 63380-3 6.10.4.2).

The client announces its maximum, the server selects, the client repeats the selection. We speak
1.0 and 1.1, which differ in the key management only, and JSON-UTF8. Several peers refuse whoever
announces more than 1.0, so a client announces 1.1 only to a peer whose hello has shown that it
speaks it; a server selects 1.1 for whoever announces that or more.

Rules of this file: what happens on which event stands in _REACTIONS and nowhere else.
"""

from micropython import const

from ship import messages, states
from ship.base import SERVER, is_due

WAIT_MS = const(10_000)  # Wait-Timer of each waiting state

TIMEOUT = const(1)  # errors (IEC 63380-3 Table 35)
UNEXPECTED_MESSAGE = const(2)
SELECTION_MISMATCH = const(3)

_MAJOR = const(1)
_MAX_MINOR = const(1)
_CLOSE_CODE = const(4001)

_ANNOUNCE = const(0)
_ANNOUNCE_UNUSABLE = const(1)
_SELECT = const(2)
_SELECT_UNUSABLE = const(3)
_LATE_HELLO = const(4)
_ERROR = const(5)
_OTHER = const(6)
_EXPIRED = const(7)
_COLUMN = const(2)
_ROW = const(16)

# s select   e echo the selection, ok   o ok   l ignore one late hello   x end without an answer
# 1 2 3 error with this number
_REACTIONS = (
    # announceMax with a common version and format
    # | announceMax without
    # | | select of a version that we have announced or selected, and JSON-UTF8
    # | | | select of anything else
    # | | | | connectionHello ready
    # | | | | | messageProtocolHandshakeError
    # | | | | | | any other message
    # | | | | | | | Wait-Timer expired
    "s 3 2 2 l x 2 1 "  # SERVER_LISTEN_PROPOSAL
    "2 2 o 3 2 x 2 1 "  # SERVER_LISTEN_CONFIRM
    "2 2 e 3 l x 2 1 "  # CLIENT_LISTEN_CHOICE
)


class ProtocolHandshake:
    """The phase on one connection; `send(octets)` queues a message.

    `allows_late_hello`: the peer's last hello update may cross with ours if one side has asked for
    prolongation, so one `ready` is ignored then. `minor` of the version is what a client
    announces, and afterwards what is agreed. `state`, `is_done`, `failure` as in Hello.
    """

    def __init__(self, role, allows_late_hello, send, minor=0):
        self._role = role
        self.minor = minor
        self._allows_late_hello = allows_late_hello
        self._send = send
        self._until = None
        self.state = states.CLIENT_LISTEN_CHOICE
        self.is_done = False
        self.failure = None

    def start(self, now):
        """Enter CLIENT_INIT or SERVER_INIT."""
        self._until = now + WAIT_MS
        if self._role == SERVER:
            self.state = states.SERVER_LISTEN_PROPOSAL
        else:
            self._send(messages.handshake(b"announceMax", self.minor))

    def receive(self, kind, body, now):
        """Take a decoded message of any kind."""
        event = _OTHER
        if kind == messages.PROTOCOL_HANDSHAKE:
            event = self._handshake_event(body)
        elif kind == messages.PROTOCOL_HANDSHAKE_ERROR:
            event = _ERROR
        elif kind == messages.HELLO and body.get("phase") == "ready":
            event = _LATE_HELLO
        self._react(event, now)

    def deadline(self):
        """When `tick` is to be called, or None."""
        return self._until

    def tick(self, now):
        """Let time pass."""
        if is_due(self._until, now):
            self._react(_EXPIRED, now)

    def _react(self, event, now):
        row = (self.state - states.SERVER_LISTEN_PROPOSAL) * _ROW
        reaction = _REACTIONS[row + _COLUMN * event]
        if reaction == "s":
            self._send(messages.handshake(b"select", self.minor))
            self._until = now + WAIT_MS
            self.state = states.SERVER_LISTEN_CONFIRM
        elif reaction == "e":
            self._send(messages.handshake(b"select", self.minor))
            self._finish(states.CLIENT_OK)
        elif reaction == "o":
            self._finish(states.SERVER_OK)
        elif reaction == "l" and self._allows_late_hello:
            self._allows_late_hello = False
        elif reaction == "x":
            self._fail(states.ERROR, "protocol handshake error by the peer")
        else:
            self._end(UNEXPECTED_MESSAGE if reaction == "l" else int(reaction))

    def _handshake_event(self, body):
        """Which event a messageProtocolHandshake is; notes the version to agree on."""
        step = body.get("handshakeType")
        version = body.get("version")
        major = messages.uint(version.get("major")) if isinstance(version, dict) else None
        minor = messages.uint(version.get("minor")) if isinstance(version, dict) else None
        is_known = major is not None and minor is not None and _has_our_format(body.get("formats"))
        if step == "announceMax":
            if not is_known or major < _MAJOR:
                return _ANNOUNCE_UNUSABLE
            if self.state == states.SERVER_LISTEN_PROPOSAL:
                self.minor = _MAX_MINOR if major > _MAJOR else min(minor, _MAX_MINOR)
            return _ANNOUNCE
        if step != "select":
            return _OTHER
        is_ours = is_known and major == _MAJOR and minor <= self.minor
        if not is_ours or (self._role == SERVER and minor != self.minor):
            return _SELECT_UNUSABLE
        self.minor = minor
        return _SELECT

    def _finish(self, state):
        self._until = None
        self.state = state
        self.is_done = True

    def _end(self, error):
        self._send(messages.handshake_error(error))
        state = states.PROTOCOL_TIMEOUT if error == TIMEOUT else states.ERROR
        self._fail(state, "protocol handshake error %d" % error)

    def _fail(self, state, reason):
        self._until = None
        self.state = state
        self.failure = (_CLOSE_CODE, reason)


def _has_our_format(formats):
    """Whether JSON-UTF8 is in `formats`; some peers leave them out, or send one without a list."""
    names = formats.get("format") if isinstance(formats, dict) else formats
    return not names or "JSON-UTF8" in (names if isinstance(names, list) else [names])
