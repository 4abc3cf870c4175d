"""The state machine behind LPC and LPP: what cap applies, and which limits are accepted.

LPC 1.0.0 clauses on scenarios 1-3 (transitions 1-12, rules LPC-901...923). Knows nothing of SPINE:
a limit arrives as plain values, time as monotonic milliseconds. All transitions stand in `_NEXT`.

Rules of this file:
- a heartbeat alone changes no state: it opens the evaluation window or re-arms the loss timer;
- a rejected limit stores nothing, but where a limit opens the gate (init, failsafe, autonomous)
  even a rejected one leads to unlimited/controlled (transitions 1, 8, 11);
- losing the connection is no event, only the missing heartbeat is.
"""

from micropython import const

INIT = const(0)
UNLIMITED_CONTROLLED = const(1)
LIMITED = const(2)
FAILSAFE = const(3)
UNLIMITED_AUTONOMOUS = const(4)

NAMES = ("init", "unlimited/controlled", "limited", "failsafe", "unlimited/autonomous")

# Events: a limit accepted and active, a limit accepted and inactive, a limit evaluated and
# rejected, heartbeat lost, duration expired, nobody controls us.
_ACTIVATED = const(0)
_DEACTIVATED = const(1)
_REJECTED = const(2)
_LOST = const(3)
_EXPIRED = const(4)
_ALONE = const(5)
_EVENTS = const(6)

_NEXT = (
    # ACTIVATED DEACTIVATED REJECTED LOST EXPIRED ALONE       (transition numbers)
    b"\x02\x01\x01\x00\x00\x04"  # init:                  2, 1, 1, -, -, 3
    b"\x02\x01\x01\x03\x01\x01"  # unlimited/controlled:  4, -, -, 5, -, -
    b"\x02\x01\x02\x03\x01\x02"  # limited:               -, 6, -, 7, 6, -
    b"\x02\x01\x01\x03\x03\x04"  # failsafe:              9, 8, 8, -, -, 10
    b"\x02\x01\x01\x04\x04\x04"  # unlimited/autonomous:  12, 11, 11, -, -, -
)

T_HEARTBEAT_LOST_MS = const(120_000)
T_EVALUATION_MS = const(60_000)
T_INIT_MS = const(120_000)
T_NO_LIMIT_MS = const(120_000)

MIN_FAILSAFE_DURATION_S = const(7_200)
MAX_FAILSAFE_DURATION_S = const(86_400)
MAX_LIMIT_W = const(999_999_999)  # larger values are accepted and stored as this


class Refused(Exception):
    """The write is refused; the text says why."""


class PowerLimit:
    """One limit with its failsafe. Powers are magnitudes in W, whichever their direction.

    `enabled` False: no energy guard has ever bound the limit, so nothing is capped. `autonomous`
    says whether the optional state unlimited/autonomous exists. `on_change()` is called after each
    change of state or data.
    """

    def __init__(self, now, nominal_w, failsafe_w, failsafe_duration_s, enabled, on_change):
        self.state = INIT
        self.enabled = enabled
        self.autonomous = True
        self.limit_w = nominal_w
        self.failsafe_w = failsafe_w
        self.failsafe_duration_s = failsafe_duration_s
        self._on_change = on_change
        self._entered = now
        self._heartbeat = None  # time of the last heartbeat
        self._returned = None  # first heartbeat after a silence, while nobody controls us
        self._expires = None  # end of an active limit's duration
        self._stored_duration_s = None  # duration of an inactive limit, not counting yet

    # --- what applies -----------------------------------------------------------------------

    def cap_w(self):
        """The power that must not be exceeded, or None."""
        if not self.enabled:
            return None
        if self.state == LIMITED:
            return self.limit_w
        if self.state in (INIT, FAILSAFE):
            return self.failsafe_w
        return None

    def is_active(self):
        """isLimitActive: true in the state limited only."""
        return self.state == LIMITED

    def remaining_s(self, now):
        """Remaining duration in whole seconds, rounded up; None without one."""
        if self._expires is not None:
            return max(0, (self._expires - now + 999) // 1000)
        return self._stored_duration_s

    def is_controlled(self):
        """Whether failsafe values may be written (LPC-036...038)."""
        return self.state in (UNLIMITED_CONTROLLED, LIMITED)

    # --- what happens -----------------------------------------------------------------------

    def enable(self, now, enabled=True):
        """An energy guard bound us for the first time, and the machine runs; or all are gone."""
        if enabled != self.enabled:
            self.enabled = enabled
            self.state = INIT
            self._entered = now
            self._expires = self._stored_duration_s = None
            self._on_change()

    def heartbeat(self, now):
        """The guard is alive."""
        if self._heartbeat is None or now - self._heartbeat >= T_HEARTBEAT_LOST_MS:
            self._returned = now
        elif self._returned is None:
            self._returned = now
        self._heartbeat = now

    def check(self, now, limit_w):
        """Decide on a limit that was written. Raises Refused.

        A negative one (the wrong sign) cannot be applied. Outside the controlled states a limit is
        evaluated only within 60 s of a heartbeat; one that is not evaluated changes nothing.
        """
        if not self.is_controlled():
            if self._heartbeat is None or now - self._heartbeat > T_EVALUATION_MS:
                raise Refused("no heartbeat within 60 s")
        if limit_w < 0:
            self._event(_REJECTED, now)
            raise Refused("limit cannot be applied")

    def apply(self, now, limit_w, active, duration_s, duration_stated):
        """Carry out an accepted limit. `duration_s` None: none; it counts anew only if stated."""
        self.limit_w = min(limit_w, MAX_LIMIT_W)
        if duration_stated and duration_s == 0:
            active = False  # PT0S deactivates at once, and is no duration to be stored
            duration_s = None
        was_active = self.is_active()
        if not active:
            self._expires = None
            self._stored_duration_s = duration_s if duration_stated else None
        elif duration_s is None:
            self._expires = None
            self._stored_duration_s = None
        elif duration_stated or not was_active:
            self._expires = now + duration_s * 1000
            self._stored_duration_s = None
        self._event(_ACTIVATED if active else _DEACTIVATED, now)
        self._on_change()

    def set_failsafe(self, failsafe_w, duration_s):
        """Carry out an accepted write of failsafe values; None leaves one as it is."""
        if failsafe_w is not None:
            self.failsafe_w = min(failsafe_w, MAX_LIMIT_W)
        if duration_s is not None:
            self.failsafe_duration_s = duration_s
        self._on_change()

    def tick(self, now):
        """Run the timers."""
        if not self.enabled:
            return
        at = self.deadline()
        if at is None or now < at:
            return
        if self.is_controlled():
            if self._expires is not None and now >= self._expires:
                self._expires = None
                self._event(_EXPIRED, now)
            if now >= self._lost_at():
                self._event(_LOST, now)
        elif self._silent_again(now):
            self._returned = None
        else:
            self._event(_ALONE, now)

    def deadline(self):
        """When `tick` must be called next, or None."""
        if not self.enabled:
            return None
        if self.is_controlled():
            lost = self._lost_at()
            return lost if self._expires is None else min(lost, self._expires)
        if not self.autonomous or self.state == UNLIMITED_AUTONOMOUS:
            return None
        if self.state == INIT:
            return self._entered + T_INIT_MS
        over = self._entered + self.failsafe_duration_s * 1000
        return over if self._returned is None else min(over, self._returned + T_NO_LIMIT_MS)

    def _lost_at(self):
        """The loss timer starts with the last heartbeat, or with control if none came since."""
        start = self._entered if self._heartbeat is None else self._heartbeat
        return start + T_HEARTBEAT_LOST_MS

    def _silent_again(self, now):
        """In failsafe: the wait for a limit is over, but the heartbeats have stopped again."""
        if self.state != FAILSAFE or self._returned is None:
            return False
        if now >= self._entered + self.failsafe_duration_s * 1000:
            return False
        return now - self._heartbeat >= T_HEARTBEAT_LOST_MS

    def _event(self, event, now):
        before = self.state
        self.state = _NEXT[before * _EVENTS + event]
        if self.state == before:
            return
        self._entered = now
        self._returned = None
        if self.state == FAILSAFE:
            # Entering failsafe cancels a pending duration; the guard must write again afterwards.
            self._expires = None
            self._stored_duration_s = None
        self._on_change()
