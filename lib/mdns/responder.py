"""Multicast DNS responder for one service: probe, announce, answer, defend, say goodbye.

Sans-IO: `received` takes packets, `tick` the time, `take` hands out what to send, `deadline` says
when to call `tick` next. `service.instance` and `service.host` are the names in use; they change
after a conflict, and are settled while `is_announced` is true.

Covers RFC 6762: probing with tie-break (8.1, 8.2), announcing and updating (8.3, 8.4), conflicts
(9), responses with delays and rate limit (6), negative and multi-question responses (6.1, 6.3),
legacy and unicast responses (5.4, 6.7), known answers also over several packets (7.1, 7.2),
duplicate answers (7.4), rescue of records that somebody lets expire (6.6), goodbye (10.1),
cache-flush (10.2). Not covered: reverse mapping of addresses (4), more than one interface (15);
a node has one instance per interface.

Why not the package `micropython-mdns` (1.8.0, imported as `mdns_client`): its responder answers
PTR, SRV, TXT and A questions, at once and always by multicast. It does not probe, announce or
notice conflicts; it has no goodbye, known answers, cache-flush bit, AAAA or legacy responses (the
sender's port is not looked at), a changed TXT record is not sent, and the TXT strings come from a
dict, which has no order on MicroPython. A compression loop ends in a recursion error, and reading
one answer of 340 bytes allocates 8 KB, here 1.1 KB. There are no tests, and there can be few: it
opens its sockets itself and needs `select.select`, which the Unix port does not have. Client and
responder take 24 KB of heap when loaded from source on a 32-bit build; what does all of the above
here, with its task, takes 23 KB.

Rules of this file: times are plain milliseconds. Records are multicast because the schedule says
that they are due, whatever planned them, and nowhere else.
"""

from micropython import const

from mdns.packet import PacketError, Reader
from mdns.schedule import Schedule

_PORT = const(5353)
_TTL_S = const(120)  # of our records, see service.py
_HALF_TTL_S = const(60)  # RFC 6762 7.1 and 6.6
_QUARTER_TTL_MS = const(30_000)  # RFC 6762 5.4

_PROBES = const(3)  # RFC 6762 8.1
_PROBE_GAP_MS = const(250)
_PROBE_YIELD_MS = const(1_000)  # after a lost tie-break, RFC 6762 8.2
_CONFLICTS_MAX = const(15)  # RFC 6762 8.1: more within the time make each attempt wait
_CONFLICTS_TIME_MS = const(10_000)
_CONFLICT_PAUSE_MS = const(5_000)
_ADDITIONAL_GAP_MS = const(1_000)  # RFC 6762 6

_UNICASTS_MAX = const(4)  # delayed unicast responses; beyond, the answer is multicast
_LEGACY_PER_SECOND = const(10)  # legacy responses; beyond, questions go unanswered
_QUESTIONS_SIZE_MAX = const(512)  # bytes of legacy questions that we repeat
_RIVALS_MAX = const(8)  # records of one name in a rival's probe that are compared
_OUT_MAX = const(8)  # packets waiting for take(); the oldest give way

_INSTANCE = const(2)  # owners, see service.py
_HOST = const(3)
_SHARED_BITS = const(3)  # the two PTR, see service.py
_NSEC = const(47)
_IN = const(1)

_ANSWER = const(1)  # sections
_AUTHORITY = const(2)


class Responder:
    """See the module's text.

    `service` is a mdns.service.Service, `random` a callable `random(n) -> bytes`. Attributes to
    read: `service`, `is_announced`, `malformed` and `conflicts` (counters). To write:
    `has_own_port`, false where other programs may share UDP port 5353 and get the unicast packets
    that are for us; then we do not ask for any (RFC 6762 15.1).
    """

    def __init__(self, service, now, random):
        self.service = service
        self.has_own_port = True
        self.is_announced = False
        self.malformed = 0
        self.conflicts = 0
        self._random = random
        self._reader = Reader()
        self._schedule = Schedule()
        self._out = []
        self._unicasts = []  # (due, destination, answers)
        self._conflicts_since = now
        self._conflicts_recently = 0
        self._legacy_since = now
        self._legacy_count = 0
        self._is_closed = False
        self._start(now)

    # --- the owner's side

    def set_txt(self, strings, now):
        """Announce other TXT strings (list of bytes, in order). Raises ValueError."""
        changed = self.service.set_txt(strings)
        self._schedule.renew(changed)
        if self.is_announced:
            self._schedule.announce(changed, now)
            self.tick(now)

    def set_addresses(self, addresses, now):
        """Take other addresses: a new network, so probe and announce again (RFC 6762 8).

        Raises ValueError.
        """
        if self.service.set_addresses(addresses) and not self._is_closed:
            self._start(now)

    def goodbye(self, now):
        """Withdraw the service; the packet is in `take`. The responder ends here."""
        self._stop()
        self._out = []
        if self.is_announced:
            self._put(self.service.response(self.service.withdrawn(), 0, 0), None)
        self.is_announced = False
        self._is_closed = True

    def deadline(self):
        """Return when to call `tick` at the latest, or None."""
        first = self._schedule.deadline()
        if self._probe_ms is not None:
            first = self._probe_ms  # nothing is planned before we have the names
        for due, _, _ in self._unicasts:
            if first is None or due < first:
                first = due
        return first

    def tick(self, now):
        """Do what is due."""
        if self._is_closed:
            return
        if self._probe_ms is not None and now >= self._probe_ms:
            self._probe(now)
        service = self.service
        i = 0
        while i < len(self._unicasts):
            due, destination, answers = self._unicasts[i]
            if due <= now:
                self._unicasts.pop(i)
                self._put(service.response(answers, service.additional(answers)), destination)
            else:
                i += 1
        answers = self._schedule.due(now)
        if answers:
            additional = service.additional(answers)
            additional &= ~self._schedule.sent_since(now - _ADDITIONAL_GAP_MS)
            self._put(service.response(answers, additional), None)
            self._schedule.sent(answers | additional, now)

    def take(self):
        """Return the packets to send as a list of (bytes, destination or None for multicast)."""
        out = self._out
        self._out = []
        return out

    def received(self, packet, source, port, now):
        """Take a packet (memoryview or bytes; used during the call only).

        `source` is what `take` shall return as the destination of a unicast answer, or None if
        the sender may not get one because it is not on the local link (RFC 6762 5.5, 11); `port`
        is the sender's.
        """
        if self._is_closed:
            return
        reader = self._reader
        try:
            reader.open(packet)
        except PacketError:
            self.malformed += 1
            return
        if reader.is_response:
            if port == _PORT:  # RFC 6762 6: from another port it is forged or broken
                self._peer_response(now)
        elif not self.is_announced:
            self._rival_probe(now)
        elif port == _PORT:
            self._query(source, now)
        else:
            self._legacy_query(source, now)
        reader.close()
        self.tick(now)

    # --- probing and announcing

    def _start(self, now, delay_ms=None):
        """Probe for both names, then announce."""
        if delay_ms is None:
            delay_ms = self._between(0, _PROBE_GAP_MS)
        self._stop()
        self.is_announced = False
        self._probes = 0
        self._probe_ms = now + delay_ms

    def _stop(self):
        """Drop all that is planned."""
        self._probe_ms = None
        self._unicasts = []
        self._schedule.clear()

    def _probe(self, now):
        if self._probes < _PROBES:
            self._probes += 1
            self._probe_ms = now + _PROBE_GAP_MS
            self._put(self.service.probe(self.has_own_port), None)
            return
        self._probe_ms = None
        self.is_announced = True
        self._schedule.announce(self.service.announced(), now)

    def _rival_probe(self, now):
        """Compare a simultaneous probe with ours, and give way if it wins (RFC 6762 8.2)."""
        reader = self._reader
        if self._probes == 0 or not reader.count(_AUTHORITY):
            return
        theirs = ([], [])
        while reader.next():
            if reader.section != _AUTHORITY:
                continue
            owner = self.service.owner_of(reader) - _INSTANCE
            if owner >= 0 and len(theirs[owner]) < _RIVALS_MAX:
                theirs[owner].append((reader.klass, reader.kind, reader.rdata()))
        for owner, records in enumerate(theirs):
            records.sort()
            if records and self._claim(owner + _INSTANCE) < records:
                self._start(now, _PROBE_YIELD_MS)

    def _claim(self, owner):
        """Return what we probe with for a name, in the order of comparison."""
        claim = []
        for name, kind, rdata in self.service.records:
            if name == owner and kind != _NSEC:
                claim.append((_IN, kind, rdata))
        claim.sort()
        return claim

    # --- what others say

    def _peer_response(self, now):
        """Look for conflicts, for answers that need not be repeated, for records in danger."""
        reader = self._reader
        service = self.service
        lost = 0
        while reader.next():
            owner = service.owner_of(reader)
            if reader.section == 0 or reader.klass != _IN or owner < 0:
                continue
            bit = service.same(reader)
            if bit:
                if reader.ttl_s < _HALF_TTL_S and self.is_announced:
                    self._schedule.plan(bit, now)  # RFC 6762 6.6
                elif reader.ttl_s >= _TTL_S:
                    self._schedule.cancel(bit)  # RFC 6762 7.4
            elif owner >= _INSTANCE and reader.ttl_s and reader.kind != _NSEC:
                # While we probe, a name is theirs if they have any record of it
                if not self.is_announced or service.has(owner, reader.kind):
                    lost |= 1 << owner
        if lost:
            self._conflict(lost, now)

    def _conflict(self, owners, now):
        """Probe again for names that were ours (RFC 6762 9), for others if they were not yet."""
        self.conflicts += 1
        if now - self._conflicts_since > _CONFLICTS_TIME_MS:
            self._conflicts_since = now
            self._conflicts_recently = 0
        self._conflicts_recently += 1
        if not self.is_announced:
            for owner in (_INSTANCE, _HOST):
                if owners >> owner & 1:
                    self.service.rename(owner == _INSTANCE)
        if self._conflicts_recently >= _CONFLICTS_MAX:
            self._start(now, _CONFLICT_PAUSE_MS)
        else:
            self._start(now)

    # --- what others ask

    def _query(self, source, now):
        reader = self._reader
        service = self.service
        schedule = self._schedule
        is_probe = reader.count(_AUTHORITY) > 0
        # Others than the prober shall hear of a conflict too, and a unicast packet may not reach
        # it where several nodes share a port 5353
        may_unicast = not (source is None or reader.is_truncated or is_probe)
        by_multicast = 0
        by_unicast = 0
        known = 0
        while reader.next():
            if reader.section == 0:
                if reader.top and may_unicast:
                    by_unicast |= service.answers(reader)
                else:
                    by_multicast |= service.answers(reader)
            elif reader.section == _ANSWER and reader.ttl_s >= _HALF_TTL_S:
                known |= service.same(reader)
        if not reader.count(0) and source is not None:
            schedule.cancel(known & schedule.asked_by(source))  # RFC 6762 7.2
        by_multicast &= ~known
        by_unicast &= ~known
        # What was not multicast for a while refreshes everybody's cache (RFC 6762 5.4)
        by_multicast |= by_unicast & ~schedule.sent_since(now - _QUARTER_TTL_MS)
        by_unicast &= ~by_multicast
        due = now + self._delay(by_multicast | by_unicast, is_probe)
        if by_unicast and len(self._unicasts) < _UNICASTS_MAX:
            self._unicasts.append((due, source, by_unicast))
        else:
            by_multicast |= by_unicast
        schedule.plan(by_multicast, due, is_probe, source if reader.is_truncated else None)

    def _delay(self, answers, is_probe):
        """Return how long to wait before answering, in ms (RFC 6762 6, 6.3)."""
        if is_probe:
            return 0
        if self._reader.is_truncated:
            return self._between(400, 500)
        if answers & _SHARED_BITS or self._reader.count(0) > 1:
            return self._between(20, 120)
        return 0

    def _legacy_query(self, source, now):
        """Answer a resolver that does not speak multicast DNS at once (RFC 6762 6.7)."""
        reader = self._reader
        answers = 0
        end = 0
        while reader.next() and reader.section == 0:
            answers |= self.service.answers(reader)
            end = reader.after
        if not answers or source is None or end > _QUESTIONS_SIZE_MAX:
            return
        if now - self._legacy_since >= 1_000:
            self._legacy_since = now
            self._legacy_count = 0
        self._legacy_count += 1
        if self._legacy_count <= _LEGACY_PER_SECOND:
            questions = reader.count(0)
            packet = self.service.legacy_response(answers, reader.packet, questions, end)
            self._put(packet, source)

    # --- small things

    def _put(self, packet, destination):
        if len(self._out) == _OUT_MAX:
            self._out.pop(0)
        self._out.append((packet, destination))

    def _between(self, low, high):
        """Return a random int from `low` to `high`."""
        return low + int.from_bytes(self._random(2), "big") % (high - low + 1)
