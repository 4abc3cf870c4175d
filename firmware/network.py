"""The network of a board with interfaces of its own (Board.HAS_NETWORK): up, and up again.

UDP port 5353 is taken here before an interface gets an address, because a stock image's own mDNS
responder takes it at that moment, and never tries again. As soon as there is an address the port
goes to the mDNS task, which begins then, as does ECHONET Lite. Without a network the charger
charges, and the console can choose one.
"""

import asyncio
import socket

from micropython import const

_MDNS_PORT = const(5353)
_LOOK_MS = const(2_000)
_RETRY_MS = const(10_000)


class NetworkTask:
    """`state` is `up`, or a text that says why not; `address` the latest one, None before that."""

    def __init__(self, node):
        self._node = node
        self.address = None
        self.state = "starting"
        self._port = None

    async def run(self):
        """Keep the network up; ends with the node."""
        board = self._node.board
        if self.address is None:
            self._reserve()
        try:
            while True:
                pause_ms = _LOOK_MS
                address = board.address()
                if address is None:
                    pause_ms = await self._connect(board)
                elif self.state != "up" or address != self.address:
                    self._arrive(address)
                await asyncio.sleep_ms(pause_ms)
        finally:
            self._release()

    def _reserve(self):
        """Hold the port; that somebody else has it is told by the mDNS task, later."""
        self._port = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._port.bind(socket.getaddrinfo("0.0.0.0", _MDNS_PORT)[0][-1])
        except OSError:
            self._release()

    def _release(self):
        if self._port:
            self._port.close()
            self._port = None

    async def _connect(self, board):
        """Try once; return how long to wait for the next look."""
        try:
            await board.connect(self._node.settings.get("wifi", None))
            return 0
        except OSError as error:
            reason = "no network: %s" % error
            if reason != self.state:
                self._node.log.error(reason)
            self.state = reason
            return _RETRY_MS

    def _arrive(self, address):
        """There is an address: the first one, another, or the same after an outage."""
        node = self._node
        config = node.config
        is_first = self.address is None
        self.address = address
        self.state = "up"
        self._release()
        node.log.event("network", address=address)
        if config.echonet_address:
            config.echonet_address = address
        if is_first:
            if config.mdns_address:
                config.mdns_address = address
            node.start_discovery()
            return
        node.neighbours.moved(address)
        if node.echonet:
            node.move_echonet(address)
