"""The SHIP connections of a node: listening, and room for those who come (SHIP 8, 12.2.2).

What happens on one connection is firmware.ship_link; whom to trust is firmware.registration.
"""

import gc
import os
import socket
from asyncio import core

from micropython import const

from firmware.ship_link import Link

MAX_LINKS = const(3)  # two energy managers, and one that wants to be trusted
MAX_HANDSHAKES = const(2)  # TLS handshakes at once: each takes 25 KB of system heap on a board


class Links:
    """All connections of `node`; `all` is the list of Link objects, oldest first."""

    def __init__(self, node):
        self.all = []
        self._node = node
        self._context = None
        self._listener = None

    def listen(self, context):
        """Open the listening socket; port 0 takes any free one. Raises OSError."""
        self._context = context
        config = self._node.config
        listener = self._listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if config.port:
            listener.bind(socket.getaddrinfo(config.address, config.port)[0][-1])
        else:
            config.port = _bind_anywhere(listener, config.address)
        listener.listen(4)
        listener.setblocking(False)

    async def serve(self):
        """Accept connections for ever."""
        while True:
            yield core._io_queue.queue_read(self._listener)
            self._accept()

    def close(self):
        """Accept no more."""
        self._listener.close()

    def tick(self, now):
        """Run the timers of all connections."""
        for link in list(self.all):
            link.tick(now)

    def flush(self):
        """Send what waits on any connection."""
        for link in self.all:
            link.flush()

    def of(self, ski):
        """The connections with the owner of a key, oldest first."""
        return [link for link in self.all if link.ski == ski]

    def open_count(self):
        """How many are in data exchange."""
        return len([link for link in self.all if link.is_open()])

    def _accept(self):
        """Take one connection. Not inside the coroutine: it would live on in a local variable."""
        try:
            raw, _ = self._listener.accept()
        except OSError:
            return  # the client was gone before we came
        if not self._make_room():
            self._node.log.info("connection refused: no room")
            raw.close()
            return
        _no_delay(raw)
        link = Link(self._node, raw, "connection %d" % raw.fileno())
        self.all.append(link)
        gc.collect()  # before mbedTLS needs its memory
        link.start(self._context)

    def _make_room(self):
        """Whether there is room now: who is not yet open gives way, the oldest first (SHIP 8.1).

        So neither silent clients nor strangers keep an energy manager out; open connections stay.
        """
        handshakes = [link for link in self.all if link.ski is None]
        waiting = [link for link in self.all if not link.is_open()]
        if len(handshakes) >= MAX_HANDSHAKES:
            handshakes[0].give_way()
        elif len(self.all) >= MAX_LINKS:
            if not waiting:
                return False
            waiting[0].give_way()
        return True

    # --- what a Link reports ------------------------------------------------------------------

    def pending(self, link):
        """A stranger waits for the user's decision."""
        self._node.log.event("pending", ski=link.ski)

    def opened(self, link):
        """A partner reached data exchange; an older connection with the same key gives way."""
        self._node.log.event("connected", ski=link.ski)
        for other in self.of(link.ski):
            if other is not link and other.is_open():
                other.retire()

    def closed(self, link):
        """A connection is gone."""
        log = self._node.log
        if link in self.all:
            self.all.remove(link)
        if link.ski:
            log.event("disconnected", ski=link.ski, reason=link.reason)
        else:
            log.info("%s: %s" % (link.where, link.reason))
        gc.collect()


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
