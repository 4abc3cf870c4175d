"""Limitation of power consumption and production, as the energy guard: limit, failsafe values.

Scenario 1 is a limit in watts with an optional duration, scenario 2 the failsafe values, scenario
3 the heartbeats in both directions (the manager sends ours), scenario 4 the nominal maximum.

Production is negative on the wire, its failsafe value is not; here both are magnitudes in W.
A duration is taken away by a delete filter in the same command (`writing.py`).
"""

import asyncio

from .eebus_json import as_bool, as_map
from .spine_data import format_duration, parse_duration, scaled, to_scaled
from .use_cases import KEY_DESCRIPTIONS, KEY_VALUES, key_values
from .writing import NotUsable, WritingUseCase

LIMITS = "loadControlLimitListData"
LIMIT_DESCRIPTIONS = "loadControlLimitDescriptionListData"
CHARACTERISTICS = "electricalConnectionCharacteristicListData"
HEARTBEAT = "deviceDiagnosisHeartbeatData"

FAILSAFE_DURATION = "failsafeDurationMinimum"
_OUR_LIMIT = {"limitType": "signDependentAbsValueLimit", "scopeType": "activePowerLimit"}


class Lpc(WritingUseCase):
    """Limitation of power consumption of one charger."""

    name, actor = "limitationOfPowerConsumption", "ControllableSystem"
    feature_type = "LoadControl"
    entity_types = ("EVSE", "CEM", "SubMeterElectricity", "Inverter", "SmartEnergyAppliance")
    direction, sign = "consume", 1
    failsafe_power = "failsafeConsumptionActivePowerLimit"
    nominal_max = "powerConsumptionNominalMax"

    async def setup(self) -> None:
        await asyncio.gather(
            self._setup_limit(),
            self.prepare("DeviceDiagnosis", (HEARTBEAT,)),
            self.prepare("DeviceConfiguration", (KEY_DESCRIPTIONS, KEY_VALUES), bind=True),
            self.prepare("ElectricalConnection", (CHARACTERISTICS,)),
        )

    async def _setup_limit(self) -> None:
        """The limit is usable as soon as it is bound and described, the rest may take longer."""
        is_bound = await self.prepare("LoadControl", (LIMIT_DESCRIPTIONS, LIMITS), bind=True)
        self.is_usable = is_bound and self._limit_id() is not None

    def _limit_id(self) -> int | None:
        """Return the identifier of the one limit described as LPC asks, else None."""
        ours = {**_OUR_LIMIT, "limitDirection": self.direction}
        found = [
            item.get("limitId")
            for item in self.entries("LoadControl", LIMIT_DESCRIPTIONS)
            if all(item.get(name) == value for name, value in ours.items())
        ]
        return found[0] if len(found) == 1 else None

    def _limit_entry(self) -> dict:
        identifier = self._limit_id()
        for item in self.entries("LoadControl", LIMITS):
            if item.get("limitId") == identifier:
                return item
        return {}

    # -- reading --------------------------------------------------------------------------------

    def limit(self) -> dict:
        """Return the limit as the charger last stated it; `ends_in_s` counts from then."""
        entry = self._limit_entry()
        value = scaled(entry.get("value"))
        return {
            "is_active": as_bool(entry.get("isLimitActive")),
            "limit_w": value and self.sign * value,
            "ends_in_s": parse_duration(as_map(entry.get("timePeriod")).get("endTime")),
            "is_changeable": as_bool(entry.get("isLimitChangeable")),
        }

    def failsafe(self) -> dict:
        """Return the failsafe values: `failsafe_w`, `failsafe_duration_s`."""
        values = key_values(self)
        power = as_map(values.get(self.failsafe_power)).get("scaledNumber")
        duration = as_map(values.get(FAILSAFE_DURATION)).get("duration")
        return {"failsafe_w": scaled(power), "failsafe_duration_s": parse_duration(duration)}

    def nominal_max_w(self) -> float | None:
        """Return the nominal maximum of scenario 4, None if it is not stated."""
        for item in self.entries("ElectricalConnection", CHARACTERISTICS):
            if item.get("characteristicType") == self.nominal_max:
                return scaled(item.get("value"))
        return None

    def heartbeat(self) -> dict:
        """Return the charger's last heartbeat: `counter`, `timeout_s`."""
        beat = self.content("DeviceDiagnosis", HEARTBEAT)
        timeout = parse_duration(beat.get("heartbeatTimeout"))
        return {"counter": beat.get("heartbeatCounter"), "timeout_s": timeout}

    def snapshot(self) -> dict:
        """Return all of it."""
        return {
            "limit": self.limit(),
            **self.failsafe(),
            "nominal_max_w": self.nominal_max_w(),
            "heartbeat": self.heartbeat(),
        }

    # -- writing --------------------------------------------------------------------------------

    async def write_limit(
        self,
        limit_w: float | None,
        is_active: bool | None,
        duration_s: float | None,
        delete_duration: bool,
    ) -> None:
        """Write what is not None; raise `ErrorResult` when the charger refuses."""
        identifier = self._limit_id()
        if identifier is None:
            raise NotUsable(f"the charger describes no {self.name}")
        entry = {"limitId": identifier}
        if is_active is not None:
            entry["isLimitActive"] = is_active
        if duration_s is not None:
            entry["timePeriod"] = {"endTime": format_duration(duration_s)}
        if limit_w is not None:
            entry["value"] = to_scaled(self.sign * limit_w)
        delete = {"timePeriod": {}} if delete_duration else None
        await self.write("LoadControl", LIMITS, [entry], delete)

    async def write_failsafe(self, power_w: float | None, duration_s: float | None) -> None:
        """Write the failsafe values that are not None."""
        wanted = {}
        if power_w is not None:
            wanted[self.failsafe_power] = {"scaledNumber": to_scaled(power_w)}
        if duration_s is not None:
            wanted[FAILSAFE_DURATION] = {"duration": format_duration(duration_s)}
        identifiers = {
            item.get("keyName"): item.get("keyId")
            for item in self.entries("DeviceConfiguration", KEY_DESCRIPTIONS)
        }
        missing = [name for name in wanted if name not in identifiers]
        if missing:
            raise NotUsable(f"the charger has no {missing[0]}")
        entries = [{"keyId": identifiers[name], "value": wanted[name]} for name in wanted]
        await self.write("DeviceConfiguration", KEY_VALUES, entries, None)


class Lpp(Lpc):
    """Limitation of power production of one charger."""

    name = "limitationOfPowerProduction"
    direction, sign = "produce", -1
    failsafe_power = "failsafeProductionActivePowerLimit"
    nominal_max = "powerProductionNominalMax"
