"""The charging state machine of IEC 61851-1 Mode 3: from line voltage and limits to contactor.

`step(now)` every 20 to 50 ms reads the line, the meter and the arbiter, and then sets the pilot
and the contactor once. Protocols never touch either; they publish limits and read attributes.

Rules of this file (IEC 61851-1 A.3; times are beside the constants):
1. `_drive_contactor` is the only place that switches the contactor.
2. Opening is immediate. Closing needs all of `_may_close`.
3. A stop of ours is orderly: pilot constant, wait until the car opens S2 or 6 s, then open.
   A stop that has begun is finished before the pilot offers a current again.
4. Reductions act in the same step; raises wait (`evse.offer`).
5. A fault that clears still blocks in that step (`evse.faults`).

`state` is what the line shows (A, B1, B2, C1, C2, D, E, F, or "unknown" until it has been
classified); faults are a set beside it, so that a fault with no car is told from one with a car.
"""

from micropython import const

from evse import faults
from evse.arbiter import CABLE, HARDWARE, lines
from evse.contactor import Contactor
from evse.metering import Meter
from evse.offer import Offer, PowerTrim
from evse.phases import PhaseCount, PhaseSwitch
from evse.pilot import CONSTANT_HIGH, CONSTANT_LOW, DiodeCheck, PilotInput, duty_for
from evse.precautions import Precautions
from evse.session import Session

# Bits of `what` in `on_change(control, what)`
CHANGED_STATE = const(1)
CHANGED_CONNECTED = const(2)
CHANGED_CHARGING = const(4)
CHANGED_OFFER = const(8)
CHANGED_FAULTS = const(16)
CHANGED_PHASES = const(32)

_A = const(0)
_B = const(1)
_C = const(2)
_D = const(3)

_TEXTS = ("A", "B1", "C1", "D", "E", "F", "unknown")  # by level, with a constant pilot

_MIN_MA = const(6_000)
_NEARLY_MIN_MA = const(5_500)
_TRIAL_MS = const(900_000)

_PLUGGED_MS = const(500)  # EVCC scenario 1: contact bounce is not a car
_UNPLUGGED_MS = const(1_000)  # EVCC scenario 8
_VENTILATION_MS = const(250)  # D for this long is a request
_LINE_FAULT_MS = const(1_000)  # E, F that is not ours, or no reading at all

_FORCED_MS = const(6_000)  # the car ignores the constant pilot: open under load
_RECLOSE_MS = const(2_500)  # the car opened S2; with this a return to C is served within 3 s
_STOPPED_MS = const(3_000)  # the time a car has to stop
_LOADED_MA = const(1_000)

_METER_MS = const(200)
_OVER_CURRENT_MS = const(7_000)  # 5 s to follow a reduction, 2 s for ramp and meter


class ChargingControl:
    """One charging point.

    Read-only for others: `state`, `ev_connected`, `charging` (contactor closed and a current
    offered), `offered_ma` per phase, `faults` (bits), `phases_in_use`, `decision`, `meter`,
    `session`, `contactor`, `phases`. Set by the owner: `in_service`, `is_strict`,
    `resume_delay_ms`, `min_pause_ms`, and `on_change(control, what)`, called at most once per step
    after the outputs are set; it must neither block nor raise.
    """

    def __init__(self, board, arbiter, now: int):
        self.board = board
        self.arbiter = arbiter
        self.meter = Meter(board.PHASES)
        self.session = Session()
        self.contactor = Contactor(board, now)
        self.on_change = None
        self.in_service = True  # False: state F as soon as the contactor is open
        self.is_strict = False  # True: 5.5 to 6 A from a watt limit is a pause, not 6 A on trial
        self.resume_delay_ms = 5_000  # the limit must allow 6 A for this long after a pause
        self.min_pause_ms = 5_000  # from opening to the next offer

        self.state = "unknown"
        self.ev_connected = False
        self.charging = False
        self.offered_ma = 0
        self.faults = 0
        self.phases_in_use = board.PHASES
        self.decision = arbiter.decision

        self._pilot = PilotInput(now)
        self._faults = faults.Faults()
        self._offer = Offer(now)
        self._trim = PowerTrim(now)
        self.phases = PhaseCount(board.PHASES, now)
        self._switch = PhaseSwitch(board, now) if board.CAN_SWITCH_PHASES else None
        self._is_here = False
        self._presence_ms = now
        self._diode = DiodeCheck(now)
        self._cable_ma = None
        self._resume_ms = now
        self._refused_w = None  # the watt limit that was not kept even with 6 A
        self._refused_ms = now
        self._meter_ms = now - _METER_MS
        self._meter_faults = 0
        self._precautions = Precautions(board, now)
        self._over_ms = now  # last time the car took no more than offered
        self._duty_u16 = CONSTANT_HIGH
        self._low_ms = now  # last time the pilot was our own -12 V
        board.set_pilot(CONSTANT_HIGH)
        arbiter.publish(HARDWARE, now, milliamps=board.MAX_CURRENT_MA)

    def step(self, now: int) -> None:
        """Run one control cycle."""
        self.board.poll(now)
        present = self.board.faults() | self._read_line(now)
        if now - self._meter_ms >= _METER_MS:
            self._meter_ms = now
            self._meter_faults = self._read_meter(now) | self._read_cable(now)
            self._meter_faults |= self._precautions.heat(now, self.arbiter)
        present |= self._meter_faults | self.contactor.check(now)
        present |= self._precautions.update(now, self._is_here and self.in_service, self.contactor)
        self._faults.update(now, present)
        self._drive_pilot(now, self._allowed_ma(now))
        self._drive_contactor(now)
        self._publish()

    def fault_names(self) -> "list[str]":
        """Return the names of the active faults, the most serious first."""
        return self._faults.names()

    def explain(self) -> str:
        """Return one line: what is offered and why it is not more."""
        if self.faults & ~faults.METER:
            return "0.0 A because of " + ", ".join(self.fault_names())
        if not self.in_service:
            return "0.0 A because out of service"
        if self._switch and self._switch.is_busy:
            return "0.0 A because of the change to " + lines(self._switch.other())
        if self._refused_w is not None:
            return "0.0 A because the car does not keep %d W with 6 A" % self._refused_w
        return self.decision.explain()

    # Inputs

    def _read_line(self, now):
        """Classify the pilot line; return the faults it shows."""
        reading = self.board.pilot_mv()
        pilot = self._pilot
        pilot.feed(now, None if reading is None else reading[0])
        self._update_presence(now)
        level = pilot.level
        present = 0
        if level > _C:
            lasted_ms = now - max(pilot.level_ms, self._low_ms)
            if level == _D:
                if lasted_ms >= _VENTILATION_MS:
                    present = faults.VENTILATION
            elif lasted_ms >= _LINE_FAULT_MS and pilot.is_confirmed:
                present = faults.PILOT  # not if the loop was late and the line is good by now
        return present | self._check_diode(now, reading)

    def _update_presence(self, now):
        level = self._pilot.level
        if level == _A:
            is_here = False
        elif level <= _D:
            is_here = True
        else:
            is_here = self._is_here  # E and F hide the car, they do not remove it
        if is_here == self._is_here:
            self._presence_ms = now
            if level == _A and self.session.is_open:
                self.session.end()  # it left while the power was off
        elif now - self._presence_ms >= (_PLUGGED_MS if is_here else _UNPLUGGED_MS):
            self._is_here = is_here
            if is_here:
                self.session.begin(now)
                self._meter_ms = now - _METER_MS  # meter and cable are read in this step
            else:
                self._forget_car(now)

    def _forget_car(self, now):
        self.session.end()
        self._faults.unplugged()
        self.phases.reset(self._switch.connected if self._switch else self.board.PHASES)
        self._trim.reset(now)
        self._refused_w = None
        self._cable_ma = None
        self.arbiter.withdraw(CABLE)

    def _check_diode(self, now, reading):
        if not self._offer.ma or reading is None or not _B <= self._pilot.level <= _C:
            self._diode.reset(now)
            return 0
        self._diode.feed(now, reading[1])
        return faults.DIODE if self._diode.is_missing(now, self.contactor.closed) else 0

    def _read_cable(self, now):
        """Lower the cable limit if the plug says so; it is never raised while plugged."""
        if not self._is_here or not self._pilot.is_confirmed or self._pilot.level == _A:
            return 0  # while the plug is pulled the coding resistor is open
        rating_ma = self.board.proximity_ma()
        if rating_ma is None:
            return 0
        if not rating_ma:
            return faults.PROXIMITY
        if self._cable_ma is None or rating_ma < self._cable_ma:
            self._cable_ma = rating_ma
            self.arbiter.publish(CABLE, now, milliamps=rating_ma)
        return 0

    def _read_meter(self, now):
        """Fetch the readings and everything derived from them; return the faults they show."""
        if not self.board.HAS_METER:
            return 0
        meter = self.meter
        self.board.read_meter(meter, now)
        if not meter.is_good(now):
            self._over_ms = now
            return faults.METER
        self.session.update(meter.energy_wh)
        if not self.contactor.closed:
            self.phases.interrupt()
            self._over_ms = now
            return 0
        self.phases.update(now, meter.current_ma)
        # 0.5 A of noise and 10 % are no offence; a stop has its own time limit
        offered_ma = self._offer.ma
        if not offered_ma or meter.max_current_ma() <= (offered_ma + 500) * 11 // 10:
            self._over_ms = now
        return faults.OVER_CURRENT if now - self._over_ms >= _OVER_CURRENT_MS else 0

    # Decision

    def _allowed_ma(self, now):
        """Return what the limits allow now, as a current the pilot can express; 0 is a pause."""
        meter = self.meter
        decision = self.arbiter.decide(now, self.phases.in_use, meter.mean_voltage_mv())
        allowed_ma = self._on_trial(now, decision)
        trim = self._trim
        offer = self._offer
        if decision.limit_w is None or not offer.ma:
            trim.reset(now)
        elif self._meter_ms == now and meter.is_good(now) and allowed_ma - trim.ma >= offer.ma:
            # not in the step of a reduction: the car has yet to hear of it
            trim.update(now, meter.power_w, decision, offer.lowered_ms)
        if allowed_ma >= _MIN_MA and allowed_ma - trim.ma < _MIN_MA:
            self._refused_w = decision.limit_w
            self._refused_ms = now
        allowed_ma -= trim.ma
        if self._refused_w is not None or allowed_ma < _MIN_MA:
            allowed_ma = 0
        if self._switch and not self._switch.update(now, allowed_ma, self):
            allowed_ma = 0
        if not allowed_ma:
            self._resume_ms = now + self.resume_delay_ms
        return allowed_ma

    def _on_trial(self, now, decision):
        """Apply the 6 A threshold: a watt limit just below it is tried with 6 A.

        Many cars draw less than offered. The trim takes the 6 A back when the meter shows that
        this one does not; the same limit is then tried again with the next car or in 15 minutes.
        """
        if self._refused_w != decision.limit_w or now - self._refused_ms >= _TRIAL_MS:
            self._refused_w = None
        current_ma = decision.current_ma
        if _NEARLY_MIN_MA <= current_ma < _MIN_MA <= decision.amps_ma:
            if not self.is_strict and self.meter.is_good(now):
                return _MIN_MA
        return current_ma

    # Outputs

    def _drive_pilot(self, now, allowed_ma):
        contactor = self.contactor
        is_ready = self.in_service and self._is_here and _B <= self._pilot.level <= _C
        if self._faults.blocking or not is_ready:
            allowed_ma = 0
        has_paused = not contactor.operations or now - contactor.switched_ms >= self.min_pause_ms
        may_start = not contactor.closed and now >= self._resume_ms and has_paused
        self._offer.update(now, allowed_ma, may_start)
        if self._offer.ma:
            duty_u16 = duty_for(self._offer.ma // 100)
        elif self.in_service or contactor.closed:
            duty_u16 = CONSTANT_HIGH
        else:
            duty_u16 = CONSTANT_LOW
            self._offer.stopped_ms = self._low_ms = now  # +12 V comes first when service returns
        if duty_u16 != self._duty_u16:
            self._duty_u16 = duty_u16
            self.board.set_pilot(duty_u16)

    def _drive_contactor(self, now):
        """Switch the contactor; nothing else does."""
        contactor = self.contactor
        if contactor.closed:
            has_ignored = not self._offer.ma and now - self._offer.stopped_ms >= _FORCED_MS
            if has_ignored or self._pilot.level != _C or self._faults.opens_at_once():
                is_loaded = self._is_loaded(now, has_ignored)
                contactor.switch(now, False, is_loaded)
                if has_ignored and is_loaded:
                    self._meter_faults |= faults.OVER_CURRENT
        elif self._may_close(now):
            contactor.switch(now, True)

    def _is_loaded(self, now, has_ignored):
        """Say whether current flows; a reading of a car that is still stopping does not count."""
        meter = self.meter
        return (
            self._pilot.level != _B  # there the car has opened S2 itself
            and meter.is_good(now)
            and meter.max_current_ma() > _LOADED_MA
            and (not has_ignored or meter.updated_ms - self._offer.stopped_ms >= _STOPPED_MS)
        )

    def _may_close(self, now):
        return (
            self._pilot.level == _C
            and self._pilot.is_confirmed
            and self._offer.ma >= _MIN_MA
            and self._diode.is_proven()
            and not self._faults.blocking
            and self._precautions.is_ready
            and now - self.contactor.switched_ms >= _RECLOSE_MS
            and self.contactor.may_close()
        )

    # Notification

    def _publish(self):
        what = 0
        if self._is_here != self.ev_connected:
            self.ev_connected = self._is_here
            what |= CHANGED_CONNECTED
        state = _TEXTS[self._pilot.level]
        if self._offer.ma and len(state) == 2:
            state = "B2" if state == "B1" else "C2"
        if state != self.state:
            self.state = state
            what |= CHANGED_STATE
        charging = self.contactor.closed and self._offer.ma > 0
        if charging != self.charging:
            self.charging = charging
            what |= CHANGED_CHARGING
        if self._offer.ma != self.offered_ma:
            self.offered_ma = self._offer.ma
            what |= CHANGED_OFFER
        if self._faults.active != self.faults:
            self.faults = self._faults.active
            what |= CHANGED_FAULTS
        if self.phases.in_use != self.phases_in_use:
            self.phases_in_use = self.phases.in_use
            what |= CHANGED_PHASES
        if what:
            self.board.show(self)
            if self.on_change is not None:
                self.on_change(self, what)
