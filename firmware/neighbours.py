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
        instance = node.settings.get("name", None) or own_name
        address = ipv4_octets(config.mdns_address)
        service = Service(instance, host, config.port, self._txt(), [address])
        responder = Responder(service, now, os.urandom)
        browser = Browser(now, os.urandom)
        self._task = MdnsTask(responder, browser, node.wall, config.mdns_address, node.log)
        return self._task.run

    def moved(self, address):
        """The interface has another IPv4 address (dotted): go on there."""
        self._node.config.mdns_address = address
        if self._task:
            self._task.move(address)
            self._node.log.event("address", address=address)

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

    def tick(self, now):
        """Hand on what has changed in the network: partners that can be called, or no more."""
        if not self._task:
            return
        for _, peer in self._task.browser.events():
            self._changed(peer, now)

    def _changed(self, peer, now):
        from mdns.txt import parse

        node = self._node
        is_there = peer in self._task.browser.peers
        entry = (parse(peer.txt) if is_there else None) or {}
        ski = entry.get("ski")
        if peer.ski and peer.ski != ski:
            node.links.dialler.lost(peer.ski)
        peer.ski = ski
        peer.is_wanted = bool(ski) and node.registration.store.trusts(ski)
        if peer.is_wanted and ski != node.identity.ski:
            node.links.dialler.found(
                ski, peer.addresses, peer.port, entry["path"], peer.host_text(), now
            )

    def look_for(self, ski):
        """Trust in a peer has changed: a partner is called if it is seen, else looked for."""
        if self._task:
            now = self._node.wall.now_ms()
            peer = self._peer(ski)
            if peer:
                self._changed(peer, now)
            elif self._node.registration.store.trusts(ski):
                self._task.browser.search(now)

    def missing(self, ski, is_unreachable):
        """The connection with a partner is gone: ask for it, or whether it is where we think."""
        if not self._task:
            return
        now = self._node.wall.now_ms()
        peer = self._peer(ski)
        if peer is None:
            self._task.browser.search(now)
        elif is_unreachable:
            self._task.browser.doubt(peer, now)

    def _peer(self, ski):
        for peer in self._task.browser.peers:
            if peer.ski == ski and peer.is_found:
                return peer
        return None

    def seen(self):
        """Other SHIP nodes in the network, as the console shows them."""
        if not self._task:
            return []
        from mdns.txt import parse

        result = []
        for peer in self._task.browser.peers:
            entry = parse(peer.txt) if peer.is_found else None
            if entry:
                entry["name"] = peer.instance
                result.append(entry)
        return result

    def find(self, ski):
        """What the node with this key says about itself, a dictionary; None if it is not seen."""
        for entry in self.seen():
            if entry["ski"] == ski:
                return entry
        return None
