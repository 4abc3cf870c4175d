"""The simulated car: what it does to the line, what it draws, and its odd moods."""

from boards.sim.ev import EV
from boards.sim.world import World
from evse.pilot import (
    CONSTANT_HIGH,
    CONSTANT_LOW,
    LEVEL_A,
    LEVEL_B,
    LEVEL_C,
    LEVEL_D,
    LEVEL_E,
    duty_for,
)


def live(ev, span_ms, duty_u16, is_powered=True):
    """Let the car live in 10 ms ticks; return how long it took until it drew something."""
    for elapsed_ms in range(0, span_ms, 10):
        ev.tick(10, duty_u16, is_powered)
        if ev.current_ma[0]:
            return elapsed_ms
    return None


def car(**options):
    ev = EV()
    ev.plug(**options)
    return ev


def drawing(duty_u16, **options):
    ev = car(**options)
    live(ev, 10_000, duty_u16)
    for _ in range(2_000):
        ev.tick(10, duty_u16, True)
    return ev


def is_refused(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except ValueError:
        return True
    return False


def test_no_car_is_level_a_and_a_car_is_level_b():
    ev = EV()
    assert ev.level == LEVEL_A
    ev.tick(10, duty_for(160), True)
    assert ev.level == LEVEL_A
    ev.plug()
    assert ev.level == LEVEL_B
    ev.unplug()
    assert ev.level == LEVEL_A


def test_a_car_closes_s2_after_its_lag_when_a_current_is_offered():
    ev = car()
    live(ev, 1_490, duty_for(160), False)
    assert ev.level == LEVEL_B
    ev.tick(10, duty_for(160), False)
    assert ev.level == LEVEL_C
    assert ev.current_ma == [0, 0, 0]  # no mains yet


def test_a_constant_pilot_and_digital_communication_offer_nothing():
    for duty_u16 in (CONSTANT_HIGH, CONSTANT_LOW, 65535 // 20):
        ev = car()
        assert live(ev, 20_000, duty_u16) is None
        assert ev.level == LEVEL_B


def test_a_car_ramps_up_and_takes_3_to_4_per_cent_less_than_offered():
    ev = car()
    duty_u16 = duty_for(160)
    assert live(ev, 2_000, duty_u16) == 1_490
    assert ev.current_ma[0] < 100
    for _ in range(100):
        ev.tick(10, duty_u16, True)
    assert 3_800 < ev.current_ma[0] < 4_000
    ev = drawing(duty_u16)
    assert ev.current_ma == [15_520, 15_440, 15_360]


def test_a_car_never_takes_more_than_offered_nor_more_than_it_can():
    for deci_amps in (60, 100, 160, 320):
        ev = drawing(duty_for(deci_amps), max_ma=20_000)
        taken_ma = ev.current_ma[0]
        assert taken_ma <= min(deci_amps * 100, 20_000)
        assert taken_ma >= min(deci_amps * 100, 20_000) * 95 // 100


def test_a_car_follows_a_reduction_within_5_s():
    ev = drawing(duty_for(320), max_ma=32_000)
    assert ev.current_ma[0] > 30_000
    for _ in range(500):
        ev.tick(10, duty_for(60), True)
    assert ev.current_ma[0] <= 6_000


def test_the_lag_can_be_set_and_the_newest_offer_counts():
    ev = drawing(duty_for(160))
    ev.set("lag_ms", 5_000)
    before = list(ev.current_ma)
    for i in range(499):
        ev.tick(10, duty_for(100 if i < 400 else 80), True)
    assert ev.current_ma == before
    for _ in range(300):
        ev.tick(10, duty_for(80), True)
    assert 7_500 < ev.current_ma[0] <= 8_000


def test_a_car_stops_and_opens_s2_within_3_s_of_a_constant_pilot():
    ev = drawing(duty_for(320), max_ma=32_000)
    ev.set("lag_ms", 5_000)
    for _ in range(300):
        ev.tick(10, CONSTANT_HIGH, True)
    assert ev.current_ma == [0, 0, 0]
    assert ev.level == LEVEL_B


def test_current_ends_at_once_without_mains():
    ev = drawing(duty_for(160))
    ev.tick(10, duty_for(160), False)
    assert ev.current_ma == [0, 0, 0]
    assert ev.level == LEVEL_C


def test_phases_that_the_car_does_not_use_carry_nothing():
    assert drawing(duty_for(160), phases=1).current_ma[1:] == [0, 0]
    two = drawing(duty_for(160), phases=2).current_ma
    assert two[1] > 0
    assert two[2] == 0


def test_a_car_tapers_above_80_per_cent_and_stops_when_full():
    full_ma = drawing(duty_for(160), soc_percent=80).current_ma[0]
    half_ma = drawing(duty_for(160), soc_percent=90).current_ma[0]
    last_ma = drawing(duty_for(160), soc_percent=99).current_ma[0]
    assert full_ma == 15_520
    assert half_ma == 8_000 * 970 // 1000
    assert last_ma == 1_000 * 970 // 1000
    ev = drawing(duty_for(160), soc_percent=100)
    assert ev.current_ma == [0, 0, 0]
    assert ev.level == LEVEL_B


def test_a_sleeping_car_ignores_an_offer():
    ev = car()
    ev.set("asleep", 1)
    assert live(ev, 60_000, duty_for(160)) is None
    assert ev.level == LEVEL_B


def test_a_car_that_ignores_the_pilot_takes_what_it_can():
    ev = drawing(duty_for(60))
    ev.set("ignores_pilot", 1)
    for _ in range(1_000):
        ev.tick(10, CONSTANT_HIGH, True)
    assert ev.current_ma[0] == 15_520
    assert ev.level == LEVEL_C


def test_defects_show_on_the_line():
    ev = drawing(duty_for(160))
    ev.set("wants_ventilation", 1)
    assert ev.level == LEVEL_D
    ev.set("pilot_short", 1)
    assert ev.level == LEVEL_E


def test_plugging_in_again_is_a_new_car():
    ev = car(phases=1, soc_percent=90)
    ev.set("diode_short", 1)
    ev.unplug()
    ev.plug()
    assert not ev.diode_short
    assert (ev.phases, ev.soc_permille) == (3, 400)


def test_options_that_do_not_exist_or_make_no_sense_are_refused():
    ev = EV()
    world = World(ev, 3)
    assert is_refused(ev.plug, phases=4)
    assert is_refused(ev.plug, soc_percent=101)
    assert is_refused(ev.plug, max_ma=-1)
    assert is_refused(ev.plug, battery_wh=0)
    assert not ev.is_plugged
    assert is_refused(ev.set, "colour", 1)
    assert is_refused(ev.set, "lag_ms", "1")
    assert is_refused(ev.set, "phases", 0)
    assert is_refused(world.set, "colour", 1)
    assert is_refused(world.set, "welded", -1)
    for option in ev.options():
        ev.set(option, 1)
    for option in world.options():
        world.set(option, 1)
