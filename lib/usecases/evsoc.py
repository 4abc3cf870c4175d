"""EVSOC - EV State of Charge, scenarios 1-4 (version 1.0.0 RC1).

Only for cars that tell it (ISO 15118): announced from the moment the state of charge is known, the
other three scenarios if their value is.
"""

from micropython import const

from spine.device import SERVER
from spine.values import scaled
from usecases.use_case import UseCase

_SOC = const(21)
_SOH = const(22)
_RANGE = const(23)
_ELECTRICAL_CONNECTION_ID = const(1)
_PERIOD_MS = const(60_000)
_STEP_PERMILLE = const(10)

_NAME = "evStateOfCharge"
_VALUES = "measurementListData"
_CHARACTERISTICS = "electricalConnectionCharacteristicListData"


class Evsoc(UseCase):
    """`car` is an evse.car.Car of a board that can ask it."""

    name = None  # until the car has told
    actor = "EV"

    def __init__(self, entity, car, now):
        super().__init__(entity)
        self._told = car.told
        self._next = now
        self._last_permille = None
        self._electrical = entity.feature("ElectricalConnection", SERVER, 4)
        self._electrical.serve(_CHARACTERISTICS, self._capacity)
        self._measurement = entity.feature("Measurement", SERVER, 5)
        self._measurement.serve("measurementDescriptionListData", self._descriptions)
        self._measurement.serve(_VALUES, self._values)
        self._choose_scenarios()

    def support(self):
        data = super().support()
        data["useCaseDocumentSubRevision"] = "RC1"
        return data

    def _choose_scenarios(self):
        """Returns whether the announcement has changed."""
        told = self._told
        known = (told.soc_permille, told.capacity_wh, told.soh_permille, told.range_m)
        scenarios = tuple([i + 1 for i in range(4) if known[i] is not None])
        before = self.name, self.scenarios
        self.scenarios = scenarios
        self.name = _NAME if 1 in scenarios else None
        return (self.name, self.scenarios) != before

    def tick(self, now):
        """Tell at each per cent and each minute."""
        if self._choose_scenarios():
            self.announcement_changed()
            self._measurement.changed("measurementDescriptionListData")
            self._electrical.changed(_CHARACTERISTICS)
        permille = self._told.soc_permille
        if permille is None:
            return
        is_step = self._last_permille is None
        if not is_step:
            is_step = abs(permille - self._last_permille) >= _STEP_PERMILLE
        if is_step or now >= self._next:
            self._next = now + _PERIOD_MS
            self._last_permille = permille
            self._measurement.changed(_VALUES)

    def _rows(self):
        """(measurementId, measurementType, unit, scopeType, value) of what is known."""
        told = self._told
        if told.soc_permille is not None:
            yield _SOC, "percentage", "pct", "stateOfCharge", scaled(told.soc_permille, -1)
        if told.soh_permille is not None:
            yield _SOH, "percentage", "pct", "stateOfHealth", scaled(told.soh_permille, -1)
        if told.range_m is not None:
            yield _RANGE, "distance", "m", "travelRange", scaled(told.range_m)

    def _descriptions(self, peer):
        for number, kind, unit, scope, _ in self._rows():
            data = {
                "measurementId": number,
                "measurementType": kind,
                "unit": unit,
                "scopeType": scope,
            }
            if number == _SOC:
                data["commodityType"] = "electricity"
            yield data

    def _values(self, peer):
        for number, _, _, _, value in self._rows():
            yield {
                "measurementId": number,
                "valueType": "value",
                "value": value,
                "valueSource": "empiricalValue",
                "valueState": "normal",
            }

    def _capacity(self, peer):
        if self._told.capacity_wh is not None:
            yield {
                "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
                "characteristicId": 1,
                "characteristicContext": "entity",
                "characteristicType": "energyCapacityNominalMax",
                "value": scaled(self._told.capacity_wh),
                "unit": "Wh",
            }
