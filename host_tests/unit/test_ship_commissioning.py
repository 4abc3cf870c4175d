"""Commissioning over SHIP 1.1: what a trusted tool may have us trust, see and forget."""

import json

from test_ship_connection import in_data_exchange

from ship import commissioning
from ship.base import SERVER
from ship.trust import MAX_PEERS, SECOND_FACTOR, USER_INPUT, USER_VERIFICATION, TrustStore

OUR_KEY = "11" * 20
TOOL = "22" * 20
HEMS = "5b4717b04eaced57c4eca1728ca9a71d3b224340"  # public key 2·G
HEMS_POINT = (
    "047CF27B188D034F7E8A52380304B51AC3C08969E277F21B35A60B48FC47669978"
    "07775510DB8ED040293D9AC69F7430DBBA7DADE63CE982299E04B79D227873D1"
)
OTHER = "44" * 20

ENTRY = (
    '[{"curve":23},{"ski":"5B4717B04EACED57C4ECA1728CA9A71D3B224340"},{"userTrust":32},'
    '{"commissioningTool":false},{"id":"i:54321_u:HEMS-1"},{"note":"HEMS"}]'
)
STORED = (
    b'\x01{"keyMaterialResponse":[{"entry":[[{"curve":23},'
    b'{"ski":"5B4717B04EACED57C4ECA1728CA9A71D3B224340"},{"userTrust":32},'
    b'{"id":"i:54321_u:HEMS-1"}]]}]}'
)
NOTHING_STORED = b'\x01{"keyMaterialResponse":[]}'
NOTHING_DELETED = b'\x01{"keyMaterialDeleteResponse":[]}'


class Node:
    """A node with a tool of this trust on one connection in data exchange."""

    def __init__(self, trust=USER_VERIFICATION):
        self.store = TrustStore()
        if trust:
            self.store.add(TOOL, trust, "console")
        self.untrusted = []
        self.link = in_data_exchange(SERVER)
        self.link.owner.ship_key_management = self._receive

    def _receive(self, connection, root, body):
        commissioning.receive(self, OUR_KEY, TOOL, root, body, connection.send)

    def say(self, root, body="[]"):
        return self.link.say(b"\x01" + ('{"%s":%s}' % (root, body)).encode())

    def commission(self, tool, ski, level):
        return self.store.commission(tool, ski, level)

    def untrust(self, ski):
        self.untrusted.append(ski)
        return self.store.remove(ski)

    def save(self):
        self.store = TrustStore(json.loads(json.dumps(self.store.peers)))


def entries(*texts):
    return '[{"entry":[' + ",".join(texts) + "]}]"


def entry(ski, more=""):
    return '[{"curve":23},{"ski":"%s"}%s]' % (ski, more)


def test_a_peer_with_enough_trust_may_commission():
    for trust, answer in ((0, b"false"), (8, b"false"), (31, b"false"), (32, b"true")):
        assert Node(trust).say("commissioningRequest") == [
            b'\x01{"commissioningResponse":[{"accept":' + answer + b"}]}"
        ]


def test_second_factor_trust_is_as_good():
    node = Node(8)
    node.store.add(TOOL, 32, "PIN", "", SECOND_FACTOR)
    assert b"true" in node.say("commissioningRequest")[0]


def test_a_key_is_stored_and_confirmed():
    node = Node()
    assert node.say("keyMaterial", entries(ENTRY)) == [STORED]
    peer = node.store.find(HEMS)
    assert peer["user"] == [32, TOOL, ""]
    assert (peer["id"], peer["tool"]) == ("i:54321_u:HEMS-1", False)


def test_a_key_may_come_as_public_key():
    spki = "3059301306072a8648ce3d020106082a8648ce3d030107034200" + HEMS_POINT.lower()
    for text in (
        '[{"curve":23},{"publicKey":"%s"}]' % HEMS_POINT,
        '[{"curve":23},{"publicKey":"%s"}]' % spki,
        '[{"publicKey":"%s"},{"ski":"%s"}]' % (HEMS_POINT, HEMS),
    ):
        node = Node()
        node.say("keyMaterial", entries(text))
        assert node.store.find(HEMS), text


def test_what_is_malformed_is_not_stored_and_harms_no_other_entry():
    for text in (
        "[[]]",
        "7",
        '"x"',
        '[{"curve":26},{"ski":"%s"}]' % OTHER,
        '[{"curve":"x"},{"ski":"%s"}]' % OTHER,
        '[{"curve":23},{"ski":"12"}]',
        '[{"curve":23},{"ski":null}]',
        '[{"curve":23},{"note":"nothing"}]',
        '[{"curve":23},{"publicKey":"04"}]',
        '[{"curve":23},{"publicKey":"zz%s"}]' % HEMS_POINT[2:],
        '[{"curve":23},{"publicKey":5}]',
        '[{"curve":23},{"ski":"%s"},{"publicKey":"%s"}]' % (OTHER, HEMS_POINT),
        entry(OTHER, ',{"userTrust":7}'),
        entry(OUR_KEY),
    ):
        node = Node()
        assert node.say("keyMaterial", entries(text, ENTRY)) == [STORED], text
        assert len(node.store.peers) == 2


def test_malformed_bodies_store_nothing():
    for body in ("[]", "7", '[{"entry":7}]', '[{"entry":[[]]}]', '[{"entry":[]}]', "null"):
        node = Node()
        assert node.say("keyMaterial", body) == [NOTHING_STORED], body
        assert node.say("keyMaterialDelete", body) == [NOTHING_DELETED], body


def test_a_tool_gives_no_more_trust_than_it_has():
    for trust, asked, given in ((32, 96, 32), (64, 96, 64), (64, 40, 40), (64, None, 32)):
        node = Node(trust)
        more = "" if asked is None else ',{"userTrust":%d}' % asked
        node.say("keyMaterial", entries(entry(HEMS, more)))
        assert node.store.level(HEMS) == given


def test_a_commissioned_peer_is_a_tool_only_if_the_tool_said_so():
    for more, answer in (("", b"false"), (',{"commissioningTool":true}', b"true")):
        node = Node()
        node.say("keyMaterial", entries(entry(HEMS, more)))
        answers = []
        commissioning.receive(node, OUR_KEY, HEMS, "commissioningRequest", {}, answers.append)
        assert answers == [b'\x01{"commissioningResponse":[{"accept":' + answer + b"}]}"]


def test_a_peer_of_the_user_keeps_its_rights():
    node = Node()
    node.store.add(HEMS, USER_INPUT, "console")
    node.say("keyMaterial", entries(entry(HEMS, ',{"userTrust":8}')))
    peer = node.store.find(HEMS)
    assert peer["user"] == [USER_INPUT, "console", ""] and node.store.may_commission(HEMS)


def test_there_is_room_for_so_many_and_the_answer_tells_which():
    node = Node()
    answer = node.say("keyMaterial", entries(*[entry("%040x" % n) for n in range(1, 11)]))
    assert answer[0].count(b'"ski"') == MAX_PEERS - 1 == 7
    assert len(node.store.peers) == MAX_PEERS
    assert node.say("keyMaterial", entries(ENTRY)) == [NOTHING_STORED]


def test_a_tool_sees_whom_we_trust():
    node = Node()
    (answer,) = node.say("keyMaterialRequest")
    assert answer == (
        b'\x01{"keyMaterial":[{"maxEntries":8},{"entry":[[{"curve":23},'
        b'{"ski":"2222222222222222222222222222222222222222"},{"userTrust":32},'
        b'{"commissioningTool":true}]]}]}'
    )


def test_a_tool_may_have_us_forget_a_peer():
    node = Node()
    node.say("keyMaterial", entries(ENTRY))
    assert node.say("keyMaterialDelete", entries(entry(HEMS.upper()), entry(OTHER))) == [
        STORED.replace(b"keyMaterialResponse", b"keyMaterialDeleteResponse")
    ]
    assert node.untrusted == [HEMS] and node.store.find(HEMS) is None


def test_a_tool_may_have_itself_forgotten_and_hears_the_answer():
    node = Node()
    (answer,) = node.say("keyMaterialDelete", entries(entry(TOOL), entry(TOOL)))
    assert answer.count(TOOL.encode()) == 1 and node.untrusted == [TOOL]


def test_a_tool_takes_no_trust_from_those_who_have_more():
    node = Node()
    node.store.add(HEMS, USER_INPUT, "console")
    assert node.say("keyMaterialDelete", entries(entry(HEMS))) == [NOTHING_DELETED]
    assert node.store.find(HEMS)


def test_without_the_right_nothing_is_told_stored_or_deleted():
    node = Node(8)
    node.store.add(HEMS, 8, "console")
    assert node.say("keyMaterialRequest") == []
    assert node.say("keyMaterial", entries(entry(OTHER))) == [NOTHING_STORED]
    assert node.say("keyMaterialDelete", entries(entry(HEMS))) == [NOTHING_DELETED]
    assert node.store.find(OTHER) is None and node.store.find(HEMS)


def test_answers_that_nobody_asked_for_mean_nothing():
    node = Node()
    for root in ("commissioningResponse", "keyMaterialResponse", "keyMaterialDeleteResponse"):
        assert node.say(root, entries(ENTRY)) == []
    assert len(node.store.peers) == 1
