"""Reading and writing DNS messages, well-formed and not."""

from binascii import unhexlify

from test_mdns_messages import PTR, RESPONSE, SRV, TXT, A, message, name, question, record, srv

from mdns.packet import (
    PacketError,
    Reader,
    Writer,
    encode_name,
    is_name,
    read_name,
    same_rdata,
    skip_name,
)

# What a deployed energy manager answers (PTR; SRV, TXT, two A, AAAA), compressed
ANSWER = unhexlify(
    "58a084000000000100000005055f73686970045f746370056c6f63616c00000c00010000007800161344656d6f2d"
    "48454d532d313233343536373839c00cc0280021000100000078001000000000126702766d056c6f63616c00c028"
    "001000010000007800b209747874766572733d310b706174683d2f736869702f1669643d44656d6f2d48454d532d"
    "3132333435363738392c736b693d6265343261326239336530363637343631323035336237353462613234636234"
    "3434303039336335"
    "0a6272616e643d44656d6f0a6d6f64656c3d48454d531b747970653d456e657267794d616e6167656d656e745379"
    "7374656d0e72656769737465723d66616c73651073657269616c3d313233343536373839056361743d32c0500001"
    "00010000007800040a4d0001c050000100010000007800040a4d0002c050001c0001000000780010fe8000000000"
    "0000105baafffea86369"
)


def rejected(packet):
    """Return whether the reader refuses a packet, having looked at nothing but the packet."""
    reader = Reader()
    try:
        reader.open(memoryview(packet))
    except PacketError:
        assert not reader.next()
        return True
    return False


def entries(packet):
    reader = Reader()
    reader.open(memoryview(packet))
    found = []
    while reader.next():
        owner = read_name(packet, reader.name)
        found.append((reader.section, owner, reader.kind, reader.klass, reader.top))
    return found


def test_a_peers_answer_is_read_entry_by_entry():
    reader = Reader()
    reader.open(memoryview(ANSWER))
    assert reader.is_response and not reader.is_truncated
    assert [reader.count(section) for section in range(4)] == [0, 1, 0, 5]
    assert reader.next()
    assert (reader.section, reader.kind, reader.klass, reader.ttl_s) == (1, PTR, 1, 120)
    assert reader.is_named(b"\x05_SHIP\x04_tcp\x05Local\x00")
    assert not reader.is_named(b"\x05_ship\x04_udp\x05local\x00")
    instance = b"\x13Demo-HEMS-123456789\x05_ship\x04_tcp\x05local\x00"
    assert reader.rdata() == instance
    assert reader.next() and reader.kind == SRV and reader.is_named(instance)
    assert reader.rdata() == b"\0\0\0\0\x12\x67\x02vm\x05local\x00"
    assert reader.next() and reader.kind == TXT
    assert reader.rdata()[:10] == b"\x09txtvers=1" and len(reader.rdata()) == 0xB2
    assert reader.next() and reader.kind == A and reader.rdata() == b"\x0a\x4d\x00\x01"
    assert reader.next() and reader.next()
    assert len(reader.rdata()) == 16 and reader.after == len(ANSWER)
    assert not reader.next()
    reader.rewind()
    assert reader.next() and reader.kind == PTR


def test_every_truncation_of_a_packet_is_rejected():
    for length in range(len(ANSWER)):
        assert rejected(ANSWER[:length]), length
    assert not rejected(ANSWER)


def test_the_top_bit_of_the_class_is_kept_apart():
    packet = message(RESPONSE, [question("a.b", 255, 0x8001)], [record("a.b", A, b"abcd")])
    assert entries(packet) == [
        (0, b"\x01a\x01b\x00", 255, 1, True),
        (1, b"\x01a\x01b\x00", 1, 1, False),
    ]


def test_a_ttl_with_its_top_bit_set_counts_as_zero():
    reader = Reader()
    reader.open(message(RESPONSE, [], [record("a.b", A, b"abcd", 0x80000001)]))
    assert reader.next() and reader.ttl_s == 0
    reader.open(message(RESPONSE, [], [record("a.b", A, b"abcd", 0x7FFFFFFF)]))
    assert reader.next() and reader.ttl_s == 0x7FFFFFFF


def test_compression_loops_and_bad_pointers_are_rejected():
    header = b"\0\0\0\0\0\1\0\0\0\0\0\0"
    tail = b"\0\x0c\0\1"
    assert rejected(header + b"\xc0\x0c" + tail)  # to itself
    assert rejected(header + b"\x01a\xc0\x0c" + tail)  # to the name it is part of
    assert rejected(header + b"\xc0\x0e\x01a\0" + tail)  # forward
    assert rejected(header + b"\xc0\x00" + tail)  # into the header
    assert rejected(header + b"\xff\xff" + tail)  # out of the packet
    assert rejected(header + b"\x41" + b"a" * 65 + b"\0" + tail)  # reserved label types
    assert rejected(header + b"\x80a\0" + tail)
    assert not rejected(header + b"\x01a\0" + tail)


def test_a_chain_of_pointers_has_a_limit():
    def chain(jumps):
        packet = b"\0\0\0\0\0\0\0\1\0\0\0\0" + name("a") + b"\0\x63\0\1\0\0\0\0"
        data = b"\xc0\x0c"
        for i in range(jumps - 1):
            data += (0xC000 | 12 + 3 + 10 + 2 * i).to_bytes(2, "big")
        return packet + len(data).to_bytes(2, "big") + data, 12 + 3 + 10 + 2 * (jumps - 1)

    packet, at = chain(32)
    assert skip_name(packet, at) == at + 2
    packet, at = chain(33)
    try:
        skip_name(packet, at)
    except PacketError:
        pass
    else:
        assert False


def test_a_name_may_have_255_bytes_and_no_more():
    labels = ["a" * 63, "b" * 63, "c" * 63]
    longest = ".".join(labels + ["d" * 61])
    assert not rejected(message(0, [question(longest, A)]))
    assert rejected(message(0, [question(longest + "d", A)]))
    assert len(encode_name(*(labels + ["d" * 55]))) == 255
    for bad in (labels + ["d" * 56], ["a" * 64], [""]):
        try:
            encode_name(*bad)
        except ValueError:
            pass
        else:
            assert False, bad


def test_a_packet_may_have_256_entries_and_9000_bytes_and_no_more():
    def questions(count):
        packet = message(0, [question("a", A)])
        packet += b"\xc0\x0c\0\1\0\1" * (count - 1)
        return packet[:4] + count.to_bytes(2, "big") + packet[6:]

    assert not rejected(questions(256))
    assert rejected(questions(257))
    assert not rejected(message(RESPONSE, [], [record("a", 99, bytes(8975))]))
    assert rejected(message(RESPONSE, [], [record("a", 99, bytes(8976))]))


def test_records_with_data_of_the_wrong_shape_are_rejected():
    for kind, rdata in (
        (A, b"abc"),
        (28, bytes(15)),
        (PTR, b""),
        (PTR, b"\x01a\0b"),
        (PTR, b"\x01a"),
        (SRV, b"\0\0\0\0\0\1"),
        (SRV, srv() + b"x"),
        (TXT, b"\x05abcd"),
    ):
        assert rejected(message(RESPONSE, [], [record("a", kind, rdata)])), (kind, rdata)
    assert not rejected(message(RESPONSE, [], [record("a", TXT, b"")]))
    assert not rejected(message(RESPONSE, [], [record("a", 99, b"anything")]))


def test_other_operations_and_error_responses_are_rejected():
    assert rejected(message(0x2800, [question("a", A)]))  # UPDATE
    assert rejected(message(0x8403, [], [record("a", A, b"abcd")]))  # NXDOMAIN
    assert not rejected(message(0x8000, [], [record("a", A, b"abcd")]))  # AA missing: tolerated


def test_names_compare_without_case_in_ascii_only():
    packet = b"\x04E[Zz\0"
    assert is_name(packet, 0, b"\x04e[zZ\0")
    assert not is_name(packet, 0, b"\x04e{zz\0")  # differs in bit 5 like a letter
    assert not is_name(packet, 0, b"\x03e[z\0")
    assert is_name(packet, 0, b"\x01x\x04E[Zz\0", 2)


def test_rdata_compares_without_case_in_names_only():
    assert same_rdata(PTR, b"\x01A\0", b"\x01a\0")
    assert same_rdata(SRV, b"\0\0\0\0\0\x41\x01A\0", b"\0\0\0\0\0\x41\x01a\0")
    assert not same_rdata(SRV, b"\0\0\0\0\0\x41\x01A\0", b"\0\0\0\0\0\x61\x01A\0")
    assert not same_rdata(TXT, b"\x01A", b"\x01a")


def test_the_writer_compresses_names_everywhere():
    writer = Writer(0x8400)
    service = encode_name("_ship", "_tcp")
    instance = encode_name("E", "_ship", "_tcp")
    host = encode_name("h")
    writer.question(service, PTR, 1)
    writer.record(1, service, PTR, 1, 120, instance)
    writer.record(3, instance, SRV, 0x8001, 120, b"\0\0\0\0\x12\x68" + host)
    writer.record(3, host, 47, 0x8001, 120, host + b"\0\1\x40")
    assert bytes(writer.out) == (
        b"\0\0\x84\0\0\1\0\1\0\0\0\2"
        b"\x05_ship\x04_tcp\x05local\0\0\x0c\0\1"
        b"\xc0\x0c\0\x0c\0\1\0\0\0\x78\0\4\x01E\xc0\x0c"
        b"\xc0\x2e\0\x21\x80\1\0\0\0\x78\0\x0a\0\0\0\0\x12\x68\x01h\xc0\x17"
        b"\xc0\x44\0\x2f\x80\1\0\0\0\x78\0\5\xc0\x44\0\1\x40"
    )
    assert not rejected(bytes(writer.out))


def test_a_name_of_equal_labels_is_not_taken_for_its_own_end():
    writer = Writer(0)
    writer.question(b"\x01a\x01a\x01a\x00", A, 1)
    writer.question(b"\x01a\x01a\x00", A, 1)
    assert bytes(writer.out[12:]) == b"\x01a\x01a\x01a\0\0\1\0\1\xc0\x0e\0\1\0\1"


def test_data_for_legacy_resolvers_is_not_compressed():
    writer = Writer(0x8400, 0xABCD)
    writer.question(encode_name("h"), A, 1)
    writer.record(1, encode_name("i"), SRV, 1, 10, b"\0\0\0\0\0\1" + encode_name("h"), False)
    assert bytes(writer.out) == (
        b"\xab\xcd\x84\0\0\1\0\1\0\0\0\0"
        b"\x01h\x05local\0\0\1\0\1"
        b"\x01i\xc0\x0e\0\x21\0\1\0\0\0\x0a\0\x0f\0\0\0\0\0\1\x01h\x05local\0"
    )
