"""The local SPINE device: entities, features, the functions they serve (IEC 63380-3 5.2.1).

A use case installs functions on features and says `changed` when data changes; subscribers hear of
it at the next `flush`. Two use cases may serve entries of the same list function (LPC and LPP
share one LoadControl feature): each adds its own provider, and a write touching both is atomic.
"""

from micropython import const

from spine import changes, model, restricted
from spine.datagram import address_text
from spine.errors import COMMAND_NOT_SUPPORTED, COMMAND_REJECTED, SpineError
from spine.relations import Relations

# possibleOperations of a function
READ = const(1)
WRITE = const(2)

CLIENT = "client"
SERVER = "server"
SPECIAL = "special"


class Function:
    """A function served by a feature, put together from one provider or several.

    A provider is `read(peer)`, `write(change)` or None, and whether clients may add and remove
    entries. `read` yields the natural entries of a list function, or returns the structure of
    another one. `write` checks a changes.Change, raises SpineError to refuse it, and returns a
    callable that carries it out.
    """

    def __init__(self, name):
        self.name = name
        self.row = model.find_function(name)
        if self.row < 0:
            raise ValueError("function is not in the tables: " + name)
        self.operations = 0
        self._providers = []

    def add(self, read, write, is_open=False):
        """Add a provider."""
        self._providers.append((read, write, is_open))
        self.operations |= READ | (WRITE if write else 0)

    def possible_operations(self):
        """possibleOperations as announced: filters are allowed wherever there is an operation."""
        result = {}
        if self.operations & READ:
            result["read"] = {"partial": {}} if model.list_field(self.row) >= 0 else {}
        if self.operations & WRITE:
            result["write"] = {"partial": {}}
        return result

    def entries(self, peer):
        """Yield the entries of a list function."""
        for read, _, _ in self._providers:
            for entry in read(peer):
                yield entry

    def data(self, peer):
        """The whole data in natural form."""
        entries = model.list_field(self.row)
        if entries < 0:
            return self._providers[0][0](peer)
        return {model.field_name(entries): list(self.entries(peer))}

    def write_to(self, out, peer, partial=None):
        """Append the data element for a reply or notify; `partial` restricts a reply (Table 9)."""
        entries = model.list_field(self.row)
        if partial is not None:
            data = restricted.reduce(self.row, self.data(peer), partial)
            model.encode_function(out, self.row, data)
        elif entries < 0:
            model.encode_function(out, self.row, self._providers[0][0](peer))
        else:
            model.encode_list(out, self.row, self.entries(peer))

    def prepare_write(self, peer, stated, delete, partial):
        """Check a write, then return the callables that carry it out. Raises SpineError."""
        owners = []  # of each entry; what is added goes to the last provider that is open
        rules = changes.OWNED
        new_owner = None
        for provider in self._providers:
            read, _, is_open = provider
            count = 1 if model.list_field(self.row) < 0 else len(list(read(peer)))
            owners.extend([provider] * count)
            if is_open:
                rules = changes.OPEN
                new_owner = provider
        commits = []
        data = self.data(peer)
        for change in changes.changes(self.row, data, stated, delete, partial, rules):
            _, write, is_open = owners[change.index] if change.index < len(owners) else new_owner
            if write is None:
                raise SpineError(COMMAND_NOT_SUPPORTED, "read only")
            if change.new is None and not is_open:
                raise SpineError(COMMAND_REJECTED, "entry cannot be removed")
            commits.append(write(change))
        return commits


class Feature:
    """A feature of a local entity. Client features hand incoming data to their handlers."""

    def __init__(self, entity, number, feature_type, role):
        self.entity = entity
        self.number = number
        self.feature_type = feature_type
        self.role = role
        self.functions = []  # in the order of the discovery data; a handful
        self.handlers = {}  # client: function name -> handler(peer, datagram)
        self.address = address_text(entity.device.address, entity.address, number)

    def find(self, name):
        """The function called `name`, or None."""
        for function in self.functions:
            if function.name == name:
                return function
        return None

    def serve(self, name, read, write=None, is_open=False):
        """Serve a function, or add a provider to one that is served already (see Function)."""
        function = self.find(name)
        if function is None:
            function = Function(name)
            self.functions.append(function)
        function.add(read, write, is_open)

    def receive(self, name, handler):
        """Client role: hand notifies of function `name` to `handler(peer, datagram)`."""
        self.handlers[name] = handler

    def changed(self, name):
        """The data of a function changed: notify its subscribers at the next flush."""
        self.entity.device.mark_changed(self, self.find(name))


class Entity:
    """An entity of the local device; `address` is a tuple such as (1, 1)."""

    def __init__(self, device, address, entity_type):
        self.device = device
        self.address = address
        self.entity_type = entity_type
        self.features = []

    def feature(self, feature_type, role, number=None):
        """The feature of that type and role; created if it is missing, as `number` or the next."""
        for feature in self.features:
            if feature.feature_type == feature_type and feature.role == role:
                return feature
        if number is None:
            number = 0 if feature_type == "NodeManagement" else len(self.features)
            if self.address != (0,):
                number += 1
        feature = Feature(self, number, feature_type, role)
        self.features.append(feature)
        return feature


class LocalDevice:
    """The device of this node: its address, its tree, and what its peers have bound and
    subscribed.

    `use_cases` is a list of objects as usecases.use_case describes them. `counter` is the last
    msgCounter used; the owner keeps it over restarts (5.3.2 "Message counter").
    """

    def __init__(self, address, device_type, counter=0):
        self.address = address
        self.device_type = device_type
        self.counter = counter
        self.entities = []
        self.peers = []
        self.use_cases = []
        self.bindings = Relations(True)
        self.subscriptions = Relations(False)
        self._changed = []

    def entity(self, address, entity_type):
        """Create an entity. Parents come before children."""
        entity = Entity(self, address, entity_type)
        self.entities.append(entity)
        return entity

    def remove_entity(self, entity):
        """Take an entity out of the tree with all relations to it."""
        self.entities.remove(entity)
        self.bindings.drop_entity(entity)
        self.subscriptions.drop_entity(entity)
        self._changed = [pair for pair in self._changed if pair[0].entity is not entity]

    def find_feature(self, entity_address, number):
        """The feature at an address, or None."""
        for entity in self.entities:
            if entity.address == entity_address:
                for feature in entity.features:
                    if feature.number == number:
                        return feature
        return None

    def next_counter(self):
        """A new msgCounter: ascending over all peers, wraps after 2^64 - 1 (TS 5.2.3.1)."""
        self.counter = (self.counter + 1) & 0xFFFFFFFFFFFFFFFF
        return self.counter

    def mark_changed(self, feature, function):
        """Remember to notify the subscribers of a function; several changes become one notify."""
        for marked in self._changed:
            if marked[0] is feature and marked[1] is function:
                return
        self._changed.append((feature, function))

    def flush(self):
        """Notify all subscribers of what changed. Call it after the results have been sent."""
        while self._changed:
            feature, function = self._changed.pop(0)
            for entry in self.subscriptions.of_feature(feature):
                entry.peer.notify(entry, function)

    def tick(self, now):
        """Run the timers of all peers and use cases that are due."""
        for peer in self.peers:
            peer.tick(now)
        for use_case in self.use_cases:
            use_case.tick(now)

    def deadline(self):
        """When `tick` must be called next, or None."""
        result = None
        for owner in self.peers + self.use_cases:
            at = owner.deadline()
            if at is not None and (result is None or at < result):
                result = at
        return result
