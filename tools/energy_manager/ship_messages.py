"""What goes over a SHIP connection: message types, frames, limits, and the ways it can fail.

Covers SHIP 13.4.2 and the parameters of SHIP 4.2. A frame that cannot be read is not an error
here: each phase knows best what it does with an unexpected message.
"""

from collections.abc import Callable
from dataclasses import dataclass

from .eebus_json import MalformedJson, as_map, decode

Trace = Callable[[str, bytes], None]  # direction `>` or `<`, the octets of a SHIP message

INIT, CONTROL, DATA, END = range(4)
PROTOCOL_ID = "ee1.0"

T_CMI_S = 30  # CmiTimeout
T_HELLO_INIT_MS = 120_000  # T_hello_init and T_hello_inc
T_PROLONG_THRESHOLD_MS = 30_000  # T_hello_prolong_thr_inc
T_PROLONG_GAP_MS = 15_000  # T_hello_prolong_waiting_gap
T_WAIT_S = 10  # Wait-Timer of the protocol handshake; also used for the PIN state
T_CLOSE_MS = 1000  # maxTime we announce
WAITING_MAX_MS = 600_000  # a larger `waiting` of a peer is not believed
CLOSE_CODE, REJECTED_CODE = 4001, 4452  # WebSocket codes seen with every known implementation


class ShipError(Exception):
    """The connection did not come about or did not last."""


class Refused(ShipError):
    """The peer, or our own user, does not want this connection."""


class PeerError(ShipError):
    """The peer broke the protocol."""


class ShipTimeout(ShipError):
    """The peer did not answer in time."""


class ConnectionLost(ShipError):
    """The connection ended below SHIP."""


class WrongPeer(ShipError):
    """Somebody else answers: bad certificate, other SKI than asked for, or ourselves."""


class NotReachable(ShipError):
    """No TCP connection, no TLS or no WebSocket with sub-protocol `ship`."""


@dataclass(frozen=True)
class Frame:
    """One SHIP message: type octet, root element, body. `name` is empty if it cannot be read."""

    type: int
    name: str
    body: dict


def parse_frame(octets: bytes) -> Frame:
    """Take a SHIP message apart; never raises."""
    if len(octets) < 2:
        return Frame(octets[0] if octets else -1, "", {})
    if octets[0] == INIT:
        return Frame(INIT, "init", {"head": octets[1]})
    try:
        name, body = decode(octets[1:])
    except MalformedJson:
        return Frame(octets[0], "", {})
    if name == "error":  # ship-go leaves the root element out
        return Frame(octets[0], "messageProtocolHandshakeError", {"error": body})
    return Frame(octets[0], name, as_map(body))
