"""OPEV - Overload Protection by EV Charging Current Curtailment, scenarios 1-3 (version 1.0.1).

The energy manager protects the fuse with a limit in amperes for each phase. If it falls silent or
reports a failure, a safe current takes over [OPEV-005, OPEV-007], and its last limits hold again
as soon as it is back.

Protection starts when somebody offers it: if a manager that announces OPEV is connected when the
car comes, its first limit is waited for, 15 s at the safe current [OPEV-003]; a heartbeat or a
written limit arms it at any time. A station whose partner only knows LPC is not slowed down.
"""

from micropython import const

from usecases.current_limit import UNLIMITED_MA, CurrentLimit

_WAIT_MS = const(15_000)
_PATIENCE_MS = const(9_000)  # for the first heartbeat of who has written a limit


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
        self._armed_ms = None  # since when the manager has to be alive
        self._wait_ms = now  # until when its first limit is waited for
        for peer in entity.device.peers:
            if partner.is_offered_by(peer, self.name):
                self._wait_ms = now + _WAIT_MS

    def heartbeat(self, now):
        """The manager is alive: from now on it has to stay so."""
        if self._armed_ms is None:
            self._armed_ms = now

    def allowed(self, now):
        """(mA for all phases, tuple with one for each, or None; why) as of now."""
        if self._is_written:
            self.heartbeat(now)
        if self._armed_ms is None and now >= self._wait_ms:
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
        if not self._is_written and now < self._wait_ms:
            return "waiting for the energy manager"
        if partner.beat_ms is None:
            return "" if now - self._armed_ms < _PATIENCE_MS else "no heartbeat"
        return "" if partner.is_alive(now) else "no heartbeat from " + partner.who
