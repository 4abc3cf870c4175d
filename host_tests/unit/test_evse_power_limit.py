"""Watt limits against the simulated car: the cap is kept, and charging comes back."""

import gc

from boards.sim.board import create
from evse.arbiter import ECHONET, LPC, OPEV, USER, Arbiter
from evse.charging import ChargingControl


class Station:
    """A control on the simulated board, and a clock."""

    def __init__(self, phases=3, max_current_ma=16_000, period_ms=25):
        self.board = create(phases, max_current_ma)
        self.ev = self.board.ev
        self.world = self.board.world
        self.arbiter = Arbiter(self.board.NOMINAL_VOLTAGE_MV)
        self.control = ChargingControl(self.board, self.arbiter, 0)
        self.meter = self.control.meter
        self.period_ms = period_ms
        self.now = 0

    def run(self, span_ms):
        end = self.now + span_ms
        while self.now < end:
            self.now += self.period_ms
            self.control.step(self.now)

    def cap(self, watts):
        self.arbiter.publish(LPC, self.now, watts=watts)

    def highest_w(self, span_ms):
        """Run for a while; return the highest power."""
        highest_w = 0
        end = self.now + span_ms
        while self.now < end:
            self.run(self.period_ms)
            highest_w = max(highest_w, self.world.power_w)
        return highest_w


def charging(max_current_ma=16_000, period_ms=25, **car):
    station = Station(3, max_current_ma, period_ms)
    station.ev.plug(**car)
    station.run(20_000)
    assert station.control.charging
    return station


def test_a_car_charges_with_11_kw():
    station = charging()
    assert 10_000 < station.meter.power_w < 11_040
    assert station.control.state == "C2"
    assert station.control.offered_ma == 16_000


def test_an_11_kw_car_keeps_4200_w_within_10_s_at_every_lag_a_car_may_have():
    for lag_ms in (0, 1_500, 5_000):
        for period_ms in (20, 50):
            station = charging(period_ms=period_ms)
            station.ev.set("lag_ms", lag_ms)
            assert station.world.power_w > 10_000
            station.cap(4_200)
            station.run(station.period_ms)
            # the grid still sags under 16 A: 4200 W are 6.1 A there
            assert station.control.offered_ma == 6_100
            station.run(10_000)
            assert 3_900 < station.world.power_w <= 4_200
            assert station.highest_w(120_000) <= 4_200
            assert station.control.faults == 0
            assert station.control.explain() == "6.1 A on L1-L3 because LPC 4.2 kW"


def test_every_cap_is_kept_within_10_s_and_used_to_nine_tenths():
    station = charging()
    for watts in range(10_900, 4_200, -313):
        station.cap(watts)
        station.run(10_000)
        assert watts * 9 // 10 <= station.world.power_w <= watts, watts
        assert station.control.faults == 0


def test_a_cap_of_0_w_pauses_and_its_release_raises_again():
    station = charging()
    station.cap(0)
    station.run(25)
    assert station.control.offered_ma == 0
    station.run(6_100)
    assert station.world.power_w == 0
    assert station.control.state == "B1"
    assert station.control.contactor.loaded_openings == 0
    assert station.control.ev_connected
    station.run(60_000)
    station.arbiter.withdraw(LPC)
    station.run(20_000)
    assert station.world.power_w > 10_000
    assert station.control.faults == 0
    assert station.control.session.count == 1


def test_a_released_cap_raises_in_one_go_after_5_s():
    station = charging()
    station.cap(4_200)
    station.run(60_000)
    station.arbiter.withdraw(LPC)
    station.run(25)
    assert station.control.offered_ma == 16_000
    station.run(15_000)
    assert station.world.power_w > 10_000


def test_a_one_phase_car_gets_18_a_from_4200_w_if_the_station_allows():
    station = charging(32_000, phases=1, max_ma=32_000)
    station.cap(4_200)
    station.run(30_000)
    assert station.control.phases_in_use == 1
    assert 18_000 <= station.control.offered_ma <= 18_500
    assert 3_900 < station.world.power_w <= 4_200
    assert station.control.explain().startswith("18.")
    assert station.control.explain().endswith(" A on L1 because LPC 4.2 kW")
    assert station.highest_w(60_000) <= 4_200
    station = charging(16_000, phases=1, max_ma=32_000)
    station.cap(4_200)
    station.run(30_000)
    assert station.control.offered_ma == 16_000


def test_all_wired_phases_are_assumed_until_the_car_has_shown_fewer():
    station = Station()
    station.cap(4_200)
    station.ev.plug(phases=1)
    station.run(20_000)
    assert station.control.phases_in_use == 3
    assert station.control.offered_ma == 6_000
    station.run(20_000)
    assert station.control.phases_in_use == 1
    assert station.control.offered_ma == 16_000


def test_a_car_that_uses_more_phases_later_does_not_break_the_cap_for_long():
    station = charging(phases=1)
    station.cap(4_200)
    station.run(30_000)
    assert station.control.offered_ma == 16_000
    station.ev.set("phases", 3)
    station.run(10_000)
    assert station.control.phases_in_use == 3
    assert station.world.power_w <= 4_200
    assert station.highest_w(60_000) <= 4_200


def test_a_two_phase_car_is_counted_as_two():
    station = charging(phases=2)
    station.cap(6_000)
    station.run(30_000)
    assert station.control.phases_in_use == 2
    assert 12_900 <= station.control.offered_ma <= 13_200


# The 6 A threshold: 4200 W on three phases are 5.83 A at 240 V


def at_240_v(take_permille, is_strict=False):
    station = Station()
    station.control.is_strict = is_strict
    station.world.set("nominal_mv", 240_000)
    station.ev.plug()
    station.ev.set("take_permille", take_permille)
    station.run(20_000)
    station.cap(4_200)
    return station


def test_just_below_6_a_the_car_is_offered_6_a_and_kept_if_it_keeps_the_cap():
    station = at_240_v(960)
    station.run(10_000)
    assert station.control.decision.current_ma == 5_800
    assert station.control.offered_ma == 6_000
    assert station.world.power_w <= 4_200
    assert station.highest_w(120_000) <= 4_200
    assert station.control.charging


def test_just_below_6_a_a_car_that_does_not_keep_the_cap_is_paused_within_10_s():
    station = at_240_v(990)
    station.run(25)
    assert station.control.offered_ma == 6_000
    station.run(9_500)
    assert 4_200 < station.world.power_w <= 4_284  # less than 2 % above
    assert station.control.offered_ma == 6_000
    station.run(1_000)
    assert station.control.offered_ma == 0
    station.run(5_000)
    assert station.world.power_w == 0
    assert station.control.explain() == "0.0 A because the car does not keep 4200 W with 6 A"
    # the same limit is not tried again for 15 minutes, another one is
    assert station.highest_w(880_000) == 0
    station.run(40_000)
    assert station.control.offered_ma == 0
    assert station.control.contactor.operations == 2
    station.cap(4_300)
    station.run(20_000)
    assert station.control.charging
    assert station.world.power_w <= 4_300


def test_a_refused_limit_is_tried_again_with_the_next_car():
    station = at_240_v(1_000)
    station.run(20_000)
    assert station.control.offered_ma == 0
    station.ev.unplug()
    station.run(5_000)
    station.ev.plug()
    station.ev.set("take_permille", 950)
    station.run(30_000)
    assert station.control.charging


def test_just_below_6_a_a_car_more_than_2_per_cent_above_is_paused_after_7_s():
    station = at_240_v(1_010)
    station.run(6_900)
    assert station.control.offered_ma == 6_000
    station.run(500)
    assert station.control.offered_ma == 0


def test_the_strict_profile_pauses_below_6_a():
    station = at_240_v(950, is_strict=True)
    station.run(25)
    assert station.control.offered_ma == 0
    station.run(10_000)
    assert station.world.power_w == 0
    assert station.control.explain() == "5.8 A on L1-L3 because LPC 4.2 kW"


def test_below_5_5_a_is_a_pause_for_everyone():
    station = charging()
    station.cap(3_780)  # 5.48 A at 230 V, 5.5 A below 229 V
    station.world.set("nominal_mv", 232_000)
    station.run(300)
    station.run(10_000)
    assert station.control.offered_ma == 0


def test_a_current_below_6_a_is_a_pause_and_never_6_a_on_trial():
    station = charging()
    station.arbiter.publish(OPEV, station.now, milliamps=5_900)
    station.run(25)
    assert station.control.offered_ma == 0
    station.cap(4_200)
    station.run(10_000)
    assert station.control.offered_ma == 0


def test_without_a_meter_there_is_no_trial():
    station = at_240_v(950)
    station.run(15_000)
    assert station.control.offered_ma == 6_000
    station.world.set("meter_fails", 1)
    station.run(6_000)
    assert station.control.offered_ma == 0
    assert station.control.fault_names() == ["CommunicationFault"]


# The closed loop


def test_a_car_that_takes_more_than_offered_is_trimmed_to_the_cap():
    for take_permille in (1_015, 1_050, 1_080):
        station = charging()
        station.ev.set("take_permille", take_permille)
        station.cap(7_000)
        station.run(20_000)
        assert station.world.power_w <= 7_000
        assert station.control.charging
        assert station.highest_w(120_000) <= 7_000


def test_a_trembling_voltage_does_not_keep_the_trim_from_working():
    station = charging()
    station.ev.set("take_permille", 1_050)
    station.cap(7_000)
    seen_ma = []
    for _ in range(20):  # a step down and a step up every 5.6 s
        station.world.set("nominal_mv", 231_500)
        station.run(300)
        seen_ma.append(station.control.decision.current_ma)
        station.world.set("nominal_mv", 230_000)
        station.run(5_300)
        seen_ma.append(station.control.decision.current_ma)
    assert seen_ma[-4:] == [10_100, 10_200, 10_100, 10_200]
    assert station.world.power_w <= 7_000


def test_the_trim_is_given_back_slowly_when_the_car_takes_less_again():
    station = charging()
    station.ev.set("take_permille", 1_080)
    station.cap(7_000)
    station.run(20_000)
    trimmed_ma = station.control.offered_ma
    station.ev.set("take_permille", 970)
    station.run(5_000)
    assert station.control.offered_ma <= trimmed_ma + 100
    station.run(60_000)
    assert station.control.offered_ma >= station.control.decision.current_ma - 100
    assert station.world.power_w <= 7_000


def test_a_car_that_ignores_the_pilot_is_cut_off_within_14_s():
    station = charging()
    station.ev.set("ignores_pilot", 1)
    station.cap(4_200)
    station.run(14_000)
    assert station.world.power_w == 0
    assert not station.world.is_closed
    assert station.control.fault_names() == ["OverCurrent"]
    assert station.highest_w(60_000) == 0
    station.ev.unplug()
    station.run(5_000)
    assert station.control.faults == 0


# Several masters, sessions, failures


def test_the_stricter_of_two_masters_wins_and_neither_raises_the_other():
    station = charging()
    station.arbiter.publish(OPEV, station.now, milliamps=(10_000, 10_000, 10_000))
    station.arbiter.publish(ECHONET, station.now, watts=9_000)
    station.cap(6_000)
    station.run(10_000)
    assert station.control.offered_ma in (8_600, 8_700)
    station.arbiter.publish(OPEV, station.now, milliamps=(16_000, 16_000, 16_000))
    station.arbiter.withdraw(ECHONET)
    station.run(10_000)
    assert station.control.offered_ma in (8_600, 8_700)
    station.arbiter.publish(OPEV, station.now, milliamps=(16_000, 7_000, 16_000))
    station.run(25)
    assert station.control.offered_ma == 7_000


def test_a_master_that_falls_silent_leaves_its_fallback():
    station = charging()
    station.arbiter.publish(LPC, station.now, watts=9_000, expires_ms=120_000, fallback=4_200)
    station.run(119_975)
    assert station.control.offered_ma > 12_000
    station.run(25)
    assert station.control.offered_ma == 6_100
    station.run(10_000)
    assert station.world.power_w <= 4_200


def test_unplugging_under_load_opens_at_once_and_ends_the_session():
    station = charging()
    energy_wh = station.control.session.energy_wh
    assert energy_wh > 0
    station.ev.unplug()
    station.run(100)
    assert not station.board.world.coil
    assert station.control.state == "A"
    station.run(2_000)
    assert not station.control.ev_connected
    assert not station.control.session.is_open
    assert station.control.session.energy_wh - energy_wh <= 1
    assert station.world.power_w == 0
    assert station.control.faults == 0


def test_session_energy_agrees_with_power_and_time():
    station = charging()
    station.cap(7_000)
    station.run(30_000)
    before_wh = station.control.session.energy_wh
    station.run(600_000)
    power_w = station.world.power_w
    expected_wh = power_w * 600 // 3600
    assert abs(station.control.session.energy_wh - before_wh - expected_wh) <= 2


def test_a_meter_that_fails_under_a_cap_keeps_the_current_that_was_offered():
    station = charging()
    station.cap(7_000)
    station.run(20_000)
    offered_ma = station.control.offered_ma
    power_w = station.meter.power_w
    station.world.set("meter_fails", 1)
    station.run(60_000)
    assert station.control.offered_ma == offered_ma
    assert station.control.charging
    assert station.meter.power_w == power_w  # the last value, marked, not zero
    assert station.control.fault_names() == ["CommunicationFault"]
    station.cap(5_000)
    station.run(10_000)
    assert station.world.power_w <= 5_000
    station.world.set("meter_fails", 0)
    station.run(1_000)
    assert station.control.faults == 0


def test_a_full_car_stops_by_itself_and_stays_connected():
    station = Station()
    station.ev.plug(soc_percent=99, battery_wh=1_000)
    station.run(60_000)
    assert station.ev.soc_permille == 1_000
    assert station.control.state == "B2"
    assert station.control.ev_connected
    assert not station.control.charging
    assert station.world.power_w == 0
    assert station.control.faults == 0


def test_a_sleeping_car_keeps_its_offer():
    station = Station()
    station.ev.plug()
    station.ev.set("asleep", 1)
    station.run(60_000)
    assert station.control.state == "B2"
    station.ev.set("asleep", 0)
    station.run(20_000)
    assert station.control.charging


def test_defects_of_car_and_station_are_found():
    cases = (
        ("diode_short", "DiodeFault"),
        ("wants_ventilation", "VentilationNotAvailable"),
        ("pilot_short", "PilotFault"),
    )
    for option, name in cases:
        station = Station()
        station.ev.plug()
        station.ev.set(option, 1)
        station.run(10_000)
        assert station.control.fault_names() == [name]
        assert not station.world.is_closed
        station.ev.unplug()
        station.run(40_000)
        assert station.control.faults == 0
    for option in ("welded", "stuck_open"):
        station = Station()
        station.world.set(option, 1)
        station.ev.plug()
        station.run(10_000)
        assert station.control.fault_names() == ["ContactorFault"]
        assert not station.control.charging


def test_contacts_that_weld_while_charging_are_found_after_the_stop():
    station = charging()
    station.world.set("welded", 1)
    station.arbiter.publish(USER, station.now, milliamps=0)
    station.run(10_000)
    assert station.control.fault_names() == ["ContactorFault"]
    station.arbiter.withdraw(USER)
    station.run(60_000)
    assert station.control.offered_ma == 0


def test_a_one_phase_station_has_one_phase():
    station = Station(phases=1, max_current_ma=32_000)
    station.ev.plug(phases=3, max_ma=16_000)
    station.run(20_000)
    assert station.control.phases_in_use == 1
    assert 3_400 < station.meter.power_w < 3_700
    assert len(station.meter.current_ma) == 1
    station.cap(2_300)
    station.run(10_000)
    assert 2_000 < station.world.power_w <= 2_300


def test_a_step_allocates_nothing_on_micropython():
    station = charging()
    station.cap(7_000)
    station.run(20_000)
    if not hasattr(gc, "mem_alloc"):
        return
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    station.run(10_000)
    used = gc.mem_alloc() - before
    gc.enable()
    assert used <= 64, used  # what calling `run` takes, over 400 steps
