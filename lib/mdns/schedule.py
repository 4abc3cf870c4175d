"""When each record is multicast next: announcements, answers, the rate limit.

A set of records is an int, one bit for each, in the order of Service.records. Whatever wants a
record sent makes it due; several wishes become one packet.

Covers RFC 6762 6 (a record is multicast at most once per second, four times when it defends a
name), 7.2 (known answers that follow a truncated query), 8.3 (two announcements, a second apart).
"""

from micropython import const

_RECORDS_MAX = const(10)
_GAP_MS = const(1_000)
_DEFENCE_GAP_MS = const(250)
_ANNOUNCEMENTS = const(2)


class Schedule:
    """Times of up to ten records, in ms."""

    def __init__(self):
        self._sent_ms = [None] * _RECORDS_MAX  # last multicast
        self.clear()

    def clear(self):
        """Drop all that is planned."""
        self._due_ms = [None] * _RECORDS_MAX
        self._asked_by = [None] * _RECORDS_MAX  # the one peer that a planned answer is for
        self._announcements = bytearray(_RECORDS_MAX)  # that are still to be made

    def renew(self, bits):
        """Forget when records were sent, because their content is new."""
        for i in range(_RECORDS_MAX):
            if bits >> i & 1:
                self._sent_ms[i] = None

    def plan(self, bits, when, is_defence=False, asked_by=None):
        """Have records sent at `when`, later if they were sent shortly before."""
        gap_ms = _DEFENCE_GAP_MS if is_defence else _GAP_MS
        for i in range(_RECORDS_MAX):
            if not bits >> i & 1:
                continue
            at = when
            if self._sent_ms[i] is not None:
                at = max(at, self._sent_ms[i] + gap_ms)
            if self._due_ms[i] is None:
                self._asked_by[i] = asked_by
            else:
                at = min(at, self._due_ms[i])
                if self._asked_by[i] != asked_by:
                    self._asked_by[i] = None
            self._due_ms[i] = at

    def announce(self, bits, now):
        """Have records sent now and once more a second later."""
        self.plan(bits, now)
        for i in range(_RECORDS_MAX):
            if bits >> i & 1:
                self._announcements[i] = _ANNOUNCEMENTS

    def cancel(self, bits):
        """Drop planned answers; announcements stay."""
        for i in range(_RECORDS_MAX):
            if bits >> i & 1 and not self._announcements[i]:
                self._due_ms[i] = None

    def asked_by(self, peer):
        """Return the records that are planned for this peer alone."""
        bits = 0
        for i in range(_RECORDS_MAX):
            if self._due_ms[i] is not None and self._asked_by[i] == peer:
                bits |= 1 << i
        return bits

    def due(self, now):
        """Return the records whose time has come."""
        bits = 0
        for i in range(_RECORDS_MAX):
            if self._due_ms[i] is not None and self._due_ms[i] <= now:
                bits |= 1 << i
        return bits

    def sent_since(self, when):
        """Return the records that were sent later than `when`."""
        bits = 0
        for i in range(_RECORDS_MAX):
            if self._sent_ms[i] is not None and self._sent_ms[i] > when:
                bits |= 1 << i
        return bits

    def sent(self, bits, now):
        """Note that records have been sent, on time or ahead of it."""
        for i in range(_RECORDS_MAX):
            if bits >> i & 1:
                self._sent_ms[i] = now
                self._due_ms[i] = None
                self._announcements[i] = max(0, self._announcements[i] - 1)
                if self._announcements[i]:
                    self._due_ms[i] = now + _GAP_MS

    def deadline(self):
        """Return the earliest time at which something is due, or None."""
        first = None
        for due in self._due_ms:
            if due is not None and (first is None or due < first):
                first = due
        return first
