"""The EV entity: EVCC and EVCEM, through SPINE datagrams in virtual time."""

from ev_world import (
    CLASSIFICATION,
    CONFIGURATION,
    ELECTRICAL,
    EV,
    IDENTIFICATION,
    MEASUREMENT,
    STATE,
    EvWorld,
    plain,
)
from spine_world import NODE_MANAGEMENT, flat

VALUES = "measurementListData"
KEYS = "deviceConfigurationKeyValueListData"
PERMITTED = "electricalConnectionPermittedValueSetListData"
PARAMETERS = "electricalConnectionParameterDescriptionListData"


class Told:
    """Stands for evse.car.Told: an ISO 15118 car."""

    def __init__(self):
        self.standard = "iso15118-2ed2"
        self.is_asymmetric = False
        self.identification = None
        self.manufacturer = None
        self.is_finished = False
        self.soc_permille = self.soh_permille = self.capacity_wh = self.range_m = None
        self.min_wh = self.wanted_wh = self.max_wh = self.departure_s = None


def announced(world):
    """(actor, useCaseName) -> scenarios as the manager reads them."""
    answer = world.manager.read(NODE_MANAGEMENT, "nodeManagementUseCaseData")
    found = {}
    for entry in answer.entries("useCaseInformation"):
        for support in entry["useCaseSupport"]:
            support = flat(support)
            found[entry["actor"], support["useCaseName"]] = support["scenarioSupport"]
    return found


def test_x_evcc_the_ev_entity_has_the_recommended_features_and_numbers():
    world = EvWorld(plugged=False)
    world.plug()
    added = next(a for a in world.manager.take() if a.function.endswith("DiscoveryData"))
    features = [flat(flat(f)["description"]) for f in flat(added.data)["featureInformation"]]
    found = {flat(f["featureAddress"])["feature"]: (f["featureType"], f["role"]) for f in features}
    assert found == {
        2: ("DeviceDiagnosis", "server"),
        3: ("DeviceConfiguration", "server"),
        4: ("ElectricalConnection", "server"),
        5: ("Measurement", "server"),
        6: ("LoadControl", "server"),
        10: ("DeviceDiagnosis", "client"),
    }
    for feature in features:
        assert flat(feature["featureAddress"])["entity"] == [1, 1]


def test_x_evcc_use_cases_are_announced_with_the_car_and_go_with_it():
    world = EvWorld(plugged=False)
    assert not [key for key in announced(world) if key[0] == "EV"]
    world.plug()
    assert {key[1]: value for key, value in announced(world).items() if key[0] == "EV"} == {
        "evCommissioningAndConfiguration": [1, 2, 3, 6, 7, 8],
        "measurementOfElectricityDuringEvCharging": [1, 2, 3],
        "overloadProtectionByEvChargingCurrentCurtailment": [1, 2, 3],
        "optimizationOfSelfConsumptionDuringEvCharging": [1, 2, 3],
    }
    world.unplug()
    assert not [key for key in announced(world) if key[0] == "EV"]
    assert len(world.device.use_cases) == 5


def test_x_evcc_twenty_cars_leave_nothing_behind():
    world = EvWorld(plugged=False)
    relations = len(list(world.device.subscriptions))
    for _ in range(20):
        world.plug()
        world.bind()
        assert world.limit_all(80) == 0
        world.pass_time(3)
        assert world.allowed()[0] == (8000, 8000, 8000)
        world.unplug()
        world.manager.take()
    assert len(list(world.device.subscriptions)) == relations
    assert not list(world.device.bindings)
    world.plug()
    assert world.ev.opev.limits_ma() is None  # limits are those of a session


def test_x_evcc_standard_and_asymmetry_of_a_pilot_only_car():
    world = EvWorld()
    keys = world.manager.read(CONFIGURATION, "deviceConfigurationKeyValueDescriptionListData")
    described = keys.entries("deviceConfigurationKeyValueDescriptionData")
    assert [(d["keyId"], d["keyName"], d["valueType"]) for d in described] == [
        (1, "communicationsStandard", "string"),
        (2, "asymmetricChargingSupported", "boolean"),
    ]
    values = world.manager.read(CONFIGURATION, KEYS).entries("deviceConfigurationKeyValueData")
    assert values == [
        {"keyId": 1, "value": [{"string": "iec61851"}], "isValueChangeable": False},
        {"keyId": 2, "value": [{"boolean": False}], "isValueChangeable": False},
    ]


def test_x_evcc_state_is_normal_until_the_car_sleeps():
    world = EvWorld()
    assert world.manager.read(STATE, "deviceDiagnosisStateData").data == [
        {"operatingState": "normalOperation"}
    ]
    assert world.manager.relate("Subscription", STATE, "DeviceDiagnosis") == 0
    world.manager.take()
    world.car.operating = "standby"
    world.pass_time(1)
    told = [a for a in world.manager.take() if a.function == "deviceDiagnosisStateData"]
    assert [a.data for a in told] == [[{"operatingState": "standby"}]]


def test_x_evcc_permitted_values_follow_cable_and_phases():
    world = EvWorld()

    def sets():
        answer = world.manager.read(ELECTRICAL, PERMITTED)
        found = {}
        for entry in answer.entries("electricalConnectionPermittedValueSetData"):
            (only,) = entry["permittedValueSet"]
            ((value,), (span,)) = flat(only)["value"], flat(only)["range"]
            numbers = [flat(n)["number"] for n in (value, flat(span)["min"], flat(span)["max"])]
            found[entry["parameterId"]] = numbers
        return found

    assert sets() == {1: [0, 6, 16], 2: [0, 6, 16], 3: [0, 6, 16], 8: [0, 4140, 11040]}
    assert world.manager.relate("Subscription", ELECTRICAL, "ElectricalConnection") == 0
    world.manager.take()
    world.car.limit_ma = 13_000
    world.car.in_use = 1
    world.pass_time(1)
    names = [a.function for a in world.manager.take() if a.classifier == "notify"]
    assert PERMITTED in names and "electricalConnectionDescriptionListData" in names
    assert sets() == {1: [0, 6, 13], 2: [0, 6, 13], 3: [0, 6, 13], 8: [0, 1380, 2990]}


def test_x_evcc_a_one_phase_station_describes_one_phase():
    world = EvWorld(phases=1)
    parameters = world.manager.read(ELECTRICAL, PARAMETERS).entries(
        "electricalConnectionParameterDescriptionData"
    )
    assert [(p["parameterId"], p["acMeasuredPhases"]) for p in parameters] == [
        (1, "a"),
        (4, "a"),
        (7, "a"),
        (8, "a"),
    ]
    limits = world.manager.read(((1, 1), 6), "loadControlLimitDescriptionListData").entries(
        "loadControlLimitDescriptionData"
    )
    assert [d["limitId"] for d in limits] == [1, 11]


# --- what only ISO 15118 knows ----------------------------------------------------------------


def test_x_evcc_identity_is_announced_when_the_car_has_told_it():
    told = Told()
    told.standard = "iec61851"
    world = EvWorld(told=told)
    key = ("EV", "evCommissioningAndConfiguration")
    assert announced(world)[key] == [1, 2, 3, 6, 7, 8]
    assert world.manager.read(IDENTIFICATION, "identificationListData").data == []
    world.manager.take()
    told.standard = "iso15118-2ed2"
    told.identification = "0A1B2C3D4E5F"
    told.manufacturer = {"brandName": "Roadster"}
    assert world.manager.relate("Subscription", IDENTIFICATION, "Identification") == 0
    assert world.manager.relate("Subscription", CONFIGURATION, "DeviceConfiguration") == 0
    world.pass_time(1)
    told_now = {a.function: a for a in world.manager.take() if a.classifier == "notify"}
    assert told_now["identificationListData"].entries("identificationData") == [
        {
            "identificationId": 1,
            "identificationType": "eui48",
            "identificationValue": "0A1B2C3D4E5F",
        }
    ]
    assert '"string":"iso15118-2ed2"' in told_now[KEYS].text
    assert "nodeManagementUseCaseData" in told_now
    assert announced(world)[key] == [1, 2, 3, 4, 5, 6, 7, 8]
    data = world.manager.read(CLASSIFICATION, "deviceClassificationManufacturerData").data
    assert data == [{"brandName": "Roadster"}]


def pause_current(answer):
    first = answer.entries("electricalConnectionPermittedValueSetData")[0]
    return plain(first["permittedValueSet"])[0]["value"]


def test_x_evcc_pause_current_of_an_iso_15118_car_keeps_its_session():
    told = Told()
    world = EvWorld(told=told)
    assert pause_current(world.manager.read(ELECTRICAL, PERMITTED)) == [{"number": 1, "scale": -1}]
    # It is told when it turns out how the car talks, here that it cannot.
    assert world.manager.relate("Subscription", ELECTRICAL, "ElectricalConnection") == 0
    world.manager.take()
    told.standard = "iec61851"
    world.pass_time(1)
    (notify,) = [a for a in world.manager.take() if a.function == PERMITTED]
    assert pause_current(notify) == [{"number": 0, "scale": 0}]


# --- EVCEM ------------------------------------------------------------------------------------


def test_x_evcem_currents_come_first_and_every_value_is_described():
    world = EvWorld()
    world.meter.current_ma = [10_200, 10_100, 10_000]
    world.meter.phase_power_w = [2346, 2323, 2300]
    world.car.wh = 2350
    manager = world.manager
    described = manager.read(MEASUREMENT, "measurementDescriptionListData").entries(
        "measurementDescriptionData"
    )
    assert [(d["measurementId"], d["scopeType"], d["unit"]) for d in described] == [
        (1, "acCurrent", "A"),
        (2, "acCurrent", "A"),
        (3, "acCurrent", "A"),
        (4, "acPower", "W"),
        (5, "acPower", "W"),
        (6, "acPower", "W"),
        (7, "charge", "Wh"),
    ]
    parameters = manager.read(ELECTRICAL, PARAMETERS).entries(
        "electricalConnectionParameterDescriptionData"
    )
    assert [p.get("measurementId") for p in parameters] == [1, 2, 3, 4, 5, 6, 7, None]
    assert parameters[0] == {
        "electricalConnectionId": 1,
        "parameterId": 1,
        "measurementId": 1,
        "voltageType": "ac",
        "acMeasuredPhases": "a",
        "acMeasurementType": "real",
        "acMeasurementVariant": "rms",
    }
    assert parameters[7] == {
        "electricalConnectionId": 1,
        "parameterId": 8,
        "acMeasuredPhases": "abc",
        "scopeType": "acPowerTotal",
    }
    values = manager.read(MEASUREMENT, VALUES).entries("measurementData")
    numbers = {v["measurementId"]: flat(v["value"]) for v in values}
    assert numbers[1] == {"number": 10_200, "scale": -3}
    assert numbers[5] == {"number": 2323, "scale": 0}
    assert numbers[7] == {"number": 2350, "scale": 0}


def test_x_evcem_currents_come_every_ten_seconds_and_after_each_limit_within_two():
    world = EvWorld().bind()
    assert world.manager.relate("Subscription", MEASUREMENT, "Measurement") == 0
    world.keep_alive(12)
    world.manager.take()

    def told_within(seconds):
        world.pass_time(seconds, 100)
        return len([a for a in world.manager.take() if a.function == VALUES])

    world.beat()
    assert told_within(8) == 0
    assert told_within(3) == 1
    assert world.limit_all(80) == 0
    assert told_within(1.9) == 1
    world.meter.current_ma = [7900, 7800, 7800]
    assert told_within(1.1) == 1


def test_x_evcem_is_not_announced_without_a_meter_but_limits_keep_their_currents():
    world = EvWorld(plugged=False)
    world.car.has_meter = False
    world.plug()
    assert ("EV", "measurementOfElectricityDuringEvCharging") not in announced(world)
    described = world.manager.read(MEASUREMENT, "measurementDescriptionListData")
    assert len(described.entries("measurementDescriptionData")) == 7


def test_x_evcem_a_car_that_uses_one_phase_is_reported_as_such():
    world = EvWorld()
    world.car.in_use = 1
    world.pass_time(1)
    connection = world.manager.read(ELECTRICAL, "electricalConnectionDescriptionListData")
    entry = connection.entries("electricalConnectionDescriptionData")[0]
    assert entry["acConnectedPhases"] == 1
    assert entry["positiveEnergyDirection"] == "consume"
    assert EV == (1, 1)
