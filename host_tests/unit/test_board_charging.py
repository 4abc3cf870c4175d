"""The real boards on a fake chip under the real charging control: what their pins do, and when.

The times are those of IEC 61851-1 A.3 and of the monitor's self-test, at the pins themselves:
coil, pilot and test output.
"""

from board_rig import BOARDS, A, B, C, E, Rig

from evse import faults
from evse.arbiter import USER
from evse.pilot import CONSTANT_HIGH, duty_for

MEASURING_MS = 3  # of the wave, in the step


def each(test):
    for name in sorted(BOARDS):
        test(Rig(name))


def test_at_reset_the_coil_is_off_before_anything_else_and_the_pilot_is_constant():
    def check(rig):
        first = [entry for entry in rig.world.log if entry[1] in (rig.coil, rig.out)]
        assert first[0][1:] == (rig.coil, 0)
        assert rig.duties() == [(0, CONSTANT_HIGH)]
        rig.run(10_000)
        assert rig.duties() == [(0, CONSTANT_HIGH)]
        assert rig.world.changes(rig.coil) == [(0, 0)]
        assert rig.control.state == "A"

    each(check)


def test_the_wave_has_the_duty_of_the_current():
    def check(rig):
        rig.charge()
        offered_ma = rig.board.MAX_CURRENT_MA
        assert rig.control.offered_ma == offered_ma
        assert rig.duties()[-1][1] == duty_for(offered_ma // 100)
        rig.arbiter.publish(USER, rig.now, milliamps=6_000)
        rig.run(25)
        sent_ms, duty_u16 = rig.duties()[-1]
        assert duty_u16 == duty_for(60)
        assert 0 <= sent_ms - rig.now <= MEASURING_MS  # a reduction is sent in the same step

    each(check)


def test_a_car_that_asks_gets_power_after_half_a_second_and_within_three():
    def check(rig):
        rig.run(3_000)
        rig.high_mv = B
        rig.run(5_000)
        rig.high_mv = C
        took_ms = rig.run_until(rig.coil_is(1))
        assert 500 <= took_ms <= 3_000

    each(check)


def test_unplugging_under_load_opens_within_100_ms():
    def check(rig):
        for offset_ms in range(0, 25, 5):
            rig.high_mv = C
            rig.run_until(rig.coil_is(1))
            rig.run(1_000)
            rig.run(offset_ms, 5)
            rig.high_mv = A
            assert rig.run_until(rig.coil_is(0)) <= 100
            rig.run(5_000)

    each(check)


def test_a_car_that_opens_s2_is_switched_off_within_100_ms():
    def check(rig):
        rig.charge()
        rig.high_mv = B
        assert rig.run_until(rig.coil_is(0)) <= 100

    each(check)


def test_a_stop_is_the_constant_pilot_first_and_the_contactor_6_s_later():
    def check(rig):
        rig.charge()
        rig.arbiter.publish(USER, rig.now, milliamps=0)
        stopped_ms = rig.now
        rig.run_until(rig.coil_is(0))
        assert rig.duties()[-1][1] == CONSTANT_HIGH
        assert rig.duties()[-1][0] - stopped_ms <= 25 + MEASURING_MS
        assert 6_000 <= rig.world.changes(rig.coil)[-1][0] - stopped_ms <= 6_100

    each(check)


def test_a_car_that_obeys_the_stop_is_opened_without_load_and_starts_3_s_later_at_the_earliest():
    def check(rig):
        rig.charge()
        rig.arbiter.publish(USER, rig.now, milliamps=0)
        rig.run(1_000)
        stopped_ms = rig.duties()[-1][0]
        rig.high_mv = B
        assert rig.run_until(rig.coil_is(0)) <= 100
        rig.arbiter.withdraw(USER)
        rig.run_until(lambda: rig.control.state == "B2")
        assert rig.duties()[-1][0] - stopped_ms >= 3_000

    each(check)


def test_a_raise_waits_5_s_after_a_change():
    rig = Rig("esp32_devkit")
    rig.charge()
    rig.arbiter.publish(USER, rig.now, milliamps=6_000)
    rig.run(100)
    lowered_ms = rig.duties()[-1][0]
    rig.arbiter.withdraw(USER)
    rig.run(10_000)
    times = [entry[0] for entry in rig.duties()]
    assert times[times.index(lowered_ms) + 1] - lowered_ms >= 5_000


def test_the_lowest_duty_and_the_highest_are_measured():
    for name, currents in (("esp32_devkit", (60, 160)), ("esp32_s3", (60, 320))):
        for tenths in currents:
            rig = Rig(name)
            rig.charge()
            rig.arbiter.publish(USER, rig.now, milliamps=tenths * 100)
            rig.run(20_000)
            assert rig.control.state == "C2" and rig.control.charging
            high_mv, low_mv = rig.board.pilot_mv()
            assert abs(high_mv - C) <= 20 and abs(low_mv + 12_000) <= 20


def test_a_car_without_diode_is_never_switched_on():
    def check(rig):
        rig.run(3_000)
        rig.has_diode = False
        rig.high_mv = C
        rig.run(10_000)
        assert rig.control.fault_names() == ["DiodeFault"]
        assert rig.world.levels[rig.coil] == 0

    each(check)


def test_a_shorted_pilot_opens_within_100_ms_and_is_a_fault():
    def check(rig):
        rig.charge()
        rig.high_mv = E
        assert rig.run_until(rig.coil_is(0)) <= 100
        rig.run(1_500)
        assert rig.control.fault_names() == ["PilotFault"]

    each(check)


def test_a_weld_is_seen_where_there_is_a_feedback():
    for name in ("esp32_devkit", "esp32_s3"):
        rig = Rig(name)
        rig.charge()
        rig.is_welded = True
        rig.high_mv = B
        rig.run(2_000)
        assert rig.control.faults == faults.CONTACTOR_WELDED


# The residual-current monitor


def test_the_self_test_is_done_before_the_contactor_closes_for_each_car():
    for name in ("esp32_devkit", "esp32_s3"):
        rig = Rig(name)
        rig.run(2_000)
        assert [level for _, level in rig.world.changes(rig.test)] == [0]  # no car, no test
        for count in (1, 2):
            rig.high_mv = C
            rig.run_until(rig.coil_is(1))
            closed_ms = rig.now
            tests = rig.world.changes(rig.test)
            assert len(tests) == 1 + 2 * count
            (begin_ms, high), (end_ms, low) = tests[-2:]
            assert (high, low) == (1, 0)
            assert rig.reacts_ms <= end_ms - begin_ms <= rig.reacts_ms + 25
            assert closed_ms >= end_ms + rig.releases_ms
            rig.high_mv = A
            rig.run(6_000)


def test_a_monitor_that_does_not_react_is_driven_for_500_ms_and_nothing_is_switched_on():
    for name in ("esp32_devkit", "esp32_s3"):
        rig = Rig(name)
        rig.reacts_ms = None
        rig.run(2_000)
        rig.high_mv = C
        rig.run(10_000)
        (begin_ms, _), (end_ms, _) = rig.world.changes(rig.test)[-2:]
        assert 500 <= end_ms - begin_ms <= 525
        assert rig.control.fault_names() == ["SelfTestFailed"]
        assert rig.world.levels[rig.coil] == 0
        rig.high_mv = A
        rig.reacts_ms = 60
        rig.run(10_000)
        rig.high_mv = C
        rig.run(10_000)
        assert rig.control.fault_names() == ["SelfTestFailed"]  # until the power is cycled
        assert rig.world.levels[rig.coil] == 0


def test_a_monitor_that_stays_tripped_after_its_test_has_failed():
    rig = Rig("esp32_devkit")
    rig.releases_ms = 2_000
    rig.run(2_000)
    rig.high_mv = C
    rig.run(1_000)
    assert rig.control.faults == 0
    rig.run(2_000)
    assert rig.control.fault_names() == ["SelfTestFailed"]


def test_the_self_test_itself_is_no_residual_current():
    rig = Rig("esp32_devkit")
    rig.reacts_ms = 400
    rig.run(2_000)
    rig.high_mv = B
    for _ in range(200):
        rig.run(25)
        assert rig.control.faults == 0


def test_a_trip_under_load_opens_and_holds_until_unplugged():
    for name in ("esp32_devkit", "esp32_s3"):
        rig = Rig(name)
        rig.charge()
        rig.leaks = True
        assert rig.run_until(rig.coil_is(0)) <= 100
        assert rig.control.faults == faults.RESIDUAL_CURRENT
        rig.leaks = False
        rig.run(60_000)
        assert rig.control.faults == faults.RESIDUAL_CURRENT
        rig.high_mv = A
        rig.run(2_000)
        assert rig.control.faults == 0


def test_a_spike_of_the_monitor_is_no_trip_nor_is_what_it_shows_in_the_first_second():
    rig = Rig("esp32_devkit")
    rig.charge()
    rig.leaks = True
    rig.run(25)
    rig.leaks = False
    rig.run(1_000)
    assert rig.control.charging
    rig = Rig("esp32_devkit")
    rig.run(2_000)
    rig.high_mv = C
    rig.run_until(rig.coil_is(1))
    rig.leaks = True
    rig.run(900)
    rig.leaks = False
    rig.run(1_000)
    assert rig.control.charging


# Lock, cable, temperature, light


def test_the_plug_is_locked_before_the_contactor_closes_and_freed_when_the_car_has_left():
    rig = Rig("esp32_s3")
    rig.run(2_000)
    rig.high_mv = C
    rig.run_until(rig.coil_is(1))
    (begin_ms, on), (end_ms, off) = rig.world.changes(8)[-2:]
    assert (on, off) == (1, 0)
    assert 300 <= end_ms - begin_ms <= 325
    assert begin_ms - rig.world.changes(rig.test)[-2][0] >= 500  # the hand is gone
    assert rig.now >= end_ms
    rig.high_mv = A
    rig.run(3_000)
    (begin_ms, _), (end_ms, _) = rig.world.changes(9)[-2:]
    assert 300 <= end_ms - begin_ms <= 325
    assert begin_ms > rig.world.changes(rig.coil)[-1][0]
    assert not rig.board.is_locked()


def test_a_lock_that_does_not_close_is_tried_five_times_and_then_a_fault():
    rig = Rig("esp32_s3")
    rig.lock_works = False
    rig.run(2_000)
    rig.high_mv = C
    rig.run(20_000)
    assert [level for _, level in rig.world.changes(8)] == [0] + [1, 0] * 5
    starts = [ms for ms, level in rig.world.changes(8) if level]
    for first, second in zip(starts, starts[1:]):
        assert 1_300 <= second - first <= 1_350
    assert rig.control.fault_names() == ["BrokenLatch"]
    assert rig.world.levels[rig.coil] == 0
    rig.lock_works = True
    rig.high_mv = A
    rig.run(5_000)
    rig.high_mv = C
    rig.run_until(rig.coil_is(1))


def test_the_cable_lowers_the_current_and_a_bad_one_is_refused():
    for name, sense in (("esp32_s3", 2), ("esp32_evse", 39)):
        for ohm, expected_ma in ((100, 32_000), (220, 32_000), (680, 20_000), (1_500, 13_000)):
            rig = Rig(name)
            rig.world.analog[sense] = 3_300 * ohm // (1_000 + ohm)
            rig.charge()
            assert rig.control.offered_ma == expected_ma
        for ohm in (10, 4_500):
            rig = Rig(name)
            rig.world.analog[sense] = 3_300 * ohm // (1_000 + ohm)
            rig.run(2_000)
            rig.high_mv = C
            rig.run(5_000)
            assert rig.control.fault_names() == ["ProximityFault"]
            assert rig.world.levels[rig.coil] == 0


def test_heat_lowers_the_current_and_then_stops_until_it_is_cool():
    rig = Rig("esp32_devkit")
    rig.charge()
    kelvin = (338.15, 344.15, 333.65, 331.15)  # 65, 71, 60.5 and 58 degrees
    seen = []
    for temperature in kelvin:
        ohm = 10_000 * 2.718281828 ** (3_950 * (1 / temperature - 1 / 298.15))
        rig.world.analog[39] = int(3_300 * ohm / (10_000 + ohm))
        rig.run(15_000)
        seen.append((rig.control.offered_ma, rig.control.fault_names()))
    assert 10_000 <= seen[0][0] <= 11_000 and seen[0][1] == []
    assert seen[1] == (0, ["HighTemperature"])
    assert seen[2] == (0, ["HighTemperature"])
    assert seen[3][0] == 16_000 and seen[3][1] == []


def test_a_broken_temperature_sensor_stops_in_order():
    for pin_mv in (3_300, 0):
        rig = Rig("esp32_devkit")
        rig.charge()
        rig.world.analog[39] = pin_mv
        rig.run(500)
        assert rig.control.fault_names() == ["HighTemperature"]
        assert rig.world.levels[rig.coil] == 1  # the car may stop first
        rig.high_mv = B
        assert rig.run_until(rig.coil_is(0)) <= 100


def blinks(rig, gpio, span_ms):
    start = rig.now
    rig.run(span_ms)
    return [ms - start for ms, level in rig.world.changes(gpio) if level and ms > start]


def test_the_light_tells_a_car_from_charging_from_a_fault():
    rig = Rig("esp32_devkit")
    rig.run(3_000)
    assert blinks(rig, 18, 5_000) == []
    rig.high_mv = B
    rig.run(2_000)
    assert rig.world.levels[18] == 1
    rig.high_mv = C
    rig.run_until(rig.coil_is(1))
    starts = blinks(rig, 18, 10_000)
    assert len(starts) >= 4
    assert {2_000} == {b - a for a, b in zip(starts, starts[1:])}
    rig.high_mv = E
    rig.run(1_500)
    starts = blinks(rig, 18, 9_000)  # five blinks of the pilot, two seconds dark
    assert [b - a for a, b in zip(starts, starts[1:])][:5].count(500) == 4
