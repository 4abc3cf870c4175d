"""MPC, EVSECC and the heartbeats, through SPINE datagrams."""

from spine_world import (
    CLIENT,
    DIAGNOSIS,
    DISCOVERY,
    ELECTRICAL,
    MEASUREMENT,
    NODE_MANAGEMENT,
    USE_CASES,
    World,
    discovery_text,
    flat,
    use_cases_text,
)

STATE = "deviceDiagnosisStateData"
BEAT = "deviceDiagnosisHeartbeatData"


def values(world):
    entries = world.manager.read(MEASUREMENT, "measurementListData").entries("measurementData")
    return {entry["measurementId"]: entry for entry in entries}


# --- MPC --------------------------------------------------------------------------------------


def test_every_measurement_has_description_parameter_and_value():
    for phases, expected in (
        (3, [1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 16]),
        (1, [1, 2, 5, 7, 10, 16]),
    ):
        world = World(phases=phases)
        manager = world.manager
        described = manager.read(MEASUREMENT, "measurementDescriptionListData").entries(
            "measurementDescriptionData"
        )
        parameters = manager.read(
            ELECTRICAL, "electricalConnectionParameterDescriptionListData"
        ).entries("electricalConnectionParameterDescriptionData")
        assert [d["measurementId"] for d in described] == expected
        assert [p["measurementId"] for p in parameters] == expected
        assert sorted(values(world)) == expected
        totals = [d for d in described if d["scopeType"] == "acPowerTotal"]
        assert len(totals) == 1
        assert parameters[0]["acMeasuredPhases"] == "abc"[:phases]


def scenarios_of_mpc(world):
    text = world.manager.read(NODE_MANAGEMENT, "nodeManagementUseCaseData").text
    _, found, rest = text.partition('"monitoringOfPowerConsumption"')
    return rest[rest.index("[") : rest.index("]") + 1] if found else None


def test_x_mpc_is_announced_for_what_the_meter_measures():
    world = World()
    assert scenarios_of_mpc(world) == "[1,2,3,4,5]"
    world.meter.frequency_mhz = None
    assert scenarios_of_mpc(world) == "[1,2,3,4]"
    assert 16 not in values(world)


def test_x_mpc_is_not_announced_without_a_meter_but_the_limit_keeps_its_power():
    world = World(has_meter=False)
    assert scenarios_of_mpc(world) is None
    described = world.manager.read(MEASUREMENT, "measurementDescriptionListData")
    assert described.entries("measurementDescriptionData")[0]["scopeType"] == "acPowerTotal"


def test_values_are_exact_integers_with_scale():
    world = World()
    found = values(world)
    assert flat(found[1]["value"]) == {"number": 4200, "scale": 0}
    assert flat(found[3]["value"]) == {"number": 1400, "scale": 0}
    assert flat(found[5]["value"]) == {"number": 1234, "scale": 0}
    assert flat(found[8]["value"]) == {"number": 6090, "scale": -3}
    assert flat(found[11]["value"]) == {"number": 230_000, "scale": -3}
    assert flat(found[16]["value"]) == {"number": 50_010, "scale": -3}
    assert found[1]["valueSource"] == "measuredValue"
    assert found[1]["valueState"] == "normal"
    assert "timestamp" not in found[1]


def test_a_failed_meter_is_reported_as_error_and_keeps_its_values():
    world = World()
    world.meter.state = 1
    assert values(world)[1]["valueState"] == "error"
    assert flat(values(world)[1]["value"])["number"] == 4200


def test_the_connection_is_described():
    entries = (
        World(phases=1)
        .manager.read(ELECTRICAL, "electricalConnectionDescriptionListData")
        .entries("electricalConnectionDescriptionData")
    )
    assert entries == [
        {
            "electricalConnectionId": 1,
            "powerSupplyType": "ac",
            "acConnectedPhases": 1,
            "positiveEnergyDirection": "consume",
        }
    ]


def test_subscribers_get_values_every_ten_seconds_and_steps_within_one():
    world = World()
    world.pass_time(1)
    assert world.manager.relate("Subscription", MEASUREMENT, "Measurement") == 0
    world.manager.take()
    world.pass_time(8.5, 100)
    assert world.manager.take() == []
    world.pass_time(2, 100)
    assert len(world.manager.take()) == 1
    world.meter.power_w = 0
    world.pass_time(1, 100)
    assert len(world.manager.take()) == 1
    world.meter.power_w = 50  # too small to be a step
    world.pass_time(2, 100)
    assert world.manager.take() == []


# --- EVSECC -----------------------------------------------------------------------------------


def test_x_evsecc_manufacturer_data_stands_on_the_device_and_on_the_station():
    manager = World().manager
    for feature in (((0,), 1), ((1,), 2)):
        answer = manager.read(feature, "deviceClassificationManufacturerData")
        assert flat(answer.data) == {"deviceName": "EVSE 22", "vendorName": "Acme"}


def test_x_evsecc_a_fault_becomes_failure_and_is_notified_once():
    world = World()
    manager = world.manager
    assert flat(manager.read(DIAGNOSIS, STATE).data) == {"operatingState": "normalOperation"}
    assert manager.relate("Subscription", DIAGNOSIS, "DeviceDiagnosis") == 0
    world.pass_time(1)
    manager.take()
    world.fault = "ContactorFault"
    for _ in range(3):
        world.station.evsecc.update()
        world.device.flush()
    told = [a for a in manager.take() if a.function == STATE]
    assert len(told) == 1
    assert flat(told[0].data) == {
        "operatingState": "failure",
        "lastErrorCode": "ContactorFault",
    }


# --- heartbeats -------------------------------------------------------------------------------


def test_our_heartbeat_starts_with_a_subscription_and_keeps_a_safe_period():
    world = World()
    manager = world.manager
    manager.take()
    world.pass_time(100)
    assert [a for a in manager.take() if a.function == BEAT] == []
    assert manager.relate("Subscription", DIAGNOSIS, "DeviceDiagnosis") == 0
    world.pass_time(0.1, 100)
    beats = [a for a in manager.take() if a.function == BEAT]
    assert len(beats) == 1
    times = []
    for _ in range(130):
        world.pass_time(1)
        for answer in manager.take():
            if answer.function == BEAT:
                times.append((world.now, flat(answer.data)["heartbeatCounter"]))
    assert len(times) == 5
    for i in range(1, 5):
        assert times[i][0] - times[i - 1][0] <= 30_000
        assert times[i][1] == times[i - 1][1] + 1
    assert flat(manager.read(DIAGNOSIS, BEAT).data)["heartbeatTimeout"] == "PT60S"


def introduce(manager, discovery, use_cases):
    """Play a guard's introduction by hand and return what the station asks afterwards."""
    asked = manager.take()[0]
    manager.peer.outbox = []
    frame = manager.send(
        "reply", NODE_MANAGEMENT, NODE_MANAGEMENT, discovery, ack=False, reference=asked.counter
    )
    read = next(a for a in frame if a.classifier == "read")
    answers = manager.send(
        "reply", NODE_MANAGEMENT, NODE_MANAGEMENT, use_cases, ack=False, reference=read.counter
    )
    manager.peer.outbox = []
    result = []
    for answer in answers:
        if answer.classifier == "call":
            request = flat(flat(answer.data)["subscriptionRequest"])
            server = flat(request["serverAddress"])
            result.append(("subscribe", (tuple(server["entity"]), server["feature"])))
        else:
            result.append((answer.function, answer.destination))
    return result


def test_the_guards_heartbeat_is_subscribed_and_read():
    manager = World().manager
    assert introduce(manager, DISCOVERY, USE_CASES) == [
        ("subscribe", ((1,), 1)),
        (BEAT, ((1,), 1)),
    ]


def test_with_two_guards_the_one_that_binds_is_listened_to():
    # TC_SPINE_RTS_003
    world = World()
    manager = world.manager
    assert introduce(manager, discovery_text((1, 1), (2, 9)), use_cases_text(1, 2)) == []
    assert len(manager.peer.remote.actors_of("limitationOfPowerConsumption")) == 2
    command = (
        '{"nodeManagementBindingRequestCall":[{"bindingRequest":[{"clientAddress":[{"entity":[2]},'
        '{"feature":3}]},{"serverAddress":[{"entity":[1]},{"feature":4}]},'
        '{"serverFeatureType":"LoadControl"}]}]}'
    )
    answers = manager.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, command)
    asked = [a for a in answers if a.classifier == "read"]
    assert [(a.function, a.destination) for a in asked] == [(BEAT, ((2,), 9))]
    beat = '{"deviceDiagnosisHeartbeatData":[{"heartbeatCounter":1},{"heartbeatTimeout":"PT4S"}]}'
    manager.send("notify", ((1,), 1), ((1,), 1), beat, ack=False)
    assert world.lpc.limit._heartbeat is None
    manager.send("notify", ((2,), 9), ((1,), 1), beat, ack=False)
    assert world.lpc.limit._heartbeat == world.now


def test_a_guard_that_never_announced_itself_is_found_by_its_binding():
    world = World()
    manager = world.manager
    nothing = '{"nodeManagementUseCaseData":[]}'
    assert introduce(manager, DISCOVERY, nothing) == []
    command = (
        '{"nodeManagementBindingRequestCall":[{"bindingRequest":[{"clientAddress":[{"entity":[1]},'
        '{"feature":2}]},{"serverAddress":[{"entity":[1]},{"feature":4}]}]}]}'
    )
    answers = manager.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, command)
    assert [a.destination for a in answers if a.classifier == "read"] == [((1,), 1)]


def test_a_heartbeat_read_is_proof_of_life_too():
    world = World()
    manager = world.manager
    manager.introduce()
    manager.peer.read(world.now, ((1,), 1), ((1,), 1), BEAT)
    read = next(a for a in manager.take() if a.function == BEAT)
    beat = '{"deviceDiagnosisHeartbeatData":[{"heartbeatCounter":1}]}'
    manager.send("reply", ((1,), 1), ((1,), 1), beat, ack=False, reference=read.counter)
    assert world.lpc.limit._heartbeat == world.now


def test_a_manager_that_is_no_guard_is_left_alone():
    monitor = use_cases_text(1, actor="MonitoringAppliance")
    assert introduce(World().manager, DISCOVERY, monitor) == []


def test_odd_heartbeats_are_swallowed():
    world = World()
    manager = world.manager
    manager.introduce()
    for data in ("[]", "7", '[{"heartbeatCounter":"x"}]'):
        text = '{"deviceDiagnosisHeartbeatData":%s}' % data
        assert manager.send("notify", CLIENT, ((1,), 1), text, ack=False) == []
