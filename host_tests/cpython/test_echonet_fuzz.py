"""Any octets at all: the node never fails, and answers only what it should, in good form."""

from echonet_world import HEMS, World, reference
from hypothesis import given, settings
from hypothesis import strategies as st
from pychonet.lib.functions import decodeEchonetMsg

from echonet.node import FRAME_MAX, REQUEST_MAX

ANSWERS = {
    0x60: (0x50,),
    0x61: (0x71, 0x51),
    0x62: (0x72, 0x52),
    0x63: (0x73, 0x53),
    0x6E: (0x7E, 0x5E),
    0x74: (0x7A,),
}
PRESENT = ("0EF001", "02A101", "02A102", "027E01")

epcs = st.one_of(st.integers(0x80, 0xFF), st.sampled_from([0x81, 0xC7, 0xDA, 0xEB, 0xED, 0xD5]))
values = st.one_of(
    st.just(b""), st.binary(max_size=6), st.sampled_from([b"\x42", b"\x47", b"\x00\xa0"])
)
lists = st.lists(st.tuples(epcs, values), min_size=1, max_size=8)
objects = st.sampled_from([*PRESENT, "0EF000", "02A100", "02A103", "013001"])


def pack(items):
    out = bytes([len(items)])
    for epc, edt in items:
        out += bytes([epc, len(edt)]) + edt
    return out


@st.composite
def frames(draw):
    """A frame of the right form: whatever service, objects, properties and values."""
    service = draw(st.sampled_from(sorted(ANSWERS)))
    frame = b"\x10\x81" + draw(st.binary(min_size=2, max_size=2))
    frame += bytes.fromhex(draw(st.sampled_from(["05FF01", "0EF001"]))) + bytes.fromhex(
        draw(objects)
    )
    frame += bytes([service]) + pack(draw(lists))
    return frame + pack(draw(lists)) if service == 0x6E else frame


def read_list(frame, at):
    """The (EPC, EDT) of a list and the place behind it; written anew. None if it is cut off."""
    if at >= len(frame) or not frame[at]:
        return None
    items, count = [], frame[at]
    at += 1
    for _ in range(count):
        if at + 2 > len(frame) or at + 2 + frame[at + 1] > len(frame):
            return None
        items.append((frame[at], frame[at + 2 : at + 2 + frame[at + 1]]))
        at += 2 + frame[at + 1]
    return items, at


def is_request(frame):
    """Whether a frame is one that can have an answer."""
    if len(frame) < 12 or len(frame) > REQUEST_MAX or frame[:2] != b"\x10\x81":
        return False
    first = read_list(frame, 11)
    if frame[10] not in ANSWERS or not first:
        return False
    return frame[10] != 0x6E or read_list(frame, first[1]) is not None


def check(frame, answers):
    """Look at the answers to one frame."""
    for answer in answers:
        octets = bytes.fromhex(answer[2:])
        assert is_request(frame), frame.hex()
        assert len(octets) <= FRAME_MAX
        assert octets[:4] == frame[:4] and octets[7:10] == frame[4:7]
        assert octets[10] in ANSWERS[frame[10]]
        assert octets[4:6] == frame[7:9] and frame[9] in (0, octets[6])
        assert octets[4:7].hex().upper() in PRESENT
        assert answer.startswith("M ") == (octets[10] == 0x73)
        items, at = read_list(octets, 11)
        asked, place = read_list(frame, 11)
        assert [epc for epc, _ in items] == [epc for epc, _ in asked]
        if frame[10] == 0x6E:
            more, at = read_list(octets, at)
            assert [epc for epc, _ in more] == [epc for epc, _ in read_list(frame, place)[0]]
        assert at == len(octets)
        decoded = decodeEchonetMsg(octets)
        assert [(o["EPC"], o["EDT"]) for o in decoded["OPC"]] == items


@given(frames(), st.booleans())
@settings(max_examples=400, deadline=None)
def test_good_frames_are_answered_in_good_form_by_every_object_they_are_for(frame, may_write):
    world = World(reference(two_outlets=True), writes_on=may_write)
    world.feed(frame)
    answers = world.take()
    check(frame, answers)
    targets = [
        e for e in PRESENT if e[:4] == frame[7:9].hex().upper() and frame[9] in (0, int(e[4:]))
    ]
    if frame[10] in (0x61, 0x62, 0x63, 0x6E, 0x74):
        assert len(answers) == len(targets)
    world.run(2_500)
    informs = world.take()
    assert all(a.startswith("M 10810000") for a in informs)
    assert may_write or not informs


@given(st.one_of(st.binary(max_size=64), frames()), st.data())
@settings(max_examples=400, deadline=None)
def test_whatever_comes_nothing_fails_and_only_requests_are_answered(octets, data):
    octets = bytearray(octets)
    for _ in range(data.draw(st.integers(0, 3))):
        if octets:
            at = data.draw(st.integers(0, len(octets) - 1))
            octets[at] ^= 1 << data.draw(st.integers(0, 7))
    frame = bytes(
        octets[: data.draw(st.integers(0, len(octets)))] if data.draw(st.booleans()) else octets
    )
    world = World(reference(two_outlets=True))
    world.feed(frame, source=HEMS, is_multicast=data.draw(st.booleans()))
    world.now += 400
    for _, delayed, source in list(world.node._delayed):
        assert delayed == frame and source == HEMS
    answers = world.take()
    check(frame, answers)


@given(st.binary(min_size=1, max_size=1472))
@settings(max_examples=100, deadline=None)
def test_the_answer_to_a_get_of_anything_fits_a_datagram(octets):
    codes = bytes([0x80 | octet for octet in octets[:255]])
    frame = bytes.fromhex("1081000105FF0102A10162") + bytes([len(codes)])
    frame += b"".join(bytes([code, 0]) for code in codes)
    world = World()
    world.feed(frame)
    check(frame, world.take())
