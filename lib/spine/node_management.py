"""NodeManagement, feature 0 of entity [0]: discovery, use cases, bindings, subscriptions (5.5).

`install` puts the feature into a local device. Our own detailed discovery is written feature by
feature straight into the message, so that it never stands on the heap as a whole; the partner's is
read in spine.remote.

Calls that lack device parts mean: the client is the sender, the server is the recipient; a delete
without feature or entity means all relations below that address (5.5.4).
"""

from spine import model
from spine.datagram import VERSION
from spine.device import CLIENT, SERVER, SPECIAL, Function
from spine.errors import (
    COMMAND_REJECTED,
    DESTINATION_UNKNOWN,
    DESTINATION_UNREACHABLE,
    SpineError,
)
from spine.remote import take_discovery, take_use_cases

_DISCOVERY = "nodeManagementDetailedDiscoveryData"
_USE_CASES = "nodeManagementUseCaseData"
_DESTINATIONS = "nodeManagementDestinationListData"
_PARTIAL = (
    b'{"function":"nodeManagementDetailedDiscoveryData"},'
    b'{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
    b'{"nodeManagementDetailedDiscoveryData":['
)
_ADDRESS = ((0,), 0)


def install(device):
    """Create entity [0] with NodeManagement and return the entity."""
    entity = device.entity((0,), "DeviceInformation")
    feature = entity.feature("NodeManagement", SPECIAL)
    feature.functions.append(_Discovery(device))
    feature.serve(_USE_CASES, lambda peer: _use_case_entries(device))
    bindings = _Calls(device, device.bindings, "binding")
    subscriptions = _Calls(device, device.subscriptions, "subscription")
    for calls in (subscriptions, bindings):
        calls.install(feature)
    feature.serve(_DESTINATIONS, lambda peer: _destinations(device))
    feature.receive(_DISCOVERY, take_discovery)
    feature.receive(_USE_CASES, take_use_cases)
    feature.receive(_DESTINATIONS, _take_destinations)
    return entity


# --- our own structure -----------------------------------------------------------------------


class _Discovery(Function):
    """nodeManagementDetailedDiscoveryData, written entity by entity (Tables 11, 12)."""

    def __init__(self, device):
        super().__init__(_DISCOVERY)
        self._device = device
        self.add(None, None)

    def write_to(self, out, peer, partial=None):
        """Append the complete data; a restricted read may be answered completely (5.5.2)."""
        device = self._device
        out.extend(
            b'{"nodeManagementDetailedDiscoveryData":[{"specificationVersionList":'
            b'[{"specificationVersion":["%s"]}]},' % VERSION.encode()
        )
        description = {
            "deviceAddress": {"device": device.address},
            "deviceType": device.device_type,
            "networkFeatureSet": "smart",
        }
        _write_discovery(out, self.row, description, device.entities, None)


def _write_discovery(out, row, device, entities, state_change):
    """Append deviceInformation and what follows; `state_change` ("added", …) marks a notify."""
    type_index = model.function_type(row)
    device_type = model.field_type(model.find_field(type_index, b"deviceInformation"))
    out.extend(b'{"deviceInformation":')
    model.encode(out, device_type, {"description": device})
    out.extend(b'},{"entityInformation":')
    entity_type = model.field_type(model.find_field(type_index, b"entityInformation"))
    separator = b"["
    for entity in entities:
        description = {"entityAddress": {"entity": entity.address}}
        if state_change != "removed":
            description["entityType"] = entity.entity_type
        if state_change:
            description["lastStateChange"] = state_change
        out.extend(separator)
        model.encode(out, entity_type, {"description": description})
        separator = b","
    out.extend(b"]}")
    if state_change != "removed":
        out.extend(b',{"featureInformation":')
        feature_type = model.field_type(model.find_field(type_index, b"featureInformation"))
        separator = b"["
        for entity in entities:
            for feature in entity.features:
                out.extend(separator)
                model.encode(out, feature_type, {"description": _describe(feature)})
                separator = b","
        out.extend(b"]}")
    out.extend(b"]}")


def _describe(feature):
    description = {
        "featureAddress": {"entity": feature.entity.address, "feature": feature.number},
        "featureType": feature.feature_type,
        "role": feature.role,
    }
    if feature.functions and feature.role != CLIENT:
        description["supportedFunction"] = [
            {"function": f.name, "possibleOperations": f.possible_operations()}
            for f in feature.functions
        ]
    return description


def announce_entity(device, entity, state_change):
    """Tell NodeManagement subscribers that an entity was "added" or "removed" (TS 7.1.5).

    Call it after adding and before removing; the use cases follow as a complete notify.
    """
    feature = device.find_feature(*_ADDRESS)
    row = model.find_function(_DISCOVERY)
    description = {"deviceAddress": {"device": device.address}}
    for entry in device.subscriptions.of_feature(feature):
        out = entry.peer.begin_notify(entry)
        out.extend(_PARTIAL)
        _write_discovery(out, row, description, (entity,), state_change)
        entry.peer.finish(out)
    feature.changed(_USE_CASES)


def _use_case_entries(device):
    """One entry for each (entity, actor) with all its use cases (5.5.6)."""
    done = []
    for first in device.use_cases:
        key = (first.entity.address, first.actor)
        if first.name is None or key in done or first.entity not in device.entities:
            continue
        done.append(key)
        yield {
            "address": {"device": device.address, "entity": first.entity.address},
            "actor": first.actor,
            "useCaseSupport": [
                use_case.support()
                for use_case in device.use_cases
                if use_case.name and (use_case.entity.address, use_case.actor) == key
            ],
        }


def _destinations(device):
    """A direct device lists itself (5.5.3)."""
    description = {"deviceAddress": {"device": device.address}, "networkFeatureSet": "smart"}
    return ({"deviceDescription": description},)


def _take_destinations(peer, datagram, now):
    from spine.enhanced import take_destinations  # hardly any charger meets a gateway

    take_destinations(peer, datagram, now)


# --- bindings and subscriptions --------------------------------------------------------------


class _Call(Function):
    """A callable function: no operations, `call(peer, data, now)`."""

    def __init__(self, name, call):
        super().__init__(name)
        self.call = call


class _Calls:
    """The table, the request call and the delete call of bindings or subscriptions.

    `kind` is "binding" or "subscription"; all element names follow from it.
    """

    def __init__(self, device, relations, kind):
        self._device = device
        self._relations = relations
        self._kind = kind

    def install(self, feature):
        prefix = "nodeManagement" + self._kind[0].upper() + self._kind[1:]
        feature.serve(prefix + "Data", self._read)
        feature.functions.append(_Call(prefix + "RequestCall", self._request))
        feature.functions.append(_Call(prefix + "DeleteCall", self._delete))

    def _read(self, peer):
        """The entries in which the reader takes part."""
        for entry in self._relations:
            if entry.peer is peer:
                server = entry.feature
                yield {
                    self._kind + "Id": entry.number,
                    "clientAddress": {
                        "device": peer.address,
                        "entity": entry.client_entity,
                        "feature": entry.client_feature,
                    },
                    "serverAddress": {
                        "device": self._device.address,
                        "entity": server.entity.address,
                        "feature": server.number,
                    },
                }

    def _request(self, peer, data, now):
        request = data[self._kind + "Request"]
        feature = self._server_feature(request.get("serverAddress", {}))
        client = request.get("clientAddress", {})
        if client.get("device", peer.address) != peer.address or "feature" not in client:
            raise SpineError(COMMAND_REJECTED, "client address is not the sender's")
        if request.get("serverFeatureType", feature.feature_type) != feature.feature_type:
            raise SpineError(COMMAND_REJECTED, "serverFeatureType does not match")
        entity = tuple(client.get("entity", ()))
        if self._relations.add(peer, entity, client["feature"], feature):
            for use_case in self._device.use_cases:
                use_case.related(self._kind, peer, entity, feature, now)

    def _server_feature(self, address):
        if address.get("device", self._device.address) != self._device.address:
            raise SpineError(DESTINATION_UNREACHABLE, "no such device")
        entity = tuple(address.get("entity", ()))
        feature = self._device.find_feature(entity, address.get("feature"))
        if feature is None:
            raise SpineError(DESTINATION_UNKNOWN, "no such feature")
        if feature.role == SERVER or (feature.role == SPECIAL and self._kind == "subscription"):
            return feature
        raise SpineError(COMMAND_REJECTED, "not a server feature")

    def _delete(self, peer, data, now):
        """Deleting what does not exist is success."""
        request = data[self._kind + "Delete"]
        number = request.get(self._kind + "Id")
        client = request.get("clientAddress", {})
        server = request.get("serverAddress", {})
        if client.get("device", peer.address) != peer.address:
            return  # we are the client, or a third device: not in our table
        if server.get("device", self._device.address) != self._device.address:
            return

        def matches(entry):
            return (
                entry.peer is peer
                and number in (None, entry.number)
                and _below(client, entry.client_entity, entry.client_feature)
                and _below(server, entry.feature.entity.address, entry.feature.number)
            )

        self._relations.remove(matches)


def _below(address, entity, feature):
    """Whether a feature lies at, or below, a possibly incomplete address."""
    if "feature" in address and address["feature"] != feature:
        return False
    return "entity" not in address or tuple(address["entity"]) == entity
