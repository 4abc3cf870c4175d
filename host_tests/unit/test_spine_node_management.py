"""Discovery, use cases, bindings, subscriptions and the destination list."""

import json

from spine_world import (
    CLIENT,
    CONFIGURATION,
    DIAGNOSIS,
    DISCOVERY,
    EVSE,
    HEMS,
    LOAD_CONTROL,
    NODE_MANAGEMENT,
    SERVER,
    Manager,
    World,
    discovery_text,
    flat,
    use_cases_text,
)

from spine.relations import MAX_PER_PEER


def station():
    world = World()
    world.manager.take()
    return world, world.manager


def read(manager, function):
    return manager.send("read", NODE_MANAGEMENT, NODE_MANAGEMENT, '{"%s":[]}' % function)[0]


def delete(manager, kind, client="", server="", number=""):
    command = '{"nodeManagement%sDeleteCall":[{"%sDelete":[%s]}]}' % (
        kind,
        kind.lower(),
        ",".join(
            [part for part in (number, client, server) if part],
        ),
    )
    return manager.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, command)[0].error


def client_address(feature='{"feature":2}', device='{"device":"%s"},' % HEMS):
    return '{"clientAddress":[%s{"entity":[1]},%s]}' % (device, feature)


def server_address(feature=4):
    return '{"serverAddress":[{"device":"%s"},{"entity":[1]},{"feature":%d}]}' % (EVSE, feature)


def bindings(manager):
    return read(manager, "nodeManagementBindingData").entries("bindingEntry")


# --- our structure ----------------------------------------------------------------------------


def test_detailed_discovery_lists_device_entities_features_and_functions():
    _, manager = station()
    answer = read(manager, "nodeManagementDetailedDiscoveryData")
    data = flat(answer.data)
    assert data["specificationVersionList"] == [{"specificationVersion": ["1.3.0"]}]
    device = flat(flat(data["deviceInformation"])["description"])
    assert flat(device["deviceAddress"]) == {"device": EVSE}
    assert device["deviceType"] == "ChargingStation"
    entities = [flat(flat(e)["description"]) for e in data["entityInformation"]]
    assert [(flat(e["entityAddress"])["entity"], e["entityType"]) for e in entities] == [
        ([0], "DeviceInformation"),
        ([1], "EVSE"),
    ]
    features = [flat(flat(f)["description"]) for f in data["featureInformation"]]
    load_control = next(f for f in features if f["featureType"] == "LoadControl")
    assert load_control["featureAddress"] == [{"entity": [1]}, {"feature": 4}]
    assert load_control["role"] == "server"
    limits = [flat(f) for f in load_control["supportedFunction"]][1]
    assert limits["function"] == "loadControlLimitListData"
    assert limits["possibleOperations"] == [
        {"read": [{"partial": []}]},
        {"write": [{"partial": []}]},
    ]
    clients = [f for f in features if f["role"] == "client"]
    assert clients and "supportedFunction" not in clients[0]
    # one server feature of each type on an entity: some managers insist on it
    servers = [
        (json.dumps(f["featureAddress"][0]), f["featureType"])
        for f in features
        if f["role"] == "server"
    ]
    assert len(servers) == len(set(servers))


def test_node_management_announces_its_calls_without_operations():
    _, manager = station()
    data = flat(read(manager, "nodeManagementDetailedDiscoveryData").data)
    first = flat(flat(data["featureInformation"][0])["description"])
    functions = [flat(f) for f in first["supportedFunction"]]
    calls = [f for f in functions if f["function"].endswith("Call")]
    assert len(calls) == 4
    for call in calls:
        assert call["possibleOperations"] == []


def test_use_cases_are_grouped_by_entity_and_actor():
    _, manager = station()
    answer = read(manager, "nodeManagementUseCaseData")
    found = [
        (
            e["actor"],
            flat(e["address"])["entity"],
            [flat(s)["useCaseName"] for s in e["useCaseSupport"]],
        )
        for e in answer.entries("useCaseInformation")
    ]
    assert found == [
        ("ControllableSystem", [1], ["limitationOfPowerConsumption"]),
        ("MonitoredUnit", [1], ["monitoringOfPowerConsumption"]),
        ("EVSE", [1], ["evseCommissioningAndConfiguration"]),
    ]
    support = flat(answer.entries("useCaseInformation")[0]["useCaseSupport"][0])
    assert support == {
        "useCaseName": "limitationOfPowerConsumption",
        "useCaseVersion": "1.0.0",
        "useCaseAvailable": True,
        "scenarioSupport": [1, 2, 3, 4],
        "useCaseDocumentSubRevision": "release",
    }


def test_the_destination_list_names_the_device_itself():
    _, manager = station()
    entries = read(manager, "nodeManagementDestinationListData").entries(
        "nodeManagementDestinationData"
    )
    description = flat(entries[0]["deviceDescription"])
    assert flat(description["deviceAddress"]) == {"device": EVSE}


# --- bindings and subscriptions ---------------------------------------------------------------


def test_a_binding_is_listed_for_its_partner_and_asking_again_is_success():
    world, manager = station()
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    entries = bindings(manager)
    assert len(entries) == 1
    assert flat(entries[0]["clientAddress"]) == {"device": HEMS, "entity": [1], "feature": 2}
    assert flat(entries[0]["serverAddress"]) == {"device": EVSE, "entity": [1], "feature": 4}
    other = Manager(world, "d:_i:1_other")
    assert bindings(other) == []


def test_binding_requests_that_cannot_be_granted():
    _, manager = station()
    assert manager.relate("Binding", NODE_MANAGEMENT, "NodeManagement") == 7
    assert manager.relate("Binding", ((1,), 1), "DeviceDiagnosis") == 7  # our client feature
    assert manager.relate("Binding", ((1,), 99), "LoadControl") == 4
    assert manager.relate("Binding", LOAD_CONTROL, "Measurement") == 7
    assert bindings(manager) == []


def test_a_client_address_of_a_third_device_is_refused():
    _, manager = station()
    manager.take()
    command = '{"nodeManagementBindingRequestCall":[{"bindingRequest":[%s,%s]}]}'
    foreign = client_address(device='{"device":"d:_i:9_thief"},')
    answers = manager.send(
        "call", NODE_MANAGEMENT, NODE_MANAGEMENT, command % (foreign, server_address())
    )
    assert answers[0].error == 7
    absent = client_address(device="")
    answers = manager.send(
        "call", NODE_MANAGEMENT, NODE_MANAGEMENT, command % (absent, server_address())
    )
    assert answers[0].error == 0


def test_a_second_energy_manager_cannot_bind_but_subscribe():
    world, first = station()
    second = Manager(world, "d:_i:1_second")
    assert first.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    assert second.relate("Binding", LOAD_CONTROL, "LoadControl") == 7
    assert second.relate("Binding", CONFIGURATION, "DeviceConfiguration") == 7
    assert second.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
    first.close()
    assert second.relate("Binding", LOAD_CONTROL, "LoadControl") == 0


def test_bindings_end_with_the_connection():
    world, manager = station()
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    manager.close()
    assert list(world.device.bindings) == []
    again = Manager(world)
    assert bindings(again) == []


def test_deleting_by_address_by_number_and_below_an_entity():
    _, manager = station()
    for server in (LOAD_CONTROL, CONFIGURATION):
        name = "LoadControl" if server is LOAD_CONTROL else "DeviceConfiguration"
        assert manager.relate("Binding", server, name) == 0
    assert delete(manager, "Binding", client_address(), server_address(4)) == 0
    assert [flat(e["serverAddress"])["feature"] for e in bindings(manager)] == [5]
    assert delete(manager, "Binding", client_address(), server_address(4)) == 0  # twice is fine
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    number = bindings(manager)[1]["bindingId"]
    assert delete(manager, "Binding", number='{"bindingId":%d}' % number) == 0
    assert len(bindings(manager)) == 1
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    below = '{"serverAddress":[{"device":"%s"},{"entity":[1]}]}' % EVSE
    assert delete(manager, "Binding", server=below) == 0
    assert bindings(manager) == []


def test_deleting_with_missing_foreign_and_exchanged_devices():
    _, manager = station()
    assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
    third = client_address(device='{"device":"d:_n:third"},')
    swapped = client_address(device='{"device":"%s"},' % EVSE)
    theirs = server_address(4).replace(EVSE, HEMS)
    # A third device, ourselves as the client, the partner as the server: not in our table.
    for client, server in (
        (third, server_address(4)),
        (swapped, server_address(4)),
        (client_address(), theirs),
        (client_address(), server_address(4).replace(EVSE, "d:_n:third")),
    ):
        assert delete(manager, "Binding", client, server) == 0
        assert len(bindings(manager)) == 1
    # Missing parts: the client is the sender, the server we; without feature all of an entity.
    without = server_address(4).replace('{"device":"%s"},' % EVSE, "")
    assert delete(manager, "Binding", client_address(device=""), without) == 0
    assert bindings(manager) == []
    for client, server in (
        ('{"clientAddress":[{"device":"%s"},{"entity":[1]}]}' % HEMS, ""),
        (
            '{"clientAddress":[{"device":"%s"}]}' % HEMS,
            '{"serverAddress":[{"device":"%s"}]}' % EVSE,
        ),
        ("", ""),
    ):
        assert manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
        assert manager.relate("Binding", CONFIGURATION, "DeviceConfiguration") == 0
        assert delete(manager, "Binding", client, server) == 0
        assert bindings(manager) == []


def test_a_deleted_binding_no_longer_permits_writes():
    # TC_SPINE_BIND_002
    _, manager = station()
    manager.commission()
    manager.heartbeat()
    assert delete(manager, "Binding", client_address(), server_address(4)) == 0
    assert manager.write_limit(',{"isLimitActive":false}') == 9
    assert [flat(e["serverAddress"])["feature"] for e in bindings(manager)] == [5]


def test_deleting_never_touches_relations_of_another_partner():
    world, first = station()
    second = Manager(world, "d:_i:1_second")
    assert first.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
    assert second.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
    assert delete(second, "Subscription") == 0
    assert [entry.peer for entry in world.device.subscriptions] == [first.peer]


def test_node_management_can_be_subscribed_and_unsubscribed():
    _, manager = station()
    assert manager.relate("Subscription", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT) == 0
    entries = read(manager, "nodeManagementSubscriptionData").entries("subscriptionEntry")
    assert len(entries) == 1
    node = '{"clientAddress":[{"device":"%s"},{"entity":[0]},{"feature":0}]}' % HEMS
    assert delete(manager, "Subscription", node) == 0
    answer = read(manager, "nodeManagementSubscriptionData")
    assert answer.data == []


def test_the_number_of_relations_is_bounded():
    _, manager = station()
    for number in range(MAX_PER_PEER):
        client = ((1,), 100 + number)
        assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl", client) == 0
    assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl", ((1,), 99)) == 3


def test_calls_to_other_features_and_malformed_calls_are_refused():
    _, manager = station()
    call = '{"nodeManagementSubscriptionRequestCall":[%s]}'
    assert manager.send("call", NODE_MANAGEMENT, ((1,), 0), call % "")[0].error == 4  # FC_001
    assert manager.send("call", NODE_MANAGEMENT, DIAGNOSIS, call % "")[0].error == 6
    assert manager.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, call % "")[0].error == 1
    empty = call % '{"subscriptionRequest":[]}'
    assert manager.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, empty)[0].error == 4


# --- the partner's structure ------------------------------------------------------------------


def test_subscription_and_use_case_read_follow_the_discovery_at_once():
    manager = World().manager
    manager.introduce()
    remote = manager.peer.remote
    assert remote.entities == {(0,): "DeviceInformation", (1,): "CEM"}
    assert remote.servers("DeviceDiagnosis") == [SERVER]
    assert remote.actors_of("limitationOfPowerConsumption") == [((1,), "EnergyGuard")]


def notify(manager, entities, features=""):
    command = (
        '{"function":"nodeManagementDetailedDiscoveryData"},{"filter":[[{"cmdControl":'
        '[{"partial":[]}]}]]},{"nodeManagementDetailedDiscoveryData":[{"deviceInformation":'
        '[{"description":[{"deviceAddress":[{"device":"%s"}]}]}]},{"entityInformation":[%s]}%s]}'
    )
    return manager.send(
        "notify", NODE_MANAGEMENT, NODE_MANAGEMENT, command % (HEMS, entities, features), ack=False
    )


def test_entities_of_the_partner_come_and_go():
    world = World()
    manager = world.manager
    manager.introduce()
    added = (
        '[{"description":[{"entityAddress":[{"entity":[2]}]},{"entityType":"GridGuard"},'
        '{"lastStateChange":"added"}]}]'
    )
    feature = (
        ',{"featureInformation":[[{"description":[{"featureAddress":[{"entity":[2]},'
        '{"feature":5}]},{"featureType":"DeviceDiagnosis"},{"role":"server"}]}]]}'
    )
    notify(manager, added, feature)
    assert manager.peer.remote.servers("DeviceDiagnosis") == [SERVER, ((2,), 5)]
    assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl", ((2,), 7)) == 0
    removed = (
        '[{"description":[{"entityAddress":[{"entity":[2]}]},{"lastStateChange":"removed"}]}]'
    )
    notify(manager, removed)
    assert manager.peer.remote.servers("DeviceDiagnosis") == [SERVER]
    assert list(world.device.subscriptions) == []


def test_features_of_the_partner_come_and_go():
    # lastStateChange "modified" of an entity, with the features that changed (TS 7.1.5)
    world = World()
    manager = world.manager
    manager.introduce()
    assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
    assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl", ((1,), 9)) == 0
    modified = (
        '[{"description":[{"entityAddress":[{"entity":[1]}]},{"lastStateChange":"modified"}]}]'
    )
    feature = (
        '[{"description":[{"featureAddress":[{"entity":[1]},{"feature":%d}]}%s,'
        '{"lastStateChange":"%s"}]}]'
    )
    diagnosis = ',{"featureType":"DeviceDiagnosis"},{"role":"server"},{"maxResponseDelay":"PT20S"}'
    features = ',{"featureInformation":[%s]}' % ",".join(
        [
            feature % (1, "", "removed"),
            feature % (9, "", "removed"),
            feature % (7, diagnosis, "added"),
        ]
    )
    notify(manager, modified, features)
    assert manager.peer.remote.servers("DeviceDiagnosis") == [((1,), 7)]
    assert manager.peer.remote.delays == {((1,), 7): 20_000}
    assert [entry.client_feature for entry in world.device.subscriptions] == [CLIENT[1]]
    assert manager.peer.remote.entities[(1,)] == "CEM"


def test_an_entity_that_is_added_again_has_new_features():
    world = World()
    manager = world.manager
    manager.introduce()
    added = (
        '[{"description":[{"entityAddress":[{"entity":[1]}]},{"entityType":"GridGuard"},'
        '{"lastStateChange":"added"}]}]'
    )
    notify(manager, added)
    assert manager.peer.remote.entities[(1,)] == "GridGuard"
    assert manager.peer.remote.servers("DeviceDiagnosis") == []


def test_a_complete_notify_is_compared_with_what_was_known():
    world = World()
    manager = world.manager
    manager.introduce(discovery_text((1, 1), (2, 5)))
    for number in (1, 2):
        assert manager.relate("Subscription", LOAD_CONTROL, "LoadControl", ((number,), 2)) == 0
    manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, discovery_text((2, 6)))
    assert sorted(manager.peer.remote.entities) == [(0,), (2,)]
    assert manager.peer.remote.servers("DeviceDiagnosis") == [((2,), 6)]
    assert [entry.client_entity for entry in world.device.subscriptions] == [(2,)]
    # The use cases stay: they are told on their own.
    assert manager.peer.remote.actors_of("limitationOfPowerConsumption") == [((1,), "EnergyGuard")]


def test_discovery_data_that_breaks_off_changes_nothing():
    world = World()
    manager = world.manager
    manager.introduce()
    before = dict(manager.peer.remote.entities)
    broken = discovery_text((2, 6), (3, 6), (4, 6), (5, 6)).replace(
        '"role":"client"', '"role":client'
    )
    manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, broken)
    assert manager.peer.remote.entities == before
    assert manager.peer.remote.servers("DeviceDiagnosis") == [SERVER]


def test_a_first_reply_that_calls_itself_partial_is_all_there_is():
    manager = World().manager
    partial = (
        '{"function":"nodeManagementDetailedDiscoveryData"},'
        '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    )
    manager.introduce(partial + DISCOVERY)
    assert manager.peer.remote.servers("DeviceDiagnosis") == [SERVER]
    assert len(manager.peer.remote.use_cases) == 1


def test_a_delete_filter_in_node_management_data_makes_us_read_it_again():
    manager = World().manager
    manager.introduce()
    for function in ("nodeManagementDetailedDiscoveryData", "nodeManagementUseCaseData"):
        command = '{"function":"%s"},{"filter":[[{"cmdControl":[{"delete":[]}]}]]},{"%s":[]}' % (
            function,
            function,
        )
        answers = manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, command, ack=False)
        assert [(a.classifier, a.function) for a in answers] == [("read", function)]
        # Not so for a reply, which could go on for ever.
        assert manager.send("reply", NODE_MANAGEMENT, NODE_MANAGEMENT, command, ack=False) == []


def test_use_cases_of_a_client_actor_become_unavailable_and_available():
    manager = World().manager
    manager.introduce()
    remote = manager.peer.remote
    assert len(remote.actors_of("limitationOfPowerConsumption")) == 1
    partial = (
        '{"function":"nodeManagementUseCaseData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    )
    for state, count in (("false", 0), ("true", 1)):
        text = use_cases_text(1).replace(
            '"useCaseAvailable":true', '"useCaseAvailable":%s' % state
        )
        for prefix in (partial, ""):
            manager.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, prefix + text)
            remote = manager.peer.remote
            assert len(remote.actors_of("limitationOfPowerConsumption")) == count
    # A partial notify touches its own (address, actor) only.
    manager.send(
        "notify", NODE_MANAGEMENT, NODE_MANAGEMENT, partial + use_cases_text(2, actor="CEM")
    )
    assert len(manager.peer.remote.actors_of("limitationOfPowerConsumption")) == 2


def test_the_device_address_of_the_discovery_outranks_that_of_the_header():
    world = World()
    manager = world.manager
    asked = manager.take()[0]
    manager.address = "d:_i:1_header"
    answers = manager.send(
        "reply", NODE_MANAGEMENT, NODE_MANAGEMENT, DISCOVERY, ack=False, reference=asked.counter
    )
    assert manager.peer.address == HEMS
    assert '{"addressDestination":[{"device":"%s"}' % HEMS in answers[0].text


# --- our entities come and go -----------------------------------------------------------------


def test_plugging_in_adds_the_ev_entity_and_unplugging_removes_it():
    world, manager = station()
    assert manager.relate("Subscription", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT) == 0
    world.station.ev_connected(True)
    world.device.flush()
    added, use_cases = manager.take()
    assert added.command["filter"] == [[{"cmdControl": [{"partial": []}]}]]
    data = flat(added.data)
    entity = flat(flat(data["entityInformation"][0])["description"])
    assert entity == {
        "entityAddress": [{"entity": [1, 1]}],
        "entityType": "EV",
        "lastStateChange": "added",
    }
    assert len(data["entityInformation"]) == 1
    assert flat(flat(data["featureInformation"][0])["description"])["role"] == "server"
    assert use_cases.function == "nodeManagementUseCaseData"
    state = '{"deviceDiagnosisStateData":[]}'
    answer = manager.send("read", CLIENT, ((1, 1), 2), state)[0]
    assert answer.data == [{"operatingState": "normalOperation"}]
    assert manager.relate("Subscription", ((1, 1), 2), "DeviceDiagnosis") == 0
    world.station.ev_connected(True)  # nothing new
    world.device.flush()
    assert manager.take() == []
    world.station.ev_connected(False)
    world.device.flush()
    removed = manager.take()[0]
    entity = flat(flat(flat(removed.data)["entityInformation"][0])["description"])
    assert entity == {"entityAddress": [{"entity": [1, 1]}], "lastStateChange": "removed"}
    assert "featureInformation" not in flat(removed.data)
    assert manager.send("read", CLIENT, ((1, 1), 2), state)[0].error == 4
    assert len(list(world.device.subscriptions)) == 1
