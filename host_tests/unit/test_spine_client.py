"""What we ask a partner: repetition, answers in all their forms, copies that follow notifies."""

import json

from spine_world import CLIENT, NODE_MANAGEMENT, SERVER, Manager, World, flat

from spine.client import MAX_PENDING
from spine.errors import TIMEOUT

LIMITS = "loadControlLimitListData"
STATE = "deviceDiagnosisStateData"
STANDBY = '{"deviceDiagnosisStateData":[{"operatingState":"standby"}]}'


class Asker:
    """A use case that asks: its client feature, and what came back."""

    def __init__(self):
        self.world = World()
        self.manager = self.world.manager
        self.manager.introduce()
        self.manager.take()
        for asked in list(self.manager.asked):  # nothing else is to be under way
            done = '{"resultData":[{"errorNumber":0}]}'
            self.manager.send(
                "result", asked.destination, asked.source, done, False, asked.counter
            )
        self.peer = self.manager.peer
        self.answers = []
        self.copy = {}
        self.feature = self.world.device.find_feature((1,), 1)
        self.feature.receive(STATE, self.take)
        self.feature.receive(LIMITS, self.take)

    def read(self, function=STATE, destination=SERVER):
        self.peer.read(self.world.now, ((1,), 1), destination, function, self.on_answer)

    def on_answer(self, datagram, number, now):
        self.answers.append((datagram and datagram.function, number))

    def take(self, peer, datagram, now):
        self.copy = peer.updated(datagram, self.copy)

    def send(self, classifier, command, reference=None, ack=False):
        return self.manager.send(classifier, SERVER, ((1,), 1), command, ack, reference)


def test_an_unanswered_request_is_repeated_after_30_s_5_min_and_15_min_and_then_given_up():
    asker = Asker()
    asker.read()
    counters = [a.counter for a in asker.manager.take()]
    for pause in (30, 300, 900):
        asker.world.pass_time(pause + 9.5)
        assert asker.manager.take() == []
        asker.world.pass_time(0.5)
        again = asker.manager.take()
        assert [(a.classifier, a.function) for a in again] == [("read", STATE)]
        counters.append(again[0].counter)
    assert counters == sorted(set(counters))  # always a new one
    asker.world.pass_time(9.5)
    assert asker.answers == []
    asker.world.pass_time(0.5)
    assert asker.answers == [(None, TIMEOUT)]
    assert asker.peer.deadline() is None


def test_the_partners_own_response_delay_counts():
    asker = Asker()
    asker.peer.remote.delays[SERVER] = 60_000
    asker.read()
    asker.manager.take()
    asker.world.pass_time(89)
    assert asker.manager.take() == []
    asker.world.pass_time(1)
    assert len(asker.manager.take()) == 1


def test_a_late_answer_ends_the_repetition():
    asker = Asker()
    asker.read()
    asked = asker.manager.take()[0]
    asker.world.pass_time(25)
    assert asker.send("reply", STANDBY, asked.counter) == []
    assert asker.answers == [(STATE, 0)]
    asker.world.pass_time(2000)
    assert asker.manager.take() == []


def test_a_call_is_repeated_with_the_same_content():
    asker = Asker()
    asker.peer.bind(asker.world.now, ((1,), 1), SERVER, "DeviceDiagnosis", asker.on_answer)
    (first,) = asker.manager.take()
    assert first.function == "nodeManagementBindingRequestCall"
    assert '{"ackRequest":true}' in first.text
    request = flat(flat(first.data)["bindingRequest"])
    assert flat(request["clientAddress"])["feature"] == 1
    assert flat(request["serverAddress"])["feature"] == SERVER[1]
    asker.world.pass_time(40)
    (second,) = asker.manager.take()
    assert second.data == first.data and second.counter > first.counter


def test_an_error_completes_a_request_and_nothing_is_repeated():
    for number in range(1, 10):
        asker = Asker()
        asker.read()
        asked = asker.manager.take()[0]
        result = '{"resultData":[{"errorNumber":%d}]}' % number
        assert asker.send("result", result, asked.counter, ack=True) == []
        assert asker.answers == [(None, number)]
        asker.world.pass_time(60)
        assert asker.manager.take() == []


def test_a_reply_without_reference_and_a_notify_answer_the_oldest_read():
    for classifier in ("reply", "notify"):
        asker = Asker()
        asker.read(LIMITS)
        asker.read()
        asker.read()
        asker.manager.take()
        asker.send(classifier, STANDBY)
        assert asker.answers == [(STATE, 0)]
        asker.send(classifier, STANDBY)
        assert asker.answers == [(STATE, 0)] * 2
        asker.send(classifier, STANDBY)  # nobody waits: it goes to the handler
        assert asker.answers == [(STATE, 0)] * 2
        assert asker.copy == {"operatingState": "standby"}


def test_the_number_of_requests_under_way_is_bounded():
    asker = Asker()
    for _ in range(MAX_PENDING):
        asker.read()
    assert asker.answers == []
    asker.read()
    assert asker.answers == [(None, TIMEOUT)]
    # They all run out together, and each ends once.
    asker.world.pass_time(2000)
    assert asker.answers == [(None, TIMEOUT)] * (MAX_PENDING + 1)


def test_a_copy_follows_notifies_with_partial_and_delete():
    asker = Asker()
    entry = '[{"limitId":%d},{"isLimitActive":%s},{"timePeriod":[{"endTime":"PT60S"}]}]'
    both = '{"%s":[{"loadControlLimitData":[%s,%s]}]}' % (
        LIMITS,
        entry % (1, "false"),
        entry % (2, "false"),
    )
    asker.send("notify", both)
    filters = (
        '{"function":"%s"},{"filter":[[{"cmdControl":[{"delete":[]}]},'
        '{"loadControlLimitListDataSelectors":[{"limitId":2}]},'
        '{"loadControlLimitDataElements":[{"timePeriod":[]}]}],[{"cmdControl":[{"partial":[]}]}]]},'
        '{"%s":[{"loadControlLimitData":[[{"limitId":2},{"isLimitActive":true}]]}]}'
    ) % (LIMITS, LIMITS)
    asker.send("notify", filters)
    assert asker.copy["loadControlLimitData"] == [
        {"limitId": 1, "isLimitActive": False, "timePeriod": {"endTime": "PT60S"}},
        {"limitId": 2, "isLimitActive": True},
    ]


def test_a_notify_that_cannot_be_followed_is_acknowledged_and_read_again():
    asker = Asker()
    asker.copy = {"loadControlLimitData": [{"limitId": 1}]}
    command = '{"function":"%s"},{"filter":[[{"cmdControl":[{"delete":[]}]}]]},{"%s":[]}' % (
        LIMITS,
        LIMITS,
    )
    answers = asker.send("notify", command, ack=True)
    assert [(a.classifier, a.function) for a in answers] == [
        ("result", "resultData"),
        ("read", LIMITS),
    ]
    assert answers[0].error == 0
    assert asker.copy == {"loadControlLimitData": [{"limitId": 1}]}


def test_an_answer_that_its_asker_cannot_use_does_no_harm():
    asker = Asker()

    def stumble(datagram, number, now):
        raise ValueError("not what was asked for")

    asker.peer.read(asker.world.now, ((1,), 1), SERVER, STATE, stumble)
    asked = asker.manager.take()[0]
    assert asker.send("reply", STANDBY, asked.counter) == []
    assert "not what was asked for" in asker.world.logged[-1]


def test_counters_go_on_over_connections_and_restarts():
    world = World()
    last = world.device.counter
    world.manager.close()
    (first,) = Manager(world).take()
    assert first.counter == last + 1
    world.settings.put("msg_counter", 3000)  # what the node stores ahead
    (first,) = World(world.settings).manager.take()
    assert first.counter == 3001
    world.settings.put("msg_counter", (1 << 64) - 1)
    (first,) = World(world.settings).manager.take()
    assert first.counter == 0
    assert json.loads(first.text)
    assert (first.source, first.destination) == (NODE_MANAGEMENT, NODE_MANAGEMENT)
    assert CLIENT not in (first.source, first.destination)
