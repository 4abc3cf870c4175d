"""EVSOC, CEVC and EVCS: what an ISO 15118 car and a display make possible, in virtual time."""

import json

from ev_world import (
    CEVC,
    EV,
    INCENTIVES,
    MEASUREMENT,
    OPEV,
    PARTIAL,
    TIME_SERIES,
    EvWorld,
    entries,
    roles,
)
from spine_world import CLIENT, NODE_MANAGEMENT, World, flat
from test_usecases_ev import Told, announced

from usecases import plan

BILL = ((1,), 8)
BROKER = roles((OPEV, "CEM"), (CEVC, "EnergyGuard"), (CEVC, "EnergyBroker"))


def eebus(value):
    """Plain data as EEBUS JSON: objects become arrays of single-member objects."""
    if isinstance(value, dict):
        return [{key: eebus(value[key])} for key in value]
    if isinstance(value, list):
        return [eebus(item) for item in value]
    return value


def ordered(*pairs):
    """An object whose members keep their order on MicroPython too."""
    return [{key: value} for key, value in pairs]


def watts(number):
    return ordered(("number", number), ("scale", 0))


def demanding(**demand):
    """A car that wants 10 kWh within four hours, and a manager that has bound its tables."""
    told = Told()
    told.min_wh, told.wanted_wh, told.max_wh, told.departure_s = 5_000, 10_000, 40_000, 14_400
    for name, value in demand.items():
        setattr(told, name, value)
    world = EvWorld(told=told, use_cases=BROKER)
    for feature, name in ((TIME_SERIES, "TimeSeries"), (INCENTIVES, "IncentiveTable")):
        assert world.manager.relate("Subscription", feature, name) == 0
        assert world.manager.relate("Binding", feature, name) == 0
    world.manager.take()
    return world


def curve(*slots, end=None, number=2):
    """(start s, W) slots as a write of series `number`."""
    rows = []
    for i in range(len(slots)):
        start, power = slots[i]
        period = [("startTime", "PT%dS" % start)]
        if i + 1 == len(slots) and end:
            period.append(("endTime", "PT%dS" % end))
        rows.append(
            ordered(
                ("timeSeriesSlotId", i),
                ("timePeriod", ordered(*period)),
                ("maxValue", watts(power)),
            )
        )
    series = ordered(("timeSeriesId", number), ("timeSeriesSlot", rows))
    data = {"timeSeriesListData": [{"timeSeriesData": [series]}]}
    return '{"function":"timeSeriesListData"},' + PARTIAL + json.dumps(data)


def write_curve(world, *slots, end=None, number=2):
    text = curve(*slots, end=end, number=number)
    return world.manager.send("write", CLIENT, TIME_SERIES, text)


def incentives(*slots, end=None):
    """(start s, price in 1/10000) slots as a full write of the table."""
    rows = []
    for i in range(len(slots)):
        start, price = slots[i]
        interval = [("startTime", [{"relative": "PT%dS" % start}])]
        if i + 1 == len(slots) and end:
            interval.append(("endTime", [{"relative": "PT%dS" % end}]))
        tier = ordered(
            ("tier", [{"tierId": 1}]),
            ("boundary", [ordered(("boundaryId", 1), ("lowerBoundaryValue", watts(0)))]),
            (
                "incentive",
                [ordered(("incentiveId", 1), ("value", [{"number": price}, {"scale": -4}]))],
            ),
        )
        rows.append(ordered(("timeInterval", ordered(*interval)), ("tier", [tier])))
    table = ordered(("tariff", [{"tariffId": 0}]), ("incentiveSlot", rows))
    return json.dumps({"incentiveTableData": [{"incentiveTable": [table]}]})


def updates_required(world):
    series = world.manager.read(TIME_SERIES, "timeSeriesDescriptionListData")
    table = world.manager.read(INCENTIVES, "incentiveTableDescriptionData")
    second = entries(series, "timeSeriesDescriptionData")[1]
    first = entries(table, "incentiveTableDescription")[0]
    return second["updateRequired"], first["tariffDescription"]["updateRequired"]


# --- EVSOC ------------------------------------------------------------------------------------


def test_x_evsoc_is_announced_when_the_car_has_told_its_charge():
    told = Told()
    world = EvWorld(told=told)
    key = ("EV", "evStateOfCharge")
    assert key not in announced(world)
    told.soc_permille = 423
    told.capacity_wh = 60_000
    world.pass_time(1)
    assert announced(world)[key] == [1, 2]
    told.range_m = 210_000
    told.soh_permille = 970
    world.pass_time(1)
    assert announced(world)[key] == [1, 2, 3, 4]
    values = world.manager.read(MEASUREMENT, "measurementListData").entries("measurementData")
    found = {v["measurementId"]: flat(v["value"]) for v in values}
    assert found[21] == {"number": 423, "scale": -1}
    assert found[22] == {"number": 970, "scale": -1}
    assert found[23] == {"number": 210_000, "scale": 0}
    capacity = world.manager.read((EV, 4), "electricalConnectionCharacteristicListData")
    entry = capacity.entries("electricalConnectionCharacteristicData")[0]
    assert entry["characteristicType"] == "energyCapacityNominalMax"


def test_x_evsoc_each_per_cent_is_told():
    told = Told()
    told.soc_permille = 400
    world = EvWorld(told=told)
    assert world.manager.relate("Subscription", MEASUREMENT, "Measurement") == 0
    world.pass_time(13)
    world.manager.take()
    told.soc_permille = 409
    world.pass_time(1)
    assert world.manager.take() == []
    told.soc_permille = 410
    world.pass_time(1)
    assert len(world.manager.take()) == 1


# --- the plan ---------------------------------------------------------------------------------


def test_a_plan_fills_the_cheapest_slots_first():
    prices = [(0, 3600, 30), (3600, 7200, 10), (7200, 14_400, 20)]
    made = plan.make([(0, None, 11_000)], prices, 15_000, 14_400, 11_000)
    assert made == [
        (0, 3600, 0),
        (3600, 8510, 11_000),
        (8510, 14_400, 0),
    ]


def test_a_plan_respects_the_curve_and_takes_what_it_can():
    made = plan.make([(0, 3600, 2_000), (3600, 7200, 4_000)], [], 50_000, 7_200, 11_000)
    assert made == [(0, 3600, 2_000), (3600, 7200, 4_000)]
    assert plan.make([], [], 11_000, None, 11_000)[0] == (0, 3600, 11_000)
    assert plan.make([], [], 0, 3600, 11_000) == [(0, 3600, 0)]


def test_a_plan_has_no_slots_that_are_not_worth_a_click_of_the_contactor():
    assert plan.make([], [], 50, 7_200, 11_000) == [(0, 300, 11_000), (300, 7_200, 0)]
    curve = [(0, 200, 11_000), (200, None, 0)]
    assert plan.make(curve, [], 50, 7_200, 11_000) == [(0, 200, 11_000), (200, 7_200, 0)]


def test_a_curve_must_be_whole():
    for slots in (
        [(0, 10, 1), (20, 30, 1)],
        [(5, 10, 1)],
        [(0, 0, 1)],
        [(0, 10, -1)],
        [(0, None, 1), (10, 20, 1)],
    ):
        try:
            plan.check_curve(slots)
        except ValueError:
            pass
        else:
            raise AssertionError(slots)


# --- CEVC -------------------------------------------------------------------------------------


def test_x_cevc_is_announced_with_the_demand_and_asks_for_curve_and_prices():
    told = Told()
    world = EvWorld(told=told, use_cases=BROKER)
    assert ("EV", CEVC) not in announced(world)
    told.wanted_wh = 10_000
    world.pass_time(1)
    assert announced(world)["EV", CEVC] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert updates_required(world) == (True, True)


def test_x_cevc_demand_is_one_slot_until_departure():
    world = demanding()
    series = entries(world.manager.read(TIME_SERIES, "timeSeriesListData"), "timeSeriesData")
    assert [s["timeSeriesId"] for s in series] == [1, 2, 3]
    (slot,) = series[0]["timeSeriesSlot"]
    assert slot["duration"] == "PT14400S"
    assert slot["minValue"]["number"] == 5_000
    assert slot["value"]["number"] == 10_000
    assert slot["maxValue"]["number"] == 40_000


def test_x_cevc_a_written_curve_becomes_a_plan_that_is_told_and_kept():
    world = demanding()
    assert world.ev.cevc.allowed_w(world.now) is None
    answers = write_curve(world, (0, 4_000), (3600, 7_000), end=172_800)
    assert answers[0].error == 0
    assert updates_required(world) == (False, True)
    notified = [a for a in answers if a.function == "timeSeriesListData"]
    told = entries(notified[0], "timeSeriesData")
    assert [s["maxValue"]["number"] for s in told[1]["timeSeriesSlot"]] == [4_000, 7_000]
    assert [s["value"]["number"] for s in told[2]["timeSeriesSlot"]] == [4_000, 7_000, 0]
    assert world.ev.cevc.allowed_w(world.now) == 4_000
    world.car.wh = 4_000
    world.pass_time(3_700, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 7_000
    world.car.wh = 10_000
    world.pass_time(3_700, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 0


def test_x_cevc_what_is_hardly_missing_is_not_planned_again():
    world = demanding()
    assert write_curve(world, (0, 4_000), end=172_800)[0].error == 0
    world.car.wh = 9_700
    world.pass_time(900, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 4_000
    world.car.wh = 9_801
    world.pass_time(900, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 0


def test_x_cevc_slots_may_be_added_and_removed():
    world = demanding()
    assert write_curve(world, (0, 4_000), (60, 5_000), (120, 6_000), end=600)[0].error == 0
    assert write_curve(world, (0, 3_000), end=600)[0].error == 0
    assert world.ev.cevc.allowed_w(world.now) == 3_000
    many = [(60 * i, 1_000 + i) for i in range(30)]
    assert write_curve(world, *many, end=1_800)[0].error == 0
    assert write_curve(world, *many, (1_800, 5), end=1_860)[0].error == 7


def test_x_cevc_a_bad_curve_is_refused_and_changes_nothing():
    world = demanding()
    assert write_curve(world, (0, 4_000), end=600)[0].error == 0
    assert write_curve(world, (10, 4_000), end=600)[0].error == 7
    assert write_curve(world, (0, -1), end=600)[0].error == 7
    assert write_curve(world, (0, 1_000), end=600, number=3)[0].error == 7
    assert write_curve(world, (0, 1_000), end=600, number=9)[0].error == 7
    assert world.ev.cevc.allowed_w(world.now) == 4_000


def test_x_cevc_prices_move_the_charge_to_the_cheap_hours():
    world = demanding()
    assert write_curve(world, (0, 11_000), end=172_800)[0].error == 0
    assert world.ev.cevc.allowed_w(world.now) == 11_000
    description = {
        "incentiveTableDescriptionData": [
            {
                "incentiveTableDescription": [
                    ordered(
                        ("tariffDescription", [{"tariffId": 0}]),
                        (
                            "tier",
                            [
                                ordered(
                                    (
                                        "tierDescription",
                                        ordered(("tierId", 1), ("tierType", "dynamicCost")),
                                    )
                                )
                            ],
                        ),
                    )
                ]
            }
        ]
    }
    send = world.manager.send
    assert send("write", CLIENT, INCENTIVES, json.dumps(description))[0].error == 0
    table = incentives((0, 3_000), (3_600, 1_000), (10_800, 2_000), end=172_800)
    assert send("write", CLIENT, INCENTIVES, table)[0].error == 0
    assert updates_required(world) == (False, False)
    assert world.ev.cevc.allowed_w(world.now) == 0
    world.pass_time(3_600, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 11_000
    world.car.wh = 10_000
    world.pass_time(3_600, 10_000)
    assert world.ev.cevc.allowed_w(world.now) == 0
    read = entries(world.manager.read(INCENTIVES, "incentiveTableData"), "incentiveTable")
    slots = read[0]["incentiveSlot"]
    assert slots[0]["tier"][0]["incentive"][0]["value"] == {"number": 1_000, "scale": -4}


def test_x_cevc_an_incomplete_table_is_refused():
    world = demanding()
    send = world.manager.send
    table = incentives((0, 3_000), end=172_800).replace('"tariffId": 0', '"tariffId": 2')
    assert send("write", CLIENT, INCENTIVES, table)[0].error == 7
    table = json.dumps({"incentiveTableData": [{"incentiveTable": [[{"tariff": []}]]}]})
    assert send("write", CLIENT, INCENTIVES, table)[0].error in (1, 7)
    assert updates_required(world) == (True, True)


def test_x_cevc_a_new_demand_asks_again():
    world = demanding()
    assert write_curve(world, (0, 4_000), end=172_800)[0].error == 0
    world.car.told.wanted_wh = 20_000
    world.pass_time(1)
    assert updates_required(world) == (True, True)
    assert world.ev.cevc.allowed_w(world.now) == 4_000


# --- EVCS -------------------------------------------------------------------------------------


class Displayed(World):
    """A station with a display; `shown` are the summaries on it."""

    def __init__(self):
        self.shown = []
        super().__init__(on_summary=self.shown.append)
        self.manager.introduce()
        assert self.manager.relate("Subscription", BILL, "Bill") == 0
        assert self.manager.relate("Binding", BILL, "Bill") == 0


SUMMARY = (
    '{"function":"billListData"},' + PARTIAL + '{"billListData":[{"billData":[[{"billId":1},'
    '{"billType":"chargingSummary"},{"total":[{"timePeriod":[{"startTime":"PT0S"}]},'
    '{"value":[[{"unit":"Wh"},{"value":[{"number":12345},{"scale":0}]}]]},{"cost":[['
    '{"costType":"absolutePrice"},{"currency":"EUR"},{"cost":[{"number":37},{"scale":-1}]}]]}]},'
    '{"position":[[{"positionId":1},{"positionType":"gridElectricEnergy"},{"value":[['
    '{"valuePercentage":[{"number":35},{"scale":0}]}]]}],[{"positionId":2},'
    '{"positionType":"selfProducedElectricEnergy"},{"value":[[{"valuePercentage":'
    '[{"number":65},{"scale":0}]}]]}]]}]]}]}'
)


def wanted(world):
    answer = world.manager.read(BILL, "billDescriptionListData")
    return entries(answer, "billDescriptionData")[0]["updateRequired"]


def test_x_evcs_is_asked_for_when_the_car_leaves_and_shown_when_it_comes():
    world = Displayed()
    assert ("EVSE", "evChargingSummary") in announced(world)
    world.station.ev_connected(True)
    assert not wanted(world)
    world.station.ev_connected(False)
    assert wanted(world)
    assert world.manager.send("write", CLIENT, BILL, SUMMARY)[0].error == 0
    assert world.shown == [
        {
            "wh": 12_345,
            "cost": 370,
            "currency": "EUR",
            "grid_percent": 35,
            "solar_percent": 65,
        }
    ]
    assert not wanted(world)
    bill = entries(world.manager.read(BILL, "billListData"), "billData")[0]
    assert bill["total"]["value"][0]["value"]["number"] == 12_345
    assert len(bill["position"]) == 2


def test_x_evcs_a_minute_after_unplugging_the_book_is_closed():
    world = Displayed()
    assert world.manager.send("write", CLIENT, BILL, SUMMARY)[0].error == 7  # no session yet
    world.station.ev_connected(True)
    assert world.manager.send("write", CLIENT, BILL, SUMMARY)[0].error == 0
    world.station.ev_connected(False)
    world.pass_time(59)
    assert wanted(world)
    assert world.manager.send("write", CLIENT, BILL, SUMMARY)[0].error == 0
    world.pass_time(1)
    assert not wanted(world)
    assert world.manager.send("write", CLIENT, BILL, SUMMARY)[0].error == 7
    assert len(world.shown) == 2


def test_x_evcs_nonsense_is_refused():
    world = Displayed()
    world.station.ev_connected(True)
    bad = SUMMARY.replace('"chargingSummary"', '"something"')
    assert world.manager.send("write", CLIENT, BILL, bad)[0].error == 7
    bad = SUMMARY.replace('{"number":12345},', "")
    assert world.manager.send("write", CLIENT, BILL, bad)[0].error == 7
    assert world.shown == []
    assert NODE_MANAGEMENT == ((0,), 0)


def test_x_evcs_a_station_without_display_does_not_announce_it():
    assert ("EVSE", "evChargingSummary") not in announced(World())
