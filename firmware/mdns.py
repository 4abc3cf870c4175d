"""The multicast DNS task: one UDP socket for the responder and the browser.

All decisions are in lib/mdns; here are the socket, its options on each port, and the waiting.
IPv4 only (224.0.0.251), on the interface with the given address, 127.0.0.1 included.

A port 5353 that is taken, or a network that is not there, is a state with a text and a retry.
On an ESP32 with a stock image the built-in responder takes the port when the network comes up.

One buffer for all packets is not to be had: `recvfrom` is the only call that tells the sender, and
it returns new bytes each time. They are garbage as soon as the packet has been handled.
"""

import asyncio
import errno
import socket
import sys
from asyncio import core

from micropython import const

from mdns.echo import Echo

_PORT = const(5353)
_GROUP = "224.0.0.251"
_PACKET_MAX = const(1500)  # longer ones are cut, and then rejected by the parser
_WAIT_MAX_MS = const(1_000)  # until a change made by other tasks is noticed, see `flush`
_RETRY_S = const(10)  # after opening the socket failed
_BATCH = const(4)  # packets in a row; a flood is throttled to a batch per pause
_PAUSE_MS = const(20)

# Linux, where the socket module does not name them (level IPPROTO_IP)
_IPPROTO_IP = const(0)
_SO_REUSEPORT = const(15)
_IP_MULTICAST_IF = const(32)
_IP_MULTICAST_TTL = const(33)
_IP_MULTICAST_LOOP = const(34)
_IP_ADD_MEMBERSHIP = const(35)
_IP_MULTICAST_ALL = const(49)

_IN_USE = (
    "UDP port 5353 is in use by another program that does not share it; the charger is not "
    "announced until the port is free (ESP32: use the project's image, or bind before connecting)"
)


class MdnsTask:
    """Drive a Responder and a Browser. `address` and `netmask` are dotted IPv4 of the interface.

    `clock.now_ms()` is real time, because other hosts' time is. `state` is a text: `starting`,
    `running`, `moving` to another address, `closed`, or why it does not run.
    """

    def __init__(self, responder, browser, clock, address, log, netmask="255.255.255.0"):
        self.state = "starting"
        self.responder = responder
        responder.has_own_port = sys.platform != "linux"
        self.browser = browser
        self._clock = clock
        self._address = ipv4_octets(address)
        self._netmask = ipv4_octets(netmask)
        self._log = log
        self._echo = Echo()
        self._group = socket.getaddrinfo(_GROUP, _PORT)[0][-1]
        self._socket = None
        self._send_error = None

    async def run(self):
        """Work until `close` or cancellation; may be called again after an exception."""
        await self._open()
        try:
            while self.state != "closed":
                if self.state == "moving":
                    self._socket.close()
                    await self._open()
                self.flush()
                try:
                    await asyncio.wait_for_ms(_readable(self._socket), self._wait_ms())
                except asyncio.TimeoutError:
                    continue
                if self._receive() == _BATCH:
                    await asyncio.sleep_ms(_PAUSE_MS)
        finally:
            if self._socket:
                self._socket.close()
                self._socket = None

    def close(self):
        """Say goodbye; `run` ends within a second."""
        if self.state == "running":
            self.responder.goodbye(self._clock.now_ms())
            self._send(self.responder.take())
        self.state = "closed"

    def move(self, address):
        """The interface has another address: announce that, and browse anew."""
        now = self._clock.now_ms()
        self._address = ipv4_octets(address)
        self.responder.set_addresses([self._address], now)
        self.browser.search(now)
        if self._socket:
            self.state = "moving"

    def flush(self):
        """Send what is due: call it after a change, e.g. of the TXT strings."""
        if self.state != "running":
            return
        now = self._clock.now_ms()
        self.responder.tick(now)
        self.browser.tick(now)
        self._send(self.responder.take())
        self._send(self.browser.take())

    def _wait_ms(self):
        wait_ms = self.browser.deadline() - self._clock.now_ms()
        deadline = self.responder.deadline()
        if deadline is not None:
            wait_ms = min(wait_ms, deadline - self._clock.now_ms())
        return max(0, min(wait_ms, _WAIT_MAX_MS))

    async def _open(self):
        """Open the socket, however often it takes."""
        while self.state != "closed":
            try:
                self._socket = _open_socket(self._address)
            except OSError as error:
                reason = "no multicast: errno %d" % error.errno
                if error.errno == errno.EADDRINUSE:
                    reason = _IN_USE
                if self.state != reason:
                    self._log.error("mdns: " + reason)
                self.state = reason
                await self._pause(_RETRY_S)
            else:
                self.state = "running"
                return

    async def _pause(self, seconds):
        """Sleep, but not beyond `close`."""
        while seconds and self.state != "closed":
            await asyncio.sleep_ms(1_000)
            seconds -= 1

    def _receive(self):
        """Handle the packets that are there, up to a batch; return how many."""
        for count in range(_BATCH):
            try:
                packet, sender = self._socket.recvfrom(_PACKET_MAX)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return count
                raise
            octets, port = _sender(sender)
            now = self._clock.now_ms()
            if octets == self._address and self._echo.take(packet, now):
                continue
            self.responder.received(packet, sender if self._is_local(octets) else None, port, now)
            self.browser.received(packet, port, now)
            self.flush()
        return _BATCH

    def _is_local(self, octets):
        """Tell whether a unicast answer would stay in our subnet."""
        for ours, theirs, mask in zip(self._address, octets, self._netmask):
            if (ours ^ theirs) & mask:
                return False
        return True

    def _send(self, packets):
        """Send a list of (packet, destination or None); what cannot be sent is lost, as in UDP."""
        for packet, destination in packets:
            try:
                self._socket.sendto(packet, destination or self._group)
            except OSError as error:
                if error.errno != self._send_error:
                    self._log.error("mdns: cannot send: errno %d" % error.errno)
                self._send_error = error.errno
                continue
            self._send_error = None
            if destination is None:
                self._echo.sent(packet, self._clock.now_ms())


def _readable(sock):
    """Awaitable: wait until the socket has something to read."""
    yield core._io_queue.queue_read(sock)


def _open_socket(address):
    """Return a non-blocking socket that shares port 5353 and is in the group. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        join = _IP_ADD_MEMBERSHIP
        if sys.platform == "linux":
            sock.setsockopt(socket.SOL_SOCKET, _SO_REUSEPORT, 1)
            sock.setsockopt(_IPPROTO_IP, _IP_MULTICAST_IF, address)
            sock.setsockopt(_IPPROTO_IP, _IP_MULTICAST_TTL, 255)  # RFC 6762 11
            sock.setsockopt(_IPPROTO_IP, _IP_MULTICAST_LOOP, 1)
            # Else we get what other programs joined on other interfaces
            sock.setsockopt(_IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        else:
            join = socket.IP_ADD_MEMBERSHIP
        sock.bind(socket.getaddrinfo("0.0.0.0", _PORT)[0][-1])
        sock.setsockopt(_IPPROTO_IP, join, ipv4_octets(_GROUP) + address)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def ipv4_octets(address):
    """Return the 4 octets of a dotted IPv4 address."""
    return bytes([int(part) for part in address.split(".")])


def _sender(sender):
    """Return (4 octets, port) of what recvfrom gives: a sockaddr on Unix, else a tuple."""
    if isinstance(sender, tuple):
        return ipv4_octets(sender[0]), sender[1]
    return bytes(sender[4:8]), sender[2] << 8 | sender[3]
