"""Replays recorded sessions of energy managers (host_tests/vectors) to our node, and judges it.

`Replay` is the recorded manager: it hands its messages to the node in order and at their times,
translated as host_tests/vectors/README.md says, and asserts after each one that the node answered
as our own discovery promises.

Rules of this file: what the node says is read without the node's own code, but for spine.model,
whose decoder has to know every element that we send.
"""

import json

from recordings import address_of, address_text, facts
from ship_station import Node
from spine_world import EVSE, Answer, flat

from ship.base import CLIENT, SERVER
from spine import model
from spine.errors import COMMAND_NOT_SUPPORTED, DESTINATION_UNKNOWN

# A data message as deployed managers write it, and how ours begin and end.
_DATA = (
    '{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"header":'
    '[{"specificationVersion":"1.3.0"},{"addressSource":[{"device":"%s"},%s]},'
    '{"addressDestination":[%s%s]},{"msgCounter":%d}%s,{"cmdClassifier":"%s"}%s]},'
    '{"payload":[{"cmd":[[%s]]}]}]}}]}'
)
_DATA_START = b'\x02{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":'
_DATA_END = b"}]}"
_OUR_DEVICE = '{"device":"%s"},' % EVSE

_NODE_MANAGEMENT = ("DeviceInformation", "NodeManagement", "special")
_DISCOVERY = "nodeManagementDetailedDiscoveryData"

# An unknown feature is looked for where no station has one.
_NOWHERE = 1000


# --- the recorded manager --------------------------------------------------------------------


class Replay:
    """One session. After `run` look at `node`, and at what is written down below."""

    def __init__(self, name):
        self.name = name
        self.role = SERVER  # of our node
        self.manager = None  # device address
        self.node = None
        self.steps = []  # (ms, translated message) or (ms, True or False: plugged in or out)
        self.control = []  # our control messages
        self.accepted = {}  # classifier -> number of requests that we carried out
        self.refused = set()  # (entity type, feature type, function) that we have not
        self.requests = []  # Answer for each request of our own
        self.notified = []  # and for each notify
        # Recorded address -> (entity type, feature type, role); this one every device has.
        self._features = {((0,), 0): _NODE_MANAGEMENT}
        self._limits = {}  # recorded (address, limitId) -> (description, how many before it)
        self._asked = {}  # recorded msgCounter -> ((classifier, function), how many before it)
        # Of our node: what _features has as value -> (address, function -> possibleOperations)
        self._ours = {_NODE_MANAGEMENT: (((0,), 0), {_DISCOVERY: ("read",)})}
        self._our_limits = {}  # (address, description) -> limitIds
        self._seen = 0  # messages that have been looked at
        self._last_counter = 0

    def run(self):
        """Replay the whole session."""
        for ms, who, what, rest in facts(self.name):
            if what == "dials":
                self.role = CLIENT if who == "station" else SERVER
            elif what == "is":
                self.manager = rest
                self.node = Node(self.role)
                self.node.start()
            elif who == "station":
                self._station(ms, what, rest)
            elif what == "init":
                self._hand_over(ms, b"\x00\x00")
            elif what == "control":
                self._hand_over(ms, b"\x01" + rest.encode())
            else:
                self._datagram(ms, what, rest)
        return self

    # The recorded station

    def _station(self, ms, what, rest):
        words = rest.split(" ")
        if what == "has":
            self._features[address_of(words[0])] = tuple(words[1:])
        elif what == "limit":
            # Some stations leave out the direction of what can only be consumption.
            address = address_of(words[0])
            description = tuple(["consume" if word == "-" else word for word in words[2:]])
            before = [k for k in self._limits if self._limits[k][0] == (address, description)]
            self._limits[address, int(words[1])] = ((address, description), len(before))
        elif what == "asks":
            key = tuple(words[1:])
            before = [c for c in self._asked if self._asked[c][0] == key]
            self._asked[int(words[0])] = (key, len(before))
        else:
            self._pass_time(ms)
            self.steps.append((ms, what == "plugs"))
            self.node.plug(what == "plugs")
            self._look()

    def _our_counter(self, counter):
        """The msgCounter of our request that stands for a recorded one."""
        key, before = self._asked[counter]
        ours = [a.counter for a in self.requests if (a.classifier, a.function) == key]
        assert before < len(ours), ("our node never asked", key)
        return ours[before]

    def _find(self, address):
        """(our address, function -> possibleOperations) for a recorded one; None: we have none."""
        return self._ours.get(self._features[address])

    def _translate_address(self, address):
        ours = self._find(address)
        return ours[0] if ours else (address[0], address[1] + _NOWHERE)

    def _translate(self, address, command):
        """Replace addresses of our device, and the limitIds of `address`, in a command."""
        parts = command.split(_OUR_DEVICE)
        for i in range(1, len(parts)):
            entity = parts[i][len('{"entity":') : parts[i].index("}")]
            feature = parts[i][parts[i].index('"feature":') + len('"feature":') :]
            feature = feature[: feature.index("}")]
            old = (tuple(json.loads(entity)), int(feature))
            rest = parts[i][len(address_text(old)) :]
            assert parts[i] == address_text(old) + rest
            parts[i] = address_text(self._translate_address(old)) + rest
        return self._translate_limits(address, _OUR_DEVICE.join(parts))

    def _translate_limits(self, address, command):
        parts = command.split('{"limitId":')
        for i in range(1, len(parts)):
            number, _, rest = parts[i].partition("}")
            (_, description), before = self._limits[address, int(number)]
            ours = self._our_limits.get((self._translate_address(address), description))
            if ours:
                number = ours[before]
            parts[i] = "%s}%s" % (number, rest)
        return '{"limitId":'.join(parts)

    # The manager's messages

    def _datagram(self, ms, what, rest):
        classifier, _, ack = what.partition("+")
        counters, source, destination, command = rest.split(" ", 3)
        counter, _, reference = counters.partition(">")
        counter = int(counter)
        named = not destination.startswith("?")
        address = address_of(destination.lstrip("?"))
        self._pass_time(ms)
        if reference:
            reference = ',{"msgCounterReference":%d}' % self._our_counter(int(reference))
        text = _DATA % (
            self.manager,
            address_text(address_of(source)),
            _OUR_DEVICE if named else "",
            address_text(self._translate_address(address)),
            counter,
            reference,
            classifier,
            ',{"ackRequest":true}' if ack else "",
            self._translate(address, command),
        )
        answers = self._hand_over(ms, b"\x02" + text.encode())
        answers = [a for a in answers if a.reference is not None]
        if classifier in ("read", "write", "call"):
            assert [a.reference for a in answers] == [counter], (text, answers)
            assert answers[0].source == self._translate_address(address)
            assert answers[0].destination == address_of(source)
            self._judge(classifier, address, command, answers[0])
        else:
            assert answers == [], text

    def _judge(self, classifier, address, command, answer):
        """The node's answer to a request must be what our discovery promises."""
        command = flat(json.loads("[" + command + "]"))
        function = next(n for n in command if n not in ("function", "filter"))
        expected, what = self._expected(classifier, address, function, command)
        if expected:
            self.refused.add(what)
        else:
            self.accepted[classifier] = self.accepted.get(classifier, 0) + 1
        if expected or classifier != "read":
            assert answer.classifier == "result"
            assert answer.error == expected, (what, answer.text)
            return
        assert answer.classifier == "reply"
        assert answer.function == function
        # The station itself always has data; of a car it may know nothing.
        assert answer.data or what[0] == "EV"
        assert_known(function, answer.data)

    def _expected(self, classifier, address, function, command):
        """(error number, (entity type, feature type, function)) of a request."""
        if classifier == "call":
            kind = "binding" if "Binding" in function else "subscription"
            request = flat(flat(command[function])[kind + "Request"])
            server = flat(request["serverAddress"])
            address = (tuple(server["entity"]), server["feature"])
            function = kind
        what = self._features[address][:2] + (function,)
        ours = self._find(address)
        if ours is None:
            return DESTINATION_UNKNOWN, what
        if classifier != "call" and classifier not in ours[1].get(function, ()):
            return COMMAND_NOT_SUPPORTED, what
        return 0, what

    def _hand_over(self, ms, message):
        """Give one message to the node; returns what it says to it."""
        self._pass_time(ms)
        self.steps.append((ms, message))
        self.node.receive(memoryview(message))
        return self._look()

    def _pass_time(self, ms):
        self.node.pass_time(ms)
        for answer in self._look():
            assert answer.reference is None, answer.text

    # What the node says

    def _look(self):
        """Take note of what the node has sent since the last look; returns its datagrams."""
        answers = []
        for message in self.node.sent[self._seen :]:
            if message[0] != 2:
                self.control.append(message)
                continue
            assert message.startswith(_DATA_START) and message.endswith(_DATA_END)
            answer = Answer([message[len(_DATA_START) : -len(_DATA_END)]])
            answers.append(answer)
            assert answer.counter > self._last_counter
            self._last_counter = answer.counter
            if answer.classifier in ("read", "call"):
                self.requests.append(answer)
            elif answer.classifier == "notify":
                self.notified.append(answer)
                assert_known(answer.function, answer.data)
            if answer.function == _DISCOVERY and answer.data:
                self._take_discovery(flat(answer.data))
            elif answer.function == "loadControlLimitDescriptionListData":
                self._take_limits(answer)
        self._seen = len(self.node.sent)
        return answers

    def _take_discovery(self, data):
        types = {}
        for entry in data.get("entityInformation", ()):
            entity = flat(flat(entry)["description"])
            address = tuple(flat(entity["entityAddress"])["entity"])
            types[address] = entity.get("entityType")
            if entity.get("lastStateChange") == "removed":
                for key in list(self._ours):
                    if self._ours[key][0][0] == address:
                        del self._ours[key]
        for entry in data.get("featureInformation", ()):
            feature = flat(flat(entry)["description"])
            address = flat(feature["featureAddress"])
            functions = {}
            for supported in feature.get("supportedFunction", ()):
                function = flat(supported)
                functions[function["function"]] = flat(function["possibleOperations"])
            entity = tuple(address["entity"])
            key = (types[entity], feature["featureType"], feature["role"])
            self._ours[key] = ((entity, address["feature"]), functions)

    def _take_limits(self, answer):
        for limit in answer.entries("loadControlLimitDescriptionData"):
            names = ("limitType", "limitCategory", "limitDirection", "scopeType")
            description = tuple([limit.get(name, "-") for name in names])
            numbers = self._our_limits.setdefault((answer.source, description), [])
            if limit["limitId"] not in numbers:
                numbers.append(limit["limitId"])


def assert_known(function, tree):
    """Assert that data decodes without unknown or unusable elements and encodes to the same."""
    row = model.find_function(function)
    assert row >= 0, function
    decoder = model.Decoder()
    data = decoder.decode(model.function_type(row), tree)
    assert (decoder.unknown, decoder.unusable) == (0, 0), (function, tree)
    out = bytearray()
    model.encode_function(out, row, data)
    assert json.loads(bytes(out)) == {function: tree}, (bytes(out), tree)
