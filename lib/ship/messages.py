"""SHIP messages: one type octet and a value (SHIP 13.4.2; IEC 63380-3 6.10.2, Annex A).

`decode` tells which message it has got, by content rather than by type octet, and takes everything
deployed peers are known to send: white space, trailing NULs, plain objects, an outer array, any
order, unknown children. Control and end messages come as dict; of a data message the payload is
cut out without reading it. What is no message is a kind of its own, never an exception: what to do
about it depends on the state of the connection.

What we send is minified and in schema order, because some parsers expect both.
"""

import json

from eebus_json import end_of_value, from_wire, members, skip_space, to_wire
from micropython import const

# Kinds of received messages, in the order of the error matrix in connection.py
INIT = const(0)
EMPTY = const(1)  # no value, or an unknown type
UNREADABLE = const(2)  # no JSON
HELLO = const(3)
PROTOCOL_HANDSHAKE = const(4)
PROTOCOL_HANDSHAKE_ERROR = const(5)
PIN_STATE = const(6)
PIN_INPUT = const(7)
PIN_ERROR = const(8)
ACCESS_METHODS_REQUEST = const(9)
ACCESS_METHODS = const(10)
DATA = const(11)
CLOSE_ANNOUNCE = const(12)
CLOSE_CONFIRM = const(13)
KEY_MANAGEMENT = const(14)  # commissioning… and keyMaterial… of SHIP 1.1
OTHER = const(15)

_NAMES = (
    "init",
    "empty or of unknown type",
    "unreadable",
    "connectionHello",
    "messageProtocolHandshake",
    "messageProtocolHandshakeError",
    "connectionPinState",
    "connectionPinInput",
    "connectionPinError",
    "accessMethodsRequest",
    "accessMethods",
    "data",
    "connectionClose",
    "connectionClose confirm",
    "key management",
    "other",
)

# A control message that is longer is not read; the longest useful one has about 200 octets.
MAX_CONTROL = const(4096)

_TYPE_INIT = const(0)
_TYPE_LAST = const(3)

_DATA_START = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":'
_DATA_END = b"}]}"

CMI = b"\x00\x00"
PROLONGATION_REQUEST = (
    b'\x01{"connectionHello":[{"phase":"pending"},{"prolongationRequest":true}]}'
)
ABORTED = b'\x01{"connectionHello":[{"phase":"aborted"}]}'
PIN_NONE = b'\x01{"connectionPinState":[{"pinState":"none"}]}'
REQUEST_ACCESS_METHODS = b'\x01{"accessMethodsRequest":[]}'
CONFIRM_CLOSE = b'\x03{"connectionClose":[{"phase":"confirm"}]}'


def name_of(kind):
    """Name of a kind of message, for logs."""
    return _NAMES[kind]


def hello(phase, waiting_ms, counter=0):
    """`ready` or `pending` with the time this side goes on waiting.

    `counter` is the updateCounter of our keys, 0 to leave it out (SHIP 1.1).
    """
    body = (("phase", phase), ("waiting", waiting_ms))
    if counter:
        body += (("keyMaterialState", (("updateCounter", counter),)),)
    return b'\x01{"connectionHello":%s}' % to_wire(body)


def handshake(step, minor):
    """`announceMax` or `select` of version 1.`minor` and JSON-UTF8."""
    return (
        b'\x01{"messageProtocolHandshake":[{"handshakeType":"%s"},{"version":[{"major":1},'
        b'{"minor":%d}]},{"formats":[{"format":["JSON-UTF8"]}]}]}' % (step, minor)
    )


def handshake_error(number):
    """1 timeout, 2 unexpected message, 3 selection mismatch (IEC 63380-3 Table 35)."""
    return b'\x01{"messageProtocolHandshakeError":[{"error":%d}]}' % number


def access_methods(ship_id):
    """Our SHIP ID; we can be found by mDNS."""
    return b'\x01{"accessMethods":%s}' % to_wire((("id", ship_id), ("dnsSd_mDns", ())))


def pin_input(pin):
    """The PIN that the peer wants, 8 to 16 hexadecimal digits."""
    return b'\x01{"connectionPinInput":%s}' % to_wire((("pin", pin),))


def announce_close(max_time_ms, reason):
    """`reason` is `unspecific` or `removedConnection`."""
    body = (("phase", "announce"), ("maxTime", max_time_ms), ("reason", reason))
    return b'\x03{"connectionClose":%s}' % to_wire(body)


def data_parts(payload):
    """A data message around `payload`, in parts so as not to copy it.

    `payload` is the text of a JSON object: one buffer, or a list of buffers.
    """
    parts = payload if isinstance(payload, list) else [payload]
    return [_DATA_START] + parts + [_DATA_END]


def decode(message):
    """(kind, body) of a received message, a memoryview.

    `body` is a dict for control and end messages, a memoryview of the payload for data of protocol
    `ee1.0`, (root, dict) for key management, and None for data of another protocol and for all
    that is not read.
    """
    size = len(message)
    if size < 2 or message[0] > _TYPE_LAST:
        return EMPTY, None
    if message[0] == _TYPE_INIT:
        return INIT, None
    try:
        start = len(_DATA_START)
        if message[:start] == _DATA_START:
            end = end_of_value(message, start)
            if message[end:] == _DATA_END:
                return DATA, message[start:end]
        return _read(message)
    except ValueError:
        return UNREADABLE, None


def _read(message):
    """The same for any spelling. ValueError if it is no JSON."""
    at = skip_space(message, 1)
    end = end_of_value(message, at)
    for octet in message[end:]:
        if octet > 0x20:  # white space and NULs may follow
            raise ValueError("more than one value")
    if message[at] == 0x5B:  # [ around the root
        at = skip_space(message, at + 1)
    for name, start, end in members(message, at):
        if name == b"data":
            return DATA, _payload(message, start)
        return _control(str(name, "utf-8"), message[start:end])
    raise ValueError("no root element")


def _control(root, text):
    """(kind, body) of a message that is no data."""
    if root == "error":  # ship-go sends it without its root element
        return PROTOCOL_HANDSHAKE_ERROR, {"error": json.loads(str(text, "utf-8"))}
    kind = OTHER
    if root.startswith("commissioning") or root.startswith("keyMaterial"):
        kind = KEY_MANAGEMENT
    elif root in _NAMES:
        kind = _NAMES.index(root)
    if kind <= UNREADABLE or kind >= OTHER or " " in root:
        return OTHER, None
    if len(text) > MAX_CONTROL:
        return UNREADABLE, None
    body = from_wire(json.loads(str(text, "utf-8")))
    if not isinstance(body, dict):
        body = {}
    if kind == KEY_MANAGEMENT:
        return kind, (root, body)
    if kind == CLOSE_ANNOUNCE and body.get("phase") != "announce":
        kind = CLOSE_CONFIRM if body.get("phase") == "confirm" else UNREADABLE
    return kind, body


def _payload(message, at):
    """View of the payload of the `data` element at `at`; None for an unknown protocol."""
    protocol = payload = None
    for name, start, end in members(message, at):
        if name == b"payload":
            payload = message[start:end]
        elif name == b"header":
            protocol = from_wire(json.loads(str(message[start:end], "utf-8")))
    if payload is None or not isinstance(protocol, dict):
        raise ValueError("no payload or no header")
    return payload if protocol.get("protocolId") == "ee1.0" else None


def uint(value, maximum=0xFFFFFFFF):
    """A received number of 0 … `maximum`, also written as text; None for anything else."""
    if isinstance(value, str) and len(value) <= 10:
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= maximum else None


def boolean(value):
    """A received boolean, also written as text or number; False for anything else."""
    return value is True or value == 1 or value in ("true", "1")
