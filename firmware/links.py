"""The SHIP connections of a node: listening, calling, and room for all (SHIP 6, 8, 12.2.2).

What happens on one connection is firmware.ship_link; whom to trust is firmware.registration; whom
to call and when is ship.dial; which of two connections with one peer stays is ship.double.

Who is not yet known never keeps a partner out: of those who are in the handshake, or wait for
trust, the oldest gives way to who comes, but a handshake has HANDSHAKE_MS to itself. A partner is
never displaced. While all places are taken, whoever comes is told so, and all partners are asked
for a sign of life, so that the place of one that vanished is soon free.
"""

import errno
import gc
import os
import socket
from asyncio import core

from micropython import const

from firmware.ship_link import Link
from firmware.tls_stream import client_context, send_alert, server_context
from ship import dial
from ship.dial import Dialler

MAX_PARTNERS = const(3)  # trusted peers that are connected at a time
MAX_LINKS = const(4)  # one more, for who is not known yet or comes a second time
MAX_HANDSHAKES = const(2)  # TLS handshakes at once: each takes 25 KB of system heap on a board
HANDSHAKE_MS = const(3_000)  # so long a handshake is not displaced

_BACKLOG = const(4)  # connections that the network stack keeps until we accept them


class Links:
    """All connections of `node`; `all` is the list of Link objects, oldest first."""

    def __init__(self, node):
        self.all = []
        self.dialler = Dialler(os.urandom)
        self._node = node
        self._listener = None
        self._doubles = {}  # by SKI, while a peer has two connections in data exchange

    def listen(self):
        """Open the listening socket; port 0 takes any free one. Raises OSError."""
        config = self._node.config
        listener = self._listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.port:
            listener.bind(socket.getaddrinfo(config.address, config.port)[0][-1])
        else:
            config.port = _bind_anywhere(listener, config.address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)

    async def serve(self):
        """Accept connections for ever."""
        identity = self._node.identity
        context = server_context(identity.certificate, identity.key)
        while True:
            yield core._io_queue.queue_read(self._listener)
            self._accept(context)

    def close(self):
        """Accept no more."""
        self._listener.close()

    def tick(self, now):
        """Run the timers of all connections, and call who is to be called."""
        for link in list(self.all):
            link.tick(now)
        for ski in list(self._doubles):
            self._decide(ski, now)
        if not [link for link in self.all if link.target and link.ski is None]:
            self._call(now)

    def flush(self):
        """Send what waits on any connection."""
        for link in self.all:
            link.flush()

    def of(self, ski):
        """The connections with the owner of a key, oldest first."""
        return [link for link in self.all if link.ski == ski]

    def trusted(self, ski):
        """The owner of a key is trusted from now on."""
        for link in self.of(ski):
            link.trust()

    def rejected(self, ski):
        """The owner of a key is not trusted, or no longer."""
        self.dialler.lost(ski)
        for link in self.of(ski):
            link.reject()

    def open_count(self):
        """How many are in data exchange."""
        return len([link for link in self.all if link.is_open()])

    # --- calling ------------------------------------------------------------------------------

    def _call(self, now):
        """Call the peer whose turn it is, if there is room."""
        if len(self._handshakes()) >= MAX_HANDSHAKES or len(self._partners()) >= MAX_PARTNERS:
            return
        if len(self.all) >= MAX_LINKS:
            return
        target = self.dialler.next(now, self._is_busy)
        if target is None:
            return
        where = _text(target.address())
        identity = self._node.identity
        try:
            context = client_context(identity.certificate, identity.key)
            raw = _connect(where, target.port)
        except (OSError, MemoryError) as error:
            self._node.log.debug("cannot call %s: %s" % (where, error))
            self.dialler.ended(target.ski, dial.UNREACHABLE, now)
            return
        self._node.log.debug("calling %s at %s port %d" % (target.ski[:8], where, target.port))
        self._start(Link(self._node, raw, where, target), context)

    def _is_busy(self, ski):
        """Whether there is a connection with the owner of a key, or a call to it."""
        for link in self.all:
            if ski in (link.ski, link.target and link.target.ski):
                return True
        return False

    # --- being called, and room ---------------------------------------------------------------

    def _accept(self, context):
        """Take one connection. Not inside the coroutine: it would live on in a local variable."""
        try:
            raw, _ = self._listener.accept()
        except OSError:
            return  # the client was gone before we came
        link = Link(self._node, raw, "connection %d" % raw.fileno())
        if self._make_room(link.started_ms):
            _no_delay(raw)
            self._start(link, context)
            return
        self._node.log.info("connection refused: no room")
        self._ping_all()
        send_alert(raw)
        raw.close()

    def _start(self, link, context):
        self.all.append(link)
        gc.collect()  # before mbedTLS needs its memory
        link.start(context)

    def _make_room(self, now):
        """Whether there is room for a handshake now, if need be because somebody gives way."""
        is_full = len(self.all) >= MAX_LINKS
        is_busy = len(self._handshakes()) >= MAX_HANDSHAKES
        if not is_full and not is_busy:
            return True
        for link in self.all:
            if link.ski is None:
                gives_way = link.target is None and now - link.started_ms >= HANDSHAKE_MS
            else:
                gives_way = not is_busy and not link.is_partner()
            if gives_way:
                link.give_way()
                return True
        return False

    def _handshakes(self):
        return [link for link in self.all if link.ski is None]

    def _partners(self):
        """The keys of the trusted peers that are connected."""
        return {link.ski for link in self.all if link.is_partner()}

    def admits(self, link):
        """Whether the peer of a connection, whose key is known since now, finds a place."""
        partners = self._partners()
        partners.discard(link.ski)
        if not link.is_partner() or len(partners) < MAX_PARTNERS:
            return True
        self._node.log.info("%s refused: no room" % link.ski[:8])
        self._ping_all()
        return False

    def _ping_all(self):
        for link in self.all:
            link.ping()

    # --- two connections with one peer --------------------------------------------------------

    def _decide(self, ski, now):
        """Do what the rule for double connections says."""
        links = [link for link in self.of(ski) if link.is_open()]
        if len(links) < 2:
            del self._doubles[ski]
            return
        links.sort(key=_opened_ms)
        what = self._doubles[ski].decide([link.opened_ms for link in links], now)
        if what == "ping":
            for link in links:
                link.ping()
        elif what == "close":
            self._node.log.info("%s has two connections: closing the older one" % ski[:8])
            links[0].end()

    # --- what a Link reports ------------------------------------------------------------------

    def pending(self, link):
        """A stranger waits for trust."""
        self._node.registration.pending(link.ski)

    def opened(self, link):
        """A partner reached data exchange."""
        node = self._node
        node.log.event("connected", ski=link.ski, role="client" if link.target else "server")
        if len([other for other in self.of(link.ski) if other.is_open()]) > 1:
            if link.ski not in self._doubles:
                from ship.double import Double

                self._doubles[link.ski] = Double(node.identity.ski > link.ski)

    def closed(self, link):
        """A connection is gone."""
        node = self._node
        if link in self.all:
            self.all.remove(link)
        if link.ski:
            node.log.event("disconnected", ski=link.ski, reason=link.reason)
        else:
            node.log.info("%s: %s" % (link.where, link.reason))
        ski = link.target.ski if link.target else link.ski
        if ski and not self._is_busy(ski):
            self._ended(ski, _outcome(link, node.wall.now_ms()))
        gc.collect()

    def _ended(self, ski, how):
        """The last connection with a peer is over, or a call to it."""
        node = self._node
        self.dialler.ended(ski, how, node.wall.now_ms())
        if node.registration.store.trusts(ski):
            node.neighbours.missing(ski, how == dial.UNREACHABLE)


def _outcome(link, now):
    """How a connection went, for ship.dial."""
    if link.opened_ms is not None:
        return dial.STEADY if now - link.opened_ms >= dial.STEADY_MS else dial.SHORT
    if link.ski is None:
        return dial.UNREACHABLE
    return dial.REFUSED if link.is_refused() else dial.FAILED


def _opened_ms(link):
    return link.opened_ms


def _text(address):
    """An address as text."""
    if len(address) == 4:
        return "%d.%d.%d.%d" % tuple(address)
    return ":".join("%x" % (address[i] << 8 | address[i + 1]) for i in range(0, 16, 2))


def _connect(host, port):
    """A non-blocking socket that is connecting to a numeric address. Raises OSError."""
    info = socket.getaddrinfo(host, port)[0]
    raw = socket.socket(info[0], socket.SOCK_STREAM)
    try:
        raw.setblocking(False)
        raw.connect(info[-1])
    except OSError as error:
        if error.errno != errno.EINPROGRESS:
            raw.close()
            raise
    _no_delay(raw)
    return raw


def _no_delay(raw):
    """TCP_NODELAY: SHIP messages are small requests and answers."""
    try:
        raw.setsockopt(6, 1, 1)
    except OSError:
        pass  # this port does without


def _bind_anywhere(listener, address):
    """Bind to a free port of the dynamic range; MicroPython cannot ask which one it got."""
    for _ in range(50):
        port = 49_152 + int.from_bytes(os.urandom(2), "big") % 16_384
        try:
            listener.bind(socket.getaddrinfo(address, port)[0][-1])
            return port
        except OSError:
            continue
    raise OSError("no free port")
