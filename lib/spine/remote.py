"""What we keep of a partner's structure: as little as the use cases ask for (5.2.1, 5.5.2, 5.5.6).

A manager's detailed discovery is 4-10 KiB of JSON; of it stay the entity types and the addresses
of the server features that somebody here wants to use (`WANTED`). Numbers may change with every
connection, so nothing outlives it. `take_discovery` and `take_use_cases` are the handlers of
NodeManagement; they read the partner's data entry by entry, so that it never stands on the heap as
a whole, and nothing counts before all of it has been read.
"""

from micropython import const

from spine import model
from spine.errors import RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, SpineError
from spine.scan import members_of
from spine.values import parse_duration

MAX_ENTITIES = const(24)  # recorded managers have up to ten
MAX_FEATURES = const(24)
MAX_USE_CASES = const(48)
MAX_DELAY_S = const(600)  # a longer maxResponseDelay is taken as this

WANTED = ("DeviceDiagnosis",)

_DISCOVERY = "nodeManagementDetailedDiscoveryData"
_USE_CASES = "nodeManagementUseCaseData"
_DESTINATIONS = "nodeManagementDestinationListData"
_ADDRESS = ((0,), 0)


class Remote:
    """Entities, wanted server features and use cases of a partner."""

    def __init__(self):
        self.known = False  # a discovery reply has been taken
        self.entities = {}  # address tuple -> entityType
        self.features = []  # (entity address, feature number, featureType), servers only
        self.delays = {}  # (entity address, feature number) -> maxResponseDelay, ms
        self.use_cases = []  # (entity address or None, actor, useCaseName)

    def copy(self, partial):
        """What a discovery begins with: all of this if it is partial, otherwise the use cases."""
        result = Remote()
        result.known = self.known
        result.use_cases = self.use_cases
        if partial:
            result.entities = dict(self.entities)
            result.features = list(self.features)
            result.delays = dict(self.delays)
        return result

    def add_entity(self, address, entity_type):
        """Keep an entity and its type."""
        if address in self.entities or len(self.entities) < MAX_ENTITIES:
            self.entities[address] = entity_type

    def remove_entity(self, address):
        """Remove an entity with its sub-entities and features."""
        depth = len(address)
        for known in list(self.entities):
            if known[:depth] == address:
                del self.entities[known]
        self.features = [row for row in self.features if row[0][:depth] != address]

    def add_feature(self, entity, number, feature_type, role):
        """Keep a server feature that somebody wants."""
        self.remove_feature(entity, number)
        wanted = role == "server" and feature_type in WANTED
        if wanted and len(self.features) < MAX_FEATURES:
            self.features.append((entity, number, feature_type))

    def remove_feature(self, entity, number):
        """Forget a feature."""
        self.features = [row for row in self.features if row[:2] != (entity, number)]
        self.delays.pop((entity, number), None)

    def servers(self, feature_type):
        """(entity, feature number) of each server feature of a type."""
        return [row[:2] for row in self.features if row[2] == feature_type]

    def add_use_case(self, entity, actor, name):
        """Keep one announced use case."""
        row = (entity, actor, name)
        if row not in self.use_cases and len(self.use_cases) < MAX_USE_CASES:
            self.use_cases.append(row)

    def drop_use_cases(self, entity, actor):
        """Forget the use cases of one (address, actor)."""
        self.use_cases = [row for row in self.use_cases if row[:2] != (entity, actor)]

    def actors_of(self, name):
        """(entity or None, actor) of each announcement of a use case."""
        return [row[:2] for row in self.use_cases if row[2] == name]


def take_discovery(peer, datagram, now):
    """A discovery reply, or a notify of changes. Both may be partial (TS 7.1.5).

    Complete data is compared with what was known: an entity that it leaves out is gone. Nothing
    counts before all of it has been read.
    """
    # The reply to our first read is all there is, even if it calls itself partial.
    is_first = datagram.classifier == "reply" and not peer.remote.known
    partial = bool(datagram.filters) and not is_first
    if partial:
        refuse_delete(datagram)
    remote = peer.remote.copy(partial)
    gone = []  # (entity, feature or None) that took its relations along
    type_index = model.function_type(model.find_function(_DISCOVERY))
    entity_type = model.field_type(model.find_field(type_index, b"entityInformation"))
    feature_type = model.field_type(model.find_field(type_index, b"featureInformation"))
    description = {} if partial else _device_description(peer, datagram, type_index)
    for tree in datagram.entries("entityInformation"):
        entry = peer.decoder.decode(entity_type, tree)
        _take_entity(remote, entry.get("description", {}), gone)
    for tree in datagram.entries("featureInformation"):
        entry = peer.decoder.decode(feature_type, tree)
        _take_feature(remote, entry.get("description", {}), gone)
    if not partial:
        gone = [(entity, None) for entity in peer.remote.entities if entity not in remote.entities]
        # The address in the discovery outranks the one in the header (5.2.3 rule 4).
        peer.address = description.get("deviceAddress", {}).get("device") or peer.address
    for entity, number in gone:
        peer.device.bindings.drop_remote(peer, entity, number)
        peer.device.subscriptions.drop_remote(peer, entity, number)
    peer.remote = remote
    if remote.known or partial:
        peer.structure_changed(now)
    else:
        remote.known = True
        # Both follow at once: one energy manager closes the connection otherwise.
        peer.subscribe(now, _ADDRESS, _ADDRESS, "NodeManagement")
        peer.read(now, _ADDRESS, _ADDRESS, _USE_CASES)
        if description.get("networkFeatureSet") in ("gateway", "router"):
            peer.read(now, _ADDRESS, _ADDRESS, _DESTINATIONS)


def refuse_delete(datagram):
    """Elements or entries that are deleted by filter: the whole is read again instead."""
    for tree in datagram.filters:
        for name, value in members_of(tree):
            if name == "cmdControl" and "delete" in dict(members_of(value)):
                raise SpineError(RESTRICTED_FUNCTION_EXCHANGE_NOT_SUPPORTED, "read again")


def _device_description(peer, datagram, type_index):
    """deviceInformation.description, {} if it is not there."""
    field = model.find_field(type_index, b"deviceInformation")
    for tree in datagram.element("deviceInformation"):
        return (peer.decoder.field(field, tree) or {}).get("description", {})
    return {}


def _take_entity(remote, description, gone):
    address = tuple(description.get("entityAddress", {}).get("entity", ()))
    change = description.get("lastStateChange")
    if not address:
        return
    if change == "removed" or (change == "added" and address in remote.entities):
        # One that is added again may have other features (a car that is plugged in again).
        remote.remove_entity(address)
        gone.append((address, None))
    if change != "removed" and "entityType" in description:
        remote.add_entity(address, description["entityType"])


def _take_feature(remote, description, gone):
    address = description.get("featureAddress", {})
    if "feature" not in address:
        return
    entity = tuple(address.get("entity", ()))
    number = address["feature"]
    if description.get("lastStateChange") == "removed":
        remote.remove_feature(entity, number)
        gone.append((entity, number))
    elif "featureType" in description:
        remote.add_feature(entity, number, description["featureType"], description.get("role"))
        try:
            delay_s = parse_duration(description.get("maxResponseDelay", ""))
        except ValueError:
            return
        if len(remote.delays) < MAX_FEATURES:
            remote.delays[(entity, number)] = min(delay_s, MAX_DELAY_S) * 1000


def take_use_cases(peer, datagram, now):
    """Use case data: complete replaces all, partial replaces entries of the same address and
    actor.

    An address without entity means the whole device (5.5.6).
    """
    partial = bool(datagram.filters)
    if partial:
        refuse_delete(datagram)
    remote = peer.remote.copy(True)
    remote.use_cases = list(remote.use_cases) if partial else []
    type_index = model.field_type(model.list_field(model.find_function(_USE_CASES)))
    for tree in datagram.entries("useCaseInformation"):
        entry = peer.decoder.decode(type_index, tree)
        entity = tuple(entry.get("address", {}).get("entity", ())) or None
        actor = entry.get("actor")
        if partial:
            remote.drop_use_cases(entity, actor)
        for support in entry.get("useCaseSupport", ()):
            # useCaseAvailable counts for client actors only; absent means true (IG 2.2).
            if "useCaseName" in support and support.get("useCaseAvailable") is not False:
                remote.add_use_case(entity, actor, support["useCaseName"])
    peer.remote = remote
    peer.structure_changed(now)
