"""Fuzzer of SPINE: valid datagrams made from the model's tables, broken in every way.

    make fuzz                              one million tries on all cores
    make fuzz ARGS="--tries 20000 --seed 7 --jobs 1"

Each try goes to a charging station with an energy manager that has introduced itself. Whatever it
is: at most one answer, by the rules of Table 2; what is refused or discarded leaves the station as
it was; every list keeps its bound; the station goes on answering, and nothing of a partner is left
when the connection ends. A failure prints the seed and the datagram.

The maker takes its decisions from a `random.Random`; hypothesis supplies one that it can shrink
(host_tests/cpython/test_spine_fuzz.py).
"""

import argparse
import json
import multiprocessing
import random
import sys
import time

import host_tests.conftest  # noqa: F401 (puts lib/ and the helpers on the path)

# isort: split
from spine_world import EVSE, HEMS, Manager, World

from spine import datagram, model
from spine.client import MAX_OUTBOX, MAX_PENDING
from spine.device import WRITE
from spine.enhanced import MAX_DEVICES
from spine.relations import MAX_PER_PEER
from spine.remote import MAX_ENTITIES, MAX_FEATURES, MAX_USE_CASES

TRIES_PER_WORLD = 60
CLASSIFIERS = ("read", "reply", "notify", "write", "call", "result", "frobnicate")
DEVICES = (HEMS, HEMS, HEMS, EVSE, EVSE, "d:_n:third")
TEXTS = (
    *("PT0S", "PT2H", "-PT5S", "P1Y", "2025-03-01T10:00:00Z", "24:00:00", "", "d:_n:x", 'ä\n"\\'),
    *("DeviceDiagnosis", "LoadControl", "client", "server", "CEM", "EnergyGuard", "consume"),
    *(
        "gateway",
        "router",
        "added",
        "removed",
        "modified",
        "limitationOfPowerConsumption",
        "W",
        "x" * 300,
    ),
)
NUMBERS = (0, 1, 1, 1, 2, 3, 4, 5, 7, 60, 4200, 1 << 31, (1 << 64) - 1, 1 << 70)
FUNCTIONS = tuple(model.functions())
# Values of other types, for elements that expect something else.
ODD = (None, True, -1, 1.5, 1e300, "", "x", "1", [], {}, [[]], [{}], [1, "a"], {"a": [{"b": 1}]})


class Maker:
    """Makes the text of datagrams with the decisions of `choice` (a random.Random)."""

    def __init__(self, world, choice):
        self.choice = choice
        features = [f for entity in world.device.entities for f in entity.features]
        self.features = [(f.entity.address, f.number, f.functions) for f in features]
        writable = [
            (entity, number, [function])
            for entity, number, functions in self.features
            for function in functions
            if function.operations & WRITE
        ]
        root, number, functions = self.features[0]
        calls = [f for f in functions if f.name.endswith("Call")]
        self.able = {"write": writable, "call": [(root, number, calls)]}

    def structure(self, type_index, depth=0):
        """Natural data of a complex type: some of its fields, some entries in its lists."""
        result = {}
        for field in model.fields(type_index):
            wanted = 0.95 if model.is_key(field) or depth == 0 else 0.6
            if self.choice.random() < wanted and depth < 7:
                count = self.choice.randint(0, 2)
                values = [self.value(field, depth) for _ in range(count)]
                result[model.field_name(field)] = (
                    values if model.is_list(field) else self.value(field, depth)
                )
        return result

    def value(self, field, depth):
        """One value that the field's type permits."""
        if model.is_complex(field):
            return self.structure(model.field_type(field), depth + 1)
        kind = model._u16(model._FIELDS, field + 2) & model._TYPE
        if kind == model._EMPTY:
            return {}
        if kind == model._BOOLEAN:
            return self.choice.random() < 0.5
        if kind == model._STRING:
            return self.choice.choice(DEVICES + TEXTS)
        return self.choice.choice(NUMBERS)

    def filter(self, function):
        """The text of one filter of a function."""
        name = model.function_name(function)
        parts = ['{"cmdControl":[{"%s":[]}]}' % self.choice.choice(("partial", "delete"))]
        for _ in range(self.choice.choice((0, 0, 1, 2))):
            if model.selectors_type(function) >= 0:
                out = bytearray()
                model.encode(
                    out,
                    model.selectors_type(function),
                    self.structure(model.selectors_type(function), 5),
                )
                parts.append('{"%sSelectors":%s}' % (name, out.decode()))
        if self.choice.random() < 0.4:
            entries = model.list_field(function)
            whole = entries < 0 or model.elements_cover_function(function)
            index = model.function_type(function) if whole else model.field_type(entries)
            tags = [
                '{"%s":[]}' % model.field_name(field)
                for field in model.fields(index)
                if self.choice.random() < 0.5
            ]
            prefix = name if whole else model.field_name(entries)
            parts.append('{"%sElements":[%s]}' % (prefix, ",".join(tags)))
        return "[%s]" % ",".join(parts)

    def command(self, name, is_read):
        """The text of one command."""
        function = model.find_function(name)
        count = self.choice.choice((0, 0, 0, 1, 1, 2))
        filters = [self.filter(function) for _ in range(count)]
        parts = []
        if filters or self.choice.random() < 0.1:
            parts.append('{"function":"%s"}' % name)
        if filters:
            parts.append('{"filter":[%s]}' % ",".join(filters))
        out = bytearray()
        data = {} if is_read else self.structure(model.function_type(function))
        model.encode_function(out, function, data)
        parts.append(out.decode())
        return "[%s]" % ",".join(parts)

    def datagram(self):
        """The text of a datagram, valid as far as the tables know."""
        entity, number, functions = self.choice.choice(self.features)
        classifier = self.choice.choice(CLASSIFIERS)
        if classifier in ("write", "call") and self.choice.random() < 0.8:
            entity, number, functions = self.choice.choice(self.able[classifier])
        if functions and self.choice.random() < 0.9:
            name = self.choice.choice(functions).name
        else:
            name = self.choice.choice(FUNCTIONS)
        source = ((0,), 0) if entity == (0,) else ((1,), 2)
        if self.choice.random() < 0.1:
            source = ((self.choice.randint(0, 3),), self.choice.randint(0, 9))
        reference = ""
        if classifier in ("reply", "result") and self.choice.random() < 0.9:
            reference = ',{"msgCounterReference":%d}' % self.choice.randint(1, 30)
        return (
            '{"datagram":[{"header":[{"specificationVersion":"1.3.0"},{"addressSource":%s},'
            '{"addressDestination":%s},{"msgCounter":%d}%s,{"cmdClassifier":"%s"}%s]},'
            '{"payload":[{"cmd":[%s]}]}]}'
            % (
                datagram.address_text(self.choice.choice(DEVICES[:3] + (None,)), *source),
                datagram.address_text(self.choice.choice((EVSE, None)), entity, number),
                self.choice.choice(NUMBERS),
                reference,
                classifier,
                self.choice.choice(("", ',{"ackRequest":true}')),
                self.command(name, classifier == "read"),
            )
        )

    def broken(self, text):
        """The text with one or two things wrong with it, as bytes."""
        for _ in range(self.choice.choice((1, 1, 2))):
            if self.choice.random() < 0.6:
                try:
                    text = self._broken_tree(text)
                    continue
                except ValueError:  # it is no JSON any more
                    pass
            text = self._broken_octets(text)
        return text.encode("utf-8", "surrogateescape")

    def _broken_octets(self, text):
        at = self.choice.randint(0, len(text))
        end = min(len(text), at + self.choice.choice((0, 1, 1, 8, 200)))
        junk = self.choice.choice(
            ("", "[", "]", "{", '"', ",", "0", "\0", "\\u00", "[" * 30, " " * 2000)
        )
        return self.choice.choice((text[:at], text[:at] + junk + text[end:], text + junk, junk))

    def _broken_tree(self, text):
        tree = json.loads(text)
        places = []

        def walk(node):
            for key in node if isinstance(node, dict) else range(len(node)):
                places.append((node, key))
                if isinstance(node[key], (dict, list)):
                    walk(node[key])

        if not isinstance(tree, (dict, list)) or not tree:
            raise ValueError
        walk(tree)
        node, key = self.choice.choice(places)
        way = self.choice.randint(0, 4)
        if way == 0:
            node[key] = self.choice.choice(ODD)
        elif way == 1:
            del node[key]
        elif way == 2 and isinstance(node, list):
            node.append(node[key])
        elif way == 3 and isinstance(node, dict):
            node[self.choice.choice(("x", "device", "cmd", "filter"))] = node.pop(key)
        else:
            other, place = self.choice.choice(places)
            node[key] = json.loads(json.dumps(other[place]))
        return json.dumps(tree, separators=(",", ":"))


def state(world, peer):
    """All that a datagram could change in the station."""
    device = world.device
    remote = peer.remote
    return (
        [_relation(entry) for entry in device.bindings],
        [_relation(entry) for entry in device.subscriptions],
        list(world.lpc._limits(peer)),
        list(world.lpc._key_values(peer)),
        dict(world.settings.values),
        dict(remote.entities),
        list(remote.features),
        list(remote.use_cases),
        dict(remote.delays),
        list(peer.behind),
    )


def _relation(entry):
    return (id(entry.peer), entry.client_entity, entry.client_feature, entry.feature.address)


def attempt(world, manager, text):
    """Hand one datagram in and check what becomes of it."""
    peer = manager.peer
    before = state(world, peer)
    del world.logged[:]
    try:
        parsed = datagram.parse(text)
    except (ValueError, TypeError, IndexError):
        parsed = None
    answers = manager.receive(text)
    unchanged = state(world, peer) == before
    own = [a for a in answers if a.reference is not None]
    assert len(own) <= 1, "more than one answer"
    error = own[0].error if own else None
    if parsed is None or any("discarded" in line for line in world.logged):
        assert unchanged and not answers, "a discarded datagram had an effect"
        return
    assert all(a.reference == parsed.counter for a in own), "wrong reference"
    kind = parsed.classifier
    if kind == "result":
        assert unchanged and not own, "a result had an effect"
    elif kind in ("reply", "notify"):
        assert not own or (parsed.ack_request and error in (0, 4)), "an answer to data"
        if any("not understood" in line for line in world.logged):
            assert unchanged, "data that was not understood had an effect"
    elif kind == "read":
        assert len(own) == 1 and unchanged, "a read must have an answer and no effect"
        assert own[0].classifier == "reply" or error, "a read was acknowledged"
    elif error is None:
        assert not parsed.ack_request, "no acknowledgement"
        assert kind in ("write", "call"), "an unknown classifier was accepted"
    elif error:
        assert unchanged, "a refused request had an effect"
    assert len(list(world.device.bindings)) <= MAX_PER_PEER
    assert len(list(world.device.subscriptions)) <= MAX_PER_PEER
    assert len(peer._pending) <= MAX_PENDING and len(peer.outbox) <= MAX_OUTBOX
    remote = peer.remote
    assert len(remote.entities) <= MAX_ENTITIES and len(remote.features) <= MAX_FEATURES
    assert len(peer.behind) <= MAX_DEVICES
    assert len(remote.use_cases) <= MAX_USE_CASES and len(remote.delays) <= MAX_FEATURES


def session(choice, tries):
    """A station, an energy manager, and so many tries. Raises AssertionError with the datagram."""
    world = World()
    manager = world.manager
    manager.introduce()
    if choice.random() < 0.7:
        manager.commission()
        manager.heartbeat()
    if choice.random() < 0.3:
        world.station.ev_connected(True)
    maker = Maker(world, choice)
    for _ in range(tries):
        text = maker.datagram()
        text = maker.broken(text) if choice.random() < 0.6 else text.encode()
        try:
            attempt(world, manager, text)
        except Exception as error:
            raise AssertionError("%r\n%s" % (error, text.decode("utf-8", "replace"))) from error
        if choice.random() < 0.05:
            world.pass_time(choice.choice((1, 40)), 10_000)
            manager.take()
    manager.close()
    assert list(world.device.bindings) == [] and list(world.device.subscriptions) == []
    assert world.device.peers == []
    again = Manager(world)
    assert [a.classifier for a in again.take()] == ["read"]
    answer = again.send("read", ((0,), 0), ((0,), 0), '{"nodeManagementUseCaseData":[]}')
    assert [a.classifier for a in answer] == ["reply"]


def _run(seed):
    try:
        session(random.Random(seed), TRIES_PER_WORLD)
    except AssertionError as error:
        return "seed %d: %s" % (seed, error)
    return None


def main() -> int:
    """Run so many tries, tell the first failure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="first seed")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    sessions = -(-options.tries // TRIES_PER_WORLD)
    start = time.monotonic()
    with multiprocessing.Pool(options.jobs) as pool:
        seeds = range(options.seed, options.seed + sessions)
        for number, failure in enumerate(pool.imap_unordered(_run, seeds, 50), 1):
            if failure:
                pool.terminate()
                print(failure)
                return 1
            if number % 500 == 0:
                print(f"\r{number * TRIES_PER_WORLD} tries", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    print(
        f"\r{sessions * TRIES_PER_WORLD} tries in {sessions} sessions, seeds from {options.seed}: "
        f"no failure in {seconds:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
