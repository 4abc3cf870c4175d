"""EVSECC - EVSE Commissioning and Configuration, scenarios 1 and 2 (version 1.0.1).

Manufacturer data (also on entity [0], where SPINE wants it) and the error state of the station.
"""

from spine.device import SERVER
from usecases.use_case import UseCase

_MANUFACTURER = "deviceClassificationManufacturerData"
_STATE = "deviceDiagnosisStateData"


class Evsecc(UseCase):
    """`manufacturer` is natural deviceClassificationManufacturerData; `faults()` gives the text of
    the most serious fault, at most 128 characters, or ""."""

    name = "evseCommissioningAndConfiguration"
    actor = "EVSE"
    version = "1.0.1"
    scenarios = (1, 2)

    def __init__(self, entity, root, manufacturer, faults):
        super().__init__(entity)
        self._manufacturer = manufacturer
        self._faults = faults
        self._told = ""
        for owner in (root, entity):
            owner.feature("DeviceClassification", SERVER).serve(_MANUFACTURER, self._data)
        self._diagnosis = entity.feature("DeviceDiagnosis", SERVER)
        self._diagnosis.serve(_STATE, self._state)

    def _data(self, peer):
        return self._manufacturer

    def _state(self, peer):
        fault = self._faults()
        if fault:
            return {"operatingState": "failure", "lastErrorCode": fault}
        return {"operatingState": "normalOperation"}

    def update(self):
        """Tell subscribers if the error state has changed. Call it when faults come or go."""
        fault = self._faults()
        if fault != self._told:
            self._told = fault
            self._diagnosis.changed(_STATE)
