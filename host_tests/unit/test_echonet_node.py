"""The ECHONET Lite node over time: announcements, delays, limits, and input that is none."""

import gc
import sys

from echonet_world import HEMS, World, reference

from echonet.node import FRAME_MAX, REQUEST_MAX

GET_STATUS = "1081000105FF0102A10162018000"
STATUS = "U 1081000102A10105FF017201800130"
LIST = "M 108100000EF0010EF0017301D5070202A101027E01"


def writing(values, esv="61"):
    """A frame that writes; `values` are EPC=EDT."""
    pairs = [word.split("=") for word in values.split()]
    text = "1081000205FF0102A101%s%02X" % (esv, len(pairs))
    for epc, edt in pairs:
        text += "%s%02X%s" % (epc, len(edt) // 2, edt)
    return text


# --- announcements


def test_the_instance_list_is_announced_a_second_after_the_start_and_once_more():
    world = World()
    world.node.start(world.now)
    world.run(900)
    assert world.take() == []
    world.run(200)
    assert world.take() == [LIST]
    world.run(4_800)
    assert world.take() == []
    world.run(300)
    assert world.take() == [LIST]
    world.run(600_000)
    assert world.take() == []


def test_the_second_announcement_comes_at_a_random_time():
    world = World(random=lambda n: b"\x61\xa7"[:n])  # 24 999 of 25 001
    world.node.start(world.now)
    world.run(1_100)
    assert world.take() == [LIST]
    world.run(29_800)
    assert world.take() == []
    world.run(300)
    assert world.take() == [LIST]


def test_another_address_announces_the_list_again():
    world = World()
    world.node.start(world.now)
    world.run(60_000)
    assert len(world.take()) == 2
    world.node.start(world.now)
    world.run(1_100)
    assert world.take() == [LIST]


def test_changes_at_one_time_are_one_announcement():
    world = World()
    charger = world.node.objects[1]
    charger.put(0xDA, 0x42)
    charger.put(0xC7, 0x40)
    charger.put(0xD3, 3_680, 4)  # a measurement is no event
    world.run(300)
    assert world.take() == ["M 1081000002A1010EF0017302C70140DA0142"]


def test_announcements_of_one_object_are_a_second_apart_with_the_last_value():
    world = World()
    charger = world.node.objects[1]
    charger.put(0xDA, 0x42)
    world.run(300)
    assert len(world.take()) == 1
    for value in (0x44, 0x42, 0x44, 0x47):
        charger.put(0xDA, value)
        world.run(100)
    assert world.take() == []
    world.run(1_000)
    assert world.take() == ["M 1081000002A1010EF0017301DA0147"]
    world.run(10_000)
    assert world.take() == []


def test_what_has_no_value_now_is_not_announced():
    world = World()
    charger = world.node.objects[1]
    charger.put(0xC7, None)
    world.run(300)
    assert world.take() == []
    charger.put(0xC7, 0x30)
    world.run(1_200)
    assert world.take() == ["M 1081000002A1010EF0017301C70130"]


# --- questions by multicast


def test_a_multicast_question_is_answered_after_a_random_time():
    world = World(random=lambda n: b"\0\xfa"[:n])  # 250 ms
    world.feed(GET_STATUS, is_multicast=True)
    world.run(200)
    assert world.take() == []
    world.run(100)
    assert world.take() == [STATUS]
    world.run(1_000)
    assert world.take() == []


def test_multicast_questions_to_others_take_nobodys_place():
    world = World()
    for _ in range(20):
        world.feed("1081000105FF0101300162018000", is_multicast=True)
    assert not world.node._delayed and world.node.ignored == 20


def test_a_unicast_question_and_a_multicast_write_are_not_delayed():
    world = World(random=lambda n: b"\0\xfa"[:n])
    world.feed(GET_STATUS)
    world.feed(writing("DA=47"), is_multicast=True)
    assert world.take() == [STATUS, "U 1081000202A10105FF017101DA00"]


def test_delayed_answers_come_in_the_order_of_their_times():
    delays = [200, 100, 150]
    world = World(random=lambda n: delays.pop(0).to_bytes(2, "big"))
    for number in (1, 2, 3):
        world.feed("1081%04X05FF0102A10162018000" % number, is_multicast=True)
    world.now = 300
    world.node.tick(300)
    assert [frame[6:10] for frame in world.take()] == ["0002", "0003", "0001"]


def test_more_multicast_questions_than_can_wait_are_answered_at_once():
    world = World()
    for _ in range(8):
        world.feed(GET_STATUS, is_multicast=True)
    assert world.take() == []
    for _ in range(100):
        world.feed(GET_STATUS, is_multicast=True)
    assert world.take() == [STATUS] * 100
    world.run(400)
    assert world.take() == [STATUS] * 8


def test_a_multicast_question_that_is_too_long_to_keep_is_answered_at_once():
    world = World()
    world.feed("1081000105FF0102A10162" + "3A" + "8000" * 58, is_multicast=True)  # 128 octets
    assert world.take() == []
    world.feed("1081000105FF0102A10162" + "3B" + "8000" * 59, is_multicast=True)
    assert len(world.take()) == 1


def test_answers_by_multicast_are_limited_to_twenty_in_a_second():
    world = World()
    for _ in range(30):
        world.feed("1081000105FF0102A10163018000")
    assert world.take() == ["M 1081000102A10105FF017301800130"] * 20
    for _ in range(5):  # a refusal is a unicast answer
        world.feed("1081000105FF0102A1016301F000")
    assert len(world.take()) == 5
    world.run(1_000)
    world.feed("1081000105FF0102A10163018000")
    assert len(world.take()) == 1


# --- writes


def test_without_commissioning_every_write_is_refused_with_its_value():
    world = World(writes_on=False)
    assert world.ask(writing("DA=47 ED=00A0")) == ["U 1081000202A10105FF015102DA0147ED0200A0"]
    assert world.ask(writing("DA=47", "60")) == ["U 1081000202A10105FF015001DA0147"]
    assert world.ask("1081000205FF0102A1016E01DA0147018000") == [
        "U 1081000202A10105FF015E01DA014701800130"
    ]
    assert world.node.objects[1].value(0xDA) == b"\x44"
    assert world.ask(GET_STATUS) == [STATUS]


def test_others_than_the_allowed_controllers_are_refused_in_the_same_way():
    world = World(allowed=("another", HEMS))
    refused = ["U 1081000202A10105FF015101DA0147"]
    assert world.ask(writing("DA=47"), source="stranger") == refused
    assert world.node.objects[1].value(0xDA) == b"\x44"
    world.guard.allowed.remove(HEMS)
    assert world.ask(writing("DA=47")) == refused
    assert len(world.ask(writing("DA=47"), source="another")) == 2


def test_the_set_map_is_the_same_whether_writing_is_on_or_off():
    question = "1081000105FF0102A10162019E00"
    assert World(writes_on=False).ask(question) == World(writes_on=True).ask(question)


def test_an_allowed_controller_may_write_twenty_times_in_a_second():
    world = World()
    answers = []
    for _ in range(25):
        world.feed(writing("ED=00A0"))
        answers += world.take()
    good = "U 1081000202A10105FF017101ED00"
    assert answers == [good] * 20 + ["U 1081000202A10105FF015101ED0200A0"] * 5
    world.run(1_000)
    assert world.ask(writing("ED=00A0")) == [good]


def test_the_owner_is_told_of_writes_that_changed_something():
    world = World()
    told = []
    world.node.written = lambda controller, item, epc, edt: told.append(
        (controller.source, item.eoj, epc, edt)
    )
    world.ask(writing("ED=00A0 ED=00A0 EB=00000001 CD=10"))
    assert told == [(HEMS, b"\x02\xa1\x01", 0xED, b"\x00\xa0")]


# --- sizes


def test_opc_255_is_answered_in_full():
    world = World()
    world.feed("1081000105FF0102A10162FF" + "C700" * 255)
    assert world.take() == ["U 1081000102A10105FF0172FF" + "C70141" * 255]


def test_an_answer_that_would_be_too_long_refuses_what_has_no_room():
    world = World()
    world.feed("1081000105FF0102A10162FF" + "8300" * 255)
    (answer,) = world.take()
    octets = bytes.fromhex(answer[2:])
    assert len(octets) <= FRAME_MAX and octets[10] == 0x52 and octets[11] == 255
    good = bytes.fromhex("8311FEFFFFF000000000A0B1C2D3E4F502A101")
    given = (FRAME_MAX - 12 - 510) // 17
    assert octets[12:] == good * given + b"\x83\0" * (255 - given)


def test_the_longest_request_is_refused_with_all_its_values():
    world = World()
    size = REQUEST_MAX - 12 - 2 * 257 - 2
    values = "F0FF" + "55" * 255 + "F1FF" + "66" * 255 + "F2%02X" % size + "77" * size
    frame = "1081000205FF0102A1016103" + values
    assert len(frame) == 2 * REQUEST_MAX
    world.feed(frame)
    assert world.take() == ["U 1081000202A10105FF015103" + values]


def test_a_request_that_is_too_long_is_dropped():
    world = World()
    world.feed(bytes.fromhex(GET_STATUS) + bytes(REQUEST_MAX - 14))
    assert world.take() == [STATUS]
    world.feed(bytes.fromhex(GET_STATUS) + bytes(REQUEST_MAX - 13))
    assert world.take() == []
    assert world.node.malformed == 1


def test_the_buffer_of_a_long_answer_is_not_kept():
    world = World()
    world.feed("1081000105FF0102A10162FF" + "8300" * 255)
    assert len(world.node._out) <= 256


# --- input that is none


def test_every_service_that_is_no_request_is_ignored():
    world = World()
    for service in range(256):
        if service not in (0x60, 0x61, 0x62, 0x63, 0x6E, 0x74):
            world.feed("1081000105FF0102A101%02X018000" % service)
    assert world.take() == []
    assert world.node.ignored == 250


def test_format_2_is_known_and_nobodys_mistake():
    world = World()
    for frame in ("1082", "10820001", "1082000105FF0102A10162018000"):
        world.feed(frame)
    assert world.take() == []
    assert (world.node.ignored, world.node.malformed) == (3, 0)
    world.feed("1083000105FF0102A10162018000")
    assert world.take() == [] and world.node.malformed == 1


def test_every_cut_of_a_good_frame_is_dropped_and_nothing_is_applied():
    frame = bytes.fromhex("1081004105FF0102A1016E02DA0147ED0200A002DA00C700")
    for size in range(len(frame)):
        world = World()
        world.feed(frame[:size])
        assert world.take() == [], size
        assert world.node.objects[1].value(0xDA) == b"\x44"
        assert world.node.malformed == 1
    world = World()
    world.feed(frame)
    assert len(world.take()) == 1


def test_malformed_and_foreign_frames_do_not_use_up_a_controllers_share():
    world = World()
    world.guard.rate = 3
    for frame in ("", "10", "1081000105FF0102A10162028000", "1081000105FF0101300162018000"):
        for _ in range(10):
            world.feed(frame)
    for _ in range(10):
        world.feed("1081000105FF0102A1017301800130")
    for _ in range(5):
        world.feed(GET_STATUS)
    assert world.take() == [STATUS] * 3
    assert world.guard.dropped == 2
    assert (world.node.malformed, world.node.ignored) == (30, 20)
    assert len(world.guard.seen) == 1


def test_a_flood_of_all_kinds_leaves_nothing_behind():
    world = World()
    seed = 1
    for _ in range(3_000):
        seed = (seed * 75 + 74) % 65_537
        frame = bytearray(bytes.fromhex(writing("ED=00A0 DA=47")))
        frame[seed % len(frame)] ^= 1 << (seed >> 8 & 7)
        world.feed(bytes(frame), source=seed, is_multicast=bool(seed & 1))
        world.take()
    world.run(400)
    world.take()
    assert world.node.objects[1].value(0xDA) == b"\x44"  # none of the sources is allowed
    assert len(world.guard.seen) <= 4 and not world.node._delayed
    assert world.ask(GET_STATUS) == [STATUS]


# --- several objects, memory


def test_two_outlets_are_two_instances_of_the_same_class():
    world = World(reference(two_outlets=True))
    first, second = world.node.objects[1:3]
    first.put(0xC7, 0x30)
    world.run(300)
    assert world.take() == ["M 1081000002A1010EF0017301C70130"]
    assert world.ask("1081000105FF0102A1006201C700") == [
        "U 1081000102A10105FF017201C70130",
        "U 1081000102A10205FF017201C70141",
    ]
    assert second.changed == b""


def test_a_get_allocates_next_to_nothing():
    if not hasattr(gc, "mem_alloc"):
        return  # CPython does not tell
    world = World()
    sizes = []
    world.node._send = lambda octets, destination: sizes.append(len(octets))
    frame = bytes.fromhex("1081000105FF0102A101620A80008200880089008A00C500C700DA00D300D800")
    world.node.received(frame, HEMS, False, 0)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    world.node.received(frame, HEMS, False, 0)
    used = gc.mem_alloc() - before
    gc.enable()
    assert sizes == [57, 57]
    assert used <= 16 * (2 if sys.maxsize > 1 << 32 else 1), used  # one block of the heap
