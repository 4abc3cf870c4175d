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

WIFI = "wifi"  # setting: {"name": ..., "password": ...}


class NetworkTask:
    """`address` is where we are, None while there is no network; `state` is a text."""

    def __init__(self, node):
        self._node = node
        self.address = None
        self.state = "starting"
        self._port = None

    async def run(self):
        """Keep the network up; ends with the node."""
        node = self._node
        board = node.board
        if node.neighbours.state == "off":
            self._reserve()
        try:
            while True:
                address = board.address()
                if address is None:
                    await self._connect(board)
                elif address != self.address:
                    self._arrive(address)
                else:
                    await asyncio.sleep_ms(_LOOK_MS)
        finally:
            self._release()

    def _reserve(self):
        """Hold the port; who cannot says so later, in the mDNS task."""
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
        try:
            await board.connect(self._node.settings.get(WIFI, None))
        except OSError as error:
            reason = "no network: %s" % error
            if reason != self.state:
                self._node.log.error(reason)
            self.state = reason
            await asyncio.sleep_ms(_RETRY_MS)

    def _arrive(self, address):
        """There is an address, the first one or another."""
        node = self._node
        is_first = self.address is None
        self.address = address
        self.state = "up"
        self._release()
        node.log.event("network", address=address)
        if is_first:
            node.config.mdns_address = node.config.echonet_address = address
            node.start_discovery()
        else:
            node.neighbours.moved(address)
