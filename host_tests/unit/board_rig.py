"""A real board on a fake chip, with a car, a contactor and a monitor at its pins.

`BOARDS` has what stands outside the chip: the pins and the front end as the folder of each board
describes them. Times are milliseconds of virtual time.
"""

import struct
import sys

from evse.arbiter import Arbiter
from evse.charging import ChargingControl
from tools import fake_machine

A, B, C, D, E = 12_000, 9_000, 6_000, 3_000, 0  # the positive half wave, mV
SWITCHING_MS = 20

# name → pilot out, is inverted, pilot in, zero_mv, gain, coil, feedback, test, trip
BOARDS = {
    "esp32_devkit": (25, True, 36, 1_500, 10_000, 26, 27, 32, 33),
    "esp32_s3": (4, True, 1, 1_500, 10_000, 6, 15, 17, 16),
    "esp32_evse": (27, False, 36, 1_332, 9_788, 26, None, None, None),
}


class Rig:
    """`high_mv` and `has_diode` are the car, `tests_ms` how long the monitor takes to react."""

    def __init__(self, name):
        self.name = name
        self.world = fake_machine.reset()
        self.out, self.is_inverted, sense, self.zero_mv, self.gain = BOARDS[name][:5]
        self.coil, feedback, self.test, trip = BOARDS[name][5:]
        self.high_mv = A
        self.has_diode = True
        self.reacts_ms = 60  # None: the monitor is dead
        self.releases_ms = 100
        self.leaks = False
        self.is_welded = False
        self.world.analog[sense] = self._pilot_mv
        self.world.uart = self._meter
        self.world.inputs[feedback] = lambda: 0 if self.is_closed() else 1
        self.world.inputs[trip] = lambda: 1 if self._is_tripped() else 0
        if name == "esp32_s3":
            self.world.inputs[18] = self._is_locked
            self.world.analog[2] = lambda: 3_300 * 220 // 1_220  # a cable for 32 A
            self.world.analog[5] = lambda: 1_650  # 25 degrees
            self.lock_works = True
        if name == "esp32_devkit":
            self.world.analog[39] = lambda: 1_650
        if name == "esp32_evse":
            self.world.analog[39] = lambda: 3_300 * 220 // 1_220
        self.board = fake_machine.load("boards.%s.board" % name).create()
        self.arbiter = Arbiter(self.board.NOMINAL_VOLTAGE_MV)
        self.control = ChargingControl(self.board, self.arbiter, 0)
        self.now = 0

    def _pilot_mv(self):
        is_positive = self.world.level(self.out) != int(self.is_inverted)
        line_mv = self.high_mv
        if not is_positive:
            line_mv = -12_000 if self.has_diode or self.high_mv == A else -self.high_mv
        return self.zero_mv + line_mv * 1_000 // self.gain

    def _meter(self, request):
        """A meter that shows 230 V and nothing else, as floats of 9600 baud."""
        first, count = struct.unpack(">HH", request[2:6])
        registers = b"".join(
            [
                struct.pack(">f", 230.0 if register < 6 else 0.0)
                for register in range(first, first + count, 2)
            ]
        )
        answer = request[:2] + bytes([2 * count]) + registers
        crc = sys.modules["boards.parts.modbus"].crc16(answer, len(answer))
        return [(8 + 4 + len(answer), answer + struct.pack("<H", crc))]

    def is_closed(self):
        """The contacts: 20 ms behind the coil."""
        state = 0
        for us, gpio, level in self.world.log:
            if gpio == self.coil and us + SWITCHING_MS * 1_000 <= self.world.now_us:
                state = level
        return bool(state) or self.is_welded

    def _is_tripped(self):
        if self.leaks:
            return True
        changes = [entry for entry in self.world.log if entry[1] == self.test]
        if not changes or self.reacts_ms is None:
            return False
        us, _, level = changes[-1]
        passed_ms = (self.world.now_us - us) // 1_000
        if level:
            return passed_ms >= self.reacts_ms
        return len(changes) > 1 and passed_ms < self.releases_ms

    def _is_locked(self):
        """The motor moves the bolt while it is driven, if it works."""
        driven = [gpio for _, gpio, level in self.world.log if gpio in (8, 9) and level == 1]
        return 1 if self.lock_works and driven and driven[-1] == 8 else 0

    def run(self, span_ms, period_ms=25):
        """Step for a while."""
        end = self.now + span_ms
        while self.now < end:
            self.now = min(self.now + period_ms, end)
            self.world.until_ms(self.now)
            self.control.step(self.now)

    def run_until(self, is_true, limit_ms=60_000, period_ms=25):
        """Step until something is true; return how long it took."""
        start = self.now
        while not is_true():
            assert self.now - start <= limit_ms, (self.control.state, self.control.fault_names())
            self.run(period_ms, period_ms)
        return self.now - start

    def coil_is(self, level):
        """Return a function that tells whether the coil's pin has this level."""
        return lambda: self.world.levels[self.coil] == level

    def duties(self):
        """Return (ms, duty of the line) of each change of the pilot."""
        found = []
        for us, gpio, what in self.world.log:
            if gpio == self.out and isinstance(what, tuple):
                found.append((us // 1_000, 65_535 - what[1] if self.is_inverted else what[1]))
        return found

    def charge(self):
        """Plug a car in and let it charge."""
        self.run(3_000)
        self.high_mv = B
        self.run_until(lambda: self.control.state == "B2")
        self.run(3_000)
        self.high_mv = C
        self.run_until(self.coil_is(1))
        self.run(3_000)
        assert self.control.charging, self.control.fault_names()
