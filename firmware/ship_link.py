"""One SHIP connection on a socket: TLS stream, WebSocket, SHIP phases, SPINE peer, wired together.

All decisions are in lib/; this file moves octets. A link has one task that reads; whoever produces
output (the reader, the timers, a notify caused by another link) calls `flush`. Nothing here waits
for a slow peer.
"""

import asyncio
import os
import time
from asyncio import core

from micropython import const

from firmware.record_writer import RecordWriter
from firmware.tls_stream import TlsStream, send_alert
from ship import states
from ship.base import CLIENT, SERVER
from ship.connection import Connection
from ship.ski import CertificateError, to_hex
from ship.websocket import CLOSED, MESSAGE, OPEN, WebSocket
from spine.peer import Peer

_CLOSE = const(4001)
_OVERLOAD = const(1008)
_TURN_MS = const(4)
_LINGER_MS = const(100)
_LINGER_READS = const(20)
_CONNECT_MS = const(5_000)  # for TCP, per address
_REJECTED = const(4452)  # the peer does not trust us
_NO_ROOM = "no room for another connection"


class Link:
    """A connection from accept, or from our call, to close. `ski` is None until TLS stands.

    `target` is the ship.dial.Target that is called, None on connections that peers open.

    `node` gives `wall` (time of the network) and `clock` (time of the station, which a simulation
    may speed up), `log`, `identity`, `device`, `ship_id`, `registration`, and `links`, which hears
    `pending`, `opened` and `closed`.
    """

    def __init__(self, node, raw, where, target=None):
        self.where = where
        self.target = target
        self.ski = None
        self.started_ms = node.wall.now_ms()
        self.opened_ms = None  # when data exchange was reached
        self.connection = None
        self.peer = None
        self.reason = ""
        self._pin_check = None
        self._keys = None  # KeyState, for a peer that speaks SHIP 1.1
        self._node = node
        self._raw = raw
        self._stream = None
        if target is None:
            self._socket = WebSocket(SERVER, os.urandom, node.path, "", node.max_message)
        else:
            host = ("[%s]:%d" if ":" in where else "%s:%d") % (where, target.port)
            self._socket = WebSocket(CLIENT, os.urandom, target.path, host, node.max_message)
        self._writer = None
        self._task = None
        self._ended = False

    def start(self, context):
        """Begin to serve the socket: an accepted one, or one that is about to connect."""
        self._socket.start(self._node.wall.now_ms())
        self._task = asyncio.create_task(self._run(context))

    def is_open(self):
        """Whether data exchange has been reached."""
        return self.peer is not None

    def is_partner(self):
        """Whether the peer is known and trusted."""
        return self.ski is not None and self._trusted()

    def is_pending(self):
        """Whether the peer waits for the user to trust it."""
        return self.connection is not None and self.peer is None and not self._trusted()

    def state(self):
        """Where the connection stands, for people."""
        if self.connection is None:
            return "handshake" if self.ski is None else "upgrade"
        return self.connection.state_name()

    def _trusted(self):
        return self._node.registration.store.trusts(self.ski)

    # --- reading ----------------------------------------------------------------------------

    async def _run(self, context):
        """Serve the connection; whatever goes wrong in it ends here and nowhere else."""
        try:
            if self.target is None:
                self._take_stream(TlsStream(self._raw, context))
            else:
                await asyncio.wait_for_ms(self._connected(), _CONNECT_MS)
                self._take_stream(TlsStream(self._raw, context, self.target.host))
                await self._stream.handshake()
                self._identify()
                self.flush()
            await self._read_all()
        except CertificateError as error:
            self._end("no usable certificate: %s" % error)
        except asyncio.TimeoutError:
            self._end("no answer")  # unless all is said and heard: then there is a reason already
        except OSError as error:
            self._end("connection lost: %s" % error)
        except Exception as error:
            self._node.log.exception(self._name(), error)
            self._end("out of memory" if isinstance(error, MemoryError) else "internal error")
        finally:
            self._close()

    def _take_stream(self, stream):
        self._stream = stream
        self._writer = RecordWriter(stream, self._socket, self._fail)

    async def _connected(self):
        """Wait until TCP stands or has failed; TLS will find out which."""
        yield core._io_queue.queue_write(self._raw)

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
        ski = to_hex(ski)
        if ski == self._node.identity.ski:
            raise CertificateError("it is our own")
        if self.target and (
            ski != self.target.ski or not self._node.registration.store.trusts(ski)
        ):
            raise CertificateError("it is not the one that was called")
        self.ski = ski  # not before: from now on we speak
        if self.target is None:
            self._socket.is_busy = not self._node.links.admits(self)

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
        role = SERVER if self.target is None else CLIENT
        counter = node.identity.counter
        counter = counter if counter > 1 else 0  # nobody has to hear of a key that never changed
        self.connection = Connection(role, node.ship_id, self._trusted(), self, counter)
        self.connection.start(now)
        self._pump(now)

    # --- what the SHIP connection reports ---------------------------------------------------

    def ship_pending(self, connection):
        """The peer is not trusted: a user has to decide."""
        self._node.links.pending(self)

    def ship_open(self, connection):
        """Data exchange begins: the partner becomes a SPINE peer."""
        self.peer = Peer(self._node.device, self.ski, self.ship_log)
        self.peer.is_restricted = self._pin_check is not None and not self._pin_check.is_ok
        self.peer.start(self._node.clock.now_ms())
        self.opened_ms = self._node.wall.now_ms()
        self._node.links.opened(self)
        if connection.minor or connection.peer_counter is not None:
            self._key_states().start(self._node.wall.now_ms())

    def ship_data(self, connection, payload):
        """A SPINE datagram; the view is valid during this call only."""
        if self.peer:
            self.peer.receive(payload, self._node.clock.now_ms())

    def ship_pin_check(self, connection):
        """Our half of the PIN phase, or None if no PIN is wanted."""
        if self._node.settings.get("pin_mode", "off") != "off":
            self._pin_check = self._node.pins.check(self)
        return self._pin_check

    def ship_pin_wanted(self, connection, was_wrong):
        """The peer's PIN, or None if a user has to enter it."""
        return self._node.pins.wanted(self.ski, was_wrong)

    def ship_key_management(self, connection, root, body):
        """A message of SHIP 1.1; what handles it is loaded for it."""
        node = self._node
        if root.startswith("keyMaterialState"):
            self._key_states().receive(root, body, node.wall.now_ms())
        else:
            from ship.commissioning import receive

            own_ski = node.identity.ski
            receive(node.registration, own_ski, self.ski, root, body, connection.send)

    def _key_states(self):
        if self._keys is None:
            from ship.key_state import KeyState

            node = self._node
            self._keys = KeyState(node.registration, node.identity, self.connection, self.ski)
        return self._keys

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

    def enter_pin(self, pin):
        """A user has entered the peer's PIN. Returns whether the peer wanted one."""
        if self.connection is None or not self.connection.enter_pin(pin):
            return False
        self.flush()
        return True

    def lift_restriction(self):
        """The peer has given our PIN."""
        if self.peer:
            self.peer.is_restricted = False

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

    def give_way(self):
        """End at once for want of room: say so without waiting, then close the socket."""
        now = self._node.wall.now_ms()
        connection = self.connection
        if self.ski is None:
            send_alert(self._raw)
        elif connection is None:
            self._socket.is_busy = True
            self._socket.close(_CLOSE, _NO_ROOM, now)
        else:
            connection.end("unspecific", now)
            connection.closed = (_CLOSE, _NO_ROOM)
        self.flush()
        self._fail("gave way to a newer connection")

    def ping(self):
        """Find out soon whether the peer is still there."""
        self._socket.ping(self._node.wall.now_ms())

    def is_refused(self):
        """Whether the peer does not trust us, or has no room."""
        if self.connection and self.connection.state == states.ABORT_RECEIVED:
            return True
        return self._socket.close_code == _REJECTED or self.reason.endswith("503")

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
        """Send what is there as far as the socket takes it. Never waits, never raises.

        Nothing before the peer's key is known: with a write mbedTLS would finish the handshake.
        """
        if self.ski is None:
            return
        try:
            if self.connection:
                self._pump(self._node.wall.now_ms())
            self._writer.flush()
        except OSError as error:
            self._fail("cannot send: %s" % error)

    # --- time and end -----------------------------------------------------------------------

    def tick(self, now):
        """Run the timers of WebSocket and SHIP."""
        if self._ended:
            return
        self._socket.tick(now)
        if self.connection:
            self.connection.tick(now)
            if self._keys:
                self._keys.tick(now)
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
            self._writer.close()
            self._stream.close()
        self._raw.close()
        if self.peer:
            self.peer.stop()
            self.peer = None
        self._node.links.closed(self)
