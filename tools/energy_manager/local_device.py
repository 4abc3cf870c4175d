"""What we are to the charger: our entities, features and use cases, and who listens to them.

Covers our side of IEC 63380-3 5.5.2 (discovery), 5.5.4 (bindings), 5.5.5 (subscriptions and
heartbeat) and 5.5.6 (use case data). The structure is fixed: `[0]` DeviceInformation, `[1]` CEM
with one DeviceDiagnosis server, whose heartbeat the charger follows (LPC scenario 3), and the
client features we read and write from.

Rules of this file: requests are answered by returning data or raising `Rejected`; nothing is sent.
"""

import time

from .eebus_json import as_int, as_map
from .identity import BRAND, MODEL
from .remote_device import entity_address
from .spine_data import format_duration

NODE_MANAGEMENT = ((0,), 0)
CEM = (1,)
CLASSIFICATION_SERVER = ((0,), 1)
DIAGNOSIS_SERVER = (CEM, 1)
MANUFACTURER = "deviceClassificationManufacturerData"
HEARTBEAT = "deviceDiagnosisHeartbeatData"
HEARTBEAT_TIMEOUT_S = 60

GENERAL_ERROR, DESTINATION_UNKNOWN, DESTINATION_UNREACHABLE = 1, 4, 5
NOT_SUPPORTED, REJECTED, BINDING_NECESSARY = 6, 7, 9

_CLIENTS = {
    "DeviceDiagnosis": 2,
    "LoadControl": 3,
    "DeviceConfiguration": 4,
    "ElectricalConnection": 5,
    "Measurement": 6,
    "DeviceClassification": 7,
    "Generic": 8,
}
_READABLE = (
    "nodeManagementDetailedDiscoveryData",
    "nodeManagementUseCaseData",
    "nodeManagementSubscriptionData",
    "nodeManagementBindingData",
)
_CALLS = (
    "nodeManagementSubscriptionRequestCall",
    "nodeManagementSubscriptionDeleteCall",
    "nodeManagementBindingRequestCall",
    "nodeManagementBindingDeleteCall",
)
_USE_CASES = (
    ("EnergyGuard", "limitationOfPowerConsumption", "1.0.0", [1, 2, 3, 4]),
    ("MonitoringAppliance", "monitoringOfPowerConsumption", "1.0.0", [1, 2, 3, 4, 5]),
    ("CEM", "evseCommissioningAndConfiguration", "1.0.1", [1, 2]),
)
# Only of a manager for cars (`for_cars`): a charger relies on whoever announces these.
_CAR_USE_CASES = (
    ("CEM", "evCommissioningAndConfiguration", "1.0.1", [1, 2, 3, 4, 5, 6, 7, 8]),
    ("CEM", "measurementOfElectricityDuringEvCharging", "1.0.1", [1, 2, 3]),
    ("CEM", "overloadProtectionByEvChargingCurrentCurtailment", "1.0.1", [1, 2, 3]),
    ("CEM", "optimizationOfSelfConsumptionDuringEvCharging", "1.0.1", [1, 2, 3]),
    ("CEM", "evStateOfCharge", "1.0.0", [1, 2, 3, 4]),
    ("CEM", "coordinatedEvCharging", "1.0.1", [1, 2, 3, 4, 5, 6, 7, 8]),
    ("CEM", "evChargingSummary", "1.0.1", [1]),
    ("EnergyGuard", "limitationOfPowerProduction", "1.0.0", [1, 2, 3, 4]),
)
_MAX_RELATIONS = 64  # subscriptions or bindings one charger may hold; more are rejected


class Rejected(Exception):
    """A request is answered with a result: `number` as in IEC 63380-3 5.3.2, optional text."""

    def __init__(self, number: int, text: str = ""):
        super().__init__(text or f"error {number}")
        self.number = number
        self.text = text


class LocalDevice:
    """Our device as one charger sees it; `device` is our SPINE device address."""

    def __init__(self, device: str, serial: str = "", for_cars: bool = False):
        self.device = device
        self._use_cases = _USE_CASES + _CAR_USE_CASES if for_cars else _USE_CASES
        self.heartbeat_on = True
        self._serial = serial
        self._beats = 0
        self._subscriptions = _Relations("subscription")
        self._bindings = _Relations("binding")

    def client_for(self, feature_type: str) -> tuple:
        """Return the address of the client feature that deals with such a server feature."""
        if feature_type == "NodeManagement":
            return NODE_MANAGEMENT
        return CEM, _CLIENTS.get(feature_type, _CLIENTS["Generic"])

    def knows(self, entity: tuple, number: int) -> bool:
        """True if we have such a feature."""
        return (entity, number) in self._features()

    def subscribers(self, address: tuple) -> list[dict]:
        """Return the remote feature addresses (dicts) that subscribed to a server of ours."""
        return self._subscriptions.clients_of(address)

    def forget(self, entity: tuple) -> None:
        """Delete what a removed entity of the charger had subscribed and bound."""
        self._subscriptions.forget(entity)
        self._bindings.forget(entity)

    def beat(self) -> dict:
        """Return the content of the next heartbeat."""
        self._beats += 1
        return self._heartbeat()

    def _heartbeat(self) -> dict:
        return {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "heartbeatCounter": self._beats,
            "heartbeatTimeout": format_duration(HEARTBEAT_TIMEOUT_S),
        }

    # -- requests of the charger ----------------------------------------------------------------

    def read(self, entity: tuple, number: int, function: str) -> dict:
        """Return the content of one of our functions."""
        if not self.knows(entity, number):
            raise Rejected(DESTINATION_UNKNOWN)
        address = (entity, number)
        if address == NODE_MANAGEMENT and function in _READABLE:
            return {
                "nodeManagementDetailedDiscoveryData": self._discovery,
                "nodeManagementUseCaseData": self._use_case_data,
                "nodeManagementSubscriptionData": self._subscriptions.entries,
                "nodeManagementBindingData": self._bindings.entries,
            }[function]()
        if address == CLASSIFICATION_SERVER and function == MANUFACTURER:
            return {"deviceName": MODEL, "serialNumber": self._serial, "brandName": BRAND}
        if address == DIAGNOSIS_SERVER and function == HEARTBEAT:
            # A read answered counts as a beat for the charger, so silence must be silent here too.
            return self.beat() if self.heartbeat_on else {}
        raise Rejected(NOT_SUPPORTED)

    def call(
        self, entity: tuple, number: int, function: str, content: dict, caller: str
    ) -> tuple[str, dict, dict]:
        """Execute a subscription or binding call; return what was done, client and server.

        `caller` is the device address of the charger, used where the call leaves it out.
        """
        if not self.knows(entity, number):
            raise Rejected(DESTINATION_UNKNOWN)
        if (entity, number) != NODE_MANAGEMENT or function not in _CALLS:
            raise Rejected(NOT_SUPPORTED)
        kind = "subscription" if "Subscription" in function else "binding"
        relations = self._subscriptions if kind == "subscription" else self._bindings
        is_request = function.endswith("RequestCall")
        request = as_map(content.get(kind + ("Request" if is_request else "Delete")))
        client, server = as_map(request.get("clientAddress")), as_map(request.get("serverAddress"))
        client = {"device": caller, **client}
        if not is_request:
            relations.delete(client, server)
            return f"{kind} deleted", client, server
        self._check_server(kind, server)
        if client["device"] == self.device:
            raise Rejected(REJECTED, "the client must be the caller's")
        relations.add(client, server)
        return f"{kind} added", client, server

    def _check_server(self, kind: str, server: dict) -> None:
        if server.get("device", self.device) != self.device:
            raise Rejected(DESTINATION_UNREACHABLE)
        address = (entity_address(server), as_int(server.get("feature")))
        if address not in self._features():
            raise Rejected(DESTINATION_UNKNOWN)
        role = self._features()[address][1]
        if role == "client" or (role == "special" and kind == "binding"):
            raise Rejected(REJECTED, f"no {kind} to a {role} feature")

    # -- structure ------------------------------------------------------------------------------

    def _features(self) -> dict[tuple, tuple]:
        """Return `{address: (type, role, functions)}` of all features."""
        found = {
            NODE_MANAGEMENT: ("NodeManagement", "special", _READABLE),
            CLASSIFICATION_SERVER: ("DeviceClassification", "server", (MANUFACTURER,)),
            DIAGNOSIS_SERVER: ("DeviceDiagnosis", "server", (HEARTBEAT,)),
        }
        for kind, number in _CLIENTS.items():
            found[CEM, number] = (kind, "client", ())
        return found

    def _discovery(self) -> dict:
        entities = [((0,), "DeviceInformation"), (CEM, "CEM")]
        return {
            "specificationVersionList": {"specificationVersion": ["1.3.0"]},
            "deviceInformation": {
                "description": {
                    "deviceAddress": {"device": self.device},
                    "deviceType": "EnergyManagementSystem",
                    "networkFeatureSet": "smart",
                }
            },
            "entityInformation": [
                {"description": {"entityAddress": {"entity": list(e)}, "entityType": kind}}
                for e, kind in entities
            ],
            "featureInformation": [
                {"description": _described(address, *rest)}
                for address, rest in self._features().items()
            ],
        }

    def _use_case_data(self) -> dict:
        address = {"device": self.device, "entity": list(CEM)}
        return {
            "useCaseInformation": [
                {
                    "address": address,
                    "actor": actor,
                    "useCaseSupport": [
                        {
                            "useCaseName": name,
                            "useCaseVersion": version,
                            "useCaseAvailable": True,
                            "scenarioSupport": scenarios,
                            "useCaseDocumentSubRevision": "release",
                        }
                    ],
                }
                for actor, name, version, scenarios in self._use_cases
            ]
        }


def _described(address: tuple, kind: str, role: str, functions: tuple) -> dict:
    """Return the discovery description of one feature."""
    entity, number = address
    description = {
        "featureAddress": {"entity": list(entity), "feature": number},
        "featureType": kind,
        "role": role,
    }
    if role != "client":
        supported = [{"function": f, "possibleOperations": {"read": {}}} for f in functions]
        if role == "special":
            supported += [{"function": f, "possibleOperations": {}} for f in _CALLS]
        description["supportedFunction"] = supported
    return description


class _Relations:
    """Subscriptions or bindings of remote client features to our server features."""

    def __init__(self, kind: str):
        self._kind = kind
        self._entries = []
        self._last_id = 0

    def add(self, client: dict, server: dict) -> None:
        """Add a relation; the same one again changes nothing."""
        if self._find(client, server):
            return
        if len(self._entries) == _MAX_RELATIONS:
            raise Rejected(REJECTED, "too many")
        self._last_id += 1
        self._entries.append((self._last_id, client, server))

    def delete(self, client: dict, server: dict) -> None:
        """Delete what matches; entity and feature may be left out. Nothing there is no error."""
        for entry in self._find(client, server):
            self._entries.remove(entry)

    def _find(self, client: dict, server: dict) -> list[tuple]:
        ours = {name: value for name, value in server.items() if name != "device"}
        return [e for e in self._entries if _matches(client, e[1]) and _matches(ours, e[2])]

    def forget(self, entity: tuple) -> None:
        """Delete the relations of a remote entity that is gone."""
        self._entries = [e for e in self._entries if entity_address(e[1]) != entity]

    def clients_of(self, address: tuple) -> list[dict]:
        """Return the client addresses related to one of our features."""
        entity, number = address
        return [
            client
            for _, client, server in self._entries
            if entity_address(server) == entity and as_int(server.get("feature")) == number
        ]

    def entries(self) -> dict:
        """Return the table as read by the charger."""
        found = [
            {f"{self._kind}Id": number, "clientAddress": client, "serverAddress": server}
            for number, client, server in self._entries
        ]
        return {f"{self._kind}Entry": found} if found else {}


def _matches(wanted: dict, address: dict) -> bool:
    return all(address.get(name) == value for name, value in wanted.items())
