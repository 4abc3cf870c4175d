"""The ECHONET Lite task: UDP port 3610 for the node in lib/echonet.

IPv4 (224.0.23.0) on every port. IPv6 (ff02::1) on the Unix port, with a link-local address and
its interface (`fe80::1%eth0`): on an ESP32 `recvfrom` writes every sender as an IPv4 address, so
nobody could be answered there. TCP is in firmware.echonet_tcp.

Answers go to port 3610 of the sender, whatever port it sent from; senders outside of the subnet
get none. On Linux a second socket holds the group, so that a question to everybody is known and
answered after a random time; elsewhere one socket has both, and questions to the node profile are
taken for such: they are what controllers search with. On Linux an interface that is gone or comes
back is noticed here; on a board firmware.network has `run` ended and called again, and what was
written holds on.

One datagram is handled in each turn of the event loop, so that in a flood all others have theirs.
`recvfrom` is the only call that tells the sender, and it returns new bytes each time.
"""

import asyncio
import errno
import os
import socket
import sys
from asyncio import core

from micropython import const

from echonet.charger import CHARGER, CHARGER_DISCHARGER, Charger
from echonet.guard import Guard
from echonet.node import REQUEST_MAX, Node
from echonet.objects import node_profile

_PORT = const(3610)
_GROUP = "224.0.23.0"
_GROUP6 = "ff02::1%"
_PERIOD_MS = const(100)
_NETWORK_MS = const(2_000)  # between looks whether the interface is still there
_RETRY_S = const(5)  # after opening the sockets failed
_NODE_PROFILE = const(0x0E)

# Linux, where the socket module does not name them
_IPPROTO_IP = const(0)
_IP_MULTICAST_IF = const(32)
_IP_ADD_MEMBERSHIP = const(35)
_IP_MULTICAST_ALL = const(49)
_IPPROTO_IPV6 = const(41)
_IPV6_MULTICAST_IF = const(17)
_IPV6_JOIN_GROUP = const(20)
_SOCKADDR_IN = const(16)  # octets; that of IPv6 is longer

# Keys in the settings store; written by firmware.commands.echonet
_WRITES = "echonet_writes"
_ALLOW = "echonet_allow"
_CLASS = "echonet_class"
_RATE = "echonet_rate"
_TCP = "echonet_tcp"


class EchonetTask:
    """Serve ECHONET Lite for the firmware's node. `state` is a text: `starting`, `running`,
    `closed`, or why it does not run."""

    def __init__(self, owner, addresses, netmask="255.255.255.0"):
        settings = owner.settings
        board = owner.board
        self.state = "starting"
        self.addresses = addresses.split(",")
        self._mask = _octets(netmask)
        self.log = owner.log
        self._clock = owner.clock  # the charger lives in this one
        self.wall = owner.wall  # and the network in this one
        self.has_tcp = settings.get(_TCP, False)
        self.guard = Guard(settings.get(_WRITES, False), [])
        self.guard.rate = settings.get(_RATE, self.guard.rate)
        self._settings = settings
        maker = board.ECHONET_MAKER
        unique = bytes.fromhex(owner.identity.ski)[:10]
        self.charger = Charger(
            CHARGER_DISCHARGER if settings.get(_CLASS, "02A1") == "027E" else CHARGER,
            1,
            owner.control,
            maker,
            unique,
            owner.config.serial.encode(),
            settings,
            board.told(),
            os.urandom,
        )
        profile = node_profile([self.charger], maker, unique, board.MODEL.encode())
        self.node = Node([profile, self.charger], self.guard, os.urandom, self._send)
        self.node.written = self._written
        self._sockets = []
        self._endpoints = []  # (socket, group) for each address
        self._groups = []  # (socket, level, option, value) with which it joined
        self._listeners = []
        self._own = []
        self._answer_on = None  # how the frame at hand is answered, if not by UDP
        self._ipv4 = bytes(4)
        self._sender = self._source = None
        self._send_error = None

    def allow(self, addresses):
        """Let controllers at these addresses write, if writing is on."""
        self.guard.allowed = []
        for text in addresses:
            try:
                self.guard.allowed.append(self.place(text))
            except ValueError:
                self.log.error("echonet: no way to %s" % text)  # its interface is not there

    async def run(self):
        """Work until `close` or cancellation; may be called again after an exception."""
        jobs = [asyncio.create_task(self._follow())]  # what was written ends without network too
        try:
            await self._open()
            self.allow(self._settings.get(_ALLOW, []))  # an interface may have another number now
            self.node.start(self.wall.now_ms())
            for sock, _ in self._endpoints:
                jobs.append(asyncio.create_task(self._read(sock, False)))
            for sock, _, _, _ in self._groups:
                jobs.append(asyncio.create_task(self._read(sock, True)))
            if self.has_tcp:
                from firmware.echonet_tcp import serve

                for listener in self._listeners:
                    jobs.append(asyncio.create_task(serve(self, listener)))
            await asyncio.gather(*jobs)
        finally:
            for job in jobs:
                job.cancel()
            self._close_sockets()

    def close(self):
        """What was written is taken back; the owner cancels `run`, which closes the sockets."""
        self.state = "closed"
        self.charger.release()

    async def _follow(self):
        """Bring changes of the charger into the network, and what was written to the arbiter."""
        pause = self._clock.real_ms(_PERIOD_MS)
        looked_ms = self.wall.now_ms()
        while True:
            self.charger.update(self._clock.now_ms())
            now = self.wall.now_ms()
            self.node.tick(now)
            if now - looked_ms >= _NETWORK_MS:
                looked_ms = now
                self._look_at_network(now)
            await asyncio.sleep_ms(pause)

    def _look_at_network(self, now):
        """Join again: that fails while we are members, and if there is no network (OSError)."""
        for sock, level, option, member in self._groups:
            try:
                sock.setsockopt(level, option, member)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                self.node.start(now)  # the interface was gone meanwhile

    async def _read(self, sock, is_group):
        while True:
            yield core._io_queue.queue_read(sock)
            self._receive(sock, is_group)

    def _receive(self, sock, is_group):
        try:
            frame, sender = sock.recvfrom(REQUEST_MAX + 1)
        except OSError as error:
            if error.errno == errno.EAGAIN:
                return
            raise
        if sender != self._sender:
            source = self.check(sender)
            if source is None:
                return
            self._sender = sender
            self._source = source
        if not self._groups:
            is_group = len(frame) > 7 and frame[7] == _NODE_PROFILE
        self.node.received(frame, self._source, is_group, self.wall.now_ms())

    def answer(self, frame, source, send):
        """Take a frame of a connection; `send(octets)` is for the answers to it alone."""
        self._answer_on = send
        try:
            self.node.received(frame, source, False, self.wall.now_ms())
        finally:
            self._answer_on = None

    def check(self, sender):
        """Return where to answer a sender, None if that would not be a neighbour's address."""
        if isinstance(sender, tuple):
            source = (sender[0], _PORT)
            octets = _octets(sender[0])
        else:
            source = sender[:2] + _PORT.to_bytes(2, "big") + sender[4:]
            if len(sender) > _SOCKADDR_IN:
                is_local = sender[8] == 0xFE and sender[9] & 0xC0 == 0x80
                return source if is_local and source not in self._own else None
            octets = sender[4:8]
        if not 0 < octets[0] < 224 or source in self._own:
            return None
        is_broadcast = True
        for i in range(4):
            ours = self._ipv4[i]
            if (ours ^ octets[i]) & self._mask[i] and any(self._ipv4):
                return None
            is_broadcast = is_broadcast and octets[i] | self._mask[i] == 255
        return None if is_broadcast else source

    def _send(self, octets, destination):
        """Send to one, or to everybody for None; what cannot be sent is lost, as in UDP."""
        if destination and self._answer_on:
            self._answer_on(octets)
            return
        for sock, group in self._endpoints:
            target = destination or group
            if len(target) == len(group):
                try:
                    sock.sendto(octets, target)
                    self._send_error = None
                except OSError as error:
                    if error.errno != self._send_error:
                        self.log.error("echonet: cannot send: errno %d" % error.errno)
                    self._send_error = error.errno

    def _written(self, controller, item, epc, edt):
        self.log.info(
            "echonet: %s set %02X of %s to %s"
            % (self.text(controller.source), epc, item.eoj.hex().upper(), edt.hex().upper())
        )

    # --- addresses

    def place(self, text):
        """A controller's address as a source. Raises ValueError."""
        try:
            if ":" not in text:
                _octets(text)  # no names: to look one up takes seconds
            return _resolve(text)
        except (OSError, ValueError):
            raise ValueError("a controller has an IP address, such as 192.168.1.20")

    def text(self, source):
        """An address as text: that of a tuple, or of a sockaddr on Unix."""
        if isinstance(source, tuple):
            return source[0]
        if len(source) == _SOCKADDR_IN:
            return ".".join([str(octet) for octet in source[4:8]])
        return "%s%%%d" % (socket.inet_ntop(socket.AF_INET6, source[8:24]), source[24])

    # --- sockets

    async def _open(self):
        """Open the sockets, however often it takes."""
        while True:
            try:
                for address in self.addresses:
                    self._open_address(address)
                self.state = "running"
                return
            except OSError as error:
                self._close_sockets()
                reason = "no network: errno %d" % error.errno
                if error.errno == errno.EADDRINUSE:
                    reason = "port 3610 is in use by another program that does not share it"
                if self.state != reason:
                    self.log.error("echonet: " + reason)
                self.state = reason
            await asyncio.sleep_ms(_RETRY_S * 1_000)

    def _open_address(self, address):
        """Open the socket of one address, and on Linux another for the group. Raises OSError."""
        is_six = ":" in address
        own = _resolve(address)
        group = _resolve(_GROUP6 + address.partition("%")[2] if is_six else _GROUP)
        family = socket.AF_INET6 if is_six else socket.AF_INET
        sock = self._socket(family)
        member = sock
        place = own
        if is_six:
            level, join, interface = _IPPROTO_IPV6, _IPV6_JOIN_GROUP, group[24:28]
            mreq = group[8:24] + interface
        else:
            level, join, interface = _IPPROTO_IP, _IP_ADD_MEMBERSHIP, _octets(address)
            mreq = _octets(_GROUP) + interface
            self._ipv4 = interface
        if sys.platform == "linux":
            member = self._socket(family)
            sock.setsockopt(level, _IPV6_MULTICAST_IF if is_six else _IP_MULTICAST_IF, interface)
            if not is_six:  # else we get what other programs joined on other interfaces
                member.setsockopt(level, _IP_MULTICAST_ALL, 0)
                sock.setsockopt(level, _IP_MULTICAST_ALL, 0)
            member.bind(group)
            self._groups.append((member, level, join, mreq))
        else:
            join = socket.IP_ADD_MEMBERSHIP
            place = _resolve("0.0.0.0")  # lwIP gives a socket with an address no multicast
        self._bind(sock, place)
        member.setsockopt(level, join, mreq)
        self._endpoints.append((sock, group))
        self._own.append(own)
        if self.has_tcp:
            listener = self._socket(family, socket.SOCK_STREAM)
            listener.bind(own)
            listener.listen(4)
            self._listeners.append(listener)

    def _bind(self, sock, place):
        """Bind to our address; say so if another program here has it too. Raises OSError."""
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        try:
            sock.bind(place)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # for controllers here
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(place)
            self.log.error("echonet: another program shares port 3610 and may get our requests")

    def _socket(self, family, kind=socket.SOCK_DGRAM):
        sock = socket.socket(family, kind)
        self._sockets.append(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        return sock

    def _close_sockets(self):
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        self._endpoints = []
        self._groups = []
        self._listeners = []
        self._own = []


def _resolve(address):
    """A numeric address as the socket module wants it, with our port."""
    place = socket.getaddrinfo(address, _PORT)[0][-1]
    return place if isinstance(place, tuple) else bytes(place)


def _octets(address):
    octets = bytes([int(part) for part in address.split(".")])
    if len(octets) != 4:
        raise ValueError("IPv4 address")
    return octets
