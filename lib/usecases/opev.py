"""OPEV - Overload Protection by EV Charging Current Curtailment, scenarios 1-3 (version 1.0.1).

The energy manager protects the fuse with a limit in amperes for each phase. If it falls silent or
reports a failure, a safe current takes over [OPEV-005, OPEV-007], and its last limits hold again
as soon as it is back.

Protection starts when somebody offers it: a manager that announces OPEV is waited for 15 s at the
safe current [OPEV-003], a heartbeat or a written limit arms it at any time. A station whose
partner only knows LPC is not slowed down.
"""

from micropython import const

from usecases.current_limit import UNLIMITED_MA, CurrentLimit

_WAIT_MS = const(15_000)
_PATIENCE_MS = const(9_000)  # for the first heartbeat of who has written a limit

_IDLE = const(0)  # nobody protects
_WAITING = const(1)  # somebody could
_ARMED = const(2)


class Opev(CurrentLimit):
    """`safe_ma` is the current that overloads nothing; None: silence of the manager means nothing,
    for sites that use OPEV to follow the sun only."""

    name = "overloadProtectionByEvChargingCurrentCurtailment"
    first_id = 1
    category = "obligation"
    scope = "overloadProtection"

    def __init__(self, entity, car, partner, on_change, safe_ma, now):
        super().__init__(entity, car, partner, on_change)
        self._safe_ma = safe_ma
        self.fallback_ma = UNLIMITED_MA if safe_ma is None else safe_ma  # if nobody asks us
        self._state = _IDLE
        self._since = now
        for peer in entity.device.peers:
            if partner.is_offered_by(peer, self.name):
                self._state = _WAITING

    def heartbeat(self, now):
        """The manager is alive: from now on it has to stay so."""
        if self._state != _ARMED:
            self._arm(now)

    def _arm(self, now):
        self._state = _ARMED
        self._since = now

    def allowed(self, now):
        """(mA for all phases, tuple with one for each, or None; why) as of now."""
        if self._is_written and self._state != _ARMED:
            self._arm(now)
        if self._state == _WAITING and now - self._since >= _WAIT_MS:
            self._state = _IDLE
        if self._state == _IDLE:
            return None, ""
        if self._safe_ma is not None:
            why = self._doubt(now)
            if why:
                return self._safe_ma, "safe current, " + why
        return self.limits_ma(), "from " + self._partner.who

    def _doubt(self, now):
        """Why the limits cannot be relied on, or ""."""
        partner = self._partner
        if partner.has_failed:
            return partner.who + " has failed"
        if partner.beat_ms is None and self._state == _ARMED:
            return "" if now - self._since < _PATIENCE_MS else "no heartbeat"
        if self._state == _ARMED and not partner.is_alive(now):
            return "no heartbeat from " + partner.who
        if not self._is_written and now - self._since < _WAIT_MS and self._state == _WAITING:
            return "waiting for the energy manager"
        return ""
