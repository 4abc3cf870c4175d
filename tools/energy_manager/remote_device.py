"""What the charger is made of, and our copy of its data.

Covers IEC 63380-3 5.5.2 (detailed discovery, complete and partial) and 5.5.6 (use case data) as a
client sees them. Numbers of entities, features and identifiers are valid for one connection only,
so an object of this class never outlives one.

An entity is addressed by a tuple of numbers, `(1, 1)`; a feature by entity and number. Unknown
types, functions and elements are kept as they come or ignored, never refused.
"""

from dataclasses import dataclass, field
from typing import Any

from .eebus_json import as_int, as_list, as_map, as_maps
from .spine_data import merge


@dataclass(frozen=True)
class Feature:
    """One feature of the charger; `operations` maps a function to `{"read", "partial write"}`."""

    entity: tuple
    number: int
    type: str
    role: str
    operations: dict = field(default_factory=dict, compare=False)

    def can(self, operation: str, function: str) -> bool:
        """True if the charger announced the operation: `read`, `write` or `partial write`."""
        return operation in self.operations.get(function, ())


@dataclass(frozen=True)
class UseCase:
    """One announced use case; `entity` is None where the charger left it out."""

    entity: tuple | None
    actor: str
    name: str
    version: str
    scenarios: tuple


def entity_address(value: Any) -> tuple:
    """Return the entity part of an address as a tuple."""
    return tuple(as_int(part, -1) for part in as_list(as_map(value).get("entity")))


class RemoteDevice:
    """The charger at the other end of one connection."""

    def __init__(self) -> None:
        self.address = ""
        self.type = ""
        self.entities: dict[tuple, str] = {}
        self.features: dict[tuple, Feature] = {}
        self.use_cases: list[UseCase] = []
        self.data: dict[tuple, dict] = {}

    def server(self, entity: tuple | None, feature_type: str) -> Feature | None:
        """Return the server feature of that type on the entity, or None."""
        for feature in self.features.values():
            if (feature.entity, feature.type, feature.role) == (entity, feature_type, "server"):
                return feature
        return None

    def get(self, feature: Feature | None, function: str) -> dict:
        """Return our copy of a function's content, `{}` if there is none."""
        return self.data.get((feature.entity, feature.number, function), {}) if feature else {}

    def apply(self, entity: tuple, number: int, function: str, cmd: dict) -> None:
        """Change our copy as a reply or notify says; ValueError for a contradictory command."""
        key = (entity, number, function)
        self.data[key] = merge(function, self.data.get(key, {}), cmd)

    # -- detailed discovery ---------------------------------------------------------------------

    def apply_discovery(self, data: dict, is_partial: bool) -> list[tuple]:
        """Take over discovery data; return what changed.

        An item is `(change, entity, type)` with change `added` or `removed`.
        """
        device = as_map(as_map(data.get("deviceInformation")).get("description"))
        address = as_map(device.get("deviceAddress")).get("device")
        self.address = address or self.address
        self.type = device.get("deviceType", self.type)
        before = dict(self.entities)
        if not is_partial:
            self.entities, self.features = {}, {}
        for one in as_maps(data.get("entityInformation")):
            self._take_entity(as_map(one.get("description")))
        for one in as_maps(data.get("featureInformation")):
            self._take_feature(as_map(one.get("description")))
        removed = [entity for entity in before if entity not in self.entities]
        for entity in removed:
            self._forget_data(entity)
        added = [entity for entity in self.entities if entity not in before]
        return [("removed", each, before[each]) for each in removed] + [
            ("added", each, self.entities[each]) for each in added
        ]

    def _take_entity(self, description: dict) -> None:
        entity = entity_address(description.get("entityAddress"))
        if not entity:
            return
        change = description.get("lastStateChange")
        if change == "removed":
            for each in [e for e in self.entities if e[: len(entity)] == entity]:
                del self.entities[each]
                for key in [k for k in self.features if k[0] == each]:
                    del self.features[key]
        elif entity not in self.entities or change == "added":
            if "entityType" in description:
                self.entities[entity] = description["entityType"]

    def _take_feature(self, description: dict) -> None:
        address = as_map(description.get("featureAddress"))
        entity, number = entity_address(address), as_int(address.get("feature"))
        if number is None or entity not in self.entities:
            return
        if description.get("lastStateChange") == "removed":
            self.features.pop((entity, number), None)
            return
        operations = {}
        for one in as_maps(description.get("supportedFunction")):
            possible = as_map(one.get("possibleOperations"))
            named = {name for name in ("read", "write") if name in possible}
            named |= {f"partial {n}" for n in named if "partial" in as_map(possible[n])}
            operations[one.get("function")] = named
        kind, role = description.get("featureType", ""), description.get("role", "")
        self.features[entity, number] = Feature(entity, number, kind, role, operations)

    def _forget_data(self, entity: tuple) -> None:
        for key in [key for key in self.data if key[0] == entity]:
            del self.data[key]

    # -- use cases ------------------------------------------------------------------------------

    def apply_use_cases(self, data: dict, is_partial: bool) -> None:
        """Take over use case data; a partial notify replaces what it names (address, actor)."""
        found, named = [], set()
        for one in as_maps(data.get("useCaseInformation")):
            entity = entity_address(one.get("address")) or None
            actor = one.get("actor", "")
            named.add((entity, actor))
            for support in as_maps(one.get("useCaseSupport")):
                scenarios = tuple(as_list(support.get("scenarioSupport")))
                name, version = support.get("useCaseName", ""), support.get("useCaseVersion", "")
                found.append(UseCase(entity, actor, name, version, scenarios))
        kept = self.use_cases if is_partial else []
        self.use_cases = [u for u in kept if (u.entity, u.actor) not in named] + found

    def players(
        self,
        name: str,
        actor: str,
        entity_types: tuple,
        feature_type: str,
        is_guess_allowed: bool,
    ) -> list[tuple]:
        """Return the entities that may play `actor` in the use case, best first.

        An entity must have a server feature of `feature_type`. Peers leave out the entity or the
        whole address, and some lack use case data at all; then the entity's type decides. With
        `is_guess_allowed` it also decides where the use case is not announced.
        """
        announced = [u for u in self.use_cases if u.name == name and u.actor == actor]
        candidates = [u.entity for u in announced if u.entity in self.entities]
        if announced or not self.use_cases or is_guess_allowed:
            for wanted in entity_types:
                candidates += [e for e, kind in self.entities.items() if kind == wanted]
        return [each for each in dict.fromkeys(candidates) if self.server(each, feature_type)]
