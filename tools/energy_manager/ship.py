"""One SHIP connection as its client: framing, the phases up to data exchange, termination.

Covers SHIP 13.4.3 (CMI), 13.4.4.2 (protocol handshake), 13.4.4.3 (PIN: we have none, and give
the charger's if we were told), 13.4.5 (data), 13.4.6 (access methods), 13.4.7 (termination); the
hello phase is in `hello.py`. SPINE datagrams are handed on undigested.

Rules of this file: phases run one after the other in `prepare`, then `run` is the only reader.
What a peer sends too early for its phase but rightly in the next is kept in `_early`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from .eebus_json import Document, as_int, as_list, as_map, encode
from .hello import Hello
from .identity import Identity
from .ship_messages import (
    CLOSE_CODE,
    CONTROL,
    DATA,
    END,
    INIT,
    PROTOCOL_ID,
    REJECTED_CODE,
    T_CLOSE_MS,
    T_CMI_S,
    T_WAIT_S,
    ConnectionLost,
    Frame,
    PeerError,
    Refused,
    ShipError,
    ShipTimeout,
    Trace,
    parse_frame,
)
from .tls import open_socket

_MAX_EARLY = 16  # messages of data exchange that may come before it


class ShipConnection:
    """A connection to one charger.

    `trace(direction, octets)` sees every message, direction `>` or `<`. `on_phase(name, detail)`
    is told what happens before data exchange: `hello_pending`, `hello_ready`, `handshake`, `data`.
    `pin` is the charger's, for one that asks for it.
    """

    def __init__(
        self,
        socket: ClientConnection,
        identity: Identity,
        trace: Trace | None = None,
        on_phase: Callable[[str, str], None] | None = None,
        pin: str = "",
    ):
        self._pin_to_give = pin
        self._socket = socket
        self._identity = identity
        self._trace = trace or (lambda direction, octets: None)
        self.on_phase = on_phase or (lambda name, detail: None)
        self._early = []
        self.prolonged = False
        self._ended = asyncio.Event()
        self.peer_ski = socket.peer_ski
        self.peer_ship_id = ""
        self.ship_id_known = asyncio.Event()

    @classmethod
    async def dial(
        cls,
        identity: Identity,
        host: str,
        port: int,
        path: str,
        expected_ski: str,
        times: dict[str, float],
        **hooks: Callable | None,
    ) -> "ShipConnection":
        """Open TCP, TLS and WebSocket; nothing of SHIP has been sent yet."""
        socket = await open_socket(identity, host, port, path, expected_ski, times)
        return cls(socket, identity, **hooks)

    # -- messages -------------------------------------------------------------------------------

    async def _send(self, kind: int, octets: bytes) -> None:
        frame = bytes([kind]) + octets
        self._trace(">", frame)
        try:
            await self._socket.send(frame)
        except ConnectionClosed as error:
            raise _lost(error) from error

    async def send_control(self, name: str, body: dict) -> None:
        """Send one control message."""
        await self._send(CONTROL, encode(name, body))

    async def receive(self, timeout_s: float | None = None) -> Frame:
        """Return the next frame; raise `ShipTimeout`, `ConnectionLost` or `Refused`."""
        try:
            async with asyncio.timeout(timeout_s):
                octets = await self._socket.recv()
        except TimeoutError as error:
            raise ShipTimeout("the peer is silent") from error
        except ConnectionClosed as error:
            raise _lost(error) from error
        octets = octets.encode() if isinstance(octets, str) else octets
        self._trace("<", octets)
        return parse_frame(octets)

    def _keep(self, frame: Frame) -> None:
        """Keep a message of data exchange that came early (SHIP-IG 2.1)."""
        if len(self._early) == _MAX_EARLY:
            raise PeerError("too many messages before data exchange")
        self._early.append(frame)

    # -- up to data exchange --------------------------------------------------------------------

    async def prepare(self, trust: Awaitable[bool] | None = None, patience_s: float = 120) -> None:
        """Go through CMI, hello, protocol handshake and PIN.

        `trust` is None when the user has named this peer already, else an awaitable that says so
        later; until then we are the pending side. `patience_s` bounds the whole hello phase.
        Raises one of the `ShipError` family; the connection is closed then.
        """
        try:
            await self._cmi()
            self.prolonged = await Hello(self, trust, patience_s).run()
            await self._handshake()
            await self._pin()
        except BaseException:
            await self._shut(CLOSE_CODE, "close")
            raise
        self.on_phase("data", "")

    async def _cmi(self) -> None:
        await self._send(INIT, b"\x00")
        frame = await self.receive(T_CMI_S)
        if frame.type != INIT or frame.body != {"head": 0}:
            raise PeerError("the peer's CMI message is not 00 00")

    async def _handshake(self) -> None:
        """Announce 1.0 and JSON-UTF8, take the peer's selection, echo it (SHIP 13.4.4.2)."""
        self.on_phase("handshake", "")
        ours = _protocol("announceMax")
        await self.send_control("messageProtocolHandshake", ours)
        try:
            frame = await self.receive(T_WAIT_S)
            if self.prolonged and frame.name == "connectionHello":
                # an update that crossed our prolongation; without one it would be error 2
                frame = await self.receive(T_WAIT_S)
        except ShipTimeout:
            await self.send_control("messageProtocolHandshakeError", {"error": 1})
            raise
        if frame.name == "messageProtocolHandshakeError":
            raise PeerError(f"protocol handshake error {frame.body.get('error')} from the peer")
        if frame.name != "messageProtocolHandshake" or frame.body.get("handshakeType") != "select":
            await self.send_control("messageProtocolHandshakeError", {"error": 2})
            raise PeerError(f"unexpected {frame.name or 'message'} in the protocol handshake")
        version = as_map(frame.body.get("version"))
        formats = as_list(as_map(frame.body.get("formats")).get("format")) or ["JSON-UTF8"]
        chosen = (as_int(version.get("major")), as_int(version.get("minor")))
        if chosen != (1, 0) or "JSON-UTF8" not in formats:
            await self.send_control("messageProtocolHandshakeError", {"error": 3})
            raise PeerError(f"the peer selected {chosen} {formats}, we announced 1.0 JSON-UTF8")
        await self.send_control("messageProtocolHandshake", _protocol("select"))

    async def _pin(self) -> None:
        """Say that we need no PIN, give the peer's if it wants one, go on (SHIP 13.4.4.3)."""
        await self.send_control("connectionPinState", {"pinState": "none"})
        deadline = time.monotonic() + T_WAIT_S
        while True:
            frame = await self.receive(max(0, deadline - time.monotonic()))
            if frame.name == "connectionPinState":
                if await self._is_pin_settled(frame.body):
                    return
            elif frame.name == "connectionPinError":
                raise Refused("the PIN is wrong")
            elif frame.name in ("accessMethodsRequest", "accessMethods", "data"):
                self._keep(frame)
            elif frame.name == "connectionClose":
                self._keep(frame)
                return

    async def _is_pin_settled(self, body: dict) -> bool:
        """Whether the peer's connectionPinState lets us go on; else the PIN is on its way."""
        state = body.get("pinState")
        if state in ("none", "pinOk") or (state == "optional" and not self._pin_to_give):
            return True
        if body.get("inputPermission") == "busy":
            raise Refused("the peer takes no PIN at present, because of wrong ones; try later")
        if not self._pin_to_give:
            raise Refused(f"the peer asks for a PIN ({state}); give it with --pin")
        await self.send_control("connectionPinInput", {"pin": self._pin_to_give})
        return False

    # -- data exchange --------------------------------------------------------------------------

    async def run(self, on_datagram: Callable[[dict], Awaitable[None]]) -> str:
        """Serve the connection until it ends; return the reason as text.

        `on_datagram(datagram)` is awaited for each SPINE datagram, in order.
        """
        try:
            await self.send_control("accessMethodsRequest", {})
            for frame in self._early:
                if reason := await self._take(frame, on_datagram):
                    return reason
            while True:
                if reason := await self._take(await self.receive(), on_datagram):
                    return reason
        except ShipError as error:
            return str(error)
        finally:
            self._ended.set()
            await self._shut(CLOSE_CODE, "close")

    async def _take(
        self, frame: Frame, on_datagram: Callable[[dict], Awaitable[None]]
    ) -> str | None:
        """Serve one message of data exchange; return a reason when it ends the connection."""
        if frame.name == "data":
            payload = as_map(frame.body.get("payload"))
            if as_map(frame.body.get("header")).get("protocolId") == PROTOCOL_ID:
                await on_datagram(as_map(payload.get("datagram")))
        elif frame.name == "accessMethodsRequest":
            await self.send_control("accessMethods", {"id": self._identity.ship_id})
        elif frame.name == "accessMethods":
            self.peer_ship_id = str(frame.body.get("id", ""))
            self.ship_id_known.set()
        elif frame.name == "connectionClose":
            if frame.body.get("phase") == "confirm":
                return "closed, confirmed by the peer"
            await self._send(END, encode("connectionClose", {"phase": "confirm"}))
            await self._wait_closed(as_int(frame.body.get("maxTime"), T_CLOSE_MS))
            return f"closed by the peer ({frame.body.get('reason', 'no reason')})"
        elif frame.name == "connectionHello" and frame.body.get("phase") == "aborted":
            return "hello aborted by the peer"
        return None  # everything else has no meaning here and is ignored (SHIP 13.4.2)

    async def send_datagram(self, datagram: dict) -> None:
        """Send one SPINE datagram, a dict in schema order."""
        body = {"header": {"protocolId": PROTOCOL_ID}, "payload": Document("datagram", datagram)}
        await self._send(DATA, encode("data", body))

    # -- the end --------------------------------------------------------------------------------

    async def close(self, reason: str = "unspecific") -> None:
        """End data exchange as SHIP 13.4.7 says: announce, wait for the confirmation, close."""
        if not self._ended.is_set():
            body = {"phase": "announce", "maxTime": T_CLOSE_MS, "reason": reason}
            try:
                await self._send(END, encode("connectionClose", body))
                async with asyncio.timeout(T_CLOSE_MS / 1000):
                    await self._ended.wait()
            except (ShipError, TimeoutError):
                pass  # a silent peer does not keep us from closing
        await self._shut(CLOSE_CODE, "close")

    def drop(self) -> None:
        """Cut the line without a word on any layer, as a crash or a pulled cable would."""
        self._socket.transport.abort()

    async def _shut(self, code: int, reason: str) -> None:
        """Close the WebSocket; the peer gets a moment to answer, then TCP goes down."""
        try:
            await self._socket.close(code, reason)
        except (ConnectionClosed, OSError):
            pass

    async def _wait_closed(self, time_ms: int) -> None:
        try:
            async with asyncio.timeout(min(time_ms, 5000) / 1000):
                await self._socket.wait_closed()
        except TimeoutError:
            pass


def _protocol(kind: str) -> dict:
    """Return the one body both of our handshake messages have."""
    return {
        "handshakeType": kind,
        "version": {"major": 1, "minor": 0},
        "formats": {"format": ["JSON-UTF8"]},
    }


def _lost(error: ConnectionClosed) -> ShipError:
    """Say how the WebSocket ended; one of the codes means that we are not wanted."""
    if error.rcvd is None:
        return ConnectionLost("the connection broke")
    text = f"the peer closed the WebSocket: {error.rcvd.code} {error.rcvd.reason}".rstrip()
    return Refused(text) if error.rcvd.code == REJECTED_CODE else ConnectionLost(text)
