"""EV charger 02A1, or EV charger/discharger 027E, on top of the charging control.

`update` copies what the control shows into the property values; accepted writes become a limit at
the arbiter, as source ECHONET, and nothing else. So a write can only lower what others allow:
"charge" merely takes back an earlier "standby" or "idle" of this protocol. The same object serves
both classes; 027E is for controllers that know no other. The control here cannot discharge: rated
discharge power is 0, and the modes of discharging are refused.

    DA 42 charge     the vehicle is charging, or was told to and may start
       44 standby    it is not; written: stopped until 42, or until the vehicle leaves
       47 idle       written: stopped until 42, whatever vehicle comes; or out of service
       40 other      a fault
    EB, ED           largest power in W, current per phase in 0.1 A; as large as possible again
                     when the vehicle leaves, because this protocol has no heartbeat
    E7               Wh from now on, then standby; 0 is no such goal

What a controller writes is what it reads back; where it cannot be so, the write is refused.

Rules of this file: it never changes the control and knows no time but the `now` of `update`.
"""

from micropython import const

from echonet.objects import Object, identification, text

CHARGER = b"\x02\xa1"
CHARGER_DISCHARGER = b"\x02\x7e"

_ECHONET = const(6)  # evse.arbiter.ECHONET
_METER = const(1 << 15)  # evse.faults: without a meter charging goes on
_VENTILATION = const(1 << 10)  # evse.faults: the vehicle asks for what we have not; no fault here
_FAULT_CODES = b"\x0a\x3c\x0a\x02\x07\x3d\x1e\x0c\x0b\x03\x00\x0e\x0f\x07\x5a\x1f\x0a\x5a"  # 89

_CHARGER = const(0xA1)  # second octet of that class
_CHARGE = const(0x42)
_STANDBY = const(0x44)
_IDLE = const(0x47)
_OTHER = const(0x40)

_MIN_MA = const(6_000)  # IEC 61851-1: the pilot cannot express less
_ENERGY_END = const(1_000_000_000)  # D8 goes on from 0 here
_NO_LIMIT = const(-1)

# Against switching one load too often, or many at once
_PAUSE_MS = const(60_000)  # from a stop to the next start, and up to as much again at random
_STARTS_MAX = const(10)  # and then one each
_START_MS = const(360_000)
_PATIENCE_MS = const(30_000)  # for a vehicle to begin after it was told to
_LOCATION_MS = const(60_000)  # between two stores of the installation location


class Charger(Object):
    """One outlet. `code` is the class, `instance` counts from 1.

    `control` is an evse.charging.ChargingControl with its board and its arbiter. `maker` and
    `unique` as for echonet.objects.node_profile; `serial` is ASCII. `settings` keeps the
    installation location (`get(key, default)`, `put(key, value)`). `vehicle` is what the vehicle
    tells of itself, if the board can ask it: `capacity_wh` and `soc_permille`, None if it has not
    said. `random(n) -> bytes`.
    """

    def __init__(self, code, instance, control, maker, unique, serial, settings, vehicle, random):
        super().__init__(code + bytes([instance]))
        board = control.board
        self._control = control
        self._settings = settings
        self._vehicle = vehicle
        self._random = random
        volts = board.NOMINAL_VOLTAGE_MV // 1000
        self._max_da = board.MAX_CURRENT_MA // 100
        self._max_w = self._max_da * volts * board.PHASES // 10
        self._min_w = _MIN_MA * volts // 1000  # of a vehicle on one phase
        self._now = 0
        self._hold = 0  # standby or idle as written; 0: none
        self._start_ms = 0  # no start before this time
        self._starts = 0  # starts that count, one is forgotten every _START_MS
        self._starts_ms = 0
        self._told_ms = None  # when "charge" was written, until it is seen to charge
        self._has_charged = False  # this vehicle
        self._was_here = False
        self._power_w = self._max_w
        self._current_da = self._max_da
        self._goal_wh = None
        self._published = _NO_LIMIT
        self._reason = ""
        self._stored_ms = None
        self._location_key = "echonet_location%d" % instance
        self._describe(board, volts, maker, unique, serial)

    def _describe(self, board, volts, maker, unique, serial):
        """Add every property that this board can serve."""
        add = self.add
        settable = b"\x81\xda\xeb\xed"
        add(0x80, b"\x30")
        add(0x81, bytes.fromhex(self._settings.get(self._location_key, "00")), 17)
        add(0x82, b"\0\0R\2")  # Release R, revision 2
        add(0x83, identification(maker, unique, self.eoj))
        add(0x88, b"\x42")
        add(0x89, b"\0\0")
        add(0x8A, maker)
        add(0x8C, text(board.MODEL.encode()))
        add(0x8D, text(serial))
        add(0xC5, _u32(self._max_w))
        add(0xC7, b"\xff")
        add(0xC8, _u32(self._min_w) + _u32(self._max_w))
        add(0xCA, _u32(_MIN_MA // 100)[2:] + _u32(self._max_da)[2:])
        add(0xCC, b"\x11")  # AC with control pilot
        add(0xD2, _u32(volts)[2:])
        add(0xDA, b"\x44")
        add(0xE6, b"\0")  # no vehicle id: it would tell everybody who is at home
        add(0xEB, _u32(self._max_w))
        add(0xED, _u32(self._max_da)[2:])
        if self.eoj[:2] == CHARGER:
            add(0xCD, b"")
            settable += b"\xcd"
        else:
            for epc in b"\xc0\xc2\xc6\xcb":  # nothing can be discharged
                add(epc, bytes(4))
            add(0xC4, b"\0")
            add(0xC9, bytes(8))
            add(0xDC, b"\1")
            add(0xDD, b"\0")
            add(0xE1, b"\x44")
        if board.HAS_METER:
            add(0xD3, b"", 4)
            add(0xD8, bytes(4))
            add(0xE7, bytes(4))
            settable += b"\xe7"
            if self.eoj[:2] != CHARGER:
                add(0xD4, b"", 2)
                add(0xD5, b"", 2)
        if self._vehicle:
            for epc in b"\xce\xcf\xd0\xe2":
                add(epc, b"", 4)
            add(0xE4, b"", 1)
        self.finish(settable, b"\xeb\xed")

    # --- what the control shows

    def update(self, now: int) -> None:
        """Follow the charging control and publish the limit; call it every 100 ms or so."""
        self._now = now
        control = self._control
        is_here = control.ev_connected
        if self._was_here and not is_here:
            self._forget_vehicle()
        self._was_here = is_here
        if control.charging:
            self._has_charged = True
        self._watch_goal()
        faults = control.faults & ~_VENTILATION
        self._put_faults(faults)
        is_ready = control.in_service and not control.faults & ~_METER
        is_ready = is_ready and is_here
        if is_ready and not control.offered_ma:
            phases = 1 if control.board.CAN_SWITCH_PHASES else control.decision.phases
            is_ready = control.arbiter.would_allow(now, phases, _ECHONET) >= _MIN_MA
        if control.state == "unknown":
            status = 0xFF
        elif not is_here:
            status = 0x30
        else:
            status = 0x41 if is_ready else 0x40
        self.put(0xC7, status)
        self._put_mode(now, faults & ~_METER, is_ready)
        self._put_measured(now)
        self._publish(now)
        self._store_location(now)

    def release(self) -> None:
        """Take back all that was written about charging: somebody at the charger decided so."""
        self._hold = 0
        self._forget_vehicle()
        self._publish(self._now)

    def _forget_vehicle(self):
        if self._hold == _STANDBY:
            self._hold = 0
        self._start_ms = 0
        self._told_ms = None
        self._has_charged = False
        self._power_w = self._max_w
        self._current_da = self._max_da
        self.put(0xEB, self._max_w, 4)
        self.put(0xED, self._max_da, 2)
        self._set_goal(0)

    def _set_goal(self, energy_wh):
        self._goal_wh = self._control.meter.energy_wh + energy_wh if energy_wh else None
        self.put(0xE7, energy_wh, 4)

    def _watch_goal(self):
        if self._goal_wh is not None and self._control.meter.energy_wh >= self._goal_wh:
            self._set_goal(0)
            self._stop(_STANDBY)

    def _put_faults(self, faults):
        code = 0
        if faults:
            bit = 0
            while not faults >> bit & 1:
                bit += 1
            code = _FAULT_CODES[bit]
        self.put(0x88, 0x41 if faults else 0x42)
        self.put(0x89, code, 2)

    def _put_mode(self, now, faults, is_ready):
        """DA: what goes on, or what was written and will go on soon."""
        control = self._control
        if self._told_ms is not None:
            waited_ms = now - max(self._told_ms, self._start_ms)
            if control.charging or not is_ready or waited_ms > _PATIENCE_MS:
                self._told_ms = None
        # What is offered to a vehicle that has charged and stopped is no charge any more
        is_charging = control.charging or (control.offered_ma and not self._has_charged)
        if faults:
            mode = _OTHER
        elif not control.in_service:
            mode = _IDLE
        elif self._hold:
            mode = self._hold
        else:
            mode = _CHARGE if is_charging or self._told_ms is not None else _STANDBY
        self.put(0xDA, mode)
        if mode == _CHARGE and not is_charging:
            mode = _STANDBY
        self.put(0xE1, mode)
        if self._power_w < self._max_w:
            self.put(0xDC, 3)  # designated power
        else:
            self.put(0xDC, 4 if self._current_da < self._max_da else 1)

    def _put_measured(self, now):
        meter = self._control.meter
        if meter.is_good(now):
            power_w = meter.power_w
            if self.eoj[1] == _CHARGER:  # what the vehicle gives back is no charging power
                power_w = max(power_w, 0)
            self.put(0xD3, power_w, 4)
            self.put(0xD4, meter.max_current_ma() // 100, 2)
            self.put(0xD5, meter.mean_voltage_mv() // 1000, 2)
        else:
            for epc in b"\xd3\xd4\xd5":
                self.put(epc, None)
        self.put(0xD8, meter.energy_wh % _ENERGY_END, 4)
        if self._vehicle:
            self._put_vehicle(self._vehicle.capacity_wh, self._vehicle.soc_permille)

    def _put_vehicle(self, capacity_wh, soc_permille):
        stored_wh = rest_wh = None
        if capacity_wh is not None and soc_permille is not None:
            stored_wh = capacity_wh * soc_permille // 1000
            rest_wh = capacity_wh - stored_wh
        self.put(0xCE, capacity_wh, 4)
        self.put(0xCF, rest_wh, 4)
        self.put(0xD0, capacity_wh, 4)
        self.put(0xE2, stored_wh, 4)
        self.put(0xE4, None if soc_permille is None else soc_permille // 10)

    # --- what a controller writes

    def write(self, epc: int, edt: bytes) -> bool:
        number = int.from_bytes(edt, "big")
        if epc == 0xDA:
            if not self._command(number):
                return False
            self.put(epc, number)
        elif epc == 0xEB:
            if number and not self._min_w <= number <= self._max_w:
                return False
            self._power_w = number
            self.put(epc, number, 4)
        elif epc == 0xED:
            if number and not _MIN_MA // 100 <= number <= self._max_da:
                return False
            self._current_da = number
            self.put(epc, number, 2)
        elif epc == 0xE7:
            self._set_goal(number)
        elif epc == 0x81:
            self.put_octets(epc, edt)
        self._publish(self._now)
        return True

    def _command(self, mode):
        """Take DA: a stop always, a start if the vehicle may charge and was not started often."""
        if mode == _STANDBY or mode == _IDLE:
            self._stop(mode)
            return True
        if mode != _CHARGE or self.value(0xC7) != b"\x41" or not self._may_start():
            return False
        self._hold = 0
        if not self._control.charging:
            self._told_ms = self._now
        return True

    def _stop(self, mode):
        if not self._hold:
            spread_ms = int.from_bytes(self._random(2), "big") * _PAUSE_MS // 65536
            self._start_ms = self._now + _PAUSE_MS + spread_ms
        self._hold = mode
        self._told_ms = None

    def _may_start(self):
        """Count a start, if it is one; False if there were too many."""
        if not self._hold:
            return True
        forgotten = (self._now - self._starts_ms) // _START_MS
        self._starts = max(self._starts - forgotten, 0)
        self._starts_ms += forgotten * _START_MS
        if self._starts >= _STARTS_MAX:
            return False
        self._starts += 1
        return True

    def _publish(self, now):
        """Tell the arbiter what was written if that has changed; an even limit is W, an odd mA."""
        limit = _NO_LIMIT
        reason = ""
        if self._hold or now < self._start_ms:
            limit = 0
            reason = "pause"
            if self._hold:
                reason = "standby" if self._hold == _STANDBY else "idle"
        else:
            if self._power_w < self._max_w:
                limit = self._power_w * 2
            current_ma = self._current_da * 100
            power_ma = self._control.decision.milliamps(self._power_w)
            if self._current_da < self._max_da and (limit < 0 or current_ma <= power_ma):
                limit = current_ma * 2 + 1
        if limit == self._published and reason == self._reason:
            return
        self._published = limit
        self._reason = reason
        arbiter = self._control.arbiter
        if limit < 0:
            arbiter.withdraw(_ECHONET)
        elif limit & 1:
            arbiter.publish(_ECHONET, now, milliamps=limit >> 1)
        else:
            arbiter.publish(_ECHONET, now, watts=limit >> 1, reason=reason)

    def _store_location(self, now):
        """Bring the installation location to flash, not more often than flash likes."""
        if self._stored_ms is None or now - self._stored_ms >= _LOCATION_MS:
            self._stored_ms = now
            location = self.value(0x81).hex()
            if location != self._settings.get(self._location_key, "00"):
                self._settings.put(self._location_key, location)


def _u32(number):
    return number.to_bytes(4, "big")
