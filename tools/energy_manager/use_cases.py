"""The use cases a manager watches: MPC, EVSECC, and the entity of a plugged-in vehicle.

Each object belongs to one connection. `find` looks for the entity that plays the charger's part,
`setup` subscribes and reads, `snapshot` tells what is known, in plain numbers with the unit in the
name. What is controlled is in `lpc.py`.

Rules of this file: a charger that lacks an optional function loses that value, never the use case;
such problems are reported by the SPINE event hook. The requests of one `setup` are sent at once,
SHIP keeps their order.
"""

import asyncio
from collections.abc import Awaitable

from .eebus_json import as_bool, as_map
from .remote_device import Feature
from .spine import Spine, SpineError
from .spine_data import items, scaled

KEY_VALUES = "deviceConfigurationKeyValueListData"
KEY_DESCRIPTIONS = "deviceConfigurationKeyValueDescriptionListData"
CONNECTIONS = "electricalConnectionDescriptionListData"
PARAMETERS = "electricalConnectionParameterDescriptionListData"
MEASUREMENTS = "measurementListData"
MEASUREMENT_DESCRIPTIONS = "measurementDescriptionListData"
STATE = "deviceDiagnosisStateData"
MANUFACTURER = "deviceClassificationManufacturerData"

# scopeType: (name of the value, name of the values per phase)
_SCOPES = {
    "acPowerTotal": ("power_w", None),
    "acPower": (None, "power_phase_w"),
    "acCurrent": (None, "current_a"),
    "acVoltage": (None, "voltage_v"),
    "acFrequency": ("frequency_hz", None),
    "acEnergyConsumed": ("energy_wh", None),
    "acEnergyProduced": ("energy_produced_wh", None),
    "charge": ("charged_wh", None),
    "stateOfCharge": ("soc_percent", None),
}
_DIRECTED = ("power_w", "power_phase_w", "current_a")


class UseCase:
    """What all of them have in common; the class attributes say what to look for."""

    name = actor = feature_type = ""
    entity_types = ("EVSE",)
    is_guess_allowed = True  # reading does no harm where the use case is not announced

    def __init__(self, spine: Spine):
        self.spine = spine
        self.entity: tuple | None = None
        self.is_usable = False

    def find(self) -> bool:
        """Choose the entity; return True if there is one."""
        found = self.spine.remote.players(
            self.name, self.actor, self.entity_types, self.feature_type, self.is_guess_allowed
        )
        self.entity = found[0] if found else None
        return bool(found)

    def server(self, feature_type: str) -> Feature | None:
        """Return the server feature of that type on our entity, or None."""
        return self.spine.remote.server(self.entity, feature_type)

    def content(self, feature_type: str, function: str) -> dict:
        """Return our copy of a function's content."""
        return self.spine.remote.get(self.server(feature_type), function)

    def entries(self, feature_type: str, function: str) -> list[dict]:
        """Return our copy of a list function's items."""
        return items(function, self.content(feature_type, function))

    async def prepare(
        self, feature_type: str, functions: tuple[str, ...], bind: bool = False
    ) -> bool:
        """Subscribe to a feature, bind it if asked, read its functions.

        Return True unless the feature is missing or the binding was refused.
        """
        feature = self.server(feature_type)
        if feature is None:
            return False
        steps = [self._attempt(f"subscribe {feature_type}", self.spine.subscribe(feature))]
        if bind:
            steps.append(self._attempt(f"bind {feature_type}", self.spine.bind(feature)))
        for function in functions:
            if feature.can("read", function):
                read = self.spine.read(feature, function)
                steps.append(self._attempt(f"read {function}", read))
        done = await asyncio.gather(*steps)
        return done[1] if bind else True

    async def _attempt(self, what: str, request: Awaitable) -> bool:
        """Await a request; report a failure and return False instead of raising."""
        try:
            await request
            return True
        except SpineError as error:
            self.spine.on_event("problem", what=what, reason=str(error))
            return False

    def measured(self) -> dict:
        """Return the measurements of our entity by name, e.g. `{"power_w": 7048, …}`.

        A value whose state is not normal is left out, as if it had never been sent.
        """
        scopes = {
            item.get("measurementId"): item.get("scopeType")
            for item in self.entries("Measurement", MEASUREMENT_DESCRIPTIONS)
        }
        phases = {
            item["measurementId"]: _phases(item)
            for item in reversed(self.entries("ElectricalConnection", PARAMETERS))
            if "measurementId" in item
        }
        found = {}
        for item in self.entries("Measurement", MEASUREMENTS):
            value = scaled(item.get("value"))
            if value is None or item.get("valueState", "normal") != "normal":
                continue
            identifier = item.get("measurementId")
            total, by_phase = _SCOPES.get(scopes.get(identifier), (None, None))
            sign = self._sign() if (total or by_phase) in _DIRECTED else 1
            if total:
                found[total] = value * sign
            elif by_phase and phases.get(identifier):
                found.setdefault(by_phase, {})[phases[identifier]] = value * sign
        return found

    def _sign(self) -> int:
        """Consumption is positive here, whatever direction the charger calls positive."""
        connections = self.entries("ElectricalConnection", CONNECTIONS)
        produces = connections and connections[0].get("positiveEnergyDirection") == "produce"
        return -1 if produces else 1


def _phases(parameter: dict) -> str:
    """Return `a`, `b`, `c`, or two letters for a value between phases."""
    reference = parameter.get("acMeasuredInReferenceTo", "")
    return parameter.get("acMeasuredPhases", "") + (reference if reference in "abc" else "")


class Mpc(UseCase):
    """Monitoring of power consumption: power, energy, current, voltage, frequency."""

    name, actor = "monitoringOfPowerConsumption", "MonitoredUnit"
    feature_type = "Measurement"

    async def setup(self) -> None:
        await asyncio.gather(
            self.prepare("Measurement", (MEASUREMENT_DESCRIPTIONS, MEASUREMENTS)),
            self.prepare("ElectricalConnection", (CONNECTIONS, PARAMETERS)),
        )
        self.is_usable = bool(self.entries("Measurement", MEASUREMENT_DESCRIPTIONS))

    def snapshot(self) -> dict:
        return self.measured()


class Evsecc(UseCase):
    """Commissioning and configuration of the charger: who made it, and is it in order."""

    name, actor = "evseCommissioningAndConfiguration", "EVSE"
    feature_type = "DeviceDiagnosis"

    async def setup(self) -> None:
        await asyncio.gather(
            self.prepare("DeviceDiagnosis", (STATE,)),
            self.prepare("DeviceClassification", (MANUFACTURER,)),
        )
        self.is_usable = bool(self.content("DeviceDiagnosis", STATE))

    def snapshot(self) -> dict:
        state = self.content("DeviceDiagnosis", STATE)
        return {
            "state": state.get("operatingState"),
            "error": state.get("lastErrorCode"),
            "manufacturer": self.content("DeviceClassification", MANUFACTURER),
        }


class Vehicle(UseCase):
    """The EV entity: it is there exactly while a vehicle is plugged in."""

    name, actor = "evCommissioningAndConfiguration", "EV"
    feature_type = "DeviceDiagnosis"
    entity_types = ("EV",)

    def find(self) -> bool:
        entities = self.spine.remote.entities.items()
        self.entity = next((entity for entity, kind in entities if kind == "EV"), None)
        return self.entity is not None

    async def setup(self) -> None:
        await asyncio.gather(
            self.prepare("DeviceDiagnosis", (STATE,)),
            self.prepare("DeviceConfiguration", (KEY_DESCRIPTIONS, KEY_VALUES)),
            self.prepare("Measurement", (MEASUREMENT_DESCRIPTIONS, MEASUREMENTS)),
            self.prepare("ElectricalConnection", (CONNECTIONS, PARAMETERS)),
        )
        self.is_usable = True

    def snapshot(self) -> dict:
        if self.entity is None:
            return {"is_connected": False}
        keys = key_values(self)
        standard = keys.get("communicationsStandard", keys.get("communicationStandard", {}))
        asymmetric = keys.get("asymmetricChargingSupported", {})
        return {
            "is_connected": True,
            "state": self.content("DeviceDiagnosis", STATE).get("operatingState"),
            "standard": standard.get("string"),
            "is_asymmetric": as_bool(asymmetric.get("boolean")),
            **self.measured(),
        }


def key_values(use_case: UseCase) -> dict[str, dict]:
    """Return the configuration values of a use case's entity by key name."""
    names = {
        item.get("keyId"): item.get("keyName")
        for item in use_case.entries("DeviceConfiguration", KEY_DESCRIPTIONS)
    }
    return {
        names[item.get("keyId")]: as_map(item.get("value"))
        for item in use_case.entries("DeviceConfiguration", KEY_VALUES)
        if item.get("keyId") in names
    }
