"""Readings of the station's meter on Measurement and ElectricalConnection: MPC and EVCEM.

Each reading is one row of `_rows()`: (measurementId = parameterId, measurementType, unit,
scopeType, phases it is measured on or None). Descriptions, parameters and values of the three
lists are made from it, so that none is there without the others.
"""

from micropython import const

from usecases.use_case import UseCase

ELECTRICAL_CONNECTION_ID = const(1)
VALUES = "measurementListData"
CONNECTION = "electricalConnectionDescriptionListData"

_SOURCES = ("measuredValue", "calculatedValue", "empiricalValue")
_STATES = ("normal", "error", "outOfRange")


class Measured(UseCase):
    """`meter` is an evse.metering.Meter; `has_meter` False: nobody fills it; `timestamp()` gives
    wall time as text or None. `measurement` and `electrical` are the server features."""

    def __init__(self, entity, meter, has_meter, timestamp, measurement, electrical):
        super().__init__(entity)
        if not has_meter:
            self.name = None  # the lists stay: limits are tied to what they describe
        self._meter = meter
        self._timestamp = timestamp
        self._measurement = measurement
        measurement.serve("measurementDescriptionListData", self._descriptions)
        measurement.serve(VALUES, self._values)
        electrical.serve(CONNECTION, self._connection)
        electrical.serve("electricalConnectionParameterDescriptionListData", self._parameters)

    def _rows(self):
        raise NotImplementedError

    def _value(self, number):
        """The ScaledNumber of a row."""
        raise NotImplementedError

    def _connected_phases(self):
        raise NotImplementedError

    def _descriptions(self, peer):
        for number, kind, unit, scope, _ in self._rows():
            yield {
                "measurementId": number,
                "measurementType": kind,
                "commodityType": "electricity",
                "unit": unit,
                "scopeType": scope,
            }

    def _values(self, peer):
        meter = self._meter
        timestamp = self._timestamp()
        for number, _, _, _, _ in self._rows():
            data = {
                "measurementId": number,
                "valueType": "value",
                "value": self._value(number),
                "valueSource": _SOURCES[meter.value_source],
                "valueState": _STATES[meter.state],
            }
            if timestamp:
                data["timestamp"] = timestamp
            yield data

    def _connection(self, peer):
        yield {
            "electricalConnectionId": ELECTRICAL_CONNECTION_ID,
            "powerSupplyType": "ac",
            "acConnectedPhases": self._connected_phases(),
            "positiveEnergyDirection": "consume",
        }

    def _parameters(self, peer):
        for number, kind, _, _, phases in self._rows():
            data = {
                "electricalConnectionId": ELECTRICAL_CONNECTION_ID,
                "parameterId": number,
                "measurementId": number,
                "voltageType": "ac",
            }
            if phases:
                data["acMeasuredPhases"] = phases
            if kind != "frequency":
                data["acMeasurementType"] = "apparent" if kind == "voltage" else "real"
            if kind not in ("frequency", "energy"):
                data["acMeasurementVariant"] = "rms"
            if kind in ("power", "voltage"):
                data["acMeasuredInReferenceTo"] = "neutral"
            yield data
