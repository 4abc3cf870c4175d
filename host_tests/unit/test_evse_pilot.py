"""The pilot's duty code and the classification of its levels."""

from evse.pilot import (
    CONSTANT_HIGH,
    CONSTANT_LOW,
    LEVEL_A,
    LEVEL_B,
    LEVEL_C,
    LEVEL_D,
    LEVEL_E,
    LEVEL_F,
    LEVEL_NONE,
    PilotInput,
    classify,
    current_ma,
    duty_for,
)


def is_refused(deci_amps):
    try:
        duty_for(deci_amps)
    except ValueError:
        return True
    return False


def test_known_currents_have_their_duty():
    expected = (
        (60, 6553),  # 10 %
        (100, 10922),
        (160, 17476),
        (320, 34952),
        (510, 55704),  # 85 %
        (630, 58457),  # 89.2 %
        (800, 62913),  # 96 %
    )
    for deci_amps, duty_u16 in expected:
        assert duty_for(deci_amps) == duty_u16, deci_amps


def test_every_deci_amp_is_signalled_within_a_tenth_of_a_per_cent_and_never_above():
    for deci_amps in range(60, 801):
        duty_u16 = duty_for(deci_amps)
        if deci_amps <= 510:
            # D = A / 0.6 in units of 1e-4 A and 1/65535
            signalled = duty_u16 * 600
            wanted = deci_amps * 65535
        elif deci_amps < 525:
            assert duty_u16 == duty_for(510)
            continue
        else:
            signalled = duty_u16 * 2500 - 1600 * 65535
            wanted = deci_amps * 65535
        assert signalled <= wanted, deci_amps
        assert (wanted - signalled) * 1000 <= wanted, deci_amps


def test_a_car_reads_every_code_as_no_more_than_was_wanted():
    for deci_amps in range(60, 801):
        read_ma = current_ma(duty_for(deci_amps))
        assert read_ma <= deci_amps * 100, deci_amps
        if 510 < deci_amps <= 525:
            assert read_ma >= 50_990
        else:
            assert read_ma * 1000 >= deci_amps * 100 * 999, deci_amps


def test_forbidden_bands_are_never_emitted():
    for deci_amps in range(60, 801):
        permyriad = duty_for(deci_amps) * 10_000 // 65535
        assert 999 <= permyriad <= 9600, deci_amps


def test_currents_without_a_code_are_refused():
    for deci_amps in (-1, 0, 1, 59, 801, 65535):
        assert is_refused(deci_amps), deci_amps
    assert not is_refused(60)
    assert not is_refused(800)


def test_duties_without_a_current_read_as_zero():
    # constant levels, below 3 %, digital communication, and the two bands around it
    for duty_u16 in (CONSTANT_LOW, CONSTANT_HIGH, 1, 1900, 3277, 5200, 63_600, 65_000):
        assert current_ma(duty_u16) == 0, duty_u16
    assert current_ma(5_300) == 6_000  # 8 to 10 %
    assert current_ma(63_400) == 80_000  # 96 to 97 %


def test_every_nominal_level_is_recognised_with_one_volt_of_tolerance_from_any_level():
    nominal = (
        (12_000, LEVEL_A),
        (9_000, LEVEL_B),
        (6_000, LEVEL_C),
        (3_000, LEVEL_D),
        (0, LEVEL_E),
        (-12_000, LEVEL_F),
    )
    for centre_mv, level in nominal:
        for high_mv in (centre_mv - 1000, centre_mv, centre_mv + 1000):
            for previous in range(LEVEL_NONE + 1):
                assert classify(high_mv, previous) == level, (high_mv, previous)


def sweep(values):
    level = LEVEL_NONE
    edges = []
    for high_mv in values:
        new = classify(high_mv, level)
        if new != level:
            edges.append((high_mv, new))
            level = new
    return edges


def test_sweep_down_changes_level_below_each_threshold():
    assert sweep(range(13_000, -13_001, -1)) == [
        (13_000, LEVEL_A),
        (10_199, LEVEL_B),
        (7_199, LEVEL_C),
        (4_199, LEVEL_D),
        (1_199, LEVEL_E),
        (-6_301, LEVEL_F),
    ]


def test_sweep_up_changes_level_above_each_threshold():
    assert sweep(range(-13_000, 13_001)) == [
        (-13_000, LEVEL_F),
        (-5_700, LEVEL_E),
        (1_800, LEVEL_D),
        (4_800, LEVEL_C),
        (7_800, LEVEL_B),
        (10_800, LEVEL_A),
    ]


def test_noise_around_a_threshold_does_not_move_the_level():
    for threshold_mv in (10_500, 7_500, 4_500, 1_500, -6_000):
        for start in (threshold_mv - 400, threshold_mv + 400):
            level = classify(start, LEVEL_NONE)
            for i in range(50):
                noise_mv = (i * 37) % 599 - 299
                assert classify(threshold_mv + noise_mv, level) == level


def feed(pilot, now, until, period_ms, high_mv):
    """Feed one voltage; return the time of the last reading."""
    while now + period_ms <= until:
        now += period_ms
        pilot.feed(now, high_mv)
    return now


def charging_input(period_ms):
    pilot = PilotInput(0)
    now = feed(pilot, 0, 2000, period_ms, 6_000)
    assert pilot.level == LEVEL_C
    return pilot, now


def test_any_end_of_level_c_is_seen_within_100_ms_for_every_reading_period():
    for high_mv in (12_000, 9_000, 3_000, 0, -12_000, None):
        for period_ms in range(1, 101):
            pilot, happened = charging_input(period_ms)
            now = happened  # the worst moment is right after a reading
            while pilot.level == LEVEL_C:
                now += period_ms
                pilot.feed(now, high_mv)
            assert now - happened <= 100, (high_mv, period_ms, now - happened)


def test_the_end_of_level_c_is_seen_when_the_line_passes_through_other_levels():
    pilot, now = charging_input(25)
    pilot.feed(now + 25, 9_000)
    assert pilot.level == LEVEL_C
    assert not pilot.is_confirmed
    pilot.feed(now + 50, 12_000)
    assert pilot.level == LEVEL_A


def test_one_odd_reading_in_level_c_is_ignored():
    for high_mv in (12_000, 9_000, 3_000, None):
        pilot, now = charging_input(25)
        pilot.feed(now + 25, high_mv)
        assert pilot.level == LEVEL_C
        assert not pilot.is_confirmed
        pilot.feed(now + 50, 6_000)
        pilot.feed(now + 75, high_mv)
        assert pilot.level == LEVEL_C


def test_an_odd_reading_that_comes_late_is_believed_at_once():
    pilot, now = charging_input(25)
    pilot.feed(now + 50, 9_000)
    assert pilot.level == LEVEL_C
    pilot, now = charging_input(25)
    pilot.feed(now + 51, 9_000)
    assert pilot.level == LEVEL_B


def test_level_c_is_believed_after_500_ms_and_not_a_reading_before():
    pilot = PilotInput(0)
    start = feed(pilot, 0, 1000, 20, 9_000)
    assert pilot.level == LEVEL_B
    first = start + 20
    now = feed(pilot, start, first + 499, 20, 6_000)
    assert pilot.level == LEVEL_B
    pilot.feed(first + 500, 6_000)
    assert pilot.level == LEVEL_C
    assert pilot.level_ms == first + 500
    assert now < first + 500


def test_level_c_needs_eight_readings_however_long_they_take():
    pilot = PilotInput(0)
    now = feed(pilot, 0, 1000, 25, 9_000)
    for _ in range(7):
        now += 300
        pilot.feed(now, 6_000)
        assert pilot.level == LEVEL_B
    pilot.feed(now + 300, 6_000)
    assert pilot.level == LEVEL_C


def test_a_short_show_of_level_c_is_not_believed():
    pilot = PilotInput(0)
    now = feed(pilot, 0, 1000, 25, 9_000)
    for _ in range(10):
        now = feed(pilot, now, now + 450, 25, 6_000)
        now = feed(pilot, now, now + 25, 25, 9_000)
        assert pilot.level == LEVEL_B


def test_nothing_is_known_until_the_line_was_classified_for_a_while():
    for high_mv, level in ((12_000, LEVEL_A), (9_000, LEVEL_B), (6_000, LEVEL_C)):
        pilot = PilotInput(0)
        feed(pilot, 0, 500, 25, high_mv)
        assert pilot.level == LEVEL_NONE
        pilot.feed(525, high_mv)
        assert pilot.level == level
