"""The node in its network: what it announces by mDNS, and the SHIP nodes it sees (SHIP 7)."""

import os

from micropython import const

CATEGORY = const(3)  # e-mobility (SRIP)


class Neighbours:
    """`state` tells what mDNS does; without an address for it, it is off."""

    def __init__(self, node):
        self._node = node
        self._task = None

    @property
    def state(self):
        """`off`, or the state of the task (firmware.mdns)."""
        return self._task.state if self._task else "off"

    def make_task(self):
        """Make the task that announces and browses; return its coroutine function."""
        from firmware.mdns import MdnsTask, ipv4_octets
        from mdns.browser import Browser
        from mdns.responder import Responder
        from mdns.service import Service

        node = self._node
        config = node.config
        board = node.board
        now = node.wall.now_ms()
        host = "%s-%s" % (board.BRAND.lower().replace(" ", "-"), config.serial)
        own_name = "%s %s %s" % (board.BRAND, board.MODEL, config.serial)
        instance = node.settings.get("name", "") or own_name
        address = ipv4_octets(config.mdns_address)
        service = Service(instance, host, config.port, self._txt(), [address])
        responder = Responder(service, now, os.urandom)
        browser = Browser(now, os.urandom)
        self._task = MdnsTask(responder, browser, node.wall, config.mdns_address, node.log)
        return self._task.run

    def close(self):
        """Say goodbye."""
        if self._task:
            self._task.close()

    def announce(self):
        """Announce the TXT strings anew, if they have changed."""
        if self._task:
            self._task.responder.set_txt(self._txt(), self._node.wall.now_ms())
            self._task.flush()

    def _txt(self):
        from mdns.txt import ship_strings

        node = self._node
        board = node.board
        return ship_strings(
            node.ship_id,
            node.identity.ski,
            node.path,
            node.registration.is_open(),
            board.BRAND,
            board.MODEL,
            board.DEVICE_TYPE,
            node.config.serial,
            (CATEGORY,),
        )

    def seen(self):
        """Other SHIP nodes in the network, as the console shows them."""
        if not self._task:
            return []
        from mdns.txt import parse

        result = []
        for peer in self._task.browser.peers:
            if peer.is_found:
                entry = parse(peer.txt) or {}
                entry["name"] = peer.instance
                result.append(entry)
        return result
