"""LPP beside LPC on a station that can feed in: signs, shared features, one failsafe duration."""

from spine_world import (
    CLIENT,
    CONFIGURATION,
    ELECTRICAL,
    HEMS,
    LOAD_CONTROL,
    MEASUREMENT,
    FeedInDescription,
    World,
    flat,
)

from usecases.power_limit import FAILSAFE, INIT, LIMITED, UNLIMITED_CONTROLLED

PARTIAL = '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
LPC = "limitationOfPowerConsumption"
LPP = "limitationOfPowerProduction"


def announcement(*names):
    entry = (
        '[{"address":[{"device":"%s"},{"entity":[1]}]},{"actor":"EnergyGuard"},'
        '{"useCaseSupport":[[{"useCaseName":"%s"},{"scenarioSupport":[1,2,3,4]}]]}]'
    )
    text = ",".join([entry % (HEMS, name) for name in names])
    return '{"nodeManagementUseCaseData":[{"useCaseInformation":[%s]}]}' % text


def guarded(*names):
    world = World(description=FeedInDescription)
    world.manager.introduce(use_cases=announcement(*(names or (LPC, LPP))))
    for feature, name in ((LOAD_CONTROL, "LoadControl"), (CONFIGURATION, "DeviceConfiguration")):
        assert world.manager.relate("Subscription", feature, name) == 0
        assert world.manager.relate("Binding", feature, name) == 0
    return world


def write(world, *entries):
    """Write (limitId, active, watts) each; returns the error number."""
    rows = [
        '[{"limitId":%d},{"isLimitActive":%s},{"value":[{"number":%d},{"scale":0}]}]'
        % (number, "true" if active else "false", watts)
        for number, active, watts in entries
    ]
    command = (
        '{"function":"loadControlLimitListData"},%s{"loadControlLimitListData":'
        '[{"loadControlLimitData":[%s]}]}' % (PARTIAL, ",".join(rows))
    )
    return world.manager.send("write", CLIENT, LOAD_CONTROL, command)[0].error


def write_key(world, text):
    command = (
        '{"function":"deviceConfigurationKeyValueListData"},%s'
        '{"deviceConfigurationKeyValueListData":[{"deviceConfigurationKeyValueData":[%s]}]}'
    ) % (PARTIAL, text)
    return world.manager.send("write", CLIENT, CONFIGURATION, command)[0].error


def keys(world):
    answer = world.manager.read(CONFIGURATION, "deviceConfigurationKeyValueListData")
    return {e["keyId"]: e["value"] for e in answer.entries("deviceConfigurationKeyValueData")}


def test_a_station_that_cannot_feed_in_has_nothing_of_it():
    world = World()
    assert world.lpp is None
    text = world.manager.read(((0,), 0), "nodeManagementUseCaseData").text
    assert LPP not in text
    world.manager.commission()
    text = world.manager.read(CONFIGURATION, "deviceConfigurationKeyValueDescriptionListData").text
    assert "Production" not in text


def test_both_limits_stand_in_one_feature():
    world = guarded()
    manager = world.manager
    described = manager.read(LOAD_CONTROL, "loadControlLimitDescriptionListData").entries(
        "loadControlLimitDescriptionData"
    )
    assert [(d["limitId"], d["limitDirection"]) for d in described] == [
        (1, "consume"),
        (2, "produce"),
    ]
    names = manager.read(CONFIGURATION, "deviceConfigurationKeyValueDescriptionListData").entries(
        "deviceConfigurationKeyValueDescriptionData"
    )
    assert [(n["keyId"], n["keyName"]) for n in names] == [
        (1, "failsafeConsumptionActivePowerLimit"),
        (2, "failsafeDurationMinimum"),
        (3, "failsafeProductionActivePowerLimit"),
    ]
    nominal = manager.read(ELECTRICAL, "electricalConnectionCharacteristicListData").entries(
        "electricalConnectionCharacteristicData"
    )
    assert [(n["characteristicType"], flat(n["value"])["number"]) for n in nominal] == [
        ("powerConsumptionNominalMax", 11_000),
        ("powerProductionNominalMax", 10_000),
    ]


def test_production_is_negative_on_the_wire_and_a_magnitude_inside():
    world = guarded()
    world.manager.heartbeat()
    assert write(world, (2, True, -3000)) == 0
    assert (world.lpp.limit.state, world.lpp.cap_w()) == (LIMITED, 3_000)
    assert (world.lpc.limit.state, world.lpc.cap_w()) == (INIT, 4_200)
    assert write(world, (2, True, 3000)) == 7
    assert world.lpp.cap_w() == 3_000
    assert write(world, (2, True, 0)) == 0
    assert world.lpp.cap_w() == 0
    entries = world.manager.read(LOAD_CONTROL, "loadControlLimitListData").entries(
        "loadControlLimitData"
    )
    assert flat(entries[1]["value"])["number"] == 0
    assert flat(entries[0]["value"])["number"] == 11_000


def test_fractions_of_a_production_limit_are_rounded_to_less():
    world = guarded()
    world.manager.heartbeat()
    command = (
        '{"function":"loadControlLimitListData"},%s{"loadControlLimitListData":'
        '[{"loadControlLimitData":[[{"limitId":2},{"isLimitActive":true},'
        '{"value":[{"number":-29999},{"scale":-1}]}]]}]}' % PARTIAL
    )
    assert world.manager.send("write", CLIENT, LOAD_CONTROL, command)[0].error == 0
    assert world.lpp.cap_w() == 2_999


def test_a_write_of_both_limits_is_atomic():
    world = guarded()
    world.manager.heartbeat()
    assert write(world, (1, False, 11_000), (2, False, -10_000)) == 0
    assert write(world, (1, True, 5_000), (2, True, 100)) == 7
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED
    assert write(world, (1, True, 5_000), (2, True, -100)) == 0
    assert (world.lpc.cap_w(), world.lpp.cap_w()) == (5_000, 100)


def test_the_failsafe_duration_is_one_value_and_either_machine_opens_it():
    world = guarded()
    world.manager.heartbeat()
    duration = '[{"keyId":2},{"value":[{"duration":"PT3H"}]}]'
    assert write_key(world, duration) == 7
    assert write(world, (2, False, -10_000)) == 0  # only production is controlled
    assert write_key(world, duration) == 0
    assert world.lpc.limit.failsafe_duration_s == world.lpp.limit.failsafe_duration_s == 10_800
    power = '[{"keyId":3},{"value":[{"scaledNumber":[{"number":%d},{"scale":0}]}]}]'
    assert write_key(world, power % -1) == 7
    assert write_key(world, power % 1500) == 0
    consumption = '[{"keyId":1},{"value":[{"scaledNumber":[{"number":5000},{"scale":0}]}]}]'
    assert write_key(world, consumption) == 7  # consumption is not controlled
    assert keys(world) == {
        1: [{"scaledNumber": [{"number": 4200}, {"scale": 0}]}],
        2: [{"duration": "PT10800S"}],
        3: [{"scaledNumber": [{"number": 1500}, {"scale": 0}]}],
    }
    again = World(settings=world.settings, description=FeedInDescription)
    assert again.lpp.cap_w() == 1_500
    assert again.lpp.limit.failsafe_duration_s == 10_800


def test_silence_leads_both_to_their_own_failsafe():
    world = guarded()
    world.manager.heartbeat()
    assert write(world, (1, False, 11_000), (2, True, -5_000)) == 0
    world.pass_time(121)
    assert (world.lpc.limit.state, world.lpp.limit.state) == (FAILSAFE, FAILSAFE)
    assert (world.lpc.cap_w(), world.lpp.cap_w()) == (4_200, 0)


def test_a_guard_for_one_direction_does_not_cap_the_other():
    world = guarded(LPP)
    assert (world.lpc.cap_w(), world.lpp.cap_w()) == (None, 0)
    world = guarded(LPC)
    assert (world.lpc.cap_w(), world.lpp.cap_w()) == (4_200, None)


def test_exported_energy_is_measured_where_power_can_flow_back():
    world = guarded()
    world.meter.produced_wh = 77
    world.meter.power_w = -3_000
    values = world.manager.read(MEASUREMENT, "measurementListData").entries("measurementData")
    found = {v["measurementId"]: flat(v["value"])["number"] for v in values}
    assert (found[1], found[5], found[6]) == (-3_000, 1234, 77)
