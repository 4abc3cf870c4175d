"""Precautions besides the pilot line: self-test of the residual-current monitor, lock, heat.

For each car, before the contactor may close: the plug is locked, and the monitor has reacted to
its test. The test is repeated each day for a car that stays, while the contactor is open. The plug
is released when the car has left the line or the station is out of service, with open contacts.

Between two temperatures of the board the current is lowered step by step to 6 A; above, charging
stops until the board has cooled below the first one. Both are seen by the energy manager, as a
limit and as a fault.

Rules of this file: a missing part is no obstacle, a part that does not answer is one.
"""

from micropython import const

from evse import faults
from evse.arbiter import TEMPERATURE

_TEST_MS = const(5_000)  # longer than any monitor takes
_DAY_MS = const(86_400_000)

_MIN_MA = const(6_000)
_STEP_MA = const(1_000)  # each change of the pilot is work for the car
_COOLER_DC = const(20)  # before a step is taken back


class Precautions:
    """`is_ready`: nothing of this file keeps the contactor from closing."""

    def __init__(self, board, now: int):
        self._board = board
        self.is_ready = False
        self._is_locking = False
        self._started_ms = None  # of the self-test that counts for this car
        self._is_passed = False
        self._is_hot = False
        self._hot_ma = None
        board.set_lock(False)

    def update(self, now: int, is_wanted: bool, contactor) -> int:
        """Do what is due with a car that may charge (`is_wanted`) or without; return faults."""
        board = self._board
        is_open = not contactor.closed and not board.contactor_closed()
        if is_wanted != self._is_locking and (is_wanted or is_open):
            self._is_locking = is_wanted
            board.set_lock(is_wanted)
        present = self._test(now, is_wanted, is_open)
        self.is_ready = is_wanted and self._is_passed and board.is_locked() is not False
        return present

    def _test(self, now, is_wanted, is_open):
        """Test once for each car, and daily; return the fault of a monitor that failed."""
        if not is_wanted:
            self._started_ms = None
            self._is_passed = False
            return 0
        if is_open and (self._started_ms is None or now - self._started_ms >= _DAY_MS):
            self._started_ms = now
            self._is_passed = False
            self._board.start_self_test()
        if self._is_passed or self._started_ms is None:
            return 0
        passed = self._board.self_test_passed()
        if passed is None and now - self._started_ms < _TEST_MS:
            return 0
        self._is_passed = bool(passed)
        return 0 if passed else faults.SELF_TEST

    def heat(self, now: int, arbiter) -> int:
        """Publish what the temperature allows; return the fault of a board that is too hot."""
        board = self._board
        temperature_dc = board.temperature_dc()
        if temperature_dc is None:
            return 0
        if temperature_dc >= board.TOO_HOT_DC:
            self._is_hot = True
        elif temperature_dc < board.HOT_DC:
            self._is_hot = False
        limit_ma = self._limit_ma(temperature_dc)
        if self._hot_ma is not None and (limit_ma is None or limit_ma > self._hot_ma):
            limit_ma = self._limit_ma(temperature_dc + _COOLER_DC)
        if limit_ma != self._hot_ma:
            self._hot_ma = limit_ma
            if limit_ma is None:
                arbiter.withdraw(TEMPERATURE)
            else:
                arbiter.publish(TEMPERATURE, now, milliamps=limit_ma)
        return faults.HIGH_TEMPERATURE if self._is_hot else 0

    def _limit_ma(self, temperature_dc):
        """What is allowed at this temperature, None for everything."""
        board = self._board
        if temperature_dc < board.HOT_DC:
            return None
        left_dc = max(0, board.TOO_HOT_DC - temperature_dc)
        more_ma = (board.MAX_CURRENT_MA - _MIN_MA) * left_dc // (board.TOO_HOT_DC - board.HOT_DC)
        return _MIN_MA + more_ma // _STEP_MA * _STEP_MA
