"""Limits in amperes per phase on the EV entity: what OPEV and OSCEV have in common (scenario 1).

Both serve entries of the same LoadControl feature, told apart by category and scope. A value is
kept and read back exactly as it was written. Any value from 0 is taken: below the minimum it is a
pause, above the maximum it is the maximum.
"""

from micropython import const

from spine.device import SERVER
from spine.errors import COMMAND_REJECTED, SpineError
from spine.values import amperes, scaled, unscale
from usecases.use_case import UseCase

LIMITS = "loadControlLimitListData"
_FEATURE = const(6)
UNLIMITED_MA = const(1_000_000)  # more than any station has


class CurrentLimit(UseCase):
    """`car` is an evse.car.Car, `partner` a Supervision; `on_change()` is called once after a
    write, before it is answered."""

    actor = "EV"
    version = "1.0.1"
    scenarios = (1, 2, 3)
    first_id = 0  # limitId of phase a
    category = scope = ""

    def __init__(self, entity, car, partner, on_change):
        super().__init__(entity)
        self._partner = partner
        self._on_change = on_change
        self._values = [amperes(car.max_ma())] * car.phases
        self._active = [False] * car.phases
        self._last = None  # the change whose commit ends a write
        self._is_written = False
        partner.listeners.append(self)
        self._feature = entity.feature("LoadControl", SERVER, _FEATURE)
        self._feature.serve("loadControlLimitDescriptionListData", self._descriptions)
        self._feature.serve(LIMITS, self._limits, self._write)

    def heartbeat(self, now):
        """The manager is alive (Supervision)."""

    def supervised(self, now):
        """The manager is back, or its state changed (Supervision)."""
        self._on_change()

    def guard_bound(self, peer, now):
        """A manager bound our LoadControl (Supervision)."""

    def limits_ma(self):
        """Active limits as a tuple, None for a phase that is free; None if all are."""
        if not any(self._active):
            return None
        return tuple(
            [
                min(unscale(value, -3), UNLIMITED_MA) if active else None
                for value, active in zip(self._values, self._active)
            ]
        )

    def _descriptions(self, peer):
        for i in range(len(self._values)):
            yield {
                "limitId": self.first_id + i,
                "limitType": "maxValueLimit",
                "limitCategory": self.category,
                "limitDirection": "consume",
                "measurementId": 1 + i,
                "unit": "A",
                "scopeType": self.scope,
            }

    def _limits(self, peer):
        for i in range(len(self._values)):
            yield {
                "limitId": self.first_id + i,
                "isLimitChangeable": True,
                "isLimitActive": self._active[i],
                "value": self._values[i],
            }

    def _write(self, change):
        """Check one entry. Entries come in order, so the last one that was checked is the last
        to be carried out: only then is the new limit whole."""
        new = change.new
        if "value" not in new or "isLimitActive" not in new or "timePeriod" in new:
            raise SpineError(COMMAND_REJECTED, "value and flag only")
        try:
            is_bad = unscale(new["value"], -3) < 0
        except ValueError:
            is_bad = True
        if is_bad:
            raise SpineError(COMMAND_REJECTED, "current must be >= 0")
        self._last = change

        def commit():
            i = new["limitId"] - self.first_id
            self._values[i] = scaled(new["value"]["number"], new["value"].get("scale", 0))
            self._active[i] = new["isLimitActive"]
            if change is self._last:
                self._is_written = True
                self._on_change()

        return commit
