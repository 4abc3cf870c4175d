"""On how many phases the car charges: what it uses, and what it is connected to.

`PhaseCount` watches the currents. `PhaseSwitch` is for boards that can connect one phase or all of
them: less than 6 A on three phases may be 6 A or more on one, so a low limit need not be a pause.

Rules of this file: the board is told to switch only when its contactor has been open for 10 s,
because switching under load harms cars; the way back takes five minutes of a limit that is high
enough, because each change is a pause of the car.
"""

from micropython import const

_MIN_MA = const(6_000)

_USED_MA = const(1_000)  # a phase above this is used
_UNUSED_MA = const(500)  # below this it is not; between them the picture says nothing
_DECIDED_MS = const(20_000)

_OPEN_MS = const(10_000)
_DOWN_MS = const(10_000)  # a limit that low is no passing cloud
_UP_MS = const(300_000)


class PhaseCount:
    """How many phases, counted from L1, the car draws from.

    Assumes all connected phases until a smaller picture has lasted 20 s, because a wrong "one"
    breaks a power limit and a wrong "three" only wastes some of it. A larger picture counts
    at once. A one-phase car is on L1 (IEC 62196-2).
    """

    def __init__(self, connected: int, now: int):
        self.in_use = connected
        self._seen = 0
        self._seen_ms = now

    def reset(self, connected: int) -> None:
        """Another car, or another number of phases for this one."""
        self.in_use = connected
        self._seen = 0

    def interrupt(self) -> None:
        """No current can flow now: what was seen does not go on."""
        self._seen = 0

    def update(self, now: int, current_ma: "list[int]") -> None:
        """Take the phase currents of one reading."""
        seen = 0
        for i in range(len(current_ma)):
            if current_ma[i] > _USED_MA:
                seen = i + 1
            elif current_ma[i] >= _UNUSED_MA:
                self._seen = 0  # neither used nor unused
                return
        if seen != self._seen:
            self._seen = seen
            self._seen_ms = now
        if seen > self.in_use or (seen and now - self._seen_ms >= _DECIDED_MS):
            self.in_use = seen


class PhaseSwitch:
    """`connected` is the number of phases that lead to the car, one or all of them; `is_busy`
    says that charging has to stop for a change."""

    def __init__(self, board, now: int):
        self._board = board
        self.connected = board.PHASES
        self.is_busy = False
        self._right_ms = now  # last time when the present number was right

    def other(self) -> int:
        """Return the number after the next change."""
        return self._board.PHASES if self.connected == 1 else 1

    def update(self, now: int, allowed_ma: int, control) -> bool:
        """Change if the other number lets the car of an evse.charging.ChargingControl charge, or
        on more phases. Returns whether charging may go on."""
        if not control.ev_connected:  # the next car starts on all phases
            self.is_busy = self.connected == 1
        else:
            is_better = self.connected == 1 or (not allowed_ma and control.phases.in_use > 1)
            if not is_better or control.arbiter.would_allow(now, self.other()) < _MIN_MA:
                self._right_ms = now
            patience_ms = _UP_MS if self.connected == 1 else _DOWN_MS
            self.is_busy = now - self._right_ms >= patience_ms
        if not self.is_busy:
            return True
        contactor = control.contactor
        if not contactor.closed and now - contactor.switched_ms >= _OPEN_MS:
            self.connected = self.other()
            self._board.connect_phases(self.connected)
            control.phases.reset(self.connected)
            self._right_ms = now
        return False
