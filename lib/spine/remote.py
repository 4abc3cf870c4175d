"""What we keep of a partner's structure: as little as the use cases ask for (5.2.1, 5.5.2, 5.5.6).

A manager's detailed discovery is 4-10 KiB of JSON; of it stay the entity types and the addresses
of the server features that somebody here wants to use (`WANTED`). Numbers may change with every
connection, so nothing outlives it.
"""

from micropython import const

MAX_ENTITIES = const(24)  # recorded managers have up to ten
MAX_FEATURES = const(24)
MAX_USE_CASES = const(48)

WANTED = ("DeviceDiagnosis",)


class Remote:
    """Entities, wanted server features and use cases of a partner."""

    def __init__(self):
        self.known = False  # a discovery reply has been taken
        self.entities = {}  # address tuple -> entityType
        self.features = []  # (entity address, feature number, featureType), servers only
        self.use_cases = []  # (entity address or None, actor, useCaseName)

    def clear(self):
        """A complete discovery replaces everything."""
        self.entities = {}
        self.features = []

    def add_entity(self, address, entity_type):
        """Returns whether the entity is new."""
        new = address not in self.entities
        if len(self.entities) < MAX_ENTITIES:
            self.entities[address] = entity_type
        return new

    def remove_entity(self, address):
        """Remove an entity with its sub-entities and features."""
        depth = len(address)
        for known in list(self.entities):
            if known[:depth] == address:
                del self.entities[known]
        self.features = [row for row in self.features if row[0][:depth] != address]

    def add_feature(self, entity, number, feature_type, role):
        """Keep a server feature that somebody wants."""
        row = (entity, number, feature_type)
        wanted = role == "server" and feature_type in WANTED
        if wanted and row not in self.features and len(self.features) < MAX_FEATURES:
            self.features.append(row)

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
