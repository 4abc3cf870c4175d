"""Browse for the instances of one service type and keep what they say about themselves.

Sans-IO like the responder: `received`, `tick`, `deadline`, `take`; `events` hands out what has
changed. A peer is found once its address, port and TXT strings are known, and lost when it says
goodbye or its PTR or SRV record runs out; addresses and TXT strings live as long. The strings are
kept as they came: mdns.txt.parse reads them when somebody wants to know.

Covers RFC 6762 5.2 (growing intervals), 7.1 (known answers), 10.1 (goodbye), 10.2 (cache-flush),
RFC 6763 4. Not covered: leaving out questions that others ask (7.3), drawing conclusions from
questions of others that nobody answers (10.5).
"""

from micropython import const

from mdns.packet import PacketError, Reader, Writer, encode_name, is_name
from mdns.peer import Peer, lifetime

FOUND = const(1)
CHANGED = const(2)
LOST = const(3)

_PEERS_MAX = const(8)  # further instances wait until one is lost, or is not wanted
_ADDRESSES_MAX = const(4)  # of one peer
_EVENTS_MAX = const(16)  # waiting for events(); the oldest give way
_TXT_MAX = const(512)  # bytes that are kept; SHIP allows 400
_GAP_MS = const(1_000)  # first interval of a question, then doubling
_SEARCH_MS = const(8_000)  # `search` begins anew only if they are longer
_GAP_MAX_MS = const(3_600_000)

_PORT = const(5353)
_A = const(1)
_PTR = const(12)
_TXT = const(16)
_AAAA = const(28)
_SRV = const(33)
_IN = const(1)
_ANSWER = const(1)


class Browser:
    """Look for `service_type` (like `_ship._tcp`); `random(n)` returns n random bytes.

    `peers` is the list of instances, at most eight; those with `is_found` can be used.
    """

    def __init__(self, now, random, service_type="_ship._tcp"):
        self.peers = []
        self.malformed = 0
        self._type = encode_name(*service_type.split("."))
        self._reader = Reader()
        self._out = []
        self._events = []
        self._random = random
        self._query_ms = now + 20 + random(1)[0] % 101  # RFC 6762 5.2
        self._gap_ms = _GAP_MS

    def search(self, now):
        """Ask anew, first soon and then in growing intervals: somebody is missing (SHIP 7.4).

        No effect while the intervals are still short, so that it may be called at any time.
        """
        if self._gap_ms > _SEARCH_MS:
            self._gap_ms = _GAP_MS
            self._query_ms = now + 20 + self._random(1)[0] % 101

    def doubt(self, peer, now):
        """A peer cannot be reached: ask whether it is still there, and where (RFC 6762 10.4)."""
        if peer in self.peers and peer.ask_ms != now:
            peer.doubt(now)

    def deadline(self):
        """Return when to call `tick` at the latest."""
        first = self._query_ms
        for peer in self.peers:
            first = min(first, peer.life()[0])
            if peer.ask_ms is not None:
                first = min(first, peer.ask_ms)
        return first

    def tick(self, now):
        """Forget whom has not been heard of, and ask what is to be asked."""
        for peer in [peer for peer in self.peers if peer.life()[0] <= now]:
            self.peers.remove(peer)
            if peer.is_found:
                self._event(LOST, peer)
        asked = [p for p in self.peers if p.ask_ms is not None and p.ask_ms <= now]
        if now < self._query_ms and not asked:
            return
        if now >= self._query_ms:
            self._query_ms = now + self._gap_ms
            self._gap_ms = min(self._gap_ms * 2, _GAP_MAX_MS)
        self._out = [(self._query(asked, now), None)]
        for peer in asked:
            peer.plan(now)

    def take(self):
        """Return the packets to send as a list of (bytes, None); at most one."""
        out = self._out
        self._out = []
        return out

    def events(self):
        """Return what has changed as a list of (FOUND, CHANGED or LOST, peer)."""
        events = self._events
        self._events = []
        return events

    def received(self, packet, port, now):
        """Take a packet (memoryview or bytes); `port` is the sender's."""
        reader = self._reader
        try:
            reader.open(packet)
        except PacketError:
            self.malformed += 1
            return
        if reader.is_response and port == _PORT:
            while reader.next():
                if self._is(_PTR) and reader.is_named(self._type):
                    self._pointed(reader.rdata(), now)
            for peer in self.peers:
                self._update(peer, now)
        reader.close()
        self.tick(now)

    def _is(self, kind):
        reader = self._reader
        return reader.section >= _ANSWER and reader.kind == kind and reader.klass == _IN

    def _pointed(self, name, now):
        """Take the name of an instance."""
        for peer in self.peers:
            if is_name(name, 0, peer.name):
                break
        else:
            if self._reader.ttl_s == 0 or name[0] == 0:
                return
            if not is_name(name, 1 + name[0], self._type) or not self._has_room():
                return
            try:
                peer = Peer(name, now)
            except UnicodeError:
                return
            self.peers.append(peer)
        peer.ptr = lifetime(self._reader.ttl_s, now)
        if peer.is_found:
            peer.plan(now)

    def _has_room(self):
        """Whether another instance can be kept, if need be for one that is not wanted."""
        if len(self.peers) < _PEERS_MAX:
            return True
        for peer in self.peers:
            if peer.is_found and peer.is_wanted is False:
                self.peers.remove(peer)
                self._event(LOST, peer)
                return True
        return False

    def _update(self, peer, now):
        """Take what the packet says about one peer."""
        reader = self._reader
        is_changed = False
        reader.rewind()
        while reader.next():
            if self._is(_SRV) and reader.is_named(peer.name):
                peer.srv = lifetime(reader.ttl_s, now)
                rdata = reader.rdata()
                port = rdata[4] << 8 | rdata[5]
                if peer.host != rdata[6:] or peer.port != port:
                    peer.host = rdata[6:]
                    peer.port = port
                    is_changed = True
                if peer.is_doubted:  # it is there, which is news
                    peer.is_doubted = False
                    is_changed = True
                if peer.is_found:
                    peer.plan(now)
            elif self._is(_TXT) and reader.is_named(peer.name) and reader.ttl_s:
                if reader.end - reader.data <= _TXT_MAX and peer.txt != reader.rdata():
                    peer.txt = reader.rdata()
                    is_changed = True
        if peer.host:
            is_changed = self._addresses(peer) or is_changed
        if is_changed and peer.is_complete():
            self._event(CHANGED if peer.is_found else FOUND, peer)
            peer.is_found = True
            peer.plan(now)

    def _addresses(self, peer):
        """Take the addresses of a peer's host; return whether they are others."""
        reader = self._reader
        fresh = []
        flushed = 0  # lengths of the addresses whose older ones end
        reader.rewind()
        while reader.next():
            if (self._is(_A) or self._is(_AAAA)) and reader.ttl_s and reader.is_named(peer.host):
                address = reader.rdata()
                if address not in fresh and len(fresh) < _ADDRESSES_MAX:
                    fresh.append(address)
                if reader.top:
                    flushed |= len(address)
        old = [a for a in peer.addresses if a not in fresh and not flushed & len(a)]
        fresh = (old + fresh)[-_ADDRESSES_MAX:]
        if sorted(fresh) == sorted(peer.addresses):
            return False
        peer.addresses = fresh
        return True

    def _query(self, asked, now):
        """Return the packet that asks for instances, and for the records of some of them."""
        writer = Writer(0)
        writer.question(self._type, _PTR, _IN)
        for peer in asked:
            writer.question(peer.name, _SRV, _IN)
            writer.question(peer.name, _TXT, _IN)
            if peer.host:
                writer.question(peer.host, _A, _IN)
        for peer in self.peers:
            end, ttl_ms = peer.ptr
            if peer.is_found and end - now > ttl_ms // 2:
                rest_s = (end - now) // 1_000
                writer.record(_ANSWER, self._type, _PTR, _IN, rest_s, peer.name)
        return bytes(writer.out)

    def _event(self, kind, peer):
        if len(self._events) == _EVENTS_MAX:
            self._events.pop(0)
        self._events.append((kind, peer))
