"""The conformance cases TC_SPINE_* (test specification 1.0.0) that apply to a charging station.

One test for each case of "any device" and "controllable system", in the roles of the document:
the station is the device under test, `Manager` the tester. Cases for energy guards (ENTITY_001,
RTC_001...RTC_003) do not apply. "Scenario complete" is LPC scenarios 1 and 3: relations, a
heartbeat with a time-out of 120 s, a limit written and acknowledged.
"""

from spine_world import (
    CLIENT,
    CONFIGURATION,
    DISCOVERY,
    EVSE,
    HEMS,
    LOAD_CONTROL,
    NODE_MANAGEMENT,
    SERVER,
    USE_CASES,
    Manager,
    World,
    discovery_text,
    flat,
    use_cases_text,
)

from usecases.power_limit import LIMITED

FUTURE = "1.999.999"
READ_DISCOVERY = '{"nodeManagementDetailedDiscoveryData":[]}'
HEARTBEAT = "deviceDiagnosisHeartbeatData"
BEAT_120 = (
    '{"deviceDiagnosisHeartbeatData":[{"timestamp":"2025-03-01T10:00:00Z"},'
    '{"heartbeatCounter":1},{"heartbeatTimeout":"PT120S"}]}'
)
LIMIT_4200 = ',{"isLimitActive":true},{"value":[{"number":4200},{"scale":0}]}'
PARTIAL = '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'

FEATURE_TYPES = (
    "ActuatorLevel ActuatorSwitch Alarm DataTunneling DeviceClassification DeviceDiagnosis "
    "DirectControl ElectricalConnection Generic HVAC LoadControl Measurement Messaging "
    "NetworkManagement NodeManagement OperatingConstraints PowerSequences Sensing Setpoint "
    "SmartEnergyManagementPs TaskManagement Threshold TimeInformation TimeTable "
    "DeviceConfiguration SupplyCondition TimeSeries TariffInformation IncentiveTable Bill "
    "Identification StateInformation"
).split(" ")


def connected():
    """A station and a tester that has taken the station's first question."""
    world = World()
    world.manager.take()
    return world.manager


def introduced():
    manager = World().manager
    manager.introduce()
    return manager


def node_management(manager, classifier, command, **more):
    """Send a command from NodeManagement to NodeManagement; returns what comes back."""
    return manager.send(classifier, NODE_MANAGEMENT, NODE_MANAGEMENT, command, **more)


def read_discovery(manager, **more):
    return node_management(manager, "read", READ_DISCOVERY, **more)


def assert_goes_on(manager):
    """The station still answers."""
    assert [a.classifier for a in read_discovery(manager)] == ["reply"]


def result_of(answers):
    """The error number of the only answer, which must be a result."""
    results = [a for a in answers if a.reference is not None]
    assert [a.classifier for a in results] == ["result"]
    return results[0].error


def table(manager, kind):
    """(client entity and feature, server entity and feature) of each entry of a table."""
    function = "nodeManagement%sData" % kind
    answers = node_management(manager, "read", '{"%s":[]}' % function)
    assert [a.function for a in answers] == [function]
    rows = []
    for entry in answers[0].entries(kind.lower() + "Entry"):
        client, server = flat(entry["clientAddress"]), flat(entry["serverAddress"])
        assert (client["device"], server["device"]) == (HEMS, EVSE)
        rows.append(
            (
                (tuple(client["entity"]), client["feature"]),
                (tuple(server["entity"]), server["feature"]),
            )
        )
    return rows


def delete(manager, kind, client, server):
    """Call for the deletion of a "Binding" or "Subscription"; returns the error number."""
    address = '[{"device":"%s"},{"entity":[%d]},{"feature":%d}]'
    command = '{"nodeManagement%sDeleteCall":[{"%sDelete":[%s,%s]}]}' % (
        kind,
        kind.lower(),
        '{"clientAddress":%s}' % address % (HEMS, client[0][0], client[1]),
        '{"serverAddress":%s}' % address % (EVSE, server[0][0], server[1]),
    )
    return result_of(node_management(manager, "call", command))


def heartbeat_servers(manager):
    """Addresses of the tester's features to whose heartbeat the station has subscribed."""
    servers = []
    for asked in manager.asked:
        if asked.function == "nodeManagementSubscriptionRequestCall":
            request = flat(flat(asked.data)["subscriptionRequest"])
            if request["serverFeatureType"] == "DeviceDiagnosis":
                server = flat(request["serverAddress"])
                servers.append((tuple(server["entity"]), server["feature"]))
    return servers


def complete_scenario(manager, discovery=DISCOVERY, use_cases=USE_CASES, entity=1, server=SERVER):
    """Commission LPC scenarios 1 and 3 from an entity of the tester, and see them complete."""
    world = manager.world
    client = ((entity,), CLIENT[1])
    manager.introduce(discovery, use_cases)
    for feature, name in ((LOAD_CONTROL, "LoadControl"), (CONFIGURATION, "DeviceConfiguration")):
        assert manager.relate("Subscription", feature, name, client) == 0
        assert manager.relate("Binding", feature, name, client) == 0
    assert heartbeat_servers(manager) == [server]
    assert result_of(manager.send("notify", server, ((1,), 1), BEAT_120)) == 0
    world.pass_time(50)
    assert manager.write_limit(LIMIT_4200, client=client) == 0
    assert (world.lpc.limit.state, world.lpc.cap_w()) == (LIMITED, 4200)
    # It stays complete as long as the heartbeats come.
    for _ in range(3):
        world.pass_time(60)
        manager.heartbeat(server)
    assert world.lpc.limit.state == LIMITED


# --- compatibility ---------------------------------------------------------------------------


def test_tc_spine_comp_001_unknown_function_of_a_future_version_earns_error_6():
    manager = connected()
    for destination in (NODE_MANAGEMENT, LOAD_CONTROL):
        command = '{"somethingNewListData":[]}'
        answers = manager.send("read", CLIENT, destination, command, version=FUTURE)
        assert result_of(answers) == 6
    assert_goes_on(manager)


def test_tc_spine_comp_002_discovery_read_of_a_future_version_is_answered_as_ever():
    manager = connected()
    expected = read_discovery(manager)[0].data
    answers = read_discovery(manager, version=FUTURE)
    assert [a.classifier for a in answers] == ["reply"]
    assert answers[0].data == expected


def test_tc_spine_comp_003_unknown_types_and_elements_in_a_discovery_reply_are_ignored():
    entity = '[{"description":[{"entityAddress":[{"entity":[7]}]},{"entityType":"Flux"},'
    entity += '{"colour":[{"red":1}]}]}],[{"description":[{"entityAddress":[{"entity":[1]}]}'
    feature = '[{"description":[{"featureAddress":[{"entity":[7]},{"feature":4}]},'
    feature += '{"featureType":"FluxCapacitor"},{"role":"server"},{"mood":"good"}]}],'
    feature += '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":1}]}'
    discovery = DISCOVERY.replace('[{"description":[{"entityAddress":[{"entity":[1]}]}', entity)
    discovery = discovery.replace(
        '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":1}]}', feature
    )
    assert discovery.count("Flux") == 2 and len(discovery) > len(DISCOVERY) + 200
    manager = World().manager
    asked = manager.take()[0]
    answers = node_management(manager, "reply", discovery, ack=False, reference=asked.counter)
    # No result; the station goes on with subscription and use cases.
    assert [a.function for a in answers] == [
        "nodeManagementSubscriptionRequestCall",
        "nodeManagementUseCaseData",
    ]
    complete_scenario(World().manager, discovery)


def test_tc_spine_comp_004_wrong_types_in_a_discovery_reply_earn_no_application_error():
    for right, wrong in (
        ('"entityType":"CEM"', '"entityType":5'),
        ('"entityType":"CEM"', '"entityType":[[{"a":1}]]'),
        ('{"feature":1}', '{"feature":"one"}'),
        ('"deviceType":"EnergyManagementSystem"', '"deviceType":true'),
        ('"specificationVersion":["1.3.0"]', '"specificationVersion":13'),
        ('"featureInformation":[[', '"featureInformation":"none"},{"x":[['),
        ('"entityInformation":[[', '"entityInformation":7},{"x":[['),
        (DISCOVERY, '{"nodeManagementDetailedDiscoveryData":"nothing"}'),
        (DISCOVERY, '{"nodeManagementDetailedDiscoveryData":null}'),
    ):
        assert right in DISCOVERY
        manager = World().manager
        asked = manager.take()[0]
        discovery = DISCOVERY.replace(right, wrong)
        answers = node_management(manager, "reply", discovery, ack=True, reference=asked.counter)
        results = [a.error for a in answers if a.classifier == "result"]
        assert results in ([], [0]), (wrong, results)
        assert_goes_on(manager)


def is_strict(version):
    """Whether a version follows [1-9][0-9]*.[0-9]+.[0-9]+"""
    parts = version.split(".")
    digits = [part for part in parts if part and all(c in "0123456789" for c in part)]
    return len(parts) == len(digits) == 3 and not parts[0].startswith("0")


def test_tc_spine_comp_005_versions_are_written_in_the_strict_pattern():
    assert is_strict("1.3.0") and is_strict("12.0.34")
    assert not is_strict("0.3.0") and not is_strict("1.0.1b") and not is_strict("1.3")
    manager = connected()
    answers = read_discovery(manager)
    versions = flat(flat(answers[0].data)["specificationVersionList"][0:1])
    assert len(versions["specificationVersion"]) == 1
    assert is_strict(versions["specificationVersion"][0])
    answers.extend(node_management(manager, "read", '{"nodeManagementUseCaseData":[]}'))
    answers.extend(node_management(manager, "read", '{"somethingNewListData":[]}'))
    for answer in answers:
        start = '{"datagram":[{"header":[{"specificationVersion":"'
        assert answer.text.startswith(start)
        assert is_strict(answer.text[len(start) :].split('"')[0])
    supports = []
    for information in answers[1].entries("useCaseInformation"):
        supports.extend([flat(support) for support in information["useCaseSupport"]])
    assert len(supports) >= 3
    for support in supports:
        assert is_strict(support["useCaseVersion"])
        assert support["useCaseDocumentSubRevision"] == "release"


def test_tc_spine_comp_006_incompatible_header_versions_are_rejected_and_others_tolerated():
    # Rejecting is recommended, tolerating earns a warning: only the incompatible one is rejected.
    manager = connected()
    rejected = []
    for version in ("TS1.3.0", "V0.3.0", "v0.3.0", "0.3.0", "2.0.0", "V1.3.0", "v1.3.0"):
        answers = read_discovery(manager, version=version)
        assert [a.classifier for a in answers] in (["reply"], [])
        if not answers:
            rejected.append(version)
        assert_goes_on(manager)
    assert rejected == ["2.0.0"]
    assert "2.0.0" in manager.world.logged[-1]


# --- header data -----------------------------------------------------------------------------


def test_tc_spine_data_001_twenty_replies_have_ascending_counters():
    manager = connected()
    counters = []
    for _ in range(20):
        answers = read_discovery(manager)
        assert [a.classifier for a in answers] == ["reply"]
        counters.append(answers[0].counter)
    assert counters == sorted(counters) and len(set(counters)) == 20


def references(counters):
    """The references of the replies to reads with these counters."""
    manager = connected()
    result = []
    for counter in counters:
        manager.counter = counter - 1
        answers = read_discovery(manager)
        assert [a.classifier for a in answers] == ["reply"]
        result.append(answers[0].reference)
    return result


def test_tc_spine_data_002_request_counters_may_jump():
    assert references([21012, 123321]) == [21012, 123321]


def test_tc_spine_data_003_request_counters_may_fall():
    assert references([123456, 1000, 2000]) == [123456, 1000, 2000]


def test_tc_spine_data_004_every_reference_equals_its_request():
    counters = [88777 + 200 * i for i in range(20)]
    assert references(counters) == counters


def test_tc_spine_data_005_partial_discovery_notify_is_acknowledged_when_asked():
    manager = introduced()
    command = (
        '{"function":"nodeManagementDetailedDiscoveryData"},%s'
        '{"nodeManagementDetailedDiscoveryData":[{"deviceInformation":[{"description":'
        '[{"deviceAddress":[{"device":"%s"}]}]}]},{"entityInformation":[[{"description":'
        '[{"entityAddress":[{"entity":[0]}]},{"lastStateChange":"modified"}]}]]}]}'
    ) % (PARTIAL, HEMS)
    before = dict(manager.peer.remote.entities)
    assert result_of(node_management(manager, "notify", command)) == 0
    assert manager.peer.remote.entities == before


def test_tc_spine_data_006_an_unsolicited_result_is_met_with_silence():
    manager = connected()
    for number in (0, 1):
        command = '{"resultData":[{"errorNumber":%d}]}' % number
        assert node_management(manager, "result", command, ack=True, reference=4711) == []
    assert_goes_on(manager)


def test_tc_spine_data_007_a_read_is_answered_by_a_reply_only_whatever_ack_request_says():
    manager = connected()
    text = (
        '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":'
        '"d:_i:12345_HEMS-1"},{"entity":[0]},{"feature":0}]},{"addressDestination":[{"device":'
        '"d:_n:ACME_EVSE-42"},{"entity":[0]},{"feature":0}]},{"msgCounter":%d},{"cmdClassifier":'
        '"read"},{"ackRequest":%s}]},{"payload":[{"cmd":[['
        '{"nodeManagementDetailedDiscoveryData":[]}]]}]}]}'
    )
    for counter, ack in ((501, "false"), (502, "true")):
        answers = manager.receive(text % (counter, ack))
        assert [(a.classifier, a.reference) for a in answers] == [("reply", counter)]
        manager.world.pass_time(11)
        assert [a for a in manager.take() if a.reference is not None] == []


def test_tc_spine_data_008_a_result_to_our_own_read_is_met_with_silence():
    for number in (0, 6):
        manager = World().manager
        asked = manager.take()[0]
        assert asked.classifier == "read"
        command = '{"resultData":[{"errorNumber":%d}]}' % number
        answers = node_management(manager, "result", command, ack=True, reference=asked.counter)
        assert answers == []
        manager.world.pass_time(11)
        assert [a for a in manager.take() if a.classifier == "result"] == []
        assert_goes_on(manager)


# --- commissioning ---------------------------------------------------------------------------


def test_tc_spine_fc_001_node_management_call_to_another_feature_is_refused():
    manager = connected()
    command = (
        '{"nodeManagementSubscriptionRequestCall":[{"subscriptionRequest":[{"clientAddress":'
        '[{"device":"%s"},{"entity":[0]},{"feature":0}]},{"serverAddress":[{"device":"%s"},'
        '{"entity":[0]},{"feature":0}]},{"serverFeatureType":"NodeManagement"}]}]}' % (HEMS, EVSE)
    )
    for destination, number in ((((1,), 0), 4), (LOAD_CONTROL, 6)):
        answers = manager.send("call", NODE_MANAGEMENT, destination, command)
        assert result_of(answers) == number
    assert table(manager, "Subscription") == []


def test_tc_spine_ddisc_001_a_new_partner_is_asked_for_its_structure():
    manager = World().manager
    manager.world.pass_time(29)
    asked = [a for a in manager.take() if a.classifier == "read"]
    assert [(a.function, a.source, a.destination) for a in asked] == [
        ("nodeManagementDetailedDiscoveryData", NODE_MANAGEMENT, NODE_MANAGEMENT)
    ]


def test_tc_spine_ddisc_002_a_partner_that_stays_silent_for_30_s_is_asked_again():
    manager = World().manager
    manager.take()
    manager.world.pass_time(29)
    assert manager.take() == []
    manager.world.pass_time(1)
    assert [a.function for a in manager.take()] == ["nodeManagementDetailedDiscoveryData"]


def test_tc_spine_bind_001_node_management_cannot_be_bound():
    manager = introduced()
    assert manager.relate("Binding", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT) == 7
    assert table(manager, "Binding") == []


def test_tc_spine_bind_002_a_limit_write_after_the_binding_was_deleted_earns_error_9():
    manager = World().manager
    complete_scenario(manager)
    assert (CLIENT, LOAD_CONTROL) in table(manager, "Binding")
    assert delete(manager, "Binding", CLIENT, LOAD_CONTROL) == 0
    assert result_of(manager.heartbeat(ack=True)) == 0
    assert manager.write_limit(LIMIT_4200.replace("4200", "1000")) == 9
    assert table(manager, "Binding") == [(CLIENT, CONFIGURATION)]
    assert manager.world.lpc.cap_w() == 4200


def test_tc_spine_subs_001_node_management_can_be_subscribed():
    manager = introduced()
    assert manager.relate("Subscription", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT) == 0
    assert table(manager, "Subscription") == [(NODE_MANAGEMENT, NODE_MANAGEMENT)]


def test_tc_spine_subs_002_a_subscription_can_be_deleted_twice():
    manager = introduced()
    manager.relate("Subscription", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT)
    for _ in range(2):
        assert delete(manager, "Subscription", NODE_MANAGEMENT, NODE_MANAGEMENT) == 0
        assert table(manager, "Subscription") == []


# --- the energy guard ------------------------------------------------------------------------


def test_tc_spine_entity_002_an_energy_guard_returns_at_another_entity_address():
    manager = World().manager
    complete_scenario(manager)
    manager.close()
    manager.world.pass_time(10)
    again = Manager(manager.world)
    complete_scenario(again, discovery_text((3, 8)), use_cases_text(3), 3, ((3,), 8))
    assert table(again, "Binding") == [(((3,), 2), LOAD_CONTROL), (((3,), 2), CONFIGURATION)]


def test_tc_spine_rts_001_the_guards_client_feature_may_have_any_known_type():
    assert len(FEATURE_TYPES) == 32
    for feature_type in FEATURE_TYPES:
        complete_scenario(World().manager, discovery_text((1, 1), client_type=feature_type))


def test_tc_spine_rts_002_the_guards_client_feature_may_have_an_unknown_type():
    manager = World().manager
    manager.version = FUTURE
    complete_scenario(manager, discovery_text((1, 1), client_type="FluxCapacitor"))


def test_tc_spine_rts_003_only_the_guard_that_binds_is_listened_to():
    for a, b in ((1, 2), (2, 1)):
        manager = World().manager
        discovery = discovery_text((1, 4), (2, 9))
        server = ((a,), 4 if a == 1 else 9)
        complete_scenario(manager, discovery, use_cases_text(1, 2), a, server)
        # The other one's heartbeat does not count: without that of the first, failsafe follows.
        other = ((b,), 4 if b == 1 else 9)
        for _ in range(3):
            manager.world.pass_time(50)
            manager.heartbeat(other)
        assert manager.world.lpc.state_name() == "failsafe"
        assert heartbeat_servers(manager) == [server]


def test_tc_spine_rts_004_an_unknown_element_in_a_limit_write_is_ignored():
    manager = World().manager
    complete_scenario(manager)
    manager.version = FUTURE
    members = ',{"isLimitActive":true},{"mood":[{"good":true}]},{"value":[{"number":3000},'
    members += '{"scale":0},{"accuracy":5}]}'
    assert manager.write_limit(members) == 0
    limit = manager.read(LOAD_CONTROL, "loadControlLimitListData").entries("loadControlLimitData")
    assert limit[0]["value"] == [{"number": 3000}, {"scale": 0}]
    assert "mood" not in limit[0]


def test_tc_spine_rts_005_a_number_without_scale_keeps_the_stored_scale():
    manager = World().manager
    complete_scenario(manager)
    assert manager.write_limit(',{"value":[{"number":3500}]}') == 0
    limit = manager.read(LOAD_CONTROL, "loadControlLimitListData").entries("loadControlLimitData")
    assert limit[0]["value"] == [{"number": 3500}, {"scale": 0}]
    assert manager.world.lpc.cap_w() == 3500
    for number, scale, then, watts in ((42, 2, 50, 5000), (42000, -1, 43000, 4300)):
        value = ',{"value":[{"number":%d},{"scale":%d}]}' % (number, scale)
        assert manager.write_limit(value) == 0
        assert manager.write_limit(',{"value":[{"number":%d}]}' % then) == 0
        assert manager.world.lpc.cap_w() == watts
