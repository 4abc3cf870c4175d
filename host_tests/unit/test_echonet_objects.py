"""Classes, objects, property maps and the guard, by themselves."""

from echonet.classes import GET, INF, REQUIRED, SET, access, find, is_legal
from echonet.guard import Guard
from echonet.objects import Object, node_profile, property_map, text

EVC = b"\x02\xa1\x01"
EVCD = b"\x02\x7e\x01"
PROFILE = b"\x0e\xf0\x01"


def legal(eoj, epc, edt):
    return is_legal(find(eoj, epc), bytes.fromhex(edt))


# --- classes


def test_a_class_inherits_the_properties_of_every_device_and_may_change_them():
    assert access(find(EVC, 0x80)) == GET | SET | INF | (GET | INF) << REQUIRED
    assert access(find(EVC, 0x89)) == GET | INF  # optional here
    assert access(find(EVCD, 0x89)) == GET | INF | GET << REQUIRED
    assert access(find(EVC, 0xDA)) == GET | SET | INF | (GET | SET | INF) << REQUIRED
    assert access(find(EVC, 0xCD)) == SET | INF | SET << REQUIRED


def test_what_a_class_has_not_is_not_found():
    assert find(EVC, 0xDC) == find(EVCD, 0xF0) == find(EVC, 0x00) == -1
    assert find(PROFILE, 0x81) == -1  # a node profile is no device
    assert find(b"\x01\x30\x01", 0xB0) == -1 and find(b"\x01\x30\x01", 0x80) >= 0
    assert access(-1) == 0


def test_states_are_those_of_the_enumeration():
    for value, expected in (
        ("42", True),
        ("43", False),
        ("40", True),
        ("", False),
        ("4242", False),
    ):
        assert legal(EVC, 0xDA, value) == expected
    assert legal(EVCD, 0xDA, "43") and not legal(EVCD, 0xDA, "41")


def test_numbers_are_in_their_range_without_the_codes_for_overflow_and_underflow():
    assert legal(EVC, 0xED, "0000") and legal(EVC, 0xED, "FFFD")
    assert not legal(EVC, 0xED, "FFFE") and not legal(EVC, 0xED, "FFFF")
    assert legal(EVC, 0xEB, "3B9AC9FF") and not legal(EVC, 0xEB, "3B9ACA00")
    assert legal(EVC, 0xE4, "64") and not legal(EVC, 0xE4, "65")
    assert not legal(EVC, 0xED, "00") and not legal(EVC, 0xED, "000000")


def test_pairs_octets_and_the_installation_location():
    assert legal(EVC, 0xCA, "003C7FFE") and not legal(EVC, 0xCA, "003C7FFF")
    assert legal(EVC, 0xC8, "0000000000000000") and not legal(EVC, 0xC8, "00000000")
    assert legal(EVC, 0x8A, "FFFFF0") and not legal(EVC, 0x8A, "FFF0")
    assert legal(EVC, 0x81, "FF") and legal(EVC, 0x81, "01" + "00" * 16)
    assert not legal(EVC, 0x81, "") and not legal(EVC, 0x81, "02" + "00" * 16)
    assert legal(EVC, 0xE6, "00") and legal(EVC, 0xE6, "18" + "AA" * 24)
    assert not legal(EVC, 0xE6, "") and not legal(EVC, 0xE6, "AA" * 26)
    assert legal(EVCD, 0xE0, "FFFFF448") and not legal(EVCD, 0xE0, "F448")


# --- property maps


def test_fifteen_properties_are_a_list_and_sixteen_a_bitmap():
    assert property_map(b"") == b"\x00"
    fifteen = bytes.fromhex("8081828386888A8C8D9D9E9FC5C7CC")
    assert property_map(fifteen) == b"\x0f" + fifteen
    bitmap = property_map(fifteen + b"\xda")
    assert bitmap == bytes.fromhex("1001010101001001100100210011030202")


def test_every_property_has_its_bit():
    for epc in range(0x80, 0x100):
        others = bytes([e for e in range(0x80, 0x91) if e != epc][:16])
        edt = property_map(others + bytes([epc]))
        assert edt[0] == 17 and edt[1 + epc % 16] & 1 << epc // 16 - 8


# --- objects


def test_numbers_of_every_size_and_sign():
    item = Object(EVC)
    for epc, size in ((0x80, 1), (0x81, 2), (0x82, 4)):
        item.add(epc, bytes(size))
    item.finish(b"")
    item.put(0x80, 0x42)
    item.put(0x81, -2, 2)
    item.put(0x82, 999_999_999, 4)
    assert (item.value(0x80), item.value(0x81)) == (b"\x42", b"\xff\xfe")
    assert item.value(0x82).hex() == "3b9ac9ff"
    item.put(0x81, None)
    assert item.value(0x81) == b"" and item.value(0x82).hex() == "3b9ac9ff"
    item.put(0x81, 258, 2)
    assert item.value(0x81) == b"\x01\x02"
    item.put(0x99, 1, 4)  # not there: nothing happens
    assert item.value(0x99) == b"" and item.value(0x80) == b"\x42"


def test_only_changes_of_announced_properties_are_marked_and_once():
    item = Object(EVC)
    for epc in (0x80, 0xC7, 0xD3, 0xED):
        item.add(epc, b"\0", 4)
    item.finish(b"", b"\xed")
    assert item.announced == b"\x80\xc7\xed"
    item.put(0x80, 0)
    assert item.changed == b""
    item.put(0xC7, 1)
    item.put(0xC7, 2)
    item.put(0xD3, 5, 4)
    item.put(0xED, 5, 2)
    assert item.changed == b"\xc7\xed"


def test_values_shorter_than_their_room_leave_their_neighbours_alone():
    item = Object(EVC)
    item.add(0x81, b"\0", 17)
    item.add(0x82, b"\1\2\3\4")
    item.finish(b"\x81")
    item.put_octets(0x81, b"\1" * 17)
    assert item.value(0x81) == b"\1" * 17 and item.value(0x82) == b"\1\2\3\4"
    item.put_octets(0x81, b"\x68")
    assert item.value(0x81) == b"\x68" and item.value(0x82) == b"\1\2\3\4"
    assert item.changed == b"\x81"


def test_an_object_of_itself_accepts_nothing():
    assert not Object(EVC).write(0xDA, b"\x42")


def test_the_node_profile_counts_instances_and_classes():
    devices = [Object(EVC), Object(b"\x02\xa1\x02"), Object(EVCD)]
    profile = node_profile(devices, b"\xff\xff\xf0", bytes(range(10)), b"EVSE")
    read = {epc: profile.value(epc).hex() for epc in (0xD3, 0xD4, 0xD5, 0xD6, 0xD7, 0x83, 0x8C)}
    assert read == {
        0xD3: "000003",
        0xD4: "0003",
        0xD5: "0302a10102a102027e01",
        0xD6: "0302a10102a102027e01",
        0xD7: "0202a1027e",
        0x83: "fefffff0000102030405060708090ef001",
        0x8C: "455653450000000000000000",
    }
    assert profile.value(0x9D) == b"\x02\x80\xd5" and profile.value(0x9E) == b"\x00"
    assert profile.value(0x9F) == bytes.fromhex("0D8082838A8C9D9E9FD3D4D5D6D7")


def test_product_codes_are_cut_or_filled_to_twelve_octets():
    assert text(b"") == bytes(12) and text(b"Simulated charger") == b"Simulated ch"


# --- the guard


def test_the_last_four_controllers_are_remembered_and_those_that_may_write_the_longest():
    guard = Guard(True, ["b"])
    for now, source in enumerate("abcd"):
        guard.admit(source, now)
    guard.admit("e", 10)
    assert [c.source for c in guard.seen] == ["b", "c", "d", "e"]
    guard.admit("f", 11)
    assert [c.source for c in guard.seen] == ["b", "d", "e", "f"]
    assert guard.admit("d", 12).requests == 2


def test_rates_are_counted_by_the_second_for_each_and_for_all():
    guard = Guard(True, ["a"])
    guard.rate = 3
    assert [bool(guard.admit("a", 5_000)) for _ in range(4)] == [True, True, True, False]
    assert [bool(guard.admit("b", 5_100)) for _ in range(4)] == [True, True, True, False]
    assert not guard.admit("c", 5_200)  # six in all
    assert guard.dropped == 3
    assert guard.admit("a", 6_000) and guard.admit("c", 6_000)


def test_writing_takes_the_switch_and_a_place_in_the_list():
    for writes_on, allowed, expected in (
        (True, ["a"], True),
        (False, ["a"], False),
        (True, [], False),
        (True, ["b"], False),
    ):
        guard = Guard(writes_on, allowed)
        assert guard.may_write(guard.admit("a", 0), 0) == expected
