"""How many phases the car uses, and the change between one and all of them."""

from boards.sim.board import create
from evse.arbiter import LPC, OPEV, Arbiter
from evse.charging import ChargingControl
from evse.phases import PhaseCount


def test_all_wired_phases_are_assumed_until_a_smaller_picture_has_lasted_20_s():
    phases = PhaseCount(3, 0)
    assert phases.in_use == 3
    for now in range(1_000, 21_000, 200):
        phases.update(now, [10_000, 0, 0])
        assert phases.in_use == 3
    phases.update(20_999, [10_000, 0, 0])
    assert phases.in_use == 3
    phases.update(21_000, [10_000, 0, 0])
    assert phases.in_use == 1


def test_a_phase_more_than_assumed_counts_at_once():
    phases = PhaseCount(3, 0)
    phases.update(0, [6_000, 0, 0])
    phases.update(20_000, [6_000, 0, 0])
    assert phases.in_use == 1
    phases.update(20_200, [6_000, 1_001, 0])
    assert phases.in_use == 2
    phases.update(20_400, [0, 0, 6_000])
    assert phases.in_use == 3


def test_a_current_between_used_and_unused_starts_the_count_again():
    phases = PhaseCount(3, 0)
    phases.update(0, [6_000, 0, 0])
    phases.update(19_000, [1_200, 900, 900])
    phases.update(20_000, [6_000, 499, 0])
    assert phases.in_use == 3
    phases.update(39_999, [6_000, 499, 0])
    assert phases.in_use == 3
    phases.update(40_000, [1_001, 499, 0])
    assert phases.in_use == 1


def test_no_current_says_nothing_about_phases():
    phases = PhaseCount(3, 0)
    for now in range(0, 60_000, 200):
        phases.update(now, [0, 0, 0])
    assert phases.in_use == 3


def test_an_interruption_starts_the_count_again_and_a_new_car_forgets_it():
    phases = PhaseCount(3, 0)
    phases.update(0, [6_000, 0, 0])
    phases.interrupt()
    phases.update(20_000, [6_000, 0, 0])
    assert phases.in_use == 3
    phases.update(40_000, [6_000, 0, 0])
    assert phases.in_use == 1
    phases.reset(3)
    assert phases.in_use == 3


# --- the change -------------------------------------------------------------------------------


class Station:
    """A control on a simulated board that can switch phases, unless told otherwise."""

    def __init__(self, switch_phases=True):
        self.board = create(switch_phases=switch_phases)
        self.world = self.board.world
        self.arbiter = Arbiter()
        self.control = ChargingControl(self.board, self.arbiter, 0)
        self.now = 0
        self.board.ev.plug()
        self.run(20_000)
        assert self.control.charging and self.world.connected == 3

    def run(self, span_ms):
        """Live for a while; what the car draws never exceeds what is offered."""
        end = self.now + span_ms
        while self.now < end:
            self.now += 25
            self.control.step(self.now)

    def cap(self, watts):
        self.arbiter.publish(LPC, self.now, watts=watts)

    def run_until(self, is_true, limit_ms):
        start = self.now
        while not is_true():
            assert self.now - start < limit_ms, self.control.explain()
            self.run(25)
        return self.now - start


def on_one_phase():
    station = Station()
    station.cap(3_000)
    station.run(60_000)
    assert station.world.connected == 1 and station.control.charging
    return station


def test_a_limit_too_low_for_three_phases_is_used_on_one():
    station = Station()
    station.cap(3_000)
    took_ms = station.run_until(lambda: station.world.connected == 1, 30_000)
    assert took_ms >= 10_000
    station.run_until(lambda: station.world.power_w > 2_600, 30_000)
    assert station.control.phases_in_use == 1
    assert station.world.current_ma[1:] == [0, 0]
    assert " on L1 because LPC 3.0 kW" in station.control.explain()
    assert station.board.ev.is_plugged and station.control.ev_connected


def test_the_contacts_are_open_for_ten_seconds_before_the_change():
    station = Station()
    opened = []
    connect = station.board.connect_phases

    def watched(count):
        opened.append(station.now - station.control.contactor.switched_ms)
        assert not station.world.is_closed  # the simulated world would raise
        connect(count)

    station.board.connect_phases = watched
    station.cap(3_000)
    station.run(60_000)
    station.cap(9_000)
    station.run(400_000)
    assert len(opened) == 2 and min(opened) >= 10_000
    assert station.control.charging and station.control.phases_in_use == 3


def test_what_is_too_low_for_one_phase_too_changes_nothing():
    for watts in (0, 1_300):
        station = Station()
        station.cap(watts)
        station.run(60_000)
        assert station.world.connected == 3 and not station.control.charging


def test_a_short_dip_is_a_pause_and_no_change():
    station = Station()
    station.cap(3_000)
    station.run(8_000)
    station.cap(9_000)
    station.run(30_000)
    assert station.world.connected == 3 and station.control.charging


def test_the_way_back_takes_five_minutes_of_a_higher_limit():
    station = on_one_phase()
    station.cap(9_000)
    station.run(200_000)
    station.cap(3_000)  # not long enough
    station.run(1_000)
    station.cap(9_000)
    station.run(299_000)
    assert station.world.connected == 1 and station.control.charging
    station.run(2_000)
    assert station.control.explain() == "0.0 A because of the change to L1-L3"
    station.run(40_000)
    assert station.world.connected == 3
    assert station.control.charging and station.world.power_w > 8_000


def test_the_next_car_starts_on_all_phases():
    station = on_one_phase()
    station.board.ev.unplug()
    station.run(15_000)
    assert station.world.connected == 3
    station.board.ev.plug()
    station.arbiter.withdraw(LPC)
    station.run(20_000)
    assert station.world.power_w > 10_000


def test_an_energy_manager_that_leaves_only_the_first_phase_gets_one():
    station = Station()
    station.arbiter.publish(OPEV, station.now, milliamps=(8_000, 0, 0))
    station.run(60_000)
    assert station.world.connected == 1
    assert station.control.offered_ma == 8_000
    assert station.control.explain() == "8.0 A on L1 because OPEV 8.0 A"


def test_phases_that_stay_connected_by_a_defect_still_count():
    station = on_one_phase()
    station.world.connected = 3  # the switch is stuck
    station.run(12_000)
    assert station.control.phases_in_use == 3
    assert station.world.power_w <= 3_000


def test_a_board_that_cannot_switch_pauses():
    station = Station(switch_phases=False)
    station.cap(3_000)
    station.run(60_000)
    assert station.world.connected == 3 and not station.control.charging
