"""The drivers of boards/parts alone, on a fake chip: pilot, proximity, meter, lights, buttons."""

from evse.metering import CALCULATED, Meter
from evse.pilot import CONSTANT_HIGH, CONSTANT_LOW, duty_for
from tools import fake_machine

analog = fake_machine.load("boards.parts.analog")
pilot = fake_machine.load("boards.parts.pilot")
proximity = fake_machine.load("boards.parts.proximity")
ntc = fake_machine.load("boards.parts.ntc")
pulse_meter = fake_machine.load("boards.parts.pulse_meter")
relay = fake_machine.load("boards.parts.relay")
signals = fake_machine.load("boards.parts.signals")


class Line:
    """A pilot at GPIO 4, seen at GPIO 1 with 0.1 V per volt around 1.5 V."""

    def __init__(self, is_inverted=False, high_mv=6_000, low_mv=-12_000):
        self.world = fake_machine.reset()
        self.is_inverted = is_inverted
        self.high_mv = high_mv
        self.low_mv = low_mv
        self.world.analog[1] = self.pin_mv
        self.pilot = pilot.ControlPilot(4, 1, 1_500, 10_000, is_inverted)

    def pin_mv(self):
        is_positive = self.world.level(4) != int(self.is_inverted)
        return 1_500 + (self.high_mv if is_positive else self.low_mv) // 10


def test_both_half_waves_are_measured_at_every_duty_and_phase():
    for is_inverted in (False, True):
        line = Line(is_inverted)
        for tenths in range(60, 511, 3):
            line.pilot.set(duty_for(tenths))
            line.world.advance(tenths * 37 % 1_000)
            before_us = line.world.now_us
            assert line.pilot.read_mv() == [6_000, -12_000], tenths
            assert line.world.now_us - before_us <= 2_500


def test_a_constant_pilot_is_one_reading_for_both():
    line = Line(high_mv=9_000)
    assert line.pilot.read_mv() == [9_000, 9_000]
    line.pilot.set(CONSTANT_LOW)
    assert line.pilot.read_mv() == [-12_000, -12_000]
    assert line.world.now_us <= 100
    line.pilot.set(CONSTANT_HIGH)
    assert line.pilot.read_mv() == [9_000, 9_000]


def test_the_pin_has_the_duty_or_its_complement():
    for is_inverted in (False, True):
        line = Line(is_inverted)
        line.pilot.set(16_384)
        expected = 65_535 - 16_384 if is_inverted else 16_384
        assert line.world.log[-1][1:] == (4, ("duty", expected))


def test_the_same_duty_again_changes_nothing():
    line = Line()
    line.pilot.set(16_384)
    count = len(line.world.log)
    line.pilot.set(16_384)
    assert len(line.world.log) == count


def test_an_interrupt_in_the_middle_is_noticed_and_the_next_half_wave_taken():
    line = Line()
    line.pilot.set(duty_for(60))
    interrupts = [90]

    def pin_mv():
        mv = line.pin_mv()
        if interrupts:
            line.world.advance(interrupts.pop())
        return mv

    line.world.analog[1] = pin_mv
    assert line.pilot.read_mv() == [6_000, -12_000]
    assert interrupts == []
    interrupts += [90, 90]
    assert line.pilot.read_mv() is None
    assert line.pilot.read_mv() == [6_000, -12_000]


def test_a_pin_that_does_not_follow_the_pwm_is_no_reading():
    line = Line()
    line.pilot.set(duty_for(160))
    line.world.pwms.clear()
    assert line.pilot.read_mv() is None


def test_resistance_below_a_pull_up():
    assert analog.divider_ohm(1_650, 3_300, 1_000) == 1_000
    assert analog.divider_ohm(0, 3_300, 1_000) == 0
    assert analog.divider_ohm(300, 3_300, 1_000) == 100
    assert analog.divider_ohm(3_234, 3_300, 1_000) is None
    assert analog.divider_ohm(3_400, 3_300, 1_000) is None


def test_cable_ratings_at_the_edges_of_their_windows():
    world = fake_machine.reset()
    part = proximity.Proximity(2, pull_up_ohm=1_000)
    for ohm, rating_ma in (
        (0, 0),
        (40, 0),
        (60, 63_000),
        (100, 63_000),
        (145, 63_000),
        (160, 32_000),
        (220, 32_000),
        (320, 32_000),
        (345, 20_000),
        (680, 20_000),
        (980, 20_000),
        (1_030, 13_000),
        (1_500, 13_000),
        (2_600, 13_000),
        (2_800, 0),
        (4_500, 0),
        (1_000_000, 0),
    ):
        world.analog[2] = 3_300 * ohm // (1_000 + ohm)
        assert part.rating_ma() == rating_ma, ohm


def test_temperature_of_a_10_kohm_sensor():
    world = fake_machine.reset()
    part = ntc.Ntc(5, pull_up_ohm=10_000)
    # resistance of a 3950 K sensor at these tenths of a degree, from its formula
    for ohm, expected_dc in ((33_621, 0), (10_000, 250), (3_588, 500), (1_480, 750)):
        world.analog[5] = 3_300 * ohm // (10_000 + ohm)
        assert abs(part.temperature_dc() - expected_dc) <= 5, ohm
        assert not part.has_failed
    for pin_mv in (0, 3_300):
        world.analog[5] = pin_mv
        assert abs(part.temperature_dc() - 750) <= 5  # the latest one
        assert part.has_failed


def test_relay_with_one_phase_or_all():
    world = fake_machine.reset()
    part = relay.Relay(6, coil_l2_l3=7, feedback=15)
    world.inputs[15] = 1
    part.set(True)
    assert (world.levels[6], world.levels[7]) == (1, 1)
    assert part.is_closed() is False
    world.inputs[15] = 0
    assert part.is_closed() is True
    part.set(False)
    assert [entry[1:] for entry in world.log[-2:]] == [(7, 0), (6, 0)]
    part.connect(1)
    part.set(True)
    assert (world.levels[6], world.levels[7]) == (1, 0)
    part.set(False)
    part.connect(3)
    part.set(True)
    assert (world.levels[6], world.levels[7]) == (1, 1)
    assert relay.Relay(26).is_closed() is None


def test_pulses_become_energy_and_power():
    world = fake_machine.reset()
    part = pulse_meter.PulseMeter(13, per_kwh=1_000)
    meter = Meter(1)
    part.read(meter, 0)
    assert (meter.power_w, meter.energy_wh, meter.value_source) == (0, 0, CALCULATED)
    for second in range(1, 11):  # a pulse a second: 3.6 kW
        world.fall(13)
        part.poll(second * 1_000)
    part.read(meter, 10_000)
    assert (meter.power_w, meter.energy_wh, meter.current_ma) == (3_600, 10, [15_652])
    part.read(meter, 14_000)  # the next one is overdue
    assert meter.power_w == 900
    part.read(meter, 10_000 + 600_000)
    assert meter.power_w == 0
    for _ in range(4):  # late, but not lost
        world.fall(13)
    part.poll(700_000)
    part.read(meter, 700_000)
    assert meter.energy_wh == 14


def test_a_counter_of_the_chip_is_used_where_there_is_one():
    world = fake_machine.reset()

    class Counter:
        FALLING = 2
        count = 0

        def __init__(self, number, pin, *, edge):
            assert (pin.gpio, edge) == (13, self.FALLING)

        def value(self):
            return Counter.count

    pulse_meter.machine.Counter = Counter
    try:
        part = pulse_meter.PulseMeter(13, per_kwh=2_000)
    finally:
        del pulse_meter.machine.Counter
    assert world.irqs == {}
    meter = Meter(3)
    Counter.count = 1
    part.poll(1_000)
    Counter.count = 5
    part.poll(3_000)  # four pulses in two seconds
    part.read(meter, 3_000)
    assert (meter.energy_wh, meter.power_w) == (2, 3_600)
    assert meter.phase_power_w == [1_200] * 3


def test_a_button_counts_once_for_each_press_of_50_ms():
    world = fake_machine.reset()
    part = signals.Button(19)
    assert (19, "pull-up", "") in world.uses
    seen = []
    for now in range(0, 3_000, 25):
        is_spike = now == 500
        world.inputs[19] = 0 if is_spike or 1_000 <= now < 2_000 else 1
        part.poll(now)
        if part.take():
            seen.append(now)
        if now == 1_500:
            assert part.is_down
    assert seen == [1_050]
    assert not part.is_down


def test_a_button_that_is_stuck_from_the_start_is_no_press():
    world = fake_machine.reset()
    part = signals.Button(19)
    world.inputs[19] = 0
    for now in range(0, 5_000, 25):
        part.poll(now)
        assert not part.take()


def test_every_pattern_is_what_the_table_says():
    world = fake_machine.reset()
    for pattern, lit_ms, starts in (
        (signals.OFF, 0, 0),
        (signals.READY, 8_000, 1),
        (signals.CHARGING, 4_000, 4),
        (signals.FAULT, 1_500, 6),
    ):
        world = fake_machine.reset()
        part = signals.Led(18, lit=0)
        part.show(pattern)
        lit = 0
        before = 1
        begun = 0
        for now in range(0, 8_000, 50):
            part.poll(now)
            level = world.levels[18]
            lit += 50 * (level == 0)
            begun += level == 0 and before == 1
            before = level
        assert (lit, begun) == (lit_ms, starts), pattern
