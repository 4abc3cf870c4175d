"""LPC as a controllable system, in virtual time, through SPINE datagrams of an energy guard."""

from spine_world import CLIENT, CONFIGURATION, ELECTRICAL, LOAD_CONTROL, World, flat

from usecases.power_limit import (
    FAILSAFE,
    INIT,
    LIMITED,
    UNLIMITED_AUTONOMOUS,
    UNLIMITED_CONTROLLED,
)

ACTIVE = ',{"isLimitActive":true}'
INACTIVE = ',{"isLimitActive":false}'
DELETE_PERIOD = (
    '{"filter":[[{"cmdControl":[{"delete":[]}]},{"loadControlLimitListDataSelectors":'
    '[{"limitId":1}]},{"loadControlLimitDataElements":[{"timePeriod":[]}]}],'
    '[{"cmdControl":[{"partial":[]}]}]]},'
)


def value(watts):
    return ',{"value":[{"number":%d},{"scale":0}]}' % watts


def period(text):
    return ',{"timePeriod":[{"endTime":"%s"}]}' % text


def guarded():
    """A station that an energy guard has just commissioned: state init, no heartbeat yet."""
    world = World()
    world.manager.commission()
    return world


def controlled():
    """Unlimited/controlled: heartbeat and an inactive limit."""
    world = guarded()
    world.manager.heartbeat()
    assert world.manager.write_limit(INACTIVE + value(4200)) == 0
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED
    return world


LIMIT_4200 = ACTIVE + value(4200)


def limited(members=LIMIT_4200):
    world = controlled()
    assert world.manager.write_limit(members) == 0
    assert world.lpc.limit.state == LIMITED
    return world


def failed():
    world = limited()
    world.pass_time(121)
    assert world.lpc.limit.state == FAILSAFE
    return world


def keep_alive(world, seconds):
    """Let time pass with a heartbeat each 20 s."""
    while seconds > 0:
        world.manager.heartbeat()
        world.pass_time(min(20, seconds))
        seconds -= 20


def limit_data(world):
    return world.manager.read(LOAD_CONTROL, "loadControlLimitListData").entries(
        "loadControlLimitData"
    )[0]


def write_keys(world, *entries):
    command = (
        '{"function":"deviceConfigurationKeyValueListData"},'
        '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        '{"deviceConfigurationKeyValueListData":[{"deviceConfigurationKeyValueData":[%s]}]}'
        % ",".join(entries)
    )
    return world.manager.send("write", CLIENT, CONFIGURATION, command)[0].error


def failsafe_limit(watts):
    return '[{"keyId":1},{"value":[{"scaledNumber":[{"number":%d},{"scale":0}]}]}]' % watts


def failsafe_duration(text):
    return '[{"keyId":2},{"value":[{"duration":"%s"}]}]' % text


def key_values(world):
    answer = world.manager.read(CONFIGURATION, "deviceConfigurationKeyValueListData")
    return answer.entries("deviceConfigurationKeyValueData")


# --- before anybody commissioned it ------------------------------------------------------------


def test_a_station_that_no_guard_ever_bound_is_not_capped():
    world = World()
    assert world.lpc.cap_w() is None
    world.pass_time(500)
    assert world.lpc.cap_w() is None


def test_the_first_binding_starts_in_init_at_the_failsafe_limit():
    world = guarded()
    assert world.lpc.limit.state == INIT
    assert world.lpc.cap_w() == 4200


def test_after_a_restart_the_machine_runs_with_the_stored_failsafe_values():
    world = controlled()
    assert write_keys(world, failsafe_limit(5000), failsafe_duration("PT3H")) == 0
    again = World(settings=world.settings)
    assert again.lpc.limit.state == INIT
    assert again.lpc.cap_w() == 5000
    assert again.lpc.limit.failsafe_duration_s == 10_800


# --- scenario 1 -------------------------------------------------------------------------------


def test_descriptions_name_one_consumption_limit():
    world = guarded()
    answer = world.manager.read(LOAD_CONTROL, "loadControlLimitDescriptionListData")
    assert answer.entries("loadControlLimitDescriptionData") == [
        {
            "limitId": 1,
            "limitType": "signDependentAbsValueLimit",
            "limitCategory": "obligation",
            "limitDirection": "consume",
            "measurementId": 1,
            "unit": "W",
            "scopeType": "activePowerLimit",
        }
    ]


def test_limit_data_always_has_a_value_and_is_changeable():
    data = limit_data(guarded())
    assert data["isLimitChangeable"] is True
    assert data["isLimitActive"] is False
    assert flat(data["value"]) == {"number": 11000, "scale": 0}
    assert "timePeriod" not in data


def test_a_limit_before_any_heartbeat_is_rejected_and_init_stays():
    world = guarded()
    assert world.manager.write_limit(ACTIVE + value(4200)) == 7
    assert world.lpc.limit.state == INIT


def test_heartbeat_and_active_limit_lead_to_limited():
    world = guarded()
    world.manager.heartbeat()
    assert world.manager.write_limit(ACTIVE + value(3000)) == 0
    assert world.lpc.limit.state == LIMITED
    assert world.lpc.cap_w() == 3000


def test_the_evaluation_window_is_sixty_seconds():
    world = guarded()
    world.manager.heartbeat()
    world.pass_time(60)
    assert world.manager.write_limit(ACTIVE + value(3000)) == 0
    world = guarded()
    world.manager.heartbeat()
    world.pass_time(60.001)
    assert world.manager.write_limit(ACTIVE + value(3000)) == 7
    assert world.lpc.limit.state == INIT


def test_a_negative_limit_in_init_is_rejected_but_leads_to_unlimited_controlled():
    world = guarded()
    world.manager.heartbeat()
    assert world.manager.write_limit(ACTIVE + value(-1000)) == 7
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED
    assert limit_data(world)["isLimitActive"] is False


def test_a_negative_limit_changes_nothing_in_limited():
    world = limited()
    assert world.manager.write_limit(ACTIVE + value(-1000)) == 7
    assert world.lpc.limit.state == LIMITED
    assert world.lpc.cap_w() == 4200


def test_zero_watts_is_a_limit_and_large_values_are_clamped():
    world = limited(ACTIVE + value(0))
    assert world.lpc.cap_w() == 0
    assert world.manager.write_limit(',{"value":[{"number":5},{"scale":12}]}') == 0
    assert world.lpc.cap_w() == 999_999_999


def test_a_partial_number_keeps_the_stored_scale():
    world = limited()
    assert world.manager.write_limit(',{"value":[{"number":4300}]}') == 0
    assert world.lpc.cap_w() == 4300


def test_fractions_of_a_watt_are_rounded_down():
    world = limited(ACTIVE + ',{"value":[{"number":42009},{"scale":-1}]}')
    assert world.lpc.cap_w() == 4200


def test_all_seventeen_message_combinations_are_accepted():
    for has_value in (False, True):
        for flag in ("", ACTIVE, INACTIVE):
            for duration in ("none", "delete", "set"):
                world = limited(ACTIVE + value(4200) + period("PT10M"))
                members = flag + (period("PT60S") if duration == "set" else "")
                members += value(3000) if has_value else ""
                filters = DELETE_PERIOD if duration == "delete" else None
                assert world.manager.write_limit(members, filters) == 0
                data = limit_data(world)
                assert data["isLimitActive"] is (flag != INACTIVE)
                assert flat(data["value"])["number"] == (3000 if has_value else 4200)
                expected = {"none": "PT600S", "delete": None, "set": "PT60S"}[duration]
                if flag == INACTIVE and duration == "none":
                    expected = None
                end = flat(data["timePeriod"])["endTime"] if "timePeriod" in data else None
                assert end == expected


def test_the_duration_runs_down_and_its_end_lifts_the_limit():
    world = limited(ACTIVE + value(4200) + period("PT60S"))
    keep_alive(world, 40)
    assert flat(limit_data(world)["timePeriod"])["endTime"] == "PT20S"
    world.manager.heartbeat()
    world.pass_time(19.999)
    assert world.lpc.limit.state == LIMITED
    world.pass_time(0.001)
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED
    data = limit_data(world)
    assert data["isLimitActive"] is False
    assert "timePeriod" not in data
    assert flat(data["value"])["number"] == 4200


def test_expiry_is_notified_to_subscribers():
    world = limited(ACTIVE + value(4200) + period("PT5S"))
    world.manager.take()
    world.pass_time(5)
    notifies = [a for a in world.manager.take() if a.function == "loadControlLimitListData"]
    assert len(notifies) == 1
    assert notifies[0].entries("loadControlLimitData")[0]["isLimitActive"] is False


def test_the_result_comes_before_the_notify():
    world = controlled()
    answers = world.manager.send(
        "write",
        CLIENT,
        LOAD_CONTROL,
        '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1}%s]]}]}' % ACTIVE,
    )
    assert [a.classifier for a in answers] == ["result", "notify"]


def test_active_with_zero_duration_deactivates_at_once():
    world = limited()
    assert world.manager.write_limit(ACTIVE + period("PT0S")) == 0
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED
    assert limit_data(world)["isLimitActive"] is False


def test_zero_duration_of_an_inactive_limit_is_no_duration_to_be_stored():
    world = controlled()
    assert world.manager.write_limit(INACTIVE + period("PT0S")) == 0
    assert "timePeriod" not in limit_data(world)
    assert world.manager.write_limit(LIMIT_4200) == 0
    keep_alive(world, 100)
    assert world.lpc.limit.state == LIMITED


def test_a_duration_stored_while_inactive_counts_from_activation():
    world = controlled()
    assert world.manager.write_limit(INACTIVE + period("PT60S")) == 0
    keep_alive(world, 100)
    assert world.manager.write_limit(ACTIVE) == 0
    assert flat(limit_data(world)["timePeriod"])["endTime"] == "PT60S"


def test_absolute_end_times_unknown_ids_and_locked_members_are_rejected():
    world = limited()
    assert world.manager.write_limit(period("2030-01-01T00:00:00Z")) == 7
    assert world.manager.write_limit(ACTIVE.replace("true", '"maybe"')) == 1
    bad = '{"function":"loadControlLimitListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    bad += '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":9}%s]]}]}' % ACTIVE
    assert world.manager.send("write", CLIENT, LOAD_CONTROL, bad)[0].error == 7
    assert world.manager.write_limit(',{"isLimitChangeable":false}') == 0
    assert limit_data(world)["isLimitChangeable"] is True
    delete_value = DELETE_PERIOD.replace('"timePeriod"', '"value"')
    assert world.manager.write_limit(ACTIVE, delete_value) == 7
    assert world.lpc.cap_w() == 4200


def test_a_write_without_filter_is_taken_as_partial():
    world = controlled()
    command = (
        '{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1},'
        '{"isLimitActive":true},{"value":[{"number":6},{"scale":3}]}]]}]}'
    )
    assert world.manager.send("write", CLIENT, LOAD_CONTROL, command)[0].error == 0
    assert world.lpc.cap_w() == 6000


# --- heartbeat and failsafe --------------------------------------------------------------------


def test_the_heartbeat_is_missed_after_120_seconds_and_not_before():
    world = limited()
    world.pass_time(119.999)
    assert world.lpc.limit.state == LIMITED
    world.pass_time(0.001)
    assert world.lpc.limit.state == FAILSAFE
    assert world.lpc.cap_w() == 4200
    assert limit_data(world)["isLimitActive"] is False


def test_a_write_between_60_and_120_seconds_after_the_heartbeat_is_still_accepted():
    world = limited()
    world.pass_time(90)
    assert world.manager.write_limit(ACTIVE + value(5000)) == 0
    assert world.lpc.limit.state == LIMITED


def test_unlimited_controlled_falls_into_failsafe_too():
    world = controlled()
    world.pass_time(120)
    assert world.lpc.limit.state == FAILSAFE


def test_a_heartbeat_alone_does_not_end_failsafe():
    world = failed()
    world.manager.heartbeat()
    assert world.lpc.limit.state == FAILSAFE
    world.pass_time(30)
    assert world.manager.write_limit(INACTIVE) == 0
    assert world.lpc.limit.state == UNLIMITED_CONTROLLED


def test_failsafe_with_heartbeat_and_active_limit_leads_to_limited():
    world = failed()
    world.manager.heartbeat()
    assert world.manager.write_limit(ACTIVE + value(2000)) == 0
    assert world.lpc.limit.state == LIMITED
    assert world.lpc.cap_w() == 2000


def test_failsafe_rejects_a_limit_long_after_the_heartbeat():
    world = failed()
    world.manager.heartbeat()
    world.pass_time(90)
    assert world.manager.write_limit(INACTIVE) == 7
    assert write_keys(world, failsafe_limit(5000)) == 7
    assert world.lpc.limit.state == FAILSAFE


def test_failsafe_with_heartbeat_but_without_limit_ends_after_120_seconds():
    world = failed()
    keep_alive(world, 119)
    assert world.lpc.limit.state == FAILSAFE
    world.manager.heartbeat()
    world.pass_time(2)
    assert world.lpc.limit.state == UNLIMITED_AUTONOMOUS
    assert world.lpc.cap_w() is None


def test_failsafe_is_held_for_its_minimum_duration():
    world = failed()
    world.pass_time(7200 - 2, 10_000)
    assert world.lpc.limit.state == FAILSAFE
    world.pass_time(2)
    assert world.lpc.limit.state == UNLIMITED_AUTONOMOUS


def test_a_heartbeat_that_stops_again_does_not_shorten_failsafe():
    world = failed()
    world.manager.heartbeat()
    world.pass_time(300)
    assert world.lpc.limit.state == FAILSAFE


def test_autonomous_returns_to_control_with_heartbeat_and_limit():
    world = failed()
    world.pass_time(7300, 10_000)
    assert world.lpc.limit.state == UNLIMITED_AUTONOMOUS
    assert world.manager.write_limit(ACTIVE + value(1000)) == 7
    world.manager.heartbeat()
    assert world.manager.write_limit(ACTIVE + value(1000)) == 0
    assert world.lpc.limit.state == LIMITED


def test_init_without_control_becomes_autonomous_after_120_seconds():
    world = guarded()
    world.pass_time(119.999)
    assert world.lpc.limit.state == INIT
    world.pass_time(0.001)
    assert world.lpc.limit.state == UNLIMITED_AUTONOMOUS


def test_failsafe_cancels_a_pending_duration():
    world = limited(ACTIVE + value(3000) + period("PT10M"))
    world.pass_time(120)
    assert world.lpc.limit.state == FAILSAFE
    assert "timePeriod" not in limit_data(world)


def test_losing_the_connection_is_no_event_of_its_own():
    world = limited(ACTIVE + value(3000))
    world.manager.close()
    world.pass_time(60)
    assert world.lpc.limit.state == LIMITED
    world.pass_time(61)
    assert world.lpc.limit.state == FAILSAFE


# --- scenario 2 -------------------------------------------------------------------------------


def test_failsafe_values_have_their_factory_defaults():
    limit, duration = key_values(guarded())
    assert flat(flat(limit["value"])["scaledNumber"]) == {"number": 4200, "scale": 0}
    assert flat(duration["value"]) == {"duration": "PT7200S"}
    assert limit["isValueChangeable"] is True and duration["isValueChangeable"] is True


def test_failsafe_writes_need_heartbeat_and_limit_first():
    world = guarded()
    world.manager.heartbeat()
    assert write_keys(world, failsafe_limit(5000)) == 7
    assert world.manager.write_limit(INACTIVE) == 0
    assert write_keys(world, failsafe_limit(5000)) == 0
    assert world.settings.values["failsafe_consumption_w"] == 5000


def test_failsafe_ranges():
    world = controlled()
    assert write_keys(world, failsafe_limit(-1000)) == 7
    assert write_keys(world, failsafe_limit(0)) == 0
    assert write_keys(world, failsafe_limit(50_000)) == 0
    assert write_keys(world, failsafe_duration("PT1H54M")) == 7
    assert write_keys(world, failsafe_duration("PT2H")) == 0
    assert write_keys(world, failsafe_duration("P1D")) == 0
    assert write_keys(world, failsafe_duration("PT2H")) == 0
    assert write_keys(world, failsafe_duration("PT25H12M")) == 7
    assert world.lpc.limit.failsafe_duration_s == 86_400


def test_a_failsafe_number_without_scale_keeps_the_stored_scale():
    world = controlled()
    entry = '[{"keyId":1},{"value":[{"scaledNumber":[{"number":%d}%s]}]}]'
    assert write_keys(world, entry % (42_000, ',{"scale":-1}')) == 0
    assert write_keys(world, entry % (43_000, "")) == 0
    assert world.lpc.limit.failsafe_w == 4300


def test_a_failsafe_write_is_atomic():
    world = controlled()
    assert write_keys(world, failsafe_limit(6000), failsafe_duration("PT1H")) == 7
    assert world.lpc.limit.failsafe_w == 4200


def test_a_failsafe_value_of_the_wrong_type_is_rejected():
    world = controlled()
    assert write_keys(world, '[{"keyId":1},{"value":[{"string":"5000"}]}]') == 7
    assert write_keys(world, '[{"keyId":2},{"value":[{"scaledNumber":[{"number":9}]}]}]') == 7


def test_failsafe_uses_the_limit_written_before():
    world = controlled()
    assert write_keys(world, failsafe_limit(1500)) == 0
    assert world.manager.write_limit(ACTIVE + value(3000)) == 0
    world.pass_time(121)
    assert world.lpc.cap_w() == 1500


# --- scenario 4 -------------------------------------------------------------------------------


def test_the_nominal_maximum_is_published_and_no_contractual_one():
    answer = guarded().manager.read(ELECTRICAL, "electricalConnectionCharacteristicListData")
    entries = answer.entries("electricalConnectionCharacteristicData")
    assert [e["characteristicType"] for e in entries] == ["powerConsumptionNominalMax"]
    assert flat(entries[0]["value"]) == {"number": 11000, "scale": 0}


def test_every_cell_of_the_transition_table_is_a_state():
    from usecases import power_limit

    assert len(power_limit._NEXT) == 5 * 6
    for state in power_limit._NEXT:
        assert state < 5
