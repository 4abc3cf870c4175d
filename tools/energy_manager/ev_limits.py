"""Limits in amperes for each phase of a plugged-in vehicle: OPEV protects, OSCEV recommends.

Both are entries of one LoadControl feature on the EV entity. A limit is tied to its phase by way
of the measurement that it limits: limitId, measurementId, parameter, phase.
"""

import asyncio

from .eebus_json import as_bool, as_maps
from .spine_data import scaled, to_scaled
from .use_cases import PARAMETERS
from .writing import NotUsable, WritingUseCase

LIMITS = "loadControlLimitListData"
DESCRIPTIONS = "loadControlLimitDescriptionListData"
PERMITTED = "electricalConnectionPermittedValueSetListData"


class CurrentLimits(WritingUseCase):
    """What OPEV and OSCEV have in common."""

    actor, feature_type = "EV", "LoadControl"
    entity_types = ("EV",)
    category = scope = ""

    async def setup(self) -> None:
        is_bound, _ = await asyncio.gather(
            self.prepare("LoadControl", (DESCRIPTIONS, LIMITS), bind=True),
            self.prepare("ElectricalConnection", (PARAMETERS, PERMITTED)),
        )
        self.is_usable = is_bound and bool(self._ids())

    def _ids(self) -> dict[str, int]:
        """Return `{phase: limitId}`."""
        phases = {
            item.get("measurementId"): item.get("acMeasuredPhases")
            for item in reversed(self.entries("ElectricalConnection", PARAMETERS))
            if "measurementId" in item
        }
        return {
            phases[item["measurementId"]]: item["limitId"]
            for item in self.entries("LoadControl", DESCRIPTIONS)
            if (item.get("limitCategory"), item.get("scopeType")) == (self.category, self.scope)
            and item.get("measurementId") in phases
        }

    def range_a(self) -> tuple[float, float] | None:
        """Return the smallest and the largest current that may be stated for phase a."""
        parameters = {
            item.get("parameterId"): item.get("acMeasuredPhases")
            for item in self.entries("ElectricalConnection", PARAMETERS)
            if "measurementId" in item
        }
        for item in self.entries("ElectricalConnection", PERMITTED):
            if parameters.get(item.get("parameterId")) == "a":
                for one in as_maps(item.get("permittedValueSet")):
                    for span in as_maps(one.get("range")):
                        return scaled(span.get("min")), scaled(span.get("max"))
        return None

    def snapshot(self) -> dict:
        """Return `{phase: amperes}`; None where no limit is active."""
        stored = {item.get("limitId"): item for item in self.entries("LoadControl", LIMITS)}
        found = {}
        for phase, number in self._ids().items():
            entry = stored.get(number, {})
            is_active = as_bool(entry.get("isLimitActive"))
            found[phase] = scaled(entry.get("value")) if is_active else None
        return found

    async def limit(self, amperes: dict[str, float | None]) -> None:
        """Write limits by phase; None releases one. Raises `ErrorResult`, `NotUsable`."""
        ids = self._ids()
        most = (self.range_a() or (0, 16))[1]
        entries = []
        for phase, value in amperes.items():
            if phase not in ids:
                raise NotUsable(f"the charger has no limit for phase {phase}")
            entries.append(
                {
                    "limitId": ids[phase],
                    "isLimitActive": value is not None,
                    "value": to_scaled(most if value is None else value),
                }
            )
        await self.write("LoadControl", LIMITS, entries, None)

    async def limit_all(self, amperes: float | None) -> None:
        """Write the same to all phases."""
        await self.limit(dict.fromkeys(self._ids(), amperes))


class Opev(CurrentLimits):
    """Overload protection by EV charging current curtailment."""

    name = "overloadProtectionByEvChargingCurrentCurtailment"
    category, scope = "obligation", "overloadProtection"


class Oscev(CurrentLimits):
    """Optimization of self-consumption during EV charging."""

    name = "optimizationOfSelfConsumptionDuringEvCharging"
    category, scope = "recommendation", "selfConsumption"
