"""A random day of a charging station in virtual time: it never draws more than it may.

Cars come and go, the energy manager limits power and currents, falls silent, reconnects, and the
station restarts. What may be drawn is worked out here from what the manager wrote and when it was
heard of, without a look at the state machines. Every sample of the meter is compared with it.

A car may take 5 s to follow a reduction, so a sample counts against the highest limit of the last
7 s (IEC 61851-1 and the meter's period); the meter trims up to 2 % above a limit within 10 s. What
the pilot offers has to follow at once.

One seed is a whole day, the others are two hours; PILOTWIRE_DAYS=1 makes them days too.
"""

import os
import random
import sys
from collections import deque
from pathlib import Path

import pytest

from boards.sim.board import create
from evse.arbiter import Arbiter
from evse.car import Car
from evse.charging import ChargingControl
from firmware import limits
from usecases.station import Station

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "unit"))

from ev_world import OPEV, OSCEV, PARTIAL, roles
from spine_world import CLIENT, HEARTBEAT, HEMS, Description, Manager, Settings

SHORT_HOURS = 24 if os.environ.get("PILOTWIRE_DAYS") else 2
STEP_MS = 50
UNLIMITED = 10**9
ENTRY = (
    '[{"address":[{"device":"%s"},{"entity":[1]}]},{"actor":"EnergyGuard"},{"useCaseSupport":'
    '[[{"useCaseName":"limitationOfPowerConsumption"},{"scenarioSupport":[1,2,3,4]}]]}],'
) % HEMS


class Day:
    """A station with its physics, one manager, and the book of what may be drawn."""

    def __init__(self, seed, switch_phases):
        self.random = random.Random(seed)
        self.now = 1_000_000
        self.logged = []
        self.settings = Settings()
        self.board = create(switch_phases=switch_phases)
        self.manager = None
        self.is_silent = False
        self.next_beat = 0
        self.counter = 0
        self.history = deque()  # (time, W, mA) that were allowed
        self.samples = 0
        self.limited_samples = 0
        self.events = {}
        self.start()

    # --- the station ------------------------------------------------------------------------

    def start(self):
        """Power on: nothing but the settings is known."""
        self.board.set_contactor(False)
        self.board.world.connected = self.board.PHASES
        self.arbiter = Arbiter(230_000)
        self.control = ChargingControl(self.board, self.arbiter, self.now)
        self.station = Station(
            Description,
            self.control.meter,
            lambda: "",
            self.settings,
            lambda: self.now,
            lambda: None,
            self.limit_changed,
            Car(self.control),
        )
        self.device = self.station.device
        self.was_connected = False
        # The book: LPC in force (W, until) and OPEV per phase, as far as they were accepted.
        self.heard = None  # last heartbeat
        self.lpc = None
        self.stored = None
        self.is_enabled = self.settings.get("lpc_enabled", False)
        self.started = self.now
        self.has_control = False
        self.failed = None  # since when the failsafe limit holds
        self.returned = None  # first heartbeat after that
        self.opev = None
        self.opev_heard = None

    def limit_changed(self):
        limits.publish(self.station, self.arbiter, self.board, self.now)
        self.control.step(self.now)

    def step(self):
        self.now += STEP_MS
        self.control.step(self.now)
        if self.now % 100:
            return
        if self.control.ev_connected != self.was_connected:
            self.was_connected = self.control.ev_connected
            self.opev = self.opev_heard = None
            self.station.ev_connected(self.was_connected)
            if self.was_connected and self.manager:
                self.bind_car()
        self.device.tick(self.now)
        limits.publish(self.station, self.arbiter, self.board, self.now)
        self.device.flush()
        if self.manager:
            self.manager.take()
            if not self.is_silent and self.now >= self.next_beat:
                self.beat()

    # --- the manager ------------------------------------------------------------------------

    def connect(self):
        self.manager = Manager(self)
        text = roles((OPEV, "CEM"), (OSCEV, "CEM"))
        self.manager.introduce(use_cases=text.replace("[[{", "[" + ENTRY + "[{", 1))
        for feature, name in (((1,), 4), "LoadControl"), (((1,), 5), "DeviceConfiguration"):
            assert self.manager.relate("Binding", feature, name) == 0
        self.is_enabled = True
        if self.was_connected:
            self.bind_car()
        self.is_silent = False
        self.beat()

    def bind_car(self):
        assert self.manager.relate("Binding", ((1, 1), 6), "LoadControl") == 0

    def disconnect(self):
        self.manager.close()
        self.manager = None

    def beat(self):
        self.counter += 1
        self.next_beat = self.now + 2_000
        text = HEARTBEAT.replace("PT60S", "PT4S") % self.counter
        self.manager.send("notify", ((1,), 1), ((1,), 1), text, ack=False)
        if self.failed is not None and self.returned is None:
            self.returned = self.now
        self.heard = self.now
        if self.was_connected:
            self.manager.send("notify", ((1,), 1), ((1, 1), 10), text, ack=False)
            self.opev_heard = self.now

    def write(self, address, rows):
        command = (
            '{"function":"loadControlLimitListData"},%s{"loadControlLimitListData":'
            '[{"loadControlLimitData":[%s]}]}' % (PARTIAL, ",".join(rows))
        )
        return self.manager.send("write", CLIENT, address, command)[0].error

    def limit_power(self):
        watts = self.random.choice((0, 1_500, 4_200, 4_300, 6_000, 8_000, 11_000))
        active = self.random.random() < 0.7
        seconds = self.random.choice((None, 30, 120, 900))
        period = ',{"timePeriod":[{"endTime":"PT%dS"}]}' % seconds if seconds else ""
        row = '[{"limitId":1},{"isLimitActive":%s}%s,{"value":[{"number":%d},{"scale":0}]}]'
        error = self.write(((1,), 4), [row % ("true" if active else "false", period, watts)])
        if error == 0:
            self.has_control = True
            self.failed = self.returned = None
            if not active:
                self.lpc = None
                self.stored = seconds  # counts from the activation
            elif seconds is None and self.lpc is None and self.stored:
                self.lpc = (watts, self.now + self.stored * 1000)
            elif seconds is None and self.lpc:
                # The duration that runs, if one does, goes on.
                self.lpc = (watts, self.lpc[1])
            else:
                self.lpc = (watts, self.now + seconds * 1000 if seconds else None)

    def limit_currents(self):
        if not self.was_connected:
            return
        level = self.random.choice((0, 5_000, 6_000, 7_500, 10_000, 13_000, 16_000))
        phases = [level] * 3
        if self.random.random() < 0.3:
            phases[self.random.randrange(3)] = 8_000
        active = [self.random.random() < 0.85 for _ in phases]
        row = '[{"limitId":%d},{"isLimitActive":%s},{"value":[{"number":%d},{"scale":-3}]}]'
        rows = [row % (i + 1, "true" if active[i] else "false", phases[i]) for i in range(3)]
        if self.write(((1, 1), 6), rows) == 0:
            if self.opev_heard is None:
                self.opev_heard = self.now
            self.opev = [ma if on else UNLIMITED for ma, on in zip(phases, active)]

    # --- events -----------------------------------------------------------------------------

    def something(self):
        choice = self.random.random()
        name = "nothing"
        if self.manager is None:
            if choice < 0.5:
                name = "connect"
        elif choice < 0.35:
            name = "limit_power"
        elif choice < 0.7:
            name = "limit_currents"
        elif choice < 0.78:
            name = "silence"
        elif choice < 0.88:
            name = "speech"
        elif choice < 0.93:
            name = "disconnect"
        if choice >= 0.93:
            name = "plug"
        if choice >= 0.965:
            name = "restart"
        self.events[name] = self.events.get(name, 0) + 1
        getattr(self, name)()

    def nothing(self):
        pass

    def silence(self):
        self.is_silent = True

    def speech(self):
        self.is_silent = False

    def plug(self):
        if self.board.ev.is_plugged:
            self.board.ev.unplug()
        else:
            self.board.ev.plug(
                phases=self.random.choice((1, 3, 3)), soc_percent=self.random.randrange(20, 70)
            )
            self.board.ev.set("lag_ms", self.random.choice((500, 1_500, 4_000)))

    def restart(self):
        if self.manager:
            self.disconnect()
        self.start()

    # --- the judge --------------------------------------------------------------------------

    def allowed(self):
        """(W, mA on L1, L2, L3) that hold now, at most."""
        watts = UNLIMITED
        silent_ms = self.now - (self.heard or self.now)
        if self.lpc and self.lpc[1] is not None and self.now > self.lpc[1] + 200:
            self.lpc = None
        if self.is_enabled and not self.has_control and self.now - self.started < 119_000:
            watts = 4_200  # init
        elif self.failed is not None:
            # Until a limit comes, the duration is over, or heartbeats go on without a limit.
            alone_ms = self.now - (self.returned or self.now)
            if self.now - self.failed < 7_190_000 and alone_ms < 119_000:
                watts = 4_200
        elif self.has_control and silent_ms > 120_200:
            self.lpc = None
            self.failed = self.now
            watts = 4_200
        elif self.lpc:
            watts = self.lpc[0]
        amps = [16_000] * 3
        if self.opev:
            amps = [min(a, b) for a, b in zip(amps, self.opev)]
        opev_ms = self.now - (self.opev_heard or self.now)
        if opev_ms > 9_200:
            amps = [6_000] * 3
        elif opev_ms > 8_900:
            amps = [max(a, 6_000) for a in amps]
        return watts, amps

    def judge(self):
        watts, amps = self.allowed()
        meter = self.control.meter
        in_use = self.control.phases_in_use
        offered = self.control.offered_ma
        ceiling = min(amps[:in_use])
        assert offered <= max(ceiling, 0), (self.now, offered, amps, self.control.explain())
        self.history.append((self.now, watts, ceiling))
        while self.history[0][0] < self.now - 7_500:
            self.history.popleft()
        most_w = max(entry[1] for entry in self.history)
        most_ma = max(entry[2] for entry in self.history)
        power = self.board.world.power_w
        assert power <= most_w * 102 // 100 + 60, (self.now, power, most_w, self.control.explain())
        assert max(meter.current_ma) <= most_ma + 500, (self.now, meter.current_ma, most_ma)
        self.samples += 1
        self.limited_samples += bool(power and (watts < UNLIMITED or ceiling < 16_000))


@pytest.mark.parametrize(
    ("seed", "hours", "switch_phases"),
    [(1, 24, False), (2, SHORT_HOURS, False), (3, SHORT_HOURS, True)],
)
@pytest.mark.timeout(900)
def test_x_lpc_x_opev_a_random_day_never_exceeds_what_is_allowed(seed, hours, switch_phases):
    day = Day(seed, switch_phases)
    day.connect()
    day.plug()
    end = day.now + hours * 3_600_000
    next_event = day.now + 5_000
    while day.now < end:
        day.step()
        if day.now % 200 == 0:
            day.judge()
        if day.now >= next_event:
            next_event = day.now + day.random.choice((3_000, 10_000, 30_000, 60_000, 150_000))
            day.something()
    assert day.samples == hours * 18_000
    assert day.limited_samples > day.samples // 20
    for name in ("limit_power", "limit_currents", "silence", "disconnect", "plug", "restart"):
        assert day.events.get(name), name
