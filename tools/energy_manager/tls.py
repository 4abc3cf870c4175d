"""TCP, TLS and the WebSocket opening towards a charger, SHIP 8 to 10.

There is no certificate authority in SHIP: TLS only proves that the peer owns its key, and the
key's SKI says who it is. So the certificate is checked here, by hand, after the TLS handshake and
before the first byte of HTTP leaves. Session tickets are off, because a resumed session shows no
certificate; compression and renegotiation are off; dates, names and issuers are not looked at.
"""

import asyncio
import socket
import ssl
import time

import websockets
from websockets.asyncio.client import ClientConnection, connect

from .identity import Identity, WrongCertificate, certificate_ski
from .ship_messages import NotReachable, WrongPeer

# SHIP 9.1: the first is what most peers negotiate, the second is the mandatory one.
CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256"
MAX_RECORD = 1024  # SHIP 9.2: no larger TLSPlaintext fragment, negotiated or not
MAX_MESSAGE = 1 << 20

_T_CONNECT_S = 8
_T_UPGRADE_S = 30  # a small board needs seconds for its part of the TLS handshake
_T_PING_S = 50  # SHIP 10.4
_T_PONG_S = 10
_T_CLOSE_S = 1


def client_context(identity: Identity) -> ssl.SSLContext:
    """Return the TLS context of a SHIP client: our certificate shown, the peer's not judged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_ecdh_curve("prime256v1")
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(identity.certificate_path, identity.key_path)
    return context


class _SmallRecords:
    """A transport that hands data to TLS in slices, so that no record exceeds `MAX_RECORD`."""

    def __init__(self, transport):
        self._transport = transport

    def write(self, data):
        view = memoryview(data)
        for start in range(0, len(view), MAX_RECORD):
            self._transport.write(bytes(view[start : start + MAX_RECORD]))

    def __getattr__(self, name):
        return getattr(self._transport, name)


def _connection_class(
    identity: Identity, expected_ski: str, times: dict[str, float]
) -> type[ClientConnection]:
    """Return a connection type that looks at the certificate before it sends the HTTP request."""

    class CheckedConnection(ClientConnection):
        peer_ski = ""

        def connection_made(self, transport):
            times["tls"] = time.perf_counter()
            super().connection_made(_SmallRecords(transport))

        async def handshake(self, *args, **kwargs):
            self.peer_ski = _checked_ski(self.transport, identity.ski, expected_ski)
            await super().handshake(*args, **kwargs)

    return CheckedConnection


def _checked_ski(transport: asyncio.Transport, own_ski: str, expected_ski: str) -> str:
    """Return the SKI of the peer of a fresh TLS session, or raise `WrongPeer`."""
    der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
    if der is None:
        raise WrongPeer("the peer sent no certificate")
    try:
        ski = certificate_ski(der)
    except WrongCertificate as error:
        raise WrongPeer(str(error)) from error
    if ski == own_ski:
        raise WrongPeer("connected to ourselves")
    if expected_ski and ski != expected_ski:
        raise WrongPeer(f"the peer's SKI is {ski}, expected {expected_ski}")
    return ski


async def _tcp(host: str, port: int) -> socket.socket:
    """Return a connected socket; every address of the name is tried in turn."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotReachable(f"{host} cannot be resolved: {error}") from error
    last = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            async with asyncio.timeout(_T_CONNECT_S):
                await loop.sock_connect(sock, address)
            return sock
        except OSError as error:  # TimeoutError is one
            sock.close()
            last = error
        except asyncio.CancelledError:
            sock.close()
            raise
    raise NotReachable(f"no TCP connection to {host}:{port}: {last or 'no address'}")


async def open_socket(
    identity: Identity,
    host: str,
    port: int,
    path: str,
    expected_ski: str,
    times: dict[str, float],
) -> ClientConnection:
    """Dial a charger; return an open `ClientConnection` with the attribute `peer_ski`.

    `times` receives `time.perf_counter()` values for `tcp`, `tls` and `websocket`. A server that
    does not know the path is asked once more for `/`. Raises `WrongPeer`, `NotReachable`.
    """
    for attempt in (path, "/"):
        sock = await _tcp(host, port)
        times["tcp"] = time.perf_counter()
        name = f"[{host}]" if ":" in host else host
        try:
            opened = await connect(
                f"wss://{name}:{port}{attempt}",
                sock=sock,
                ssl=client_context(identity),
                subprotocols=["ship"],
                compression=None,
                user_agent_header=None,
                proxy=None,
                open_timeout=_T_UPGRADE_S,
                ping_interval=_T_PING_S,
                ping_timeout=_T_PONG_S,
                close_timeout=_T_CLOSE_S,
                max_size=MAX_MESSAGE,
                create_connection=_connection_class(identity, expected_ski, times),
            )
        except websockets.InvalidStatus as error:
            if attempt != "/" and error.response.status_code in (404, 400):
                continue
            raise NotReachable(f"the WebSocket was refused: {error}") from error
        except (OSError, websockets.InvalidHandshake, EOFError) as error:
            raise NotReachable(f"TLS or WebSocket opening failed: {error}") from error
        times["websocket"] = time.perf_counter()
        if opened.subprotocol != "ship":
            opened.transport.abort()
            raise NotReachable("the peer does not speak the WebSocket sub-protocol ship")
        return opened
    raise NotReachable("the WebSocket was refused")
