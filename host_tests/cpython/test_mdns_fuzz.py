"""Packets that nobody sends on purpose, and a second opinion on those that we send.

The second opinion is python-zeroconf's: it reads what our writer wrote, and our reader reads what
it wrote.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from zeroconf import (
    DNSAddress,
    DNSIncoming,
    DNSOutgoing,
    DNSPointer,
    DNSQuestion,
    DNSService,
    DNSText,
)

from mdns.browser import Browser
from mdns.packet import PacketError, Reader, encode_name, read_name
from mdns.responder import Responder
from mdns.service import Service
from mdns.txt import parse, ship_strings

PORT = 5353
SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
TYPE = "_ship._tcp.local."

# Names whose parts occur in real packets, so that random packets get past the first check
_names = st.sampled_from(
    [
        b"\x05_ship\x04_tcp\x05local\x00",
        b"\x06EVSE 1\x05_ship\x04_tcp\x05local\x00",
        b"\x06evse-1\x05local\x00",
        b"\x09_services\x07_dns-sd\x04_udp\x05local\x00",
        b"\x06EVSE 1\xc0\x0c",
        b"\xc0\x0c",
        b"\xc0\x13",
        b"\xc0\x21",
        b"\x00",
        b"\x01\xff\xc0\x0c",
    ]
)
_kinds = st.sampled_from([1, 5, 12, 16, 28, 33, 47, 99, 255])
_classes = st.sampled_from([1, 0x8001, 255, 3])
_ttls = st.sampled_from([0, 1, 59, 60, 120, 4500, 0x7FFFFFFF, 0xFFFFFFFF])
_data = st.one_of(
    _names,
    _names.map(lambda name: b"\0\0\0\0\x12\x68" + name),
    st.binary(min_size=4, max_size=4),
    st.binary(min_size=16, max_size=16),
    st.just(b"\x09txtvers=1"),
    st.binary(max_size=40),
)


@st.composite
def packets(draw):
    """Messages that are right in their frame, and sometimes cut or changed in one byte."""
    counts = [draw(st.integers(0, 3)) for _ in range(4)]
    flags = draw(st.sampled_from([0, 0x0200, 0x8400, 0x8000, 0x2800]))
    packet = draw(st.integers(0, 65535)).to_bytes(2, "big") + flags.to_bytes(2, "big")
    for count in counts:
        packet += count.to_bytes(2, "big")
    for section, count in enumerate(counts):
        for _ in range(count):
            packet += draw(_names) + draw(_kinds).to_bytes(2, "big")
            packet += draw(_classes).to_bytes(2, "big")
            if section:
                data = draw(_data)
                packet += draw(_ttls).to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
    fault = draw(st.integers(0, 5))
    if fault == 0:
        packet = packet[: draw(st.integers(0, len(packet)))]
    elif fault == 1:
        at = draw(st.integers(0, len(packet) - 1))
        packet = packet[:at] + bytes([draw(st.integers(0, 255))]) + packet[at + 1 :]
    return packet


def _service():
    strings = ship_strings("i:1_u:1", SKI, brand="Acme", categories=(3,))
    return Service("EVSE 1", "evse-1", 4712, strings, [b"\x0a\0\0\5", bytes(15) + b"\1"])


def _no_random(count):
    return bytes(count)


@given(st.one_of(packets(), st.binary(max_size=600)))
@settings(max_examples=600, deadline=None)
def test_the_reader_raises_nothing_but_packet_error_and_only_when_opening(packet):
    reader = Reader()
    try:
        reader.open(memoryview(packet))
    except PacketError:
        return
    while reader.next():
        assert len(read_name(packet, reader.name)) <= 255
        if reader.section:
            assert reader.end <= len(packet)
            reader.rdata()


@given(st.lists(st.tuples(packets(), st.sampled_from([PORT, 40000])), max_size=12), st.booleans())
@settings(max_examples=250, deadline=None)
def test_no_sequence_of_packets_upsets_the_responder_or_the_browser(sequence, is_announced):
    now = 0
    responder = Responder(_service(), now, _no_random)
    browser = Browser(now, _no_random)
    if is_announced:
        for now in (0, 250, 500, 750, 1750):
            responder.tick(now)
        responder.take()
        now = 30_000
    for packet, port in sequence:
        responder.received(memoryview(packet), b"peer", port, now)
        browser.received(memoryview(packet), port, now)
        for answer, _ in responder.take() + browser.take():
            assert len(answer) <= 1472
            assert DNSIncoming(answer).valid
        browser.events()
        now += 100
    assert len(browser.peers) <= 8
    for _ in range(40):  # left alone, it comes to rest with a name
        if responder.deadline() is None:
            break
        responder.tick(responder.deadline())
    assert responder.is_announced and responder.deadline() is None


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_no_strings_upset_the_parser_of_strings(strings):
    rdata = b"".join(bytes([len(string)]) + string for string in strings)
    keys = parse(rdata)
    assert keys is None or len(keys["ski"]) == 40


def test_zeroconf_reads_our_announcement_as_we_mean_it():
    responder = Responder(_service(), 0, _no_random)
    for now in (0, 250, 500, 750):
        responder.tick(now)
    packet = responder.take()[-1][0]
    message = DNSIncoming(packet)
    assert message.valid and message.is_response()
    texts = {(answer.name, type(answer).__name__) for answer in message.answers()}
    instance = "EVSE 1." + TYPE
    assert texts == {
        ("_services._dns-sd._udp.local.", "DNSPointer"),
        (TYPE, "DNSPointer"),
        (instance, "DNSService"),
        (instance, "DNSText"),
        ("evse-1.local.", "DNSAddress"),
    }
    for answer in message.answers():
        assert answer.ttl == 120
        assert answer.unique == (not isinstance(answer, DNSPointer))
        if isinstance(answer, DNSService):
            assert (answer.port, answer.server) == (4712, "evse-1.local.")
        if isinstance(answer, DNSText):
            assert answer.text.startswith(b"\x09txtvers=1\x0bpath=/ship/")


def test_zeroconf_reads_our_negative_answer_as_we_mean_it():
    service = Service("EVSE 1", "evse-1", 4712, [b"a=b"], [b"\x0a\0\0\5"])
    for bits, name, types in (
        (32, "evse-1.local.", [1]),
        (16, "EVSE 1." + TYPE, [16, 33]),
    ):
        (answer,) = DNSIncoming(service.response(bits, 0)).answers()
        assert (answer.name, answer.next_name, list(answer.rdtypes)) == (name, name, types)
    service.set_addresses([bytes(16), bytes(4)])
    (answer,) = DNSIncoming(service.response(32, 0)).answers()
    assert list(answer.rdtypes) == [1, 28]


def test_we_read_zeroconfs_packets_as_it_means_them():
    instance = "HEMS 1." + TYPE
    out = DNSOutgoing(0x8400)
    out.add_question(DNSQuestion(TYPE, 12, 1))
    out.add_answer_at_time(DNSPointer(TYPE, 12, 1, 4500, instance), 0)
    out.add_additional_answer(DNSService(instance, 33, 0x8001, 120, 0, 0, 4711, "hems.local."))
    out.add_additional_answer(DNSText(instance, 16, 0x8001, 4500, b"\x09txtvers=1"))
    out.add_additional_answer(DNSAddress("hems.local.", 1, 0x8001, 120, b"\x0a\0\0\7"))
    (packet,) = out.packets()
    reader = Reader()
    reader.open(memoryview(packet))
    wire = encode_name("HEMS 1", "_ship", "_tcp")
    host = encode_name("hems")
    seen = []
    while reader.next():
        rdata = reader.rdata() if reader.section else None
        seen.append((read_name(packet, reader.name), reader.kind, reader.top, rdata))
    service = encode_name("_ship", "_tcp")
    assert seen == [
        (service, 12, False, None),
        (service, 12, False, wire),
        (wire, 33, True, b"\0\0\0\0" + (4711).to_bytes(2, "big") + host),
        (wire, 16, True, b"\x09txtvers=1"),
        (host, 1, True, b"\x0a\0\0\7"),
    ]
