"""EVCC - EV Commissioning and Configuration, scenarios 1-8 (version 1.0.1).

That a car is here (scenarios 1, 8) is said by the EV entity itself. This file serves how the
station talks with it (2), whether phases may differ (3), who and what it is (4, 5: ISO 15118
only), which power and currents it can be given (6), and whether it sleeps (7).
"""

from micropython import const

from spine.device import SERVER
from spine.values import amperes, scaled
from usecases.use_case import UseCase

_STANDARD_KEY = const(1)
_ASYMMETRIC_KEY = const(2)
_POWER_RANGE_ID = const(8)
_ELECTRICAL_CONNECTION_ID = const(1)
_MIN_MA = const(6_000)
_PAUSE_15118_MA = const(100)  # for an ISO 15118-2 car, whose session 0 would end

_STATE = "deviceDiagnosisStateData"
_KEY_VALUES = "deviceConfigurationKeyValueListData"
_PERMITTED = "electricalConnectionPermittedValueSetListData"
_IDENTIFICATION = "identificationListData"
_MANUFACTURER = "deviceClassificationManufacturerData"


class Evcc(UseCase):
    """`car` is an evse.car.Car."""

    name = "evCommissioningAndConfiguration"
    actor = "EV"
    version = "1.0.1"
    scenarios = (1, 2, 3, 6, 7, 8)

    def __init__(self, entity, car, now):
        super().__init__(entity)
        self._car = car
        told = car.told
        if told:
            self._classification = entity.feature("DeviceClassification", SERVER, 1)
            self._classification.serve(_MANUFACTURER, lambda peer: told.manufacturer or {})
        self._diagnosis = entity.feature("DeviceDiagnosis", SERVER, 2)
        self._diagnosis.serve(_STATE, lambda peer: {"operatingState": self._told_state})
        self._configuration = entity.feature("DeviceConfiguration", SERVER, 3)
        self._configuration.serve(
            "deviceConfigurationKeyValueDescriptionListData", self._key_descriptions
        )
        self._configuration.serve(_KEY_VALUES, self._key_values)
        self._electrical = entity.feature("ElectricalConnection", SERVER, 4)
        self._electrical.serve("electricalConnectionParameterDescriptionListData", self._parameter)
        self._electrical.serve(_PERMITTED, self._permitted)
        if told:
            self._identification = entity.feature("Identification", SERVER, 7)
            self._identification.serve(_IDENTIFICATION, self._identifications)
        self._told_state = car.state(now)
        self._told_keys = self._keys()
        self._told_range = self._range()
        self._told_identity = None
        self._update_identity()

    def tick(self, now):
        """Tell what changed."""
        state = self._car.state(now)
        if state != self._told_state:
            self._told_state = state
            self._diagnosis.changed(_STATE)
        if self._keys() != self._told_keys:
            self._told_keys = self._keys()
            self._configuration.changed(_KEY_VALUES)
        if self._range() != self._told_range:
            self._told_range = self._range()
            self._electrical.changed(_PERMITTED)
        if self._update_identity():
            self._identification.changed(_IDENTIFICATION)
            self._classification.changed(_MANUFACTURER)
            self.announcement_changed()

    def _update_identity(self):
        """Announce scenarios 4 and 5 exactly as long as their data is there."""
        told = self._car.told
        if not told or (told.identification, told.manufacturer) == self._told_identity:
            return False
        self._told_identity = (told.identification, told.manufacturer)
        four = (4,) if told.identification else ()
        five = (5,) if told.manufacturer else ()
        self.scenarios = (1, 2, 3) + four + five + (6, 7, 8)
        return True

    # --- scenarios 2 and 3 ------------------------------------------------------------------

    def _keys(self):
        told = self._car.told
        return (told.standard, told.is_asymmetric) if told else ("iec61851", False)

    def _key_descriptions(self, peer):
        yield {
            "keyId": _STANDARD_KEY,
            "keyName": "communicationsStandard",
            "valueType": "string",
        }
        yield {
            "keyId": _ASYMMETRIC_KEY,
            "keyName": "asymmetricChargingSupported",
            "valueType": "boolean",
        }

    def _key_values(self, peer):
        standard, is_asymmetric = self._keys()
        yield {
            "keyId": _STANDARD_KEY,
            "value": {"string": standard},
            "isValueChangeable": False,
        }
        yield {
            "keyId": _ASYMMETRIC_KEY,
            "value": {"boolean": is_asymmetric},
            "isValueChangeable": False,
        }

    # --- scenario 4 -------------------------------------------------------------------------

    def _identifications(self, peer):
        identification = self._car.told.identification
        if identification:
            yield {
                "identificationId": 1,
                "identificationType": "eui48",
                "identificationValue": identification,
            }

    # --- scenario 6, and the currents that OPEV and OSCEV may state -------------------------

    def _range(self):
        """(largest current, phases in use, standard): what the permitted values depend on."""
        return self._car.max_ma(), self._car.phases_in_use(), self._keys()[0]

    def _parameter(self, peer):
        yield {
            "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
            "parameterId": _POWER_RANGE_ID,
            "acMeasuredPhases": "abc"[: self._car.phases],
            "scopeType": "acPowerTotal",
        }

    def _permitted(self, peer):
        """Ranges, and beside them the value that means "pause" (current) or "idle" (power)."""
        max_ma, in_use, standard = self._range()
        pause = amperes(0 if standard == "iec61851" else _PAUSE_15118_MA)
        for i in range(self._car.phases):
            yield _set(1 + i, pause, amperes(_MIN_MA), amperes(max_ma))
        line_v = self._car.nominal_mv // 1000 * in_use
        low = scaled(_MIN_MA // 1000 * line_v)
        yield _set(_POWER_RANGE_ID, scaled(0), low, scaled(max_ma * line_v // 1000))


def _set(parameter, value, low, high):
    return {
        "electricalConnectionId": _ELECTRICAL_CONNECTION_ID,
        "parameterId": parameter,
        "permittedValueSet": [{"value": [value], "range": [{"min": low, "max": high}]}],
    }
