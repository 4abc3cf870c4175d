"""Whom to call and when: random delays, growing pauses, all addresses (ship.dial)."""

from ship import dial
from ship.dial import Dialler

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
OTHER = "5b4717b04eaced57c4eca1728ca9a71d3b224340"
FIRST = bytes((192, 0, 2, 1))
SECOND = bytes((192, 0, 2, 2))
GLOBAL = bytes((0xFD, 0x33)) + bytes(13) + b"\1"
LINK_LOCAL = bytes((0xFE, 0x80)) + bytes(13) + b"\1"


def free(ski):
    return False


def dialler(octets=b"\x80\0"):
    return Dialler(lambda count: octets)


def found(calls, addresses=(FIRST,), port=4712, now=0, ski=SKI):
    calls.found(ski, addresses, port, "/ship/", "hems.local", now)


def next_call(calls, now, limit_ms=200_000):
    """The time of the next call."""
    for at in range(now, now + limit_ms, 10):
        if calls.next(at, free):
            return at
    raise AssertionError("no call")


def test_a_peer_that_appears_is_called_within_three_seconds_at_random():
    for octets, wait_ms in ((b"\0\0", 0), (b"\x80\0", 1_500), (b"\xff\xff", 2_999)):
        calls = dialler(octets)
        found(calls, now=1_000)
        assert calls.next(1_000 + wait_ms - 1, free) is None
        target = calls.next(1_000 + wait_ms, free)
        assert target.ski == SKI
        assert target.address() == FIRST
        assert (target.port, target.path, target.host) == (4712, "/ship/", "hems.local")


def test_a_call_is_handed_out_once():
    calls = dialler()
    found(calls)
    at = next_call(calls, 0)
    assert calls.next(at, free) is None
    assert calls.next(at + dial.PAUSE_MAX_MS, free) is None


def test_who_is_connected_already_is_not_called():
    calls = dialler()
    found(calls)
    assert calls.next(100_000, lambda ski: ski == SKI) is None
    assert calls.next(100_000, lambda ski: ski == OTHER)


def test_pauses_double_up_to_one_to_two_minutes():
    calls = dialler(b"\0\0")
    found(calls)
    now = next_call(calls, 0)
    pauses = []
    for _ in range(8):
        calls.ended(SKI, dial.FAILED, now)
        at = next_call(calls, now)
        pauses.append(at - now)
        now = at
    assert pauses == [3_000, 6_000, 12_000, 24_000, 48_000, 60_000, 60_000, 60_000]
    calls = dialler(b"\xff\xff")
    found(calls)
    calls.next(3_000, free)
    for wanted in (5_999, 11_999, 23_999, 47_999, 95_999, 119_999):
        calls.ended(SKI, dial.FAILED, 0)
        assert calls.targets[0].due_ms == wanted


def test_a_refusal_is_respected_for_a_minute_at_least():
    calls = dialler(b"\0\0")
    found(calls)
    now = next_call(calls, 0)
    calls.ended(SKI, dial.REFUSED, now)
    assert next_call(calls, now) == now + 60_000


def test_a_connection_that_lasted_makes_the_next_call_prompt():
    calls = dialler()
    found(calls)
    for _ in range(5):
        calls.ended(SKI, dial.FAILED, 0)
    calls.ended(SKI, dial.STEADY, 500_000)
    assert next_call(calls, 500_000) == 501_500
    calls.ended(SKI, dial.FAILED, 502_000)
    assert next_call(calls, 502_000) - 502_000 < 6_000, "the pauses begin anew"


def test_after_a_short_connection_the_pauses_begin_anew_but_there_is_one():
    calls = dialler(b"\0\0")
    found(calls)
    for _ in range(5):
        calls.ended(SKI, dial.FAILED, 0)
    for _ in range(3):
        calls.ended(SKI, dial.SHORT, 500_000)
        assert next_call(calls, 500_000) == 503_000


def test_all_addresses_are_tried_before_a_pause():
    calls = dialler(b"\0\0")
    found(calls, (FIRST, SECOND, GLOBAL))
    for address in (FIRST, SECOND, GLOBAL):
        target = calls.next(0, free)
        assert target.address() == address
        calls.ended(SKI, dial.UNREACHABLE, 0)
    assert calls.next(0, free) is None
    assert calls.next(3_000, free).address() == FIRST


def test_ipv4_comes_first_and_link_local_ipv6_not_at_all():
    calls = dialler()
    found(calls, (LINK_LOCAL, GLOBAL, FIRST))
    assert calls.targets[0].addresses == [FIRST, GLOBAL]
    found(calls, (LINK_LOCAL,))
    assert not calls.targets


def test_another_address_or_port_ends_the_pause():
    for change in ({"addresses": (SECOND,)}, {"port": 4713}):
        calls = dialler()
        found(calls)
        for _ in range(6):
            calls.ended(SKI, dial.FAILED, 0)
        found(calls, now=1_000, **change)
        assert next_call(calls, 1_000) <= 1_000 + dial.DELAY_MS
        assert calls.targets[0].failures == 0


def test_the_same_news_again_does_not_end_the_pause():
    calls = dialler()
    found(calls)
    calls.ended(SKI, dial.REFUSED, 0)
    found(calls, now=10)
    assert calls.next(50_000, free) is None


def test_an_unreachable_peer_that_is_heard_of_is_called_soon_but_not_for_ever():
    calls = dialler()
    found(calls)
    for failures in range(1, 6):
        calls.ended(SKI, dial.UNREACHABLE, 0)
        found(calls, now=10)
        is_soon = calls.targets[0].due_ms <= 10 + dial.DELAY_MS
        assert is_soon == (failures <= dial.EAGER), failures


def test_a_peer_that_left_is_not_called_and_called_soon_when_it_is_back():
    calls = dialler()
    found(calls)
    calls.ended(SKI, dial.REFUSED, 0)
    calls.lost(SKI)
    assert calls.next(500_000, free) is None
    found(calls, now=600_000)
    assert next_call(calls, 600_000) <= 600_000 + dial.DELAY_MS
    calls.lost(OTHER)
    calls.ended(OTHER, dial.FAILED, 0)


def test_a_call_whose_end_is_never_reported_does_not_block_for_ever():
    calls = dialler()
    found(calls)
    at = next_call(calls, 0)
    assert next_call(calls, at) == at + 2 * dial.PAUSE_MAX_MS


def test_there_are_no_more_targets_than_trusted_peers():
    calls = dialler()
    for number in range(dial.MAX_TARGETS + 3):
        found(calls, ski="%040x" % number)
    assert len(calls.targets) == dial.MAX_TARGETS
