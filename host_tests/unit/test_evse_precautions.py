"""Self-test, lock and heat before and while the contactor is closed, on the scripted board."""

from test_evse_charging import A, B, Bench, C, Station

from evse import faults
from evse.arbiter import TEMPERATURE, Arbiter
from evse.charging import ChargingControl
from evse.precautions import Precautions

DAY_MS = 86_400_000


class Guarded(Bench):
    """A bench with a monitor, a lock and a sensor."""

    def __init__(self):
        super().__init__()
        self.tests = []
        self.result = True
        self.locks = []
        self.locked = False
        self.obeys = True
        self.heat_dc = None
        self.shown = []

    def start_self_test(self):
        assert not self.closed
        self.tests.append(self.now)

    def self_test_passed(self):
        return self.result

    def set_lock(self, locked):
        self.locks.append((self.now, locked))
        if self.obeys:
            self.locked = locked

    def is_locked(self):
        return self.locked

    def temperature_dc(self):
        return self.heat_dc

    def show(self, control):
        self.shown.append((control.state, control.charging))


def guarded():
    station = Station()
    station.bench = Guarded()
    station.bench.high_mv = A
    station.arbiter = Arbiter()
    station.control = ChargingControl(station.bench, station.arbiter, 0)
    return station


def test_each_car_is_tested_and_locked_once_and_freed_after_it_has_left():
    station = guarded()
    bench = station.bench
    assert bench.locks == [(0, False)]
    station.charge()
    assert len(bench.tests) == 1
    assert [wish for _, wish in bench.locks] == [False, True]
    assert bench.switched[-1] == (bench.switched[-1][0], True)
    assert bench.tests[0] < bench.switched[-1][0]
    station.line(B)
    station.run(10_000)
    station.line(C)
    station.run(10_000)
    assert bench.closed and len(bench.tests) == 1
    station.line(A)
    station.run(5_000)
    assert [wish for _, wish in bench.locks] == [False, True, False]
    station.charge()
    assert len(bench.tests) == 2


def test_nothing_closes_before_the_result_is_there():
    station = guarded()
    station.bench.result = None
    station.run(3_000)
    station.line(C)
    station.run(4_000)
    assert station.is_open() and station.control.faults == 0
    station.bench.result = True
    assert station.run_until(station.is_closed) <= 50


def test_a_test_without_result_has_failed_after_5_s():
    station = guarded()
    station.bench.result = None
    station.run(3_000)
    station.line(C)
    station.run_until(lambda: station.bench.tests)
    station.run(4_975)
    assert station.control.faults == 0
    station.run(50)
    assert station.control.faults == faults.SELF_TEST


def test_a_failed_test_is_latched():
    station = guarded()
    station.bench.result = False
    station.run(3_000)
    station.line(C)
    station.run(3_000)
    assert station.control.fault_names() == ["SelfTestFailed"]
    station.bench.result = True
    station.line(A)
    station.run(3_000)
    station.line(C)
    station.run(60_000)
    assert station.control.fault_names() == ["SelfTestFailed"] and station.is_open()


def test_a_car_that_stays_is_tested_again_after_a_day_when_the_contactor_is_open():
    bench = Guarded()
    contactor = ChargingControl(bench, Arbiter(), 0).contactor
    precautions = Precautions(bench, 0)
    for now in (0, 25, 1_000, DAY_MS - 25):
        bench.now = now
        precautions.update(now, True, contactor)
        assert precautions.is_ready
    assert bench.tests == [0]
    contactor.switch(DAY_MS, True)
    precautions.update(DAY_MS + 1_000, True, contactor)
    assert bench.tests == [0]
    contactor.switch(DAY_MS + 2_000, False)
    bench.now = DAY_MS + 2_025
    precautions.update(bench.now, True, contactor)
    assert bench.tests == [0, DAY_MS + 2_025]


def test_an_open_lock_keeps_the_contactor_open():
    station = guarded()
    station.bench.obeys = False
    station.run(3_000)
    station.line(C)
    station.run(10_000)
    assert station.is_open()
    station.bench.locked = True
    assert station.run_until(station.is_closed) <= 50


def test_out_of_service_frees_the_plug_after_the_contactor_has_opened():
    station = guarded()
    station.charge()
    station.control.in_service = False
    station.run(500)
    assert station.bench.locked and station.bench.closed
    station.line(B)
    station.run(500)
    assert not station.bench.locked and not station.bench.closed
    assert station.bench.locks[-1][0] >= station.bench.switched[-1][0]


def test_welded_contacts_keep_the_plug_locked():
    station = guarded()
    station.charge()
    station.bench.feedback = True
    station.line(A)
    station.run(10_000)
    assert station.bench.locked
    station.bench.feedback = "follows"
    station.run(50)
    assert not station.bench.locked


# Heat


def limit(station):
    published = station.arbiter.published(TEMPERATURE, station.now)
    return published and published[1]


def test_heat_lowers_in_whole_amperes_and_is_taken_back_2_kelvin_later():
    station = guarded()  # 16 A; 60 to 70 degrees
    for heat_dc, expected_ma in (
        (None, None),
        (599, None),
        (600, 16_000),
        (610, 15_000),
        (650, 11_000),
        (699, 6_000),
        (650, 9_000),
        (640, 10_000),
        (629, 11_000),
        (585, 15_000),
        (579, None),
    ):
        station.bench.heat_dc = heat_dc
        station.run(200)
        assert limit(station) == expected_ma, heat_dc
        assert station.control.faults == 0


def test_too_hot_stops_in_order_until_it_is_cool_again():
    station = guarded()
    station.charge()
    station.bench.heat_dc = 700
    station.run(200)
    assert station.control.fault_names() == ["HighTemperature"]
    assert station.bench.closed
    station.line(B)
    station.run(200)
    assert station.is_open()
    station.bench.heat_dc = 601
    station.run(10_000)
    assert station.control.fault_names() == ["HighTemperature"]
    station.bench.heat_dc = 570
    station.run(10_000)
    assert station.control.faults == 0 and station.control.state == "B2"


def test_the_board_is_told_each_change():
    station = guarded()
    station.charge()
    shown = station.bench.shown
    assert shown[0] == ("A", False)
    assert ("B2", False) in shown and shown[-1] == ("C2", True)
    count = len(shown)
    station.run(5_000)
    assert len(shown) == count
