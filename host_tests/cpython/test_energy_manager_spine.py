"""The energy manager's SPINE side: what it answers, and what ends its own requests.

Datagrams of the charger are written as EEBUS JSON text; what goes out is compared as text too, so
that order and form count. No sockets; waiting is done in virtual time.
"""

import asyncio
import json
from types import SimpleNamespace

import pytest

from host_tests.cpython.test_energy_manager_ship import VirtualLoop
from tools.energy_manager.eebus_json import decode, encode
from tools.energy_manager.events import Events
from tools.energy_manager.session import Session
from tools.energy_manager.spine import ErrorResult, NoAnswer

HEADER = '{"specificationVersion":"1.3.0"}'
US, EVSE = "d:_n:Us", "d:_n:Evse"


def address(device, entity, feature):
    return json.dumps(
        [{"device": device}, {"entity": entity}, {"feature": feature}], separators=(",", ":")
    )


def datagram(classifier, cmd, *, source=((0,), 0), destination=((0,), 0), **options):
    """Return the text of a datagram of the charger."""
    parts = [
        HEADER,
        '{"addressSource":%s}' % address(options.get("sender", EVSE), list(source[0]), source[1]),
        '{"addressDestination":%s}'
        % address(options.get("receiver", US), list(destination[0]), destination[1]),
        '{"msgCounter":%d}' % options.get("counter", 900),
    ]
    if "reference" in options:
        parts.append('{"msgCounterReference":%d}' % options["reference"])
    parts.append('{"cmdClassifier":"%s"}' % classifier)
    if "ack" in options:
        parts.append('{"ackRequest":%s}' % json.dumps(options["ack"]))
    return '{"datagram":[{"header":[%s]},{"payload":[{"cmd":[%s]}]}]}' % (",".join(parts), cmd)


class Bench:
    """A session without a connection: texts in, texts out."""

    def __init__(self):
        self.sent = []
        self.record = Events()
        identity = SimpleNamespace(device=US, ship_id="Us-1")
        self.session = Session(identity, self._send, self.record, lambda name: None, 1)
        self.spine = self.session.spine
        self.remote = self.session.remote

    async def _send(self, message):
        self.sent.append(encode("datagram", message).decode())

    async def hear(self, text):
        await self.session.receive(decode(text.encode())[1])

    def answers(self, classifier):
        """Return the commands of the datagrams sent with that classifier."""
        return [
            text.partition('"cmd":[')[2].removesuffix("]}]}]}")
            for text in self.sent
            if '{"cmdClassifier":"%s"}' % classifier in text
        ]

    def kinds(self):
        return [event.kind for event in self.record.history]


def heard(*texts):
    """Let a fresh session hear datagrams; return it."""

    async def run():
        bench = Bench()
        for text in texts:
            await bench.hear(text)
        return bench

    return asyncio.run(run())


DISCOVERY_READ = '[{"nodeManagementDetailedDiscoveryData":[]}]'
HEARTBEAT_READ = '[{"deviceDiagnosisHeartbeatData":[]}]'


def relation(kind, what, server, client=((1,), 8), **options):
    call, inner = f"nodeManagement{kind}{what}Call", kind.lower() + what
    sender = options.get("client_device", EVSE)
    parts = '{"clientAddress":%s},{"serverAddress":%s},{"serverFeatureType":"DeviceDiagnosis"}' % (
        address(sender, list(client[0]), client[1]),
        address(options.get("server_device", US), list(server[0]), server[1]),
    )
    return '[{"%s":[{"%s":[%s]}]}]' % (call, inner.replace("Call", ""), parts)


# -- what the charger reads ---------------------------------------------------------------------


def test_a_discovery_read_is_answered_with_our_structure():
    bench = heard(datagram("read", DISCOVERY_READ, counter=21012, ack=True))
    assert len(bench.sent) == 1  # the reply alone, whatever ackRequest says
    text = bench.sent[0]
    assert text.startswith(
        '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},'
        '{"addressSource":[{"device":"d:_n:Us"},{"entity":[0]},{"feature":0}]},'
        '{"addressDestination":[{"device":"d:_n:Evse"},{"entity":[0]},{"feature":0}]},'
        '{"msgCounter":1},{"msgCounterReference":21012},{"cmdClassifier":"reply"}]},'
        '{"payload":[{"cmd":[[{"nodeManagementDetailedDiscoveryData":['
        '{"specificationVersionList":[{"specificationVersion":["1.3.0"]}]},'
        '{"deviceInformation":[{"description":[{"deviceAddress":[{"device":"d:_n:Us"}]},'
        '{"deviceType":"EnergyManagementSystem"},{"networkFeatureSet":"smart"}]}]},'
        '{"entityInformation":[[{"description":[{"entityAddress":[{"entity":[0]}]},'
        '{"entityType":"DeviceInformation"}]}],[{"description":[{"entityAddress":[{"entity":[1]}]},'
        '{"entityType":"CEM"}]}]]},'
    )
    assert (
        '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":1}]},'
        '{"featureType":"DeviceDiagnosis"},{"role":"server"},{"supportedFunction":'
        '[[{"function":"deviceDiagnosisHeartbeatData"},{"possibleOperations":[{"read":[]}]}]]}]}]'
    ) in text
    assert (
        '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":3}]},'
        '{"featureType":"LoadControl"},{"role":"client"}]}]'
    ) in text
    assert '[{"function":"nodeManagementBindingRequestCall"},{"possibleOperations":[]}]' in text


def test_a_use_case_read_is_answered_with_our_actors():
    bench = heard(datagram("read", '[{"nodeManagementUseCaseData":[]}]'))
    assert (
        '[{"address":[{"device":"d:_n:Us"},{"entity":[1]}]},{"actor":"EnergyGuard"},'
        '{"useCaseSupport":[[{"useCaseName":"limitationOfPowerConsumption"},'
        '{"useCaseVersion":"1.0.0"},{"useCaseAvailable":true},{"scenarioSupport":[1,2,3,4]},'
        '{"useCaseDocumentSubRevision":"release"}]]}]'
    ) in bench.sent[0]
    for words in ("MonitoringAppliance", "monitoringOfPowerConsumption", '{"actor":"CEM"}'):
        assert words in bench.sent[0]


def test_a_heartbeat_read_is_answered_unless_the_heartbeat_is_off():
    async def run():
        bench = Bench()
        await bench.hear(datagram("read", HEARTBEAT_READ, destination=((1,), 1)))
        bench.session.heartbeat(False, 20)
        await bench.hear(datagram("read", HEARTBEAT_READ, destination=((1,), 1)))
        return bench.answers("reply")

    first, silent = asyncio.run(run())
    assert '{"heartbeatCounter":1},{"heartbeatTimeout":"PT60S"}' in first
    assert silent == '[{"deviceDiagnosisHeartbeatData":[]}]'


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (datagram("read", '[{"fooData":[]}]'), 6),
        (datagram("read", '[{"loadControlLimitListData":[]}]', destination=((1,), 3)), 6),
        (datagram("read", HEARTBEAT_READ, destination=((1,), 99)), 4),
        (datagram("read", HEARTBEAT_READ, destination=((7,), 1)), 4),
        (datagram("read", DISCOVERY_READ, receiver="d:_n:Other"), 5),
        (datagram("read", DISCOVERY_READ + "," + DISCOVERY_READ), 1),
        (datagram("read", "[]"), 1),
        (datagram("write", '[{"loadControlLimitListData":[]}]', destination=((1,), 3)), 9),
        (datagram("invent", DISCOVERY_READ), 6),
        (datagram("call", '[{"fooCall":[]}]', ack=True), 6),
        (datagram("call", relation("Binding", "Request", ((0,), 0))), 7),
        (datagram("call", relation("Binding", "Request", ((1,), 3))), 7),
        (datagram("call", relation("Subscription", "Request", ((1,), 50))), 4),
        (datagram("call", relation("Subscription", "Request", ((1,), 1), server_device="x")), 5),
        (datagram("call", relation("Subscription", "Request", ((1,), 1), client_device=US)), 7),
    ],
)
def test_a_request_that_cannot_be_served_gets_its_error_number(text, error):
    bench = heard(text)
    assert len(bench.sent) == 1
    assert bench.answers("result")[0].startswith('[{"resultData":[{"errorNumber":%d}' % error)
    assert '{"msgCounterReference":900}' in bench.sent[0]


# -- subscriptions and bindings of the charger --------------------------------------------------


def test_a_subscription_is_entered_once_acknowledged_and_deleted():
    request = datagram("call", relation("Subscription", "Request", ((1,), 1)), ack=True)
    delete = datagram("call", relation("Subscription", "Delete", ((1,), 1)), ack=True)
    table = datagram("read", '[{"nodeManagementSubscriptionData":[]}]')
    bench = heard(request, request, table, delete, table, delete)
    assert bench.answers("result") == ['[{"resultData":[{"errorNumber":0}]}]'] * 4
    full, empty = bench.answers("reply")
    assert full == (
        '[{"nodeManagementSubscriptionData":[{"subscriptionEntry":[[{"subscriptionId":1},'
        '{"clientAddress":[{"device":"d:_n:Evse"},{"entity":[1]},{"feature":8}]},'
        '{"serverAddress":[{"device":"d:_n:Us"},{"entity":[1]},{"feature":1}]}]]}]}]'
    )
    assert empty == '[{"nodeManagementSubscriptionData":[]}]'


def test_without_ack_request_a_success_is_not_reported():
    bench = heard(datagram("call", relation("Subscription", "Request", ((1,), 1))))
    assert bench.sent == []


def test_a_subscriber_gets_a_beat_at_once_and_then_by_the_period():
    async def run():
        bench = Bench()
        bench.session.heartbeat(True, 20)
        beating = asyncio.create_task(bench.session.beat())
        await asyncio.sleep(50)
        assert bench.sent == []  # nobody listens, nothing is sent
        await bench.hear(datagram("call", relation("Subscription", "Request", ((1,), 1))))
        await asyncio.sleep(1)
        first = list(bench.sent)
        await asyncio.sleep(40)
        regular = len(bench.sent)
        bench.session.heartbeat(False, 20)
        await asyncio.sleep(100)
        off = len(bench.sent)
        bench.session.heartbeat(True, 4)
        await asyncio.sleep(9)
        beating.cancel()
        return first, regular, off, len(bench.sent)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        first, regular, off, on = runner.run(run())
    assert len(first) == 1
    assert (
        '{"addressSource":[{"device":"d:_n:Us"},{"entity":[1]},{"feature":1}]},'
        '{"addressDestination":[{"device":"d:_n:Evse"},{"entity":[1]},{"feature":8}]},'
        '{"msgCounter":1},{"cmdClassifier":"notify"}]}'
    ) in first[0]
    assert '{"heartbeatCounter":1},{"heartbeatTimeout":"PT60S"}' in first[0]
    assert (regular, off, on) == (3, 3, 6)


def test_a_removed_entity_loses_its_subscriptions():
    removed = (
        '[{"function":"nodeManagementDetailedDiscoveryData"},'
        '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},{"nodeManagementDetailedDiscoveryData":'
        '[{"entityInformation":[[{"description":[{"entityAddress":[{"entity":[1,1]}]},'
        '{"lastStateChange":"%s"}%s]}]]}]}]'
    )
    table = datagram("read", '[{"nodeManagementSubscriptionData":[]}]')
    bench = heard(
        datagram("notify", removed % ("added", ',{"entityType":"EV"}')),
        datagram("call", relation("Subscription", "Request", ((1,), 1), client=((1, 1), 10))),
        datagram("notify", removed % ("removed", "")),
        table,
    )
    assert bench.answers("reply") == ['[{"nodeManagementSubscriptionData":[]}]']
    assert bench.kinds()[-3:] == ["entity_removed", "data", "read_by_charger"]


# -- acknowledgements ---------------------------------------------------------------------------

NOTIFY = '[{"measurementListData":[]}]'


def test_a_notify_is_acknowledged_only_if_asked_and_never_refused():
    source = {"source": ((1,), 6), "destination": ((1,), 6)}
    assert heard(datagram("notify", NOTIFY, **source)).sent == []
    bench = heard(datagram("notify", NOTIFY, ack=True, **source))
    assert bench.answers("result") == ['[{"resultData":[{"errorNumber":0}]}]']
    # a feature we do not have, content that contradicts itself: still no error
    assert heard(datagram("notify", NOTIFY, destination=((9,), 9))).sent == []
    wrong = '[{"function":"x"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},{"yListData":[]}]'
    assert heard(datagram("notify", wrong)).sent == []


def test_replies_and_results_are_never_answered():
    for classifier in ("reply", "result"):
        for cmd in ('[{"resultData":[{"errorNumber":1}]}]', DISCOVERY_READ, "[]", "3"):
            assert heard(datagram(classifier, cmd, reference=7, ack=True)).sent == []


@pytest.mark.parametrize(
    "text",
    [
        '{"datagram":[]}',
        '{"datagram":[{"header":[]},{"payload":[]}]}',
        '{"datagram":[{"header":[{"cmdClassifier":"read"}]}]}',
        '{"datagram":"x"}',
        '{"datagram":[{"header":7},{"payload":null}]}',
        datagram("notify", '[{"nodeManagementDetailedDiscoveryData":[{"entityInformation":7}]}]'),
        datagram("notify", '[{"nodeManagementUseCaseData":[{"useCaseInformation":[[3]]}]}]'),
        datagram("notify", '[{"measurementListData":[{"measurementData":{"a":[{"b":[]}]}}]}]'),
        datagram("read", DISCOVERY_READ, sender=US),
    ],
)
def test_malformed_datagrams_cost_nothing(text):
    bench = heard(text, datagram("read", DISCOVERY_READ))
    assert len(bench.answers("reply")) == 1


# -- our own requests ---------------------------------------------------------------------------

STRUCTURE = (
    '[{"nodeManagementDetailedDiscoveryData":['
    '{"deviceInformation":[{"description":[{"deviceAddress":[{"device":"d:_n:Evse"}]}]}]},'
    '{"entityInformation":[[{"description":[{"entityAddress":[{"entity":[1]}]},'
    '{"entityType":"EVSE"}]}]]},'
    '{"featureInformation":[[{"description":[{"featureAddress":[{"entity":[1]},{"feature":6}]},'
    '{"featureType":"Measurement"},{"role":"server"},{"supportedFunction":'
    '[[{"function":"measurementListData"},{"possibleOperations":[{"read":[]}]}]]}]}]]}]}]'
)
VALUES = (
    '[{"measurementListData":[{"measurementData":[[{"measurementId":1},'
    '{"value":[{"number":5},{"scale":0}]}]]}]}]'
)


def request(answer, *, after=0.0):
    """Read a measurement; `answer(counter)` is what the charger says. Return content or error."""

    async def run():
        bench = Bench()
        await bench.hear(datagram("notify", STRUCTURE))
        feature = bench.remote.server((1,), "Measurement")
        reading = asyncio.create_task(bench.spine.read(feature, "measurementListData"))
        await asyncio.sleep(after)
        await asyncio.sleep(0)
        bench.text = bench.sent[-1]
        if answer:
            await bench.hear(answer(1))
        try:
            return bench, await reading
        except (ErrorResult, NoAnswer) as error:
            return bench, error

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(run())


def from_meter(classifier, cmd, **options):
    return datagram(classifier, cmd, source=((1,), 6), destination=((1,), 6), **options)


def test_a_read_goes_from_the_client_feature_of_the_same_type():
    bench, content = request(lambda counter: from_meter("reply", VALUES, reference=counter))
    assert bench.text == (
        '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},'
        '{"addressSource":[{"device":"d:_n:Us"},{"entity":[1]},{"feature":6}]},'
        '{"addressDestination":[{"device":"d:_n:Evse"},{"entity":[1]},{"feature":6}]},'
        '{"msgCounter":1},{"cmdClassifier":"read"}]},'
        '{"payload":[{"cmd":[[{"measurementListData":[]}]]}]}]}'
    )
    assert content == {
        "measurementData": [{"measurementId": 1, "value": {"number": 5, "scale": 0}}]
    }


def test_a_reply_without_reference_ends_the_oldest_read_of_that_function():
    _, content = request(lambda counter: from_meter("reply", VALUES))
    assert content["measurementData"]


def test_a_result_ends_a_read_whatever_its_number():
    text = '[{"resultData":[{"errorNumber":%d},{"description":"busy"}]}]'
    _, error = request(lambda counter: from_meter("result", text % 3, reference=counter))
    assert (error.number, error.text) == (3, "busy")
    _, content = request(lambda counter: from_meter("result", text % 0, reference=counter))
    assert content == {}


def test_a_reply_that_carries_a_result_counts_as_one():
    text = '[{"resultData":[{"errorNumber":7}]}]'
    _, error = request(lambda counter: from_meter("reply", text, reference=counter))
    assert error.number == 7


def test_an_answer_to_nothing_is_only_recorded():
    bench, error = request(lambda counter: from_meter("reply", VALUES, reference=77))
    assert isinstance(error, NoAnswer)
    assert "unexpected_answer" in bench.kinds()


def test_a_silent_charger_costs_ten_seconds():
    _, error = request(None, after=9)
    assert isinstance(error, NoAnswer)
    assert "measurementListData" in str(error)


def test_no_more_than_sixteen_requests_are_outstanding():
    async def run():
        bench = Bench()
        await bench.hear(datagram("notify", STRUCTURE))
        feature = bench.remote.server((1,), "Measurement")
        tasks = [
            asyncio.create_task(bench.spine.read(feature, "measurementListData"))
            for _ in range(20)
        ]
        await asyncio.sleep(0.1)
        assert len(bench.sent) == 16
        for counter in range(1, 21):
            await bench.hear(from_meter("reply", VALUES, reference=counter))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        return len(bench.sent)

    assert asyncio.run(run()) == 20


def test_the_end_of_the_connection_ends_all_requests():
    async def run():
        bench = Bench()
        reading = asyncio.create_task(bench.spine.read_node("nodeManagementBindingData"))
        await asyncio.sleep(0)
        bench.spine.end()
        with pytest.raises(NoAnswer):
            await reading

    asyncio.run(run())


def test_the_first_read_leaves_the_unknown_device_out():
    async def run():
        bench = Bench()
        reading = asyncio.create_task(bench.spine.read_node("nodeManagementBindingData"))
        await asyncio.sleep(0)
        reading.cancel()
        return bench.sent[0]

    assert '{"addressDestination":[{"entity":[0]},{"feature":0}]}' in asyncio.run(run())


def test_use_case_data_that_comes_as_a_notify_ends_the_read():
    async def run():
        bench = Bench()
        reading = asyncio.create_task(bench.spine.read_node("nodeManagementUseCaseData"))
        await asyncio.sleep(0)
        text = '[{"nodeManagementUseCaseData":[{"useCaseInformation":[[{"actor":"EVSE"},%s]]}]}]'
        support = '{"useCaseSupport":[[{"useCaseName":"x"},{"scenarioSupport":[1]}]]}'
        await bench.hear(datagram("notify", text % support))
        await reading
        return bench.remote.use_cases

    assert [(one.actor, one.name) for one in asyncio.run(run())] == [("EVSE", "x")]


def test_a_refused_binding_that_exists_already_is_a_success():
    async def run():
        bench = Bench()
        await bench.hear(datagram("notify", STRUCTURE))
        feature = bench.remote.server((1,), "Measurement")
        binding = asyncio.create_task(bench.spine.bind(feature))
        await asyncio.sleep(0)
        refused = '[{"resultData":[{"errorNumber":1}]}]'
        await bench.hear(datagram("result", refused, reference=1))
        await asyncio.sleep(0)
        entry = '[{"bindingId":4},{"clientAddress":%s},{"serverAddress":%s}]' % (
            address(US, [1], 6),
            address(EVSE, [1], 6),
        )
        table = '[{"nodeManagementBindingData":[{"bindingEntry":[%s]}]}]' % entry
        await bench.hear(datagram("reply", table, reference=2))
        await binding

    asyncio.run(run())
