"""The one service that a node announces: its names and its resource records.

`Service` is what the owner describes (labels, port, TXT strings, addresses) turned into a list of
records in a fixed order, so that a set of records is a small integer, one bit for each. It tells
which records answer a question, which go with them, and which one equals a received record; it
writes the packets with them, and chooses the next name after a conflict.

Covers RFC 6763 4, 6, 9 and 12; RFC 6762 6.1 (NSEC), 6.7 (form of legacy responses), 8.1 (form of
probes), 9 (names after a conflict), 10.2 (cache-flush); SHIP 7.1 to 7.3. Knows nothing about time.
"""

from micropython import const

from mdns.packet import Writer, encode_name, same_rdata
from mdns.txt import encode

# Owner names: indices into Service.names. The first two are shared with other nodes.
_SERVICES = const(0)  # _services._dns-sd._udp.local
_TYPE = const(1)  # _ship._tcp.local
_INSTANCE = const(2)
_HOST = const(3)

_A = const(1)
_PTR = const(12)
_TXT = const(16)
_AAAA = const(28)
_SRV = const(33)
_NSEC = const(47)
_ANY = const(255)
_CLASS_IN = const(1)
_TOP = const(0x8000)  # of a class: unicast answer wanted; cache-flush

_TTL_S = const(120)  # of all records, SHIP 7 (IEC 63380-3 6.1.3)
_TTL_LEGACY_S = const(10)  # RFC 6762 6.7
_RESPONSE = const(0x8400)  # QR, AA
_ANSWER = const(1)  # sections
_AUTHORITY = const(2)
_ADDITIONAL = const(3)

_LABEL_MAX = const(63)
_ADDRESSES_MAX = const(4)

# Order of Service.records, as bits; the addresses have the rest.
_SERVICES_PTR_BIT = const(1)
_PTR_BIT = const(2)
_SRV_BIT = const(4)
_TXT_BIT = const(8)
_TXT_INDEX = const(3)
_INSTANCE_NSEC_BIT = const(16)
_HOST_NSEC_BIT = const(32)
_ADDRESS_BITS = const(0x3C0)


class Service:
    """An instance of a service on this host.

    `instance` and `host` are labels (str, 1 to 63 bytes), `service_type` is like `_ship._tcp`,
    `txt` a list of strings (bytes) in the order to send, `addresses` 1 to 4 IPv4 (4 bytes) or
    IPv6 (16 bytes) addresses. Raises ValueError with the reason if one does not fit.

    After a conflict `instance` and `host` differ from what was given: they are the names in use.
    `records` is a list of (owner, type, RDATA with its names uncompressed); an owner is an index
    into `names`.
    """

    def __init__(self, instance, host, port, txt, addresses, service_type="_ship._tcp"):
        if not 0 < port < 65536:
            raise ValueError("port %d" % port)
        if "." in host:
            raise ValueError("host is one label, without .local")
        self.instance = instance
        self.host = host
        self.service_type = service_type
        self._wanted = (instance, host)
        self._number = [1, 1]
        self._port = port
        self._txt = encode(txt)
        self.addresses = _checked(addresses)
        self._build()

    def set_txt(self, strings):
        """Take other TXT strings; return the bits of the changed records. Raises ValueError."""
        rdata = encode(strings)
        if rdata == self._txt:
            return 0
        self._txt = rdata
        self.records[_TXT_INDEX] = (_INSTANCE, _TXT, rdata)
        return _TXT_BIT

    def set_addresses(self, addresses):
        """Take other addresses and tell whether they are; all records are new then.

        Raises ValueError.
        """
        addresses = _checked(addresses)
        if addresses == self.addresses:
            return False
        self.addresses = addresses
        self._build()
        return True

    def rename(self, is_instance):
        """Take the next name for the instance (`Name (2)`) or for the host (`name-2`)."""
        which = 0 if is_instance else 1
        self._number[which] += 1
        suffix = (" (%d)" if is_instance else "-%d") % self._number[which]
        label = self._wanted[which]
        while len(label.encode()) + len(suffix) > _LABEL_MAX:
            label = label[:-1]
        if is_instance:
            self.instance = label + suffix
        else:
            self.host = label + suffix
        self._build()

    def _build(self):
        labels = self.service_type.split(".")
        service = encode_name(*labels)
        instance = encode_name(self.instance, *labels)
        host = encode_name(self.host)
        self.names = (encode_name("_services", "_dns-sd", "_udp"), service, instance, host)
        families = [len(address) for address in self.addresses]
        self._missing_family = 0 if 4 in families and 16 in families else _HOST_NSEC_BIT
        self.records = [
            (_SERVICES, _PTR, service),
            (_TYPE, _PTR, instance),
            (_INSTANCE, _SRV, b"\0\0\0\0" + self._port.to_bytes(2, "big") + host),
            (_INSTANCE, _TXT, self._txt),
            # bitmap of window 0 (RFC 4034 4.1.2): types 16 and 33
            (_INSTANCE, _NSEC, instance + b"\0\5\0\0\x80\0\x40"),
            (_HOST, _NSEC, host + _host_types(4 in families, 16 in families)),
        ]
        for address in self.addresses:
            self.records.append((_HOST, _A if len(address) == 4 else _AAAA, address))

    def owner_of(self, entry):
        """Return which of our names an entry (Reader) is about, or -1."""
        names = self.names
        for owner in range(len(names)):  # asked for each entry of each packet: no allocation
            if entry.is_named(names[owner]):
                return owner
        return -1

    def answers(self, question):
        """Return the bits of the records that answer a question (Reader).

        A name that is ours alone has an answer to every type: NSEC says that there is none.
        """
        owner = self.owner_of(question)
        if owner < 0 or question.klass not in (_CLASS_IN, _ANY):
            return 0
        bits = 0
        for i, (name, kind, _) in enumerate(self.records):
            if name == owner and kind != _NSEC and question.kind in (kind, _ANY):
                bits |= 1 << i
        if not bits and owner == _INSTANCE:
            return _INSTANCE_NSEC_BIT
        if not bits and owner == _HOST:
            return _HOST_NSEC_BIT
        return bits

    def additional(self, answers):
        """Return the bits of the records that go with `answers` (RFC 6763 12, RFC 6762 6.1)."""
        bits = 0
        if answers & _PTR_BIT:
            bits = _SRV_BIT | _TXT_BIT | _ADDRESS_BITS
        elif answers & _SRV_BIT:
            bits = _ADDRESS_BITS
        elif answers & _ADDRESS_BITS:
            bits = _ADDRESS_BITS | self._missing_family
        return bits & ~answers & ((1 << len(self.records)) - 1)

    def announced(self):
        """Return the bits of the records to announce: all but the negative ones."""
        return ((1 << len(self.records)) - 1) & ~(_INSTANCE_NSEC_BIT | _HOST_NSEC_BIT)

    def withdrawn(self):
        """Return the bits of the records that end with the service.

        The PTR of `_services._dns-sd._udp` is as true for every other node of the service.
        """
        return self.announced() & ~_SERVICES_PTR_BIT

    def same(self, entry):
        """Return the bit of our record that equals a received one (Reader), or 0."""
        owner = self.owner_of(entry)
        if owner < 0 or entry.klass != _CLASS_IN:
            return 0
        theirs = entry.rdata()
        for i, (name, kind, rdata) in enumerate(self.records):
            if name == owner and kind == entry.kind and same_rdata(kind, rdata, theirs):
                return 1 << i
        return 0

    def has(self, owner, kind):
        """Tell whether we have a record of that name and type."""
        for name, our_kind, _ in self.records:
            if name == owner and our_kind == kind:
                return True
        return False

    def probe(self, by_unicast):
        """Return the packet that asks whether somebody has our names (RFC 6762 8.1)."""
        writer = Writer(0)
        klass = _CLASS_IN | _TOP if by_unicast else _CLASS_IN
        writer.question(self.names[_INSTANCE], _ANY, klass)
        writer.question(self.names[_HOST], _ANY, klass)
        for owner, kind, rdata in self.records:
            if owner >= _INSTANCE and kind != _NSEC:
                writer.record(_AUTHORITY, self.names[owner], kind, _CLASS_IN, _TTL_S, rdata)
        return bytes(writer.out)

    def response(self, answers, additional, ttl_s=_TTL_S):
        """Return the packet with these records; `ttl_s=0` takes them back."""
        writer = Writer(_RESPONSE)
        self._write(writer, answers, additional, ttl_s, True)
        return bytes(writer.out)

    def legacy_response(self, answers, packet, questions, questions_end):
        """Return the answer to a resolver that does not speak multicast DNS (RFC 6762 6.7).

        It has the id and the questions of the query: `packet` up to `questions_end`.
        """
        writer = Writer(_RESPONSE, packet[0] << 8 | packet[1])
        writer.count(0, questions)
        writer.out += packet[12:questions_end]  # pointers in them lead to the same offsets
        self._write(writer, answers, self.additional(answers), _TTL_LEGACY_S, False)
        return bytes(writer.out)

    def _write(self, writer, answers, additional, ttl_s, is_multicast_dns):
        for section, bits in ((_ANSWER, answers), (_ADDITIONAL, additional)):
            for i, (owner, kind, rdata) in enumerate(self.records):
                if bits >> i & 1:
                    is_flushing = is_multicast_dns and owner >= _INSTANCE  # RFC 6762 10.2
                    klass = _CLASS_IN | _TOP if is_flushing else _CLASS_IN
                    name = self.names[owner]
                    writer.record(section, name, kind, klass, ttl_s, rdata, is_multicast_dns)


def _checked(addresses):
    if not 0 < len(addresses) <= _ADDRESSES_MAX:
        raise ValueError("1 to %d addresses" % _ADDRESSES_MAX)
    for address in addresses:
        if len(address) not in (4, 16):
            raise ValueError("an address has 4 or 16 bytes")
    return list(addresses)


def _host_types(has_a, has_aaaa):
    """Return the bitmap with type 1 in its first octet and 28 in its fourth."""
    if has_aaaa:
        return b"\0\4" + (b"\x40" if has_a else b"\0") + b"\0\0\x08"
    return b"\0\1\x40"
