"""Meter values, session energy, and the clearing rules of faults."""

from evse import faults
from evse.faults import Faults
from evse.metering import ERROR, NORMAL, OUT_OF_RANGE, Meter
from evse.session import Session


def test_a_meter_is_bad_until_its_first_reading():
    meter = Meter(3)
    assert meter.state == ERROR
    assert not meter.is_good(0)
    assert meter.mean_voltage_mv() == 0


def test_a_reading_is_good_for_five_seconds():
    meter = Meter(3)
    meter.state = NORMAL
    meter.updated_ms = 100
    assert meter.is_good(5_100)
    assert not meter.is_good(5_101)
    meter.updated_ms = 5_101
    for state in (ERROR, OUT_OF_RANGE):
        meter.state = state
        assert not meter.is_good(5_101)


def test_mean_voltage_and_largest_current_are_over_the_wired_phases():
    meter = Meter(3)
    meter.voltage_mv[:] = [229_000, 230_000, 234_000]
    meter.current_ma[:] = [5_000, 15_900, 0]
    assert meter.mean_voltage_mv() == 231_000
    assert meter.max_current_ma() == 15_900
    meter = Meter(1)
    meter.voltage_mv[0] = 228_000
    assert meter.mean_voltage_mv() == 228_000


def test_session_energy_is_the_difference_of_the_total():
    session = Session()
    session.begin(0)
    session.update(1_000_000)
    assert session.energy_wh == 0
    session.update(1_004_321)
    assert session.energy_wh == 4_321
    session.end()
    session.update(1_009_999)
    assert (session.energy_wh, session.count, session.is_open) == (4_321, 1, False)
    session.begin(10)
    session.update(1_010_000)
    assert (session.energy_wh, session.count) == (0, 2)


def test_a_session_that_was_open_before_a_restart_goes_on():
    session = Session()
    session.restore(7, 1_000_000)
    session.begin(0)
    session.update(1_002_500)
    assert (session.count, session.energy_wh) == (7, 2_500)
    session = Session()
    session.restore(7, None)
    session.begin(0)
    session.update(1_002_500)
    assert (session.count, session.energy_wh) == (8, 0)


def test_a_new_meter_does_not_take_session_energy_away():
    session = Session()
    session.begin(0)
    session.update(50_000)
    session.update(52_000)
    session.update(10)
    assert session.energy_wh == 2_000
    session.update(110)
    assert session.energy_wh == 2_100


def test_latched_faults_stay_for_good():
    for bit in (faults.CONTACTOR_WELDED, faults.GROUND):
        state = Faults()
        state.update(0, bit)
        state.unplugged()
        state.update(10**6, 0)
        assert state.active == state.blocking == bit


def test_faults_until_unplug_clear_with_the_car():
    for bit in (
        faults.DIODE,
        faults.VENTILATION,
        faults.OVER_CURRENT,
        faults.PROXIMITY,
        faults.RESIDUAL_CURRENT,
    ):
        state = Faults()
        state.update(0, bit)
        state.update(10**6, 0)
        assert state.active == bit
        state.unplugged()
        assert state.active == 0
        assert state.blocking == bit  # still, in this cycle
        state.update(10**6 + 25, 0)
        assert state.blocking == 0


def test_timed_faults_clear_30_s_after_their_cause():
    for bit in (faults.PILOT, faults.CONTACTOR_OPEN, faults.POWER_LOSS):
        state = Faults()
        state.update(1_000, bit)
        state.update(5_000, bit)
        state.update(34_999, 0)
        assert state.active == bit
        state.update(35_000, 0)
        assert state.active == 0
        assert state.blocking == bit  # still, in this cycle
        state.update(35_025, 0)
        assert state.blocking == 0


def test_other_faults_last_as_long_as_their_cause():
    for bit in (faults.HIGH_TEMPERATURE, faults.EMERGENCY_STOP, faults.UNDER_VOLTAGE):
        state = Faults()
        state.update(0, bit)
        assert state.active == state.blocking == bit
        state.update(25, 0)
        assert (state.active, state.blocking) == (0, bit)
        state.update(50, 0)
        assert state.blocking == 0


def test_a_failed_meter_is_shown_but_does_not_block():
    state = Faults()
    state.update(0, faults.METER)
    assert state.names() == ["CommunicationFault"]
    assert state.blocking == 0


def test_grave_faults_open_at_once_and_the_others_let_the_car_stop_first():
    grave = (
        faults.DIODE,
        faults.PILOT,
        faults.CONTACTOR_WELDED,
        faults.CONTACTOR_OPEN,
        faults.GROUND,
        faults.RESIDUAL_CURRENT,
        faults.EMERGENCY_STOP,
        faults.POWER_LOSS,
        faults.VENDOR_ERROR,
    )
    for position in range(16):
        state = Faults()
        state.update(0, 1 << position)
        assert state.opens_at_once() == (1 << position in grave), position


def test_every_fault_has_a_name():
    state = Faults()
    state.update(0, 0xFFFF)
    assert len(state.names()) == 16
    state = Faults()
    state.update(0, faults.DIODE | faults.OVER_CURRENT | faults.VENDOR_ERROR)
    assert state.names() == ["DiodeFault", "OverCurrent", "VendorError"]
