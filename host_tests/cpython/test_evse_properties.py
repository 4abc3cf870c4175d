"""Charging control under random lives: whatever happens, these things hold after every step.

The oracle keeps its own record of what the board saw and was told; it shares no code with the
control beyond the numbers it reads back.
"""

import contextlib
import io
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from boards.sim.board import create
from evse import faults
from evse.arbiter import CABLE, ECHONET, HARDWARE, LPC, OPEV, USER, Arbiter
from evse.board import Board
from evse.charging import ChargingControl
from evse.metering import ERROR, NORMAL
from evse.pilot import PilotInput, classify, current_ma, duty_for

LINE_MV = (12_000, 9_000, 6_000, 3_000, 0, -12_000)
C_MV = range(4_200, 7_800)  # everything that may be called C, hysteresis included


class WatchedBoard(Board):
    """A board that records every reading, and checks each switching against the record."""

    def __init__(self):
        self.now = 0
        self.line_mv = 12_000
        self.has_diode = True
        self.adc_works = True
        self.feedback = None  # None: follows the coil
        self.has_meter_answer = True
        self.current_ma = 0
        self.cable_ma = None
        self.sensors = 0
        self.control = None
        self.restart()

    def restart(self):
        self.closed = False
        self.duty_u16 = 65535
        self.duty_ms = self.now
        self.c_since_ms = None  # first of an unbroken row of readings of C
        self.c_readings = 0
        self.good_waves = 0
        self.not_c_since_ms = None
        self.opened_ms = self.now
        self.no_offer_ms = self.now

    def poll(self, now):
        self.now = now

    def set_pilot(self, duty_u16):
        if self.is_wave():
            if not 0 < duty_u16 < 65535:
                self.no_offer_ms = self.now
            elif duty_u16 > self.duty_u16:
                assert self.now - self.duty_ms >= 5_000, "raised within 5 s of a change"
        elif 0 < duty_u16 < 65535:
            assert self.now - self.no_offer_ms >= 3_000, "constant pilot for less than 3 s"
            assert not self.closed, "offered again before the stop was finished"
        if 0 < duty_u16 < 65535:
            assert current_ma(duty_u16) >= 5_990, "a duty without a meaning"
        self.duty_u16 = duty_u16
        self.duty_ms = self.now
        self.good_waves = 0 if not self.is_wave() else self.good_waves

    def is_wave(self):
        return 0 < self.duty_u16 < 65535

    def pilot_mv(self):
        if not self.adc_works:
            reading = None
        elif not self.duty_u16:
            reading = (-12_000, -12_000)
        elif self.duty_u16 == 65535:
            reading = (self.line_mv, self.line_mv)
        else:
            reading = (self.line_mv, -12_000 if self.has_diode else -self.line_mv)
        self.record(reading)
        return reading

    def record(self, reading):
        if reading is not None and reading[0] in C_MV:
            if self.c_since_ms is None:
                self.c_since_ms = self.now
                self.c_readings = 0
            self.c_readings += 1
            self.not_c_since_ms = None
        else:
            self.c_since_ms = None
            if self.not_c_since_ms is None:
                self.not_c_since_ms = self.now
        has_diode = reading is not None and reading[1] <= -10_000
        self.good_waves = self.good_waves + 1 if self.is_wave() and has_diode else 0

    def set_contactor(self, closed):
        if closed:
            self.check_closing()
        elif self.closed:
            self.opened_ms = self.now
        self.closed = closed

    def check_closing(self):
        control = self.control
        assert self.is_wave(), "closed without an offer"
        assert current_ma(self.duty_u16) >= 5_990, "closed below 6 A"
        assert self.c_since_ms is not None, "closed outside state C"
        assert self.now - self.c_since_ms >= 500 and self.c_readings >= 8, "closed in a hurry"
        assert self.good_waves >= 8, "closed without having seen the diode"
        assert self.sensors == 0, "closed with a sensor reporting"
        assert not control.faults & ~faults.METER, "closed with a fault"
        assert self.feedback is not True, "closed on contacts that seem closed"
        assert self.now - self.opened_ms >= 2_500, "closed right after opening"
        assert self.cable_ma != 0 or self.now - control._meter_ms < 200, "closed on a bad cable"
        assert control.ev_connected, "closed for nobody"
        assert control.in_service, "closed out of service"

    def contactor_closed(self):
        return self.closed if self.feedback is None else self.feedback

    def read_meter(self, meter, now):
        if not self.has_meter_answer:
            meter.state = ERROR
            return
        flowing_ma = self.current_ma if self.closed else 0
        for i in range(3):
            meter.current_ma[i] = flowing_ma
            meter.voltage_mv[i] = 230_000
        meter.power_w = 3 * flowing_ma * 230 // 1000
        meter.state = NORMAL
        meter.updated_ms = now

    def proximity_ma(self):
        return self.cable_ma

    def faults(self):
        return self.sensors


def check_step(board, control, arbiter, period_ms):
    """Assert what holds after every step."""
    decision = control.decision
    offered_ma = control.offered_ma
    assert offered_ma == 0 or offered_ma >= 6_000
    if board.is_wave():
        assert board.duty_u16 == duty_for(offered_ma // 100)
        assert current_ma(board.duty_u16) <= offered_ma
    else:
        assert offered_ma == 0
    on_trial = 5_500 <= decision.current_ma < 6_000 <= decision.amps_ma and offered_ma == 6_000
    assert offered_ma <= decision.current_ma or on_trial
    if on_trial:
        assert control.meter.is_good(board.now) and not control.is_strict
    if control.faults & ~faults.METER:
        assert offered_ma == 0
        assert not control.charging
    if board.closed:
        not_c_ms = 0 if board.not_c_since_ms is None else board.now - board.not_c_since_ms
        # the first reading that is not C came at most one period after the event
        assert not_c_ms + period_ms <= 100 or not_c_ms == 0, "closed outside state C"
        assert board.is_wave() or board.now - board.no_offer_ms < 6_000, "stop not finished"
    assert control.charging == (board.closed and board.is_wave())
    assert arbiter.decision is decision


lines = st.sampled_from(LINE_MV) | st.integers(-12_500, 12_500)
watts = st.integers(0, 12_000)
milliamps = st.integers(0, 20_000)
actions = st.one_of(
    st.tuples(st.just("line"), lines),
    st.tuples(st.just("line"), st.sampled_from((9_000, 6_000))),  # mostly a decent car
    st.tuples(st.just("line"), st.just(6_000)),
    st.tuples(st.just("has_diode"), st.booleans()),
    st.tuples(st.just("adc_works"), st.booleans()),
    st.tuples(st.just("feedback"), st.sampled_from((None, None, None, True, False))),
    st.tuples(st.just("has_meter_answer"), st.booleans()),
    st.tuples(st.just("current_ma"), milliamps),
    st.tuples(st.just("cable_ma"), st.sampled_from((None, 0, 13_000, 20_000, 32_000))),
    st.tuples(st.just("sensors"), st.sampled_from((0, 0, faults.GROUND, faults.OVER_VOLTAGE))),
    st.tuples(st.just("watts"), st.sampled_from((LPC, ECHONET)), watts),
    st.tuples(st.just("milliamps"), st.sampled_from((OPEV, USER)), milliamps),
    st.tuples(st.just("withdraw"), st.sampled_from((LPC, ECHONET, OPEV, USER, HARDWARE, CABLE))),
    st.tuples(st.just("in_service"), st.booleans()),
    st.tuples(st.just("restart")),
)
lives = st.lists(
    st.tuples(actions, st.sampled_from((60, 700, 3_000, 8_000)), st.integers(20, 50)),
    min_size=5,
    max_size=25,
)


def act(action, board, control, arbiter):
    kind, *values = action
    now = board.now
    if kind == "line":
        board.line_mv = values[0]
    elif kind == "watts":
        arbiter.publish(values[0], now, watts=values[1], expires_ms=5_000, fallback=4_200)
    elif kind == "milliamps":
        arbiter.publish(values[0], now, milliamps=values[1])
    elif kind == "withdraw":
        arbiter.withdraw(values[0])
    elif kind == "in_service":
        control.in_service = values[0]
    elif kind == "restart":
        board.restart()
        control = ChargingControl(board, arbiter, now)
        board.control = control
    else:
        setattr(board, kind, values[0])
    return control


charges = []  # whether the lives reach the interesting part at all


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lives)
@example([(("line", 6_000), 60, 20)] * 4 + [(("line", 4_200), 700, 20)])
def test_no_life_closes_the_contactor_without_every_condition(life):
    board = WatchedBoard()
    arbiter = Arbiter()
    control = board.control = ChargingControl(board, arbiter, 0)
    # every life starts with a decent car that charges
    board.line_mv = 6_000
    for action, span_ms, period_ms in [(("current_ma", 5_000), 8_000, 25), *life]:
        control = act(action, board, control, arbiter)
        end = board.now + span_ms
        while board.now < end:
            control.step(board.now + period_ms)
            check_step(board, control, arbiter, period_ms)
            charges.append(control.charging)


def test_the_lives_did_charge():
    charges.clear()
    test_no_life_closes_the_contactor_without_every_condition()
    assert sum(charges) > len(charges) // 20


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(watts, st.integers(200, 15_000)), min_size=1, max_size=12))
def test_a_compliant_car_keeps_every_sequence_of_caps_within_10_s(caps):
    board = create()
    arbiter = Arbiter()
    control = ChargingControl(board, arbiter, 0)
    control.is_strict = True  # 6 A on trial may be above the cap for a while
    board.ev.plug()
    now = 0
    kept_since_ms = 0
    strictest_w = 20_000
    for cap_w, span_ms in [(20_000, 15_000), *caps, (caps[-1][0], 12_000)]:
        if cap_w < strictest_w:
            kept_since_ms = now
        strictest_w = cap_w
        arbiter.publish(LPC, now, watts=cap_w)
        end = now + span_ms
        while now < end:
            now += 50
            control.step(now)
            if now - kept_since_ms > 10_000:
                assert board.world.power_w <= cap_w
    assert control.faults == 0


@given(st.lists(st.integers(-13_000, 13_000), max_size=200))
def test_the_level_is_always_one_that_was_read(readings):
    pilot = PilotInput(0)
    seen = {6}
    previous = 6
    for i, high_mv in enumerate(readings):
        previous = classify(high_mv, previous)
        seen.add(previous)
        pilot.feed(i * 25, high_mv)
        assert pilot.level in seen


@given(
    st.lists(
        st.tuples(
            st.integers(0, 8),
            watts | st.tuples(milliamps, milliamps, milliamps),
            st.none() | st.integers(1, 1000),
            st.integers(0, 20_000),
        ),
        max_size=12,
    ),
    st.integers(1, 3),
    st.integers(200_000, 260_000),
    st.integers(0, 1500),
)
def test_the_arbiter_agrees_with_a_plain_minimum(limits, phases, voltage_mv, now):
    arbiter = Arbiter()
    arbiter.publish(HARDWARE, 0, milliamps=16_000)
    latest = {HARDWARE: ((16_000,) * 3, None, 0)}
    for source, value, expires_ms, fallback in limits:
        unit = "watts" if isinstance(value, int) else "milliamps"
        arbiter.publish(source, 0, **{unit: value}, expires_ms=expires_ms, fallback=fallback)
        latest[source] = (value, expires_ms, fallback)
    volts = min(max(voltage_mv, 207_000), 253_000) / 1000
    allowed = []
    for value, expires_ms, fallback in latest.values():
        is_stale = expires_ms is not None and now >= expires_ms
        if isinstance(value, int):
            allowed.append((fallback if is_stale else value) / volts / phases)
        else:
            allowed.append((fallback if is_stale else min(value[:phases])) / 1000)
    decision = arbiter.decide(now, phases, voltage_mv)
    if isinstance(latest[HARDWARE][0], int):
        # hardware in watts: no more amperes than that
        assert decision.current_ma <= min(allowed) * 1000 + 1e-6
        return
    wanted_ma = min(allowed) * 1000
    assert wanted_ma - 100 - 1e-6 < decision.current_ma <= wanted_ma + 1e-6


def test_the_example_in_the_readme_prints_what_it_says():
    readme = (Path(__file__).parents[2] / "boards" / "README.md").read_text(encoding="utf-8")
    _, program, rest = readme.split("```")[0:3]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(program[len("python\n") :], {})
    expected = rest.split("`")[1]
    assert out.getvalue().strip() == expected
