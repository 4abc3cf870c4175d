"""How requests are answered: Table 2, the processing order of 5.3.2, TC_SPINE cases behind it."""

from spine_world import (
    CLIENT,
    EVSE,
    HEMS,
    LOAD_CONTROL,
    MEASUREMENT,
    NODE_MANAGEMENT,
    World,
    flat,
)

from spine.client import MAX_OUTBOX

DISCOVERY_READ = '{"nodeManagementDetailedDiscoveryData":[]}'
LIMITS_READ = '{"loadControlLimitListData":[]}'


def station():
    world = World()
    world.manager.take()
    return world, world.manager


def error_of(answers):
    assert [a.classifier for a in answers] == ["result"]
    return answers[0].error


def test_the_first_datagram_asks_for_the_partners_structure():
    manager = World().manager
    asked = manager.take()
    assert len(asked) == 1
    assert asked[0].text == (
        '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":'
        '"d:_n:ACME_EVSE-42"},{"entity":[0]},{"feature":0}]},{"addressDestination":[{"entity":[0]},'
        '{"feature":0}]},{"msgCounter":1},{"cmdClassifier":"read"}]},{"payload":[{"cmd":'
        '[[{"nodeManagementDetailedDiscoveryData":[]}]]}]}]}'
    )


def test_a_read_is_answered_by_a_reply_and_never_by_a_result():
    _, manager = station()
    for ack in (False, True):
        answers = manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, ack=ack)
        assert [a.classifier for a in answers] == ["reply"]
        assert answers[0].reference == manager.counter
        assert answers[0].source == LOAD_CONTROL
        assert answers[0].destination == CLIENT


def test_counters_ascend_whatever_the_requests_count():
    world, manager = station()
    counters = []
    for counter in (21012, 123321, 123456, 1000, 2000, 2000):
        manager.counter = counter - 1
        answer = manager.send("read", NODE_MANAGEMENT, NODE_MANAGEMENT, DISCOVERY_READ)[0]
        assert answer.reference == counter
        counters.append(answer.counter)
    assert counters == sorted(set(counters))
    world.device.counter = 2**64 - 1
    answer = manager.send("read", NODE_MANAGEMENT, NODE_MANAGEMENT, DISCOVERY_READ)[0]
    assert answer.counter == 0


def test_unknown_function_feature_entity_device_and_classifier():
    _, manager = station()
    read = [
        manager.send("read", CLIENT, LOAD_CONTROL, '{"flyToTheMoonData":[]}'),
        manager.send("read", CLIENT, ((1,), 99), LIMITS_READ),
        manager.send("read", CLIENT, ((9,), 1), LIMITS_READ),
        manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, to='{"device":"d:_i:1_X"},'),
        manager.send("dance", CLIENT, LOAD_CONTROL, LIMITS_READ),
        manager.send("read", CLIENT, LOAD_CONTROL, '{"measurementListData":[]}'),
    ]
    assert [error_of(answers) for answers in read] == [6, 4, 4, 5, 6, 6]


def test_reads_of_a_client_feature_and_calls_of_data_are_refused():
    _, manager = station()
    heartbeat = '{"deviceDiagnosisHeartbeatData":[]}'
    assert error_of(manager.send("read", CLIENT, ((1,), 1), heartbeat)) == 6
    assert error_of(manager.send("call", CLIENT, LOAD_CONTROL, LIMITS_READ)) == 6
    call = '{"nodeManagementBindingRequestCall":[]}'
    assert error_of(manager.send("read", NODE_MANAGEMENT, NODE_MANAGEMENT, call)) == 6


def test_a_missing_device_part_means_the_ends_of_this_connection():
    _, manager = station()
    answers = manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, to="")
    assert answers[0].classifier == "reply"
    assert '{"addressDestination":[{"device":"%s"}' % HEMS in answers[0].text
    assert '{"addressSource":[{"device":"%s"}' % EVSE in answers[0].text


def test_several_commands_or_none_are_a_general_error():
    _, manager = station()
    two = LIMITS_READ + "],[" + LIMITS_READ
    assert error_of(manager.send("read", CLIENT, LOAD_CONTROL, two)) == 1


def test_versions():
    _, manager = station()
    for version in ("1.999.999", "1.2.0", "v1.3.0", "0.3.0"):
        answers = manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, version=version)
        assert [a.classifier for a in answers] == ["reply"], version
    assert manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, version="2.0.0") == []


def test_our_own_address_as_source_and_malformed_text_are_discarded():
    world, manager = station()
    assert manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ, device=EVSE) == []
    for text in ("", "{", '{"datagram":[]}', "\xff\xfe", '{"datagram":[{"header":[[[[[]]]]]}]}'):
        assert manager.receive(text) == []
    assert len(world.logged) == 6
    assert manager.send("read", CLIENT, LOAD_CONTROL, LIMITS_READ)[0].classifier == "reply"


def test_results_are_never_answered():
    _, manager = station()
    result = '{"resultData":[{"errorNumber":7},{"description":"no"}]}'
    assert manager.send("result", CLIENT, NODE_MANAGEMENT, result, reference=9999) == []
    assert manager.send("result", CLIENT, NODE_MANAGEMENT, '{"resultData":7}', reference=1) == []


def test_a_notify_is_acknowledged_only_if_asked_and_never_judged():
    _, manager = station()
    notify = (
        '{"function":"nodeManagementDetailedDiscoveryData"},{"filter":[[{"cmdControl":'
        '[{"partial":[]}]}]]},{"nodeManagementDetailedDiscoveryData":[{"entityInformation":'
        '[[{"description":[{"entityAddress":[{"entity":[0]}]},{"lastStateChange":"modified"}]}]]}]}'
    )
    answers = manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, notify)
    assert error_of(answers) == 0
    assert manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, notify, ack=False) == []
    broken = '{"nodeManagementDetailedDiscoveryData":[{"entityInformation":7}]}'
    assert manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, broken)[0].error == 0
    heartbeat = '{"deviceDiagnosisHeartbeatData":[]}'
    assert manager.send("notify", CLIENT, ((1, 1), 10), heartbeat, ack=False) == []


def test_writes_need_a_binding_before_anything_else_is_looked_at():
    _, manager = station()
    write = '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":%s}]]}]}'
    assert error_of(manager.send("write", CLIENT, LOAD_CONTROL, write % "1")) == 9
    assert error_of(manager.send("write", CLIENT, LOAD_CONTROL, write % '"bad"')) == 9
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    assert error_of(manager.send("write", CLIENT, LOAD_CONTROL, write % '"bad"')) == 1
    other = ((1,), 77)
    assert error_of(manager.send("write", other, LOAD_CONTROL, write % "1")) == 9


def test_what_is_read_only_cannot_be_written():
    _, manager = station()
    assert manager.relate("Binding", MEASUREMENT, "Measurement") == 0
    write = '{"measurementListData":[{"measurementData":[[{"measurementId":1}]]}]}'
    assert error_of(manager.send("write", CLIENT, MEASUREMENT, write)) == 6


def test_an_error_is_reported_without_ack_request_and_success_is_not():
    world, manager = station()
    manager.commission()
    manager.heartbeat()
    write = '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1}%s]]}]}'
    good = write % ',{"isLimitActive":false}'
    answers = manager.send("write", CLIENT, LOAD_CONTROL, good, ack=False)
    assert [a.classifier for a in answers] == ["notify"]
    bad = write % ',{"value":[{"number":-1}]}'
    answers = manager.send("write", CLIENT, LOAD_CONTROL, bad, ack=False)
    assert error_of(answers) == 7
    assert world.lpc.limit.limit_w == 11_000


def test_function_and_data_must_agree():
    _, manager = station()
    command = '{"function":"measurementListData"},' + LIMITS_READ
    assert error_of(manager.send("read", CLIENT, LOAD_CONTROL, command)) == 7


def test_unknown_elements_in_a_write_are_ignored():
    world, manager = station()
    manager.commission()
    manager.heartbeat()
    members = ',{"isLimitActive":true},{"newInVersion9":[{"a":1}]},{"value":[{"number":5000}]}'
    assert manager.write_limit(members) == 0
    assert world.lpc.cap_w() == 5000


def test_an_empty_function_name_beside_a_filter_is_taken_as_absent():
    # spine-go sends this where a server announces restricted reads
    _, manager = station()
    command = (
        '{"function":""},{"filter":[[{"cmdControl":[{"partial":[]}]},'
        '{"loadControlLimitListDataSelectors":[{"limitId":1}]}]]},{"loadControlLimitListData":[]}'
    )
    answer = manager.send("read", CLIENT, LOAD_CONTROL, command)[0]
    assert [e["limitId"] for e in answer.entries("loadControlLimitData")] == [1]


def test_restricted_reads_are_answered_restricted():
    _, manager = station()
    filters = (
        '{"filter":[[{"cmdControl":[{"partial":[]}]},{"measurementListDataSelectors":'
        '[{"measurementId":1}]},{"measurementDataElements":[{"value":[]}]}]]},'
    )
    answer = manager.read(MEASUREMENT, "measurementListData", filters)
    assert answer.command["function"] == "measurementListData"
    assert answer.command["filter"] == [[{"cmdControl": [{"partial": []}]}]]
    entries = answer.entries("measurementData")
    assert len(entries) == 1
    assert sorted(entries[0]) == ["measurementId", "value", "valueType"]
    delete = '{"filter":[[{"cmdControl":[{"delete":[]}]}]]},'
    assert manager.read(MEASUREMENT, "measurementListData", delete).error == 7


def test_a_peer_that_takes_nothing_is_overrun():
    world, manager = station()
    assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
    function = world.device.find_feature(*LOAD_CONTROL).find("loadControlLimitListData")
    (entry,) = world.device.subscriptions
    manager.take()
    for _ in range(MAX_OUTBOX):
        manager.peer.notify(entry, function)
    assert not manager.peer.is_overrun
    manager.peer.notify(entry, function)
    assert manager.peer.is_overrun
    assert len(manager.peer.outbox) == MAX_OUTBOX


def test_error_results_carry_a_description():
    _, manager = station()
    answer = manager.send("read", CLIENT, ((9,), 1), LIMITS_READ)[0]
    assert flat(answer.data) == {"errorNumber": 4, "description": "no such feature"}


def test_optional_parts_of_header_and_command_are_ignored():
    _, manager = station()
    answers = manager.receive(
        '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":"%s"},'
        '{"entity":[1]},{"feature":2}]},{"addressDestination":[{"device":"%s"},{"entity":[1]},'
        '{"feature":4}]},{"addressOriginator":[{"device":"d:_n:far_away"},{"entity":[7]},'
        '{"feature":9}]},{"msgCounter":5},{"cmdClassifier":"read"},{"timestamp":"PT0S"}]},'
        '{"payload":[{"cmd":[[{"loadControlLimitListData":[]},{"manufacturerSpecificExtension":'
        '"00ff"},{"lastUpdateAt":"2025-03-01T10:00:00Z"}]]}]}]}' % (HEMS, EVSE)
    )
    # The answer goes to the source, not to the originator; we are in simple mode (5.4).
    assert [(a.classifier, a.destination) for a in answers] == [("reply", CLIENT)]
    assert "addressOriginator" not in answers[0].text
    assert HEMS in answers[0].text
