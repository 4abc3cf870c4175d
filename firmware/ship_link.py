"""One SHIP connection on a socket: TLS stream, WebSocket, SHIP phases, SPINE peer, wired together.

All decisions are in lib/; this file moves octets. A link has one task that reads; whoever produces
output (the reader, the timers, a notify caused by another link) calls `flush`, which writes what
fits and leaves the rest to a small task that waits for the socket. Nothing here waits for a slow
peer.
"""

import asyncio
import os
import time

from micropython import const

from firmware.tls_stream import MAX_FRAGMENT, TlsStream
from ship.base import SERVER
from ship.connection import Connection
from ship.ski import CertificateError, to_hex
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket
from spine.peer import Peer

_CLOSE = const(4001)
_OVERLOAD = const(1008)
_TURN_MS = const(4)
_LINGER_MS = const(100)
_LINGER_READS = const(20)

# One scratch record for all links: a write copies it into mbedTLS at once.
_record = None


class Link:
    """A connection from accept to close. `ski` is None until TLS stands.

    `node` gives `wall` (time of the network) and `clock` (time of the station, which a simulation
    may speed up), `log`, `identity`, `device`, `ship_id`, `registration`, and `links`, which hears
    `pending`, `opened` and `closed`.
    """

    def __init__(self, node, raw, where):
        self.where = where
        self.ski = None
        self.connection = None
        self.peer = None
        self.reason = ""
        self._node = node
        self._raw = raw
        self._stream = None
        self._socket = WebSocket(SERVER, os.urandom, node.path, "", node.max_message)
        self._out = []
        self._out_at = 0  # octets of the first buffer that are sent already
        self._drain = None
        self._task = None
        self._ended = False

    def start(self, context):
        """Begin to serve the accepted socket."""
        self._socket.start(self._node.wall.now_ms())
        self._task = asyncio.create_task(self._run(context))

    def is_open(self):
        """Whether data exchange has been reached."""
        return self.peer is not None

    def is_pending(self):
        """Whether the peer waits for the user to trust it."""
        return self.connection is not None and self.peer is None and not self._trusted()

    def state(self):
        """Where the connection stands, for people."""
        if self.connection is None:
            return "handshake" if self.ski is None else "upgrade"
        return self.connection.state_name()

    def _trusted(self):
        return self._node.registration.store.find(self.ski) is not None

    # --- reading ----------------------------------------------------------------------------

    async def _run(self, context):
        """Serve the connection; whatever goes wrong in it ends here and nowhere else."""
        try:
            self._stream = TlsStream(self._raw, context)
            await self._read_all()
        except CertificateError as error:
            self._end("no usable client certificate: %s" % error)
        except asyncio.TimeoutError:
            pass  # said all, heard all
        except OSError as error:
            self._end("connection lost: %s" % error)
        except Exception as error:
            self._node.log.exception(self._name(), error)
            self._end("out of memory" if isinstance(error, MemoryError) else "internal error")
        finally:
            self._close()

    async def _read_all(self):
        """Read until one side closes.

        A peer that always has more to say must not keep the other tasks waiting, above all not the
        control loop: after _TURN_MS without a pause they get their turn.
        """
        turn = time.ticks_ms()
        while not self._ended:
            if time.ticks_diff(time.ticks_ms(), turn) >= _TURN_MS:
                await asyncio.sleep_ms(0)
                turn = time.ticks_ms()
            count = await self._stream.readinto(self._socket.buffer())
            if not count:
                self._end("closed by the peer")
                return
            if self.ski is None:
                self._identify()
            self._received(count)
        # Closing a socket with unread data resets it, and the peer may lose our last words.
        scratch = bytearray(256)
        for _ in range(_LINGER_READS):
            if not await asyncio.wait_for_ms(self._stream.readinto(scratch), _LINGER_MS):
                return

    def _identify(self):
        """The handshake is done: whose key is it? Never trust an address (SHIP 12.2)."""
        ski = self._stream.peer_ski()
        if ski is None:
            raise CertificateError("none was sent")
        self.ski = to_hex(ski)
        if self.ski == self._node.identity.ski:
            raise CertificateError("it is our own")

    def _received(self, count):
        now = self._node.wall.now_ms()
        self._socket.received(count, now)
        self._events(now)
        self.flush()
        # Results are on their way; what other parties have to know follows.
        self._node.notify()

    def _events(self, now):
        while True:
            event = self._socket.next_event()
            if event is None:
                return
            if event == OPEN:
                self._open(now)
            elif event == MESSAGE:
                self.connection.receive(self._socket.payload, now)
                self._pump(now)
            elif event == CLOSED:
                self._end(self._socket.close_reason or "code %d" % self._socket.close_code)
                return

    def _open(self, now):
        node = self._node
        self.connection = Connection(SERVER, node.ship_id, self._trusted(), self)
        self.connection.start(now)
        self._pump(now)

    # --- what the SHIP connection reports ---------------------------------------------------

    def ship_pending(self, connection):
        """The peer is not trusted: a user has to decide."""
        self._node.links.pending(self)

    def ship_open(self, connection):
        """Data exchange begins: the partner becomes a SPINE peer."""
        self.peer = Peer(self._node.device, self.ski, self.ship_log)
        self.peer.start(self._node.clock.now_ms())
        self._node.links.opened(self)

    def ship_data(self, connection, payload):
        """A SPINE datagram; the view is valid during this call only."""
        if self.peer:
            self.peer.receive(payload, self._node.clock.now_ms())

    def ship_access_methods(self, connection, ship_id):
        """The peer's SHIP ID. False ends the connection (4450)."""
        return self._node.registration.learn_id(self.ski, ship_id)

    def ship_log(self, source, text):
        """Something worth a line in the log, from the SHIP connection or the SPINE peer."""
        self._node.log.info("%s %s" % (self._name(), text))

    def _name(self):
        return self.ski[:8] if self.ski else self.where

    # --- what the node decides --------------------------------------------------------------

    def trust(self):
        """The user trusts this peer."""
        if self.connection:
            self.connection.trust(self._node.wall.now_ms())
            self.flush()

    def reject(self):
        """The user does not trust this peer, or no longer."""
        if self.connection:
            self.connection.reject(self._node.wall.now_ms())
            self.flush()

    def end(self):
        """Part properly: SHIP termination in data exchange, abort before it (SHIP 13.4.7)."""
        now = self._node.wall.now_ms()
        if self.connection is None:
            self._socket.close(_CLOSE, "close", now)
        else:
            self.connection.end("unspecific", now)
        self.flush()

    def retire(self):
        """The same peer has a newer connection: its bindings are free for that one at once."""
        if self.peer:
            self.peer.stop()
            self.peer = None
        self.end()

    def give_way(self):
        """End at once: say what can be said without waiting, then close the socket."""
        self.end()
        self._fail("gave way to a newer connection")

    # --- writing ----------------------------------------------------------------------------

    def _pump(self, now):
        """Move messages from SPINE to SHIP to the WebSocket."""
        connection = self.connection
        if self.peer and self.peer.outbox:
            datagrams = self.peer.outbox
            self.peer.outbox = []
            for datagram in datagrams:
                connection.send_data(datagram)
        for parts in connection.take():
            self._socket.message(parts)
        if self.peer and self.peer.is_overrun:
            self._socket.close(_OVERLOAD, "overload", now)
        elif connection.closed:
            code, reason = connection.closed
            self._socket.close(code, reason, now)

    def flush(self):
        """Send what is there as far as the socket takes it. Never waits, never raises."""
        try:
            if self.connection:
                self._pump(self._node.wall.now_ms())
            if self._drain is None and self._write():
                self._drain = asyncio.create_task(self._write_rest())
        except OSError as error:
            self._fail("cannot send: %s" % error)

    async def _write_rest(self):
        """Wait for the socket and write until nothing is left."""
        try:
            while True:
                await self._stream.writable()
                if not self._write():
                    return
        except OSError as error:
            self._fail("cannot send: %s" % error)
        finally:
            self._drain = None

    def _write(self):
        """Write records while the socket takes them; returns whether something is left."""
        global _record
        if _record is None:
            _record = bytearray(MAX_FRAGMENT)
        view = memoryview(_record)
        while True:
            if not self._out:
                self._out = self._socket.take()
                if not self._out:
                    return False
            size = self._fill(view)
            written = self._stream.write(view[:size])
            if not written:
                return True
            self._sent(written)

    def _fill(self, view):
        """Copy the next octets to send into `view`, at most one record."""
        at = 0
        skip = self._out_at
        for part in self._out:
            rest = min(len(part) - skip, MAX_FRAGMENT - at)
            view[at : at + rest] = memoryview(part)[skip : skip + rest]
            at += rest
            skip = 0
            if at == MAX_FRAGMENT:
                break
        return at

    def _sent(self, count):
        count += self._out_at
        while self._out and count >= len(self._out[0]):
            count -= len(self._out[0])
            self._out.pop(0)
        self._out_at = count

    # --- time and end -----------------------------------------------------------------------

    def tick(self, now):
        """Run the timers of WebSocket and SHIP."""
        if self._ended:
            return
        self._socket.tick(now)
        if self.connection:
            self.connection.tick(now)
            self._pump(now)
        self._events(now)
        self.flush()
        if self._ended:
            self._task.cancel()

    def _end(self, reason):
        """The reading task shall end; the first reason counts."""
        if not self._ended:
            self._ended = True
            self.reason = reason

    def _fail(self, reason):
        """The socket is broken, whoever found out."""
        self._end(reason)
        if self._task is not asyncio.current_task():
            self._task.cancel()

    def _close(self):
        """The reading task is over: leave nothing behind."""
        self._ended = True
        if self._stream:
            self.flush()
            if self._drain:
                self._drain.cancel()
            self._stream.close()
        self._raw.close()
        if self.peer:
            self.peer.stop()
            self.peer = None
        self._node.links.closed(self)
