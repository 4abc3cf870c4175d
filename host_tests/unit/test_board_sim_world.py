"""The simulated station: time, energy, contactor, pilot line, and the board in front of it."""

from boards.sim.board import create
from evse.metering import ERROR, NORMAL, Meter
from evse.pilot import CONSTANT_HIGH, CONSTANT_LOW, duty_for


def powered(phases=3, **car):
    """Return a board whose car is drawing, 30 s after plug-in."""
    board = create(phases)
    board.poll(0)
    board.ev.plug(**car)
    board.set_pilot(duty_for(160))
    board.set_contactor(True)
    for now in range(0, 90_001, 10_000):
        board.poll(now)
    return board


def figures(board):
    world = board.world
    return world.power_w, world.energy_wh, world.current_ma, world.voltage_mv, board.ev.stored_wh


def test_the_same_time_gives_the_same_figures_however_it_is_cut():
    results = []
    for step_ms in (1, 7, 25, 50, 3_000):
        board = create()
        board.poll(0)
        board.ev.plug(battery_wh=400)
        board.set_pilot(duty_for(100))
        board.set_contactor(True)
        for now in range(step_ms, 42_001, step_ms):
            board.poll(now)
        board.poll(42_000)
        results.append(figures(board))
    assert results[0][0] > 0
    assert results[0][1] > 0
    for other in results[1:]:
        assert other == results[0]


def test_energy_is_power_times_time_without_drift():
    board = powered()
    power_w = board.world.power_w
    before_wh = board.world.energy_wh
    for now in range(90_000, 90_000 + 1_800_001, 10_000):
        board.poll(now)
    assert board.world.power_w == power_w
    exact_wh = power_w * 1_800 // 3_600
    assert exact_wh <= board.world.energy_wh - before_wh <= exact_wh + 1


def test_the_battery_takes_what_the_meter_counts():
    board = create()
    board.poll(0)
    board.ev.plug()
    stored_wh = board.ev.stored_wh
    board.set_pilot(duty_for(160))
    board.set_contactor(True)
    for now in range(0, 600_001, 10_000):
        board.poll(now)
    assert board.world.energy_wh > 1_000
    assert board.ev.stored_wh - stored_wh == board.world.energy_wh


def test_time_that_was_slept_through_is_skipped_beyond_10_s():
    board = powered()
    before_wh = board.world.energy_wh
    board.poll(90_000 + 3_600_000)
    assert board.world.energy_wh - before_wh <= 31  # 10 s of 11 kW


def test_voltage_sags_by_a_fifth_of_a_volt_per_ampere():
    board = powered()
    for i in range(3):
        idle_mv = (230_000, 230_800, 229_400)[i]
        assert board.world.voltage_mv[i] == idle_mv - board.world.current_ma[i] // 5
    assert board.world.phase_power_w[0] == 15_520 * (board.world.voltage_mv[0] // 100) // 10_000
    assert board.world.power_w == sum(board.world.phase_power_w)


def test_contacts_follow_the_coil_after_20_ms():
    board = create()
    board.poll(0)
    board.set_contactor(True)
    board.poll(10)
    assert not board.contactor_closed()
    board.poll(20)
    assert board.contactor_closed()
    board.set_contactor(False)
    board.poll(30)
    assert board.contactor_closed()
    board.poll(40)
    assert not board.contactor_closed()


def test_welded_contacts_stay_closed_and_stuck_ones_open():
    board = create()
    board.poll(0)
    board.set_contactor(True)
    board.poll(100)
    board.world.set("welded", 1)
    board.set_contactor(False)
    board.poll(200)
    assert board.contactor_closed()
    board.world.set("welded", 0)
    board.poll(300)
    assert not board.contactor_closed()
    board.world.set("stuck_open", 1)
    board.set_contactor(True)
    board.poll(400)
    assert not board.contactor_closed()


def test_the_line_shows_every_level_with_its_wave():
    board = create()
    assert list(board.pilot_mv()) == [12_000, 12_000]
    board.set_pilot(duty_for(60))
    assert list(board.pilot_mv()) == [12_000, -12_000]
    board.set_pilot(CONSTANT_LOW)
    assert list(board.pilot_mv()) == [-12_000, -12_000]
    board.set_pilot(CONSTANT_HIGH)
    board.ev.plug()
    assert list(board.pilot_mv()) == [9_000, 9_000]
    board.set_pilot(duty_for(60))
    assert list(board.pilot_mv()) == [9_000, -12_000]
    board.ev.set("diode_short", 1)
    assert list(board.pilot_mv()) == [9_000, -9_000]
    board.ev.set("diode_short", 0)
    board.poll(0)
    board.poll(2_000)
    assert list(board.pilot_mv()) == [6_000, -12_000]
    board.ev.set("wants_ventilation", 1)
    assert list(board.pilot_mv()) == [3_000, -12_000]
    board.ev.set("pilot_short", 1)
    assert list(board.pilot_mv()) == [0, 0]
    board.world.set("adc_fails", 1)
    assert board.pilot_mv() is None


def test_the_meter_copies_the_world():
    board = powered()
    meter = Meter(3)
    board.read_meter(meter, 90_000)
    assert meter.state == NORMAL
    assert meter.updated_ms == 90_000
    assert meter.power_w == board.world.power_w > 10_000
    assert meter.current_ma == [15_520, 15_440, 15_360]
    assert meter.voltage_mv == board.world.voltage_mv
    assert meter.phase_power_w == board.world.phase_power_w
    assert meter.energy_wh == board.world.energy_wh > 0
    assert meter.frequency_mhz == 50_000


def test_a_failed_meter_leaves_its_values():
    board = powered()
    meter = Meter(3)
    board.read_meter(meter, 90_000)
    power_w = meter.power_w
    board.world.set("meter_fails", 1)
    board.set_contactor(False)
    board.poll(95_000)
    board.read_meter(meter, 95_000)
    assert (meter.state, meter.power_w, meter.updated_ms) == (ERROR, power_w, 90_000)


def test_a_station_with_one_phase_measures_one():
    board = powered(phases=1)
    assert board.PHASES == 1
    assert len(board.world.current_ma) == 1
    assert board.world.power_w == board.world.phase_power_w[0] > 3_000


def test_cable_and_sensors_are_what_they_are_set_to():
    board = create()
    assert board.proximity_ma() is None
    assert board.faults() == 0
    board.world.set("cable_ma", 20_000)
    board.world.set("faults", 1 << 11)
    assert board.proximity_ma() == 20_000
    assert board.faults() == 1 << 11


def test_the_board_describes_itself():
    board = create(1, 32_000)
    assert (board.PHASES, board.MAX_CURRENT_MA) == (1, 32_000)
    assert board.NOMINAL_VOLTAGE_MV == 230_000
    assert board.VENDOR and board.BRAND and board.MODEL
    assert board.DEVICE_TYPE == "ChargingStation"
    assert create().PHASES == 3
