"""OPEV and OSCEV: limits per phase and the supervision of the manager, in virtual time."""

from ev_world import (
    CEVC,
    LIMITS,
    LOAD_CONTROL,
    OPEV,
    OSCEV,
    SUPERVISION,
    EvWorld,
    roles,
)
from spine_world import CLIENT, Manager, Settings, flat

FREE = (None, "from d:_i:12345_HEMS-1")


def limits(world):
    entries = world.manager.read(LOAD_CONTROL, LIMITS).entries("loadControlLimitData")
    return {e["limitId"]: (e["isLimitActive"], flat(e["value"])) for e in entries}


def controlled(**options):
    """A car whose manager is alive and has bound its limits."""
    world = EvWorld(**options).bind()
    world.beat()
    return world


# --- the data ---------------------------------------------------------------------------------


def test_x_opev_and_oscev_describe_a_limit_for_each_phase():
    answer = EvWorld().manager.read(LOAD_CONTROL, "loadControlLimitDescriptionListData")
    described = answer.entries("loadControlLimitDescriptionData")
    assert described[0] == {
        "limitId": 1,
        "limitType": "maxValueLimit",
        "limitCategory": "obligation",
        "limitDirection": "consume",
        "measurementId": 1,
        "unit": "A",
        "scopeType": "overloadProtection",
    }
    found = [(d["limitId"], d["measurementId"], d["scopeType"]) for d in described]
    assert found[2] == (3, 3, "overloadProtection")
    assert found[3:] == [
        (11, 1, "selfConsumption"),
        (12, 2, "selfConsumption"),
        (13, 3, "selfConsumption"),
    ]
    assert described[3]["limitCategory"] == "recommendation"


def test_x_opev_limits_start_inactive_at_the_maximum():
    world = EvWorld()
    for number in (1, 2, 3, 11, 12, 13):
        assert limits(world)[number] == (False, {"number": 16, "scale": 0})


def test_x_opev_a_limit_applies_before_the_result_and_reads_back_as_written():
    world = controlled()
    changes = world.limit_changes
    answers = world.write((1, True, 105), (2, True, 105), (3, True, 105))
    assert [(a.classifier, a.error) for a in answers] == [("result", 0), ("notify", None)]
    assert world.limit_changes == changes + 1  # once, when all three phases are known
    assert world.allowed() == ((10_500, 10_500, 10_500), FREE[1])
    assert limits(world)[2] == (True, {"number": 105, "scale": -1})
    assert limits(world)[12] == (False, {"number": 16, "scale": 0})
    notified = answers[1].entries("loadControlLimitData")
    assert [n["limitId"] for n in notified] == [1, 2, 3, 11, 12, 13]
    assert notified[0]["isLimitChangeable"] is True


def test_x_opev_phases_may_differ_and_an_inactive_one_is_free():
    world = controlled()
    assert world.write((1, True, 100), (2, False, 0), (3, True, 80))[0].error == 0
    assert world.allowed()[0] == (10_000, None, 8_000)
    assert world.write((3, False, 160))[0].error == 0
    assert world.allowed()[0] == (10_000, None, None)
    assert world.write((1, False, 160))[0].error == 0
    assert world.allowed() == FREE


def test_x_opev_takes_pause_odd_and_too_large_values():
    world = controlled()
    for tenths in (0, 50, 60, 105, 160, 200):
        assert world.limit_all(tenths) == 0
        assert world.allowed()[0] == (tenths * 100,) * 3


def test_x_opev_refuses_nonsense_and_changes_nothing():
    world = controlled()
    assert world.limit_all(90) == 0
    assert world.write((1, True, -10), (2, True, 60))[0].error == 7
    assert world.write((2, True, 60), (4, True, 60))[0].error == 7
    bare = (
        '{"function":"%s"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        '{"%s":[{"loadControlLimitData":[[{"limitId":1},%s]]}]}'
    )
    period = '{"timePeriod":[{"endTime":"PT5M"}]}'
    answer = world.manager.send("write", CLIENT, LOAD_CONTROL, bare % (LIMITS, LIMITS, period))
    assert answer[0].error == 7
    assert world.allowed()[0] == (9_000,) * 3


def test_x_opev_needs_a_binding():
    world = EvWorld()
    assert world.limit_all(90) == 9


def test_x_opev_and_oscev_in_one_full_write_without_filter():
    world = controlled()
    answers = world.write(
        *[(n, True, 80) for n in (1, 2, 3)], *[(n, True, 70) for n in (11, 12, 13)], filters=""
    )
    assert answers[0].error == 0
    assert world.allowed()[0] == (8_000,) * 3
    assert world.ev.oscev.allowed(world.now)[0] == (7_000,) * 3


# --- who supervises ---------------------------------------------------------------------------


def test_x_opev_subscribes_and_reads_the_managers_heartbeat_and_state():
    world = EvWorld(plugged=False)
    world.plug()
    asked = [a for a in world.manager.take() if a.classifier in ("read", "call")]
    assert [a.function for a in asked] == [
        "nodeManagementSubscriptionRequestCall",
        "deviceDiagnosisHeartbeatData",
        "deviceDiagnosisStateData",
    ]
    assert [a.source for a in asked[1:]] == [SUPERVISION, SUPERVISION]
    assert '"feature":10' in asked[0].text


def test_x_opev_nobody_supervises_a_car_without_a_manager():
    world = EvWorld(use_cases=roles())
    assert world.allowed() == (None, "")
    world.pass_time(100)
    assert world.allowed() == (None, "")


def test_x_opev_a_guard_that_only_limits_power_does_not_slow_down_the_car():
    world = EvWorld(use_cases=roles(("limitationOfPowerConsumption", "EnergyGuard")))
    world.manager.heartbeat()
    assert world.allowed() == (None, "")


def test_x_opev_both_actor_names_are_accepted():
    for actor in ("CEM", "EnergyGuard"):
        world = EvWorld(use_cases=roles((OPEV, actor)))
        assert world.allowed()[0] == 6_000
        world.beat()
        world.pass_time(15)
        assert world.allowed()[1] == "safe current, no heartbeat from d:_i:12345_HEMS-1"


def test_x_opev_a_session_starts_at_the_safe_current_while_the_manager_is_waited_for():
    world = EvWorld()
    assert world.allowed() == (6_000, "safe current, waiting for the energy manager")
    world.pass_time(14)
    assert world.allowed()[0] == 6_000
    world.pass_time(1)
    assert world.allowed() == (None, "")


def test_x_opev_a_heartbeat_alone_does_not_end_the_wait_for_the_first_limit():
    world = EvWorld()
    world.keep_alive(14)
    assert world.allowed() == (6_000, "safe current, waiting for the energy manager")
    world.keep_alive(2)
    assert world.allowed() == FREE


def test_x_opev_a_written_limit_ends_the_wait():
    world = controlled()
    assert world.limit_all(120) == 0
    assert world.allowed()[0] == (12_000,) * 3


# --- loss and return --------------------------------------------------------------------------


def test_x_opev_silence_leads_to_the_safe_current_and_back_to_the_last_limits():
    world = controlled()
    assert world.limit_all(120) == 0
    world.pass_time(8)
    assert world.allowed()[0] == (12_000,) * 3  # a stall of 8 s is tolerated
    world.pass_time(1)
    assert world.allowed() == (6_000, "safe current, no heartbeat from d:_i:12345_HEMS-1")
    world.pass_time(600)
    assert world.allowed()[0] == 6_000
    world.beat()
    assert world.allowed()[0] == (12_000,) * 3


def test_x_opev_strict_stations_wait_four_seconds():
    settings = Settings()
    settings.put("opev_strict", True)
    world = controlled(settings=settings)
    assert world.limit_all(120) == 0
    world.pass_time(3)
    assert world.allowed()[0] == (12_000,) * 3
    world.pass_time(1)
    assert world.allowed()[0] == 6_000


def test_x_opev_slow_heartbeats_are_judged_by_their_own_timeout():
    world = EvWorld().bind()
    world.beat(timeout=60)
    assert world.limit_all(120) == 0
    world.pass_time(120)
    assert world.allowed()[0] == (12_000,) * 3
    world.pass_time(1)
    assert world.allowed()[0] == 6_000
    world.beat(timeout=3600)  # nobody may be silent for hours
    world.pass_time(121)
    assert world.allowed()[0] == 6_000


def test_x_opev_a_manager_that_reports_failure_is_not_relied_on():
    world = controlled()
    assert world.limit_all(120) == 0
    changes = world.limit_changes
    world.report("failure")
    assert world.limit_changes > changes
    assert world.allowed() == (6_000, "safe current, d:_i:12345_HEMS-1 has failed")
    world.report("normalOperation")
    assert world.allowed()[0] == (12_000,) * 3


def test_x_opev_a_limit_without_any_heartbeat_holds_for_nine_seconds():
    world = EvWorld().bind()
    assert world.limit_all(120) == 0
    assert world.allowed()[0] == (12_000,) * 3
    world.pass_time(9)
    assert world.allowed() == (6_000, "safe current, no heartbeat")


def test_x_opev_safe_current_and_its_absence_are_the_installers_choice():
    for safe_ma, expected in ((0, 0), (8_000, 8_000), (None, (12_000,) * 3)):
        settings = Settings()
        settings.put("opev_safe_ma", safe_ma)
        world = controlled(settings=settings)
        assert world.limit_all(120) == 0
        world.pass_time(60)
        assert world.allowed()[0] == expected


def test_x_opev_the_connection_is_lost_and_comes_back():
    world = controlled()
    assert world.limit_all(120) == 0
    world.manager.close()
    assert world.allowed()[0] == (12_000,) * 3
    world.pass_time(10)
    assert world.allowed()[0] == 6_000
    world.manager = Manager(world)
    world.manager.introduce(use_cases=roles((OPEV, "CEM"), (OSCEV, "CEM")))
    assert world.limit_all(100) == 9  # bindings have gone with the connection
    world.bind().beat()
    assert world.allowed()[0] == (12_000,) * 3
    assert world.limit_all(100) == 0
    assert world.allowed()[0] == (10_000,) * 3


def test_x_opev_only_the_manager_that_bound_the_limits_counts():
    world = controlled()
    assert world.limit_all(120) == 0
    other = Manager(world, "d:_i:1_other")
    for _ in range(10):
        world.pass_time(1)
        text = '{"deviceDiagnosisHeartbeatData":[{"heartbeatTimeout":"PT4S"}]}'
        other.send("notify", ((1,), 1), SUPERVISION, text, ack=False)
    assert world.allowed()[0] == 6_000
    assert other.relate("Binding", LOAD_CONTROL, "LoadControl") == 7


def test_x_opev_a_heartbeat_for_a_car_that_has_left_is_swallowed():
    world = controlled()
    world.unplug()
    world.manager.take()
    assert world.beat() == []


# --- OSCEV ------------------------------------------------------------------------------------


def recommended(world, tenths, active=True):
    assert world.limit_all(tenths, active, first=11) == 0
    return world.ev.oscev.allowed(world.now)[0]


def test_x_oscev_a_recommendation_is_a_soft_maximum():
    world = controlled()
    assert world.ev.oscev.allowed(world.now)[0] is None
    assert recommended(world, 90) == (9_000,) * 3
    assert recommended(world, 20) == (6_000,) * 3  # it does not stop the car
    assert recommended(world, 160, active=False) is None


def test_x_oscev_who_wants_surplus_only_waits_for_the_sun():
    settings = Settings()
    settings.put("charge_mode", 1)
    world = controlled(settings=settings)
    assert recommended(world, 20) == (2_000,) * 3


def test_x_oscev_a_silent_or_failed_manager_recommends_nothing():
    world = controlled()
    assert recommended(world, 90) == (9_000,) * 3
    world.report("failure")
    assert world.ev.oscev.allowed(world.now) == (None, "")
    world.report("normalOperation")
    assert world.ev.oscev.allowed(world.now)[0] == (9_000,) * 3
    world.pass_time(9)
    assert world.ev.oscev.allowed(world.now) == (None, "")


def test_x_oscev_without_flexibility_scenario_1_is_withdrawn():
    settings = Settings()
    world = controlled(settings=settings)
    assert recommended(world, 90) == (9_000,) * 3
    world.manager.take()
    settings.put("charge_mode", 2)
    world.pass_time(1)
    notify = [a for a in world.manager.take() if a.function == "nodeManagementUseCaseData"]
    assert len(notify) == 1
    start = notify[0].text.index(OSCEV)
    assert '"scenarioSupport":[2,3]' in notify[0].text[start : start + 150]
    assert world.ev.oscev.allowed(world.now) == (None, "")
    assert CEVC not in notify[0].text
