"""OSCEV - Optimization of Self-Consumption during EV Charging, scenarios 1-3 (version 1.0.1).

The energy manager recommends how much of its own solar current the car may take. The pilot can
only express a maximum, so an active recommendation is a soft one: unless the user wants to charge
with surplus only, it does not stop the car. A silent or failed manager has no recommendation.
"""

from micropython import const

from usecases.current_limit import UNLIMITED_MA, CurrentLimit

# What the user wants.
NORMAL = const(0)  # follow the recommendation, but do charge
SURPLUS = const(1)  # nothing but the sun
FAST = const(2)  # now, whatever it costs

_MIN_MA = const(6_000)


class Oscev(CurrentLimit):
    """`mode()` says what the user wants: NORMAL, SURPLUS or FAST."""

    name = "optimizationOfSelfConsumptionDuringEvCharging"
    first_id = 11
    category = "recommendation"
    scope = "selfConsumption"
    fallback_ma = UNLIMITED_MA

    def __init__(self, entity, car, partner, on_change, mode):
        super().__init__(entity, car, partner, on_change)
        self._mode = mode
        self._told = mode()
        self._choose_scenarios()

    def _choose_scenarios(self):
        # Without flexibility scenario 1 is withdrawn [OSCEV-009].
        self.scenarios = (2, 3) if self._told == FAST else (1, 2, 3)

    def allowed(self, now):
        """(tuple of mA or None, why) as of now."""
        mode = self._mode()
        limits = self.limits_ma()
        if mode == FAST or limits is None or not self._partner.is_alive(now):
            return None, ""
        if mode != SURPLUS:
            limits = tuple([ma if ma is None else max(ma, _MIN_MA) for ma in limits])
        return limits, "surplus, from " + self._partner.who

    def tick(self, now):
        mode = self._mode()
        if mode != self._told:
            self._told = mode
            self._choose_scenarios()
            self.announcement_changed()
            self._on_change()
