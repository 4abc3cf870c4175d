"""The contactor: switching it, counting, and comparing command and feedback.

Switched by the charging control and nobody else. The feedback is judged only after it has
disagreed for 1.25 s, in at least three readings, so that switching times and bounces do not count.
"""

from micropython import const

from evse import faults

_FEEDBACK_MS = const(1_250)
_FEEDBACK_READINGS = const(3)


class Contactor:
    """`closed` is the command; `operations` and `loaded_openings` are for the maintenance log."""

    def __init__(self, board, now: int):
        self._board = board
        self.closed = False
        self.switched_ms = now
        self.operations = 0
        self.loaded_openings = 0
        self._agreed_ms = now
        self._mismatches = 0
        board.set_contactor(False)

    def switch(self, now: int, closed: bool, is_loaded: bool = False) -> None:
        """Set the coil; `is_loaded` says that current flows while it opens."""
        self._board.set_contactor(closed)
        self.closed = closed
        self.switched_ms = now
        self._agreed_ms = now
        if closed:
            self.operations += 1
        elif is_loaded:
            self.loaded_openings += 1

    def may_close(self) -> bool:
        """Say whether the contacts are known to be open, or cannot be observed."""
        return not self._board.contactor_closed()

    def check(self, now: int) -> int:
        """Compare with the feedback; return the fault bits that are present."""
        feedback = self._board.contactor_closed()
        if feedback is None or bool(feedback) == self.closed:
            self._agreed_ms = now
            self._mismatches = 0
            return 0
        if self._mismatches < _FEEDBACK_READINGS:
            self._mismatches += 1
        if self._mismatches < _FEEDBACK_READINGS or now - self._agreed_ms < _FEEDBACK_MS:
            return 0
        return faults.CONTACTOR_OPEN if self.closed else faults.CONTACTOR_WELDED
