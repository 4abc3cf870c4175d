"""Trust levels with who granted them and when, and the time for registration (SHIP 5, 12.3)."""

import json

from ship import pairing, trust
from ship.pairing import Pairing
from ship.trust import TrustFull, TrustStore

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
TOOL = "5b4717b04eaced57c4eca1728ca9a71d3b224340"
AT = "2026-05-04T03:02:01Z"


def test_a_grant_is_kept_with_who_gave_it_and_when():
    store = TrustStore()
    store.add(SKI, trust.USER_INPUT, "console", AT)
    assert store.peers == [{"ski": SKI, "id": "", "user": [64, "console", AT]}]
    kept = json.loads(json.dumps(store.peers))
    assert TrustStore(kept).find(SKI)["user"] == [64, "console", AT]


def test_the_highest_level_counts_and_levels_are_not_added():
    store = TrustStore()
    store.add(SKI, trust.USER_VERIFICATION, "console", AT)
    store.add(SKI, trust.AUTO_ACCEPT, "button", "later")
    assert store.find(SKI)["user"] == [32, "console", AT]
    store.add(SKI, trust.USER_INPUT, "label", "later")
    assert store.find(SKI)["user"] == [64, "label", "later"]
    assert store.level(SKI) == 64


def test_the_categories_are_independent():
    store = TrustStore()
    store.add(SKI, 16, "PIN", AT, trust.SECOND_FACTOR)
    assert store.level(SKI) == 0
    assert store.level(SKI, trust.SECOND_FACTOR) == 16
    assert not store.trusts(SKI), "a second factor alone lets nobody in"
    store.add(SKI, trust.AUTO_ACCEPT, "button")
    assert store.trusts(SKI)
    assert store.level(SKI, trust.PKI) == 0


def test_below_user_trust_8_there_is_no_communication():
    store = TrustStore()
    assert not store.trusts(SKI)
    store.add(SKI, 7, "console")
    assert not store.trusts(SKI)
    store.add(SKI, 8, "console")
    assert store.trusts(SKI)


def test_a_tool_needs_32_and_hands_on_no_more_than_it_has():
    store = TrustStore()
    store.add(TOOL, trust.AUTO_ACCEPT, "button")
    assert not store.commission(TOOL, SKI, 64)
    assert store.find(SKI) is None
    store.add(TOOL, 32, "PIN", AT, trust.SECOND_FACTOR)
    assert store.commission(TOOL, SKI, 64, AT)
    assert store.find(SKI)["user"] == [32, TOOL, AT]
    store.add(TOOL, 120, "console")
    assert store.commission(TOOL, SKI, 255, AT)
    assert store.level(SKI) == 96


def test_there_is_room_for_eight_peers_and_a_ninth_is_told_so():
    store = TrustStore()
    for number in range(trust.MAX_PEERS):
        store.add("%040x" % number, 32, "console")
    try:
        store.add(SKI, 32, "console")
    except TrustFull:
        assert store.remove("%040x" % 3)
        store.add(SKI, 32, "console")
        return
    raise AssertionError("a ninth peer was taken")


def test_a_ship_id_that_changes_is_noticed():
    store = TrustStore()
    assert store.learn_id(SKI, "whoever")
    store.add(SKI, 32, "console")
    assert store.learn_id(SKI, "HEMS-1")
    assert store.learn_id(SKI, "HEMS-1")
    assert not store.learn_id(SKI, "HEMS-2")


def test_peers_of_schema_1_stay_trusted():
    peers = [{"ski": SKI, "id": "HEMS", "trust": 64, "by": "start"}]
    store = TrustStore(trust.with_categories(peers))
    assert store.peers == [{"ski": SKI, "id": "HEMS", "user": [64, "start", ""]}]
    assert store.trusts(SKI)
    assert trust.with_categories(store.peers) == store.peers, "early files of schema 1 had both"


def test_the_time_for_registration_ends_by_itself_after_two_minutes_at_most():
    window = Pairing()
    assert window.remaining_ms(0) == 0
    window.open(1_000, 10_000_000)
    assert window.remaining_ms(1_000) == pairing.MAX_MS == 120_000
    assert window.remaining_ms(120_999) == 1
    assert not window.has_ended(120_999)
    assert window.remaining_ms(121_000) == 0
    assert window.has_ended(121_000)
    assert not window.has_ended(121_001), "told once"


def test_auto_accept_takes_one_peer_inside_the_time_and_no_other():
    window = Pairing()
    assert not window.accepts(0)
    window.open(0, 5_000, True)
    assert not window.accepts(5_000), "too late"
    window.open(10_000, 5_000, True)
    assert window.accepts(14_999)
    assert not window.accepts(14_999)
    assert window.remaining_ms(14_999) == 0


def test_without_auto_accept_nobody_is_trusted_unseen():
    window = Pairing()
    window.open(0, 5_000)
    assert not window.accepts(1)
    assert window.remaining_ms(1) == 4_999
    window.close()
    assert window.remaining_ms(1) == 0
