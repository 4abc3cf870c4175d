"""Key change without a new pairing (SHIP 1.1): octets, timers, what is credible, both sides."""

import json

from test_ship_connection import (
    ANNOUNCE_CLOSE,
    ANNOUNCE_MAX,
    CMI,
    OUR_READY,
    PIN_NONE,
    READY,
    SELECT,
    Owner,
    Peer,
    in_data_exchange,
)

from ship.base import CLIENT, SERVER
from ship.connection import Connection
from ship.key_state import MAX_ENTRIES, KeyState
from ship.trust import USER_VERIFICATION, TrustStore

OUR_KEY = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
OUR_NEXT = "5b4717b04eaced57c4eca1728ca9a71d3b224340"
HIS_KEY = "11" * 20
HIS_NEXT = "22" * 20
HIS_LAST = "33" * 20
OTHER = "44" * 20

ACCEPTED = b'\x01{"keyMaterialStateResponse":[{"accept":true}]}'
REFUSED = b'\x01{"keyMaterialStateResponse":[{"accept":false}]}'
OUR_STATE = (
    b'\x01{"keyMaterialState":[{"updateCounter":2},{"entry":[[{"currentState":"current"},'
    b'{"curve":23},{"ski":"B467A3999EB5EFA671DE0032F08A9C9E5EFDA0E1"}],[{"currentState":'
    b'"successor"},{"curve":23},{"ski":"5B4717B04EACED57C4ECA1728CA9A71D3B224340"}]]}]}'
)
READY_1_1 = (
    b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":60000},'
    b'{"keyMaterialState":[{"updateCounter":3}]}]}'
)
SELECT_1_1 = SELECT.replace(b'"minor":0', b'"minor":1')
ANNOUNCE_MAX_1_1 = ANNOUNCE_MAX.replace(b'"minor":0', b'"minor":1')


class Identity:
    def __init__(self, counter, keys):
        self.ski = OUR_KEY
        self.counter = counter
        self.keys = keys

    def key_set(self):
        return self.keys


class Node(Owner):
    """A node with the trusted peer HIS_KEY, and one connection with it in data exchange."""

    def __init__(self, counter=1, peer_counter=None, role=SERVER):
        super().__init__()
        keys = [("current", OUR_KEY)]
        if counter > 1:
            keys.append(("successor", OUR_NEXT))
        self.identity = Identity(counter, keys)
        self.store = TrustStore()
        self.store.add(HIS_KEY, USER_VERIFICATION, "console")
        self.record = self.store.find(HIS_KEY)
        self.saved = 0
        self.said = self.connect(peer_counter, role)

    def connect(self, peer_counter=None, role=SERVER, ski=HIS_KEY):
        self.link = in_data_exchange(role, self)
        self.link.connection.peer_counter = peer_counter
        self.state = KeyState(self, self.identity, self.link.connection, ski)
        self.state.start(0)
        return self.link.take()

    def ship_key_management(self, connection, root, body):
        self.state.receive(root, body, self.link.now)

    def save(self):
        self.saved += 1
        self.store = TrustStore(json.loads(json.dumps(self.store.peers)))
        self.record = self.store.peers[0]

    def say(self, octets):
        return self.link.say(octets)

    def wait_until(self, now):
        """Let time pass as the deadlines of the procedure demand; return what was sent."""
        while self.state.deadline() is not None and self.state.deadline() <= now:
            self.state.tick(self.state.deadline())
        return self.link.take()


def state(counter, *entries):
    """A keyMaterialState of the peer: entries are (currentState, ski)."""
    texts = [
        b'[{"currentState":"%s"},{"curve":23},{"ski":"%s"}]' % (name.encode(), ski.encode())
        for name, ski in entries
    ]
    return b'\x01{"keyMaterialState":[{"updateCounter":%d},{"entry":[%s]}]}' % (
        counter,
        b",".join(texts),
    )


# hello and version


def test_a_key_that_never_changed_is_not_spoken_of():
    assert Peer(SERVER).say(CMI) == [CMI, OUR_READY]


def test_a_hello_of_changed_keys_carries_the_counter():
    connection = Connection(SERVER, "i:1_u:x", True, Owner(), 2)
    connection.start(0)
    connection.receive(memoryview(CMI), 0)
    (hello,) = connection.take()[1]
    assert hello == (
        b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":120000},'
        b'{"keyMaterialState":[{"updateCounter":2}]}]}'
    )


def test_a_counter_in_the_hello_shows_a_peer_of_1_1():
    peer = Peer(CLIENT)
    peer.say(CMI)
    assert peer.say(READY_1_1) == [ANNOUNCE_MAX_1_1]
    assert peer.say(SELECT_1_1) == [SELECT_1_1, PIN_NONE]
    assert (peer.connection.peer_counter, peer.connection.minor) == (3, 1)
    peer = Peer(SERVER)
    peer.say(CMI, READY)
    assert peer.say(ANNOUNCE_MAX_1_1) == [SELECT_1_1]
    peer.say(SELECT_1_1)
    assert (peer.connection.peer_counter, peer.connection.minor) == (None, 1)


def test_an_unusable_counter_is_none():
    for value in (b"[]", b'[{"updateCounter":-1}]', b'[{"updateCounter":65536}]', b"7", b"null"):
        peer = Peer(CLIENT)
        peer.say(CMI)
        ready = READY_1_1.replace(b'[{"updateCounter":3}]', value)
        assert peer.say(ready) == [ANNOUNCE_MAX], value


# our keys


def test_a_peer_that_has_missed_our_change_is_told():
    node = Node(counter=2)
    assert node.said == [OUR_STATE]
    assert node.say(ACCEPTED) == []
    assert node.record["told"] == 2 and node.saved == 1
    assert node.state.deadline() is None
    assert node.connect() == []  # once is enough


def test_a_peer_that_refuses_is_told_again_next_time():
    node = Node(counter=2)
    assert node.say(REFUSED) == []
    assert "told" not in node.record
    assert node.connect() == [OUR_STATE]


def test_silence_for_30_seconds_repeats_once_and_then_parts():
    node = Node(counter=2)
    assert node.said == [OUR_STATE]
    assert node.wait_until(29_999) == []
    assert node.wait_until(30_000) == [OUR_STATE]
    assert node.wait_until(59_999) == []
    assert node.wait_until(60_000) == [ANNOUNCE_CLOSE]
    assert node.state.deadline() is None
    assert node.connect() == [OUR_STATE]


def test_who_asks_is_told_whatever_it_knows():
    node = Node(counter=2)
    node.say(ACCEPTED)
    assert node.say(b'\x01{"keyMaterialStateRequest":[{"knownUpdateCounter":1}]}') == [OUR_STATE]
    assert node.say(b'\x01{"keyMaterialStateRequest":[]}') == [OUR_STATE]


def test_a_key_that_never_changed_is_told_on_request():
    node = Node()
    assert node.said == []
    (answer,) = node.say(b'\x01{"keyMaterialStateRequest":[{"knownUpdateCounter":1}]}')
    assert answer == (
        b'\x01{"keyMaterialState":[{"updateCounter":1},{"entry":[[{"currentState":"current"},'
        b'{"curve":23},{"ski":"B467A3999EB5EFA671DE0032F08A9C9E5EFDA0E1"}]]}]}'
    )


def test_a_response_that_nobody_waits_for_means_nothing():
    node = Node()
    assert node.say(ACCEPTED) == [] and node.saved == 0


# the peer's keys


def test_a_higher_counter_in_the_hello_makes_us_ask():
    node = Node(peer_counter=3)
    assert node.said == [b'\x01{"keyMaterialStateRequest":[{"knownUpdateCounter":1}]}']
    node.record["counter"] = 3
    assert node.connect(peer_counter=3) == []
    assert node.connect(peer_counter=4) == [
        b'\x01{"keyMaterialStateRequest":[{"knownUpdateCounter":3}]}'
    ]


def test_the_successor_of_a_trusted_peer_is_trusted_without_a_user():
    node = Node(peer_counter=2)
    node.record["id"] = "i:1_u:hems"
    assert node.say(state(2, ("current", HIS_KEY), ("successor", HIS_NEXT))) == [ACCEPTED]
    assert node.store.find(HIS_NEXT) is node.record is node.store.find(HIS_KEY)
    assert node.store.level(HIS_NEXT) == USER_VERIFICATION and len(node.store.peers) == 1
    # it comes back with that key
    node.connect(peer_counter=3, ski=HIS_NEXT)
    answer = node.say(state(3, ("predecessor", HIS_KEY), ("current", HIS_NEXT)))
    assert answer == [ACCEPTED]
    assert node.store.find(HIS_NEXT) is node.record and node.store.find(HIS_KEY) is None
    assert (node.record["ski"], node.record["id"]) == (HIS_NEXT, "i:1_u:hems")
    assert "next" not in node.record


def test_a_change_is_believed_on_the_connection_of_the_old_key_as_well():
    node = Node(peer_counter=2)
    node.say(state(2, ("current", HIS_KEY), ("successor", HIS_NEXT)))
    assert node.say(state(3, ("predecessor", HIS_KEY), ("current", HIS_NEXT))) == [ACCEPTED]
    assert node.store.find(HIS_KEY) is None and node.store.find(HIS_NEXT)


def test_a_successor_that_is_no_longer_listed_is_no_longer_trusted():
    node = Node(peer_counter=2)
    node.say(state(2, ("current", HIS_KEY), ("successor", HIS_NEXT)))
    assert node.say(state(3, ("current", HIS_KEY))) == [ACCEPTED]
    assert node.store.find(HIS_NEXT) is None and node.store.find(HIS_KEY)


def test_a_lower_counter_is_not_applied_and_the_same_again_is():
    node = Node(peer_counter=5)
    assert node.say(state(5, ("current", HIS_KEY), ("successor", HIS_NEXT))) == [ACCEPTED]
    assert node.say(state(4, ("current", HIS_KEY), ("successor", HIS_LAST))) == [REFUSED]
    assert node.store.find(HIS_LAST) is None
    assert node.say(state(5, ("current", HIS_KEY), ("successor", HIS_NEXT))) == [ACCEPTED]
    assert node.record["counter"] == 5


def test_keys_of_others_are_not_taken_over():
    for entries in (
        (("current", OTHER), ("successor", HIS_NEXT)),  # not who is speaking
        (("current", HIS_KEY), ("successor", OUR_KEY)),
        (("current", HIS_KEY), ("successor", OTHER)),  # another peer's
        (("successor", HIS_NEXT),),
        (("current", HIS_KEY), ("current", HIS_NEXT)),
        (("current", HIS_NEXT), ("successor", HIS_KEY)),
        (("current", HIS_KEY), ("successor", "xyz")),
    ):
        node = Node(peer_counter=2)
        node.store.add(OTHER, USER_VERIFICATION, "console")
        assert node.say(state(2, *entries)) == [REFUSED], entries
        assert node.store.find(HIS_NEXT) is None and node.saved == 0
        assert node.store.find(HIS_KEY) and node.store.find(OTHER) is not node.record


def test_other_curves_are_ignored():
    text = state(2, ("current", HIS_KEY))[:-4] + (
        b',[{"currentState":"current"},{"curve":26},{"ski":"%s"}]]}]}' % (b"55" * 20)
    )
    node = Node(peer_counter=2)
    assert node.say(text) == [ACCEPTED]
    assert node.record["ski"] == HIS_KEY and node.store.find("55" * 20) is None


def test_one_entry_without_its_own_array_is_understood():
    node = Node(peer_counter=2)
    text = b'\x01{"keyMaterialState":{"updateCounter":"2","entry":{"currentState":"current",'
    assert node.say(text + b'"curve":23,"ski":"' + HIS_KEY.upper().encode() + b'"}}}') == [
        ACCEPTED
    ]


def test_malformed_states_are_refused():
    for body in (
        b"[]",
        b"5",
        b'[{"updateCounter":2}]',
        b'[{"updateCounter":2},{"entry":[[]]}]',
        b'[{"updateCounter":2},{"entry":[1,2]}]',
        b'[{"updateCounter":2},{"entry":"x"}]',
        b'[{"updateCounter":2},{"entry":[[{"curve":23},{"ski":7},{"currentState":"current"}]]}]',
        b'[{"updateCounter":2},{"entry":[[{"curve":23},{"ski":"x"},{"currentState":[1]}]]}]',
        b'[{"updateCounter":65536},{"entry":[[{"currentState":"current"}]]}]',
    ):
        node = Node(peer_counter=2)
        assert node.say(b'\x01{"keyMaterialState":' + body + b"}") == [REFUSED], body
        assert node.saved == 0


def test_the_number_of_entries_is_limited():
    assert MAX_ENTRIES == 16
    more = [("predecessor", "%040x" % number) for number in range(16)]
    entries = [("current", HIS_KEY)] + more
    assert Node(peer_counter=2).say(state(2, *entries)) == [REFUSED]


def test_a_peer_that_is_not_trusted_any_more_is_told_nothing():
    node = Node(counter=2)
    node.store.remove(HIS_KEY)
    assert node.connect(peer_counter=5) == []
    assert node.say(state(2, ("current", HIS_KEY))) == [REFUSED]


def test_unknown_messages_are_ignored():
    node = Node()
    assert node.say(b'\x01{"keyMaterialStateQuestion":[]}') == []
