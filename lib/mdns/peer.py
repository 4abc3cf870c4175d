"""One instance that the browser has heard of, and when to ask about it again.

Covers RFC 6762 5.2: questions about an incomplete peer in growing intervals, about a complete one
at 80, 85, 90 and 95 % of its records' lifetime; 10.4: about one that cannot be reached.
"""

from micropython import const

_GAP_MS = const(1_000)
_RESOLVE_MS = const(50)  # for the rest of the records to come by themselves
_TTL_MIN_S = const(15)  # against peers that would have us ask all the time
_TTL_MAX_S = const(4_500)
_DOUBT_MS = const(10_000)  # RFC 6762 10.4
_GOODBYE_MS = const(1_000)  # RFC 6762 10.1


class Peer:
    """`instance` (label, str), `port`, `addresses` (4 or 16 bytes each), `txt` (RDATA).

    `name` and `host` are names in wire form. What is not known yet is None or empty; `is_found`
    says that everything has been known. `ask_ms` is the time to ask again, or None. `ski` and
    `is_wanted` (None: not decided) are the owner's to set: who is not wanted gives way to others.

    Raises UnicodeError if the label is not UTF-8.
    """

    def __init__(self, name, now):
        self.name = name
        self.instance = str(name[1 : 1 + name[0]], "utf-8")
        self.host = None
        self.port = None
        self.txt = None
        self.addresses = []
        self.is_found = False
        self.ski = None
        self.is_wanted = None
        self.is_doubted = False
        self.ask_ms = now + _RESOLVE_MS
        self.ptr = None  # lifetimes of the PTR and SRV records: (end, TTL), in ms
        self.srv = None
        self._gap_ms = _GAP_MS

    def host_text(self):
        """Return the host's name as text; empty if it is not known or not ASCII."""
        labels = []
        at = 0
        while self.host and self.host[at]:
            labels.append(bytes(self.host[at + 1 : at + 1 + self.host[at]]))
            at += 1 + self.host[at]
        try:
            return str(b".".join(labels), "ascii")
        except UnicodeError:
            return ""

    def doubt(self, now):
        """Ask again at once; without an answer the end is near (RFC 6762 10.4)."""
        end = now + _DOUBT_MS
        self.ptr = (min(self.ptr[0], end), self.ptr[1])
        if self.srv:
            self.srv = (min(self.srv[0], end), self.srv[1])
        self.ask_ms = now
        self.is_doubted = True

    def life(self):
        """Return the lifetime of the record that ends first."""
        return min(self.ptr, self.srv) if self.srv else self.ptr

    def is_complete(self):
        """Tell whether one can connect to it and knows who it is."""
        return self.port is not None and self.txt is not None and len(self.addresses) > 0

    def plan(self, now):
        """Choose when to ask again."""
        if not self.is_complete():
            self.ask_ms = now + self._gap_ms
            self._gap_ms *= 2
            return
        self._gap_ms = _GAP_MS
        self.ask_ms = None
        end, ttl_ms = self.life()
        for rest in (20, 15, 10, 5):
            when = end - ttl_ms * rest // 100
            if when > now and ttl_ms > _GOODBYE_MS:
                self.ask_ms = when
                return


def lifetime(ttl_s, now):
    """Return (end, TTL) in ms of a record received now; 0 means that it ends in a second."""
    ttl_ms = min(max(ttl_s, _TTL_MIN_S), _TTL_MAX_S) * 1_000 if ttl_s else _GOODBYE_MS
    return (now + ttl_ms, ttl_ms)
