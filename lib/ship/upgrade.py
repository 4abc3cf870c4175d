"""Opening handshake of a WebSocket (RFC 6455 4; SHIP 10.2), both roles.

Pure functions on the text of the request and of the answer. Whatever keeps a request from becoming
a connection of sub-protocol `ship` gets the HTTP answer that says why. Header names and tokens are
compared without regard to case; no extension is offered or accepted.
"""

import binascii
import hashlib

from micropython import const

from ship.base import RemoteError

END_OF_HEAD = b"\r\n\r\n"

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_OCTETS = const(16)
_PROTOCOL_ERROR = const(1002)

_REQUEST = (
    b"GET %s HTTP/1.1\r\n"
    b"Host: %s\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: %s\r\n"
    b"Sec-WebSocket-Protocol: ship\r\n"
    b"\r\n"
)
_SWITCHING = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n"
    b"Sec-WebSocket-Protocol: ship\r\n"
    b"\r\n"
)
_REFUSAL = b"HTTP/1.1 %s\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n"

_RETRY_AFTER = b"Retry-After: 60\r\n"
_BAD_REQUEST = b"400 Bad Request"
_NOT_FOUND = b"404 Not Found"
_METHOD_NOT_ALLOWED = b"405 Method Not Allowed"
_UPGRADE_REQUIRED = b"426 Upgrade Required"
_HEAD_TOO_LARGE = b"431 Request Header Fields Too Large"
_SERVICE_UNAVAILABLE = b"503 Service Unavailable"
_VERSION_NOT_SUPPORTED = b"505 HTTP Version Not Supported"


class Refused(Exception):
    """A request that is answered with an HTTP error: `answer` are the octets to send."""

    def __init__(self, status, reason, headers=b""):
        super().__init__(reason)
        self.answer = _REFUSAL % (status, headers)
        self.reason = "HTTP %s: %s" % (str(status[:3], "ascii"), reason)


def new_key(entropy):
    """Sec-WebSocket-Key from 16 random octets."""
    return binascii.b2a_base64(entropy).strip()


def accept_token(key):
    """Sec-WebSocket-Accept that proves the server has read `key` (RFC 6455 4.2.2)."""
    return binascii.b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()


def request(host, path, key):
    """Octets of a client's request."""
    return _REQUEST % (path.encode(), host.encode(), key)


def answer(head, path):
    """Octets of the server's 101 answer to the request `head` (bytes, without the empty line).

    `path` is the announced one; `/`, `/ship` and `/ship/` are served as well, because clients
    retry without a path. Raises Refused.
    """
    line, headers = _parse(head)
    _check_request_line(line, path)
    if not _has_token(headers, b"upgrade", b"websocket"):
        raise Refused(_UPGRADE_REQUIRED, "no upgrade", b"Upgrade: websocket\r\n")
    if not _has_token(headers, b"connection", b"upgrade"):
        raise Refused(_BAD_REQUEST, "connection is not to be upgraded")
    if headers.get(b"sec-websocket-version") != b"13":
        raise Refused(_UPGRADE_REQUIRED, "version", b"Sec-WebSocket-Version: 13\r\n")
    if b"host" not in headers:
        raise Refused(_BAD_REQUEST, "no host")
    key = headers.get(b"sec-websocket-key", b"")
    if not _is_key(key):
        raise Refused(_BAD_REQUEST, "no key")
    if not _has_token(headers, b"sec-websocket-protocol", b"ship"):
        raise Refused(_BAD_REQUEST, "sub-protocol ship is not offered")
    return _SWITCHING % accept_token(key)


def head_too_large():
    """The refusal of a request whose head does not end in time."""
    return Refused(_HEAD_TOO_LARGE, "head is too large")


def no_room():
    """The refusal of a peer that comes while all places are taken."""
    return Refused(_SERVICE_UNAVAILABLE, "no room for another connection", _RETRY_AFTER)


def check_answer(head, key):
    """Accept a server's answer (bytes, without the empty line) to the request with `key`.

    Raises RemoteError.
    """
    try:
        line, headers = _parse(head)
    except Refused:
        raise RemoteError(_PROTOCOL_ERROR, "no HTTP")
    if not line.startswith(b"HTTP/1.1 101"):
        status = line[9:12]
        text = str(status, "ascii") if status.isdigit() else "unreadable"
        raise RemoteError(_PROTOCOL_ERROR, "not upgraded: HTTP status " + text)
    if not (
        _has_token(headers, b"upgrade", b"websocket")
        and _has_token(headers, b"connection", b"upgrade")
        and headers.get(b"sec-websocket-accept") == accept_token(key)
    ):
        raise RemoteError(_PROTOCOL_ERROR, "no valid upgrade")
    if headers.get(b"sec-websocket-protocol") != b"ship":
        raise RemoteError(_PROTOCOL_ERROR, "sub-protocol ship is not selected")
    if b"sec-websocket-extensions" in headers:
        raise RemoteError(_PROTOCOL_ERROR, "extension was not offered")


def _parse(head):
    """Return (first line, headers): lower-case names to values, repeated ones joined."""
    lines = head.split(b"\r\n")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        # A name followed by white space, or a folded line, is how requests are smuggled
        # (RFC 9112 5.1, 5.2).
        if not colon or not name or name.strip() != name:
            raise Refused(_BAD_REQUEST, "malformed header")
        name = name.lower()
        value = value.strip()
        headers[name] = headers[name] + b"," + value if name in headers else value
    return lines[0], headers


def _check_request_line(line, path):
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/"):
        raise Refused(_BAD_REQUEST, "malformed request")
    method, target, version = parts
    if not version.startswith(b"HTTP/1.") or version == b"HTTP/1.0":
        raise Refused(_VERSION_NOT_SUPPORTED, "version of HTTP")
    if method != b"GET":
        raise Refused(_METHOD_NOT_ALLOWED, "method", b"Allow: GET\r\n")
    target = target.partition(b"?")[0]
    _, scheme, rest = target.partition(b"://")
    if scheme:  # absolute form
        target = b"/" + rest.partition(b"/")[2]
    if target not in (b"/", b"/ship", b"/ship/", path.encode()):
        raise Refused(_NOT_FOUND, "path")


def _has_token(headers, name, token):
    """Whether the comma-separated value of a header contains `token` (lower case)."""
    for part in headers.get(name, b"").split(b","):
        if part.strip().lower() == token:
            return True
    return False


def _is_key(key):
    try:
        return len(key) == 24 and len(binascii.a2b_base64(key)) == _KEY_OCTETS
    except ValueError:
        return False
