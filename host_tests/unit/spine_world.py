"""A charging station and an energy manager facing it, for the tests of SPINE and use cases.

The manager writes its datagrams as literal text, so that a mistake in our encoder cannot hide.
Time is virtual: `world.now` in milliseconds.
"""

import json

from spine.peer import Peer
from usecases.station import Station

EVSE = "d:_n:ACME_EVSE-42"
HEMS = "d:_i:12345_HEMS-1"

# Feature addresses of our side, (entity, feature).
NODE_MANAGEMENT = ((0,), 0)
DIAGNOSIS = ((1,), 3)
LOAD_CONTROL = ((1,), 4)
CONFIGURATION = ((1,), 5)
ELECTRICAL = ((1,), 6)
MEASUREMENT = ((1,), 7)

# Of the manager's: entity [1] has a client feature 2 and a DeviceDiagnosis server 1.
CLIENT = ((1,), 2)
SERVER = ((1,), 1)


def discovery_text(*guards, client_type="LoadControl"):
    """A manager's detailed discovery: each guard is (entity number, DeviceDiagnosis feature).

    Its client feature 2 has `client_type`.
    """
    entity = '[{"description":[{"entityAddress":[{"entity":[%d]}]},{"entityType":"%s"}]}]'
    feature = (
        '[{"description":[{"featureAddress":[{"entity":[%d]},{"feature":%d}]},{"featureType":"%s"},'
        '{"role":"%s"}]}]'
    )
    entities = [entity % (0, "DeviceInformation")]
    features = [feature % (0, 0, "NodeManagement", "special")]
    for number, diagnosis in guards:
        entities.append(entity % (number, "CEM"))
        features.append(feature % (number, diagnosis, "DeviceDiagnosis", "server"))
        features.append(feature % (number, 2, client_type, "client"))
    return (
        '{"nodeManagementDetailedDiscoveryData":[{"specificationVersionList":'
        '[{"specificationVersion":["1.3.0"]}]},{"deviceInformation":[{"description":'
        '[{"deviceAddress":[{"device":"%s"}]},{"deviceType":"EnergyManagementSystem"}]}]},'
        '{"entityInformation":[%s]},{"featureInformation":[%s]}]}'
        % (HEMS, ",".join(entities), ",".join(features))
    )


def use_cases_text(*guards, actor="EnergyGuard"):
    """A manager's use case data: LPC as `actor` on each of the entities."""
    entry = (
        '[{"address":[{"device":"%s"},{"entity":[%d]}]},{"actor":"%s"},{"useCaseSupport":'
        '[[{"useCaseName":"limitationOfPowerConsumption"},{"useCaseVersion":"1.0.0"},'
        '{"useCaseAvailable":true},{"scenarioSupport":[1,2,3,4]}]]}]'
    )
    entries = [entry % (HEMS, number, actor) for number in guards]
    return '{"nodeManagementUseCaseData":[{"useCaseInformation":[%s]}]}' % ",".join(entries)


DISCOVERY = discovery_text((1, 1))
USE_CASES = use_cases_text(1)
HEARTBEAT = (
    '{"deviceDiagnosisHeartbeatData":[{"timestamp":"2025-03-01T10:00:00Z"},'
    '{"heartbeatCounter":%d},{"heartbeatTimeout":"PT60S"}]}'
)


class Settings:
    """Stands for firmware.storage.Settings."""

    def __init__(self):
        self.values = {}

    def get(self, key, default):
        return self.values.get(key, default)

    def put(self, key, value):
        self.values[key] = value


class Description:
    address = EVSE
    manufacturer = {"deviceName": "EVSE 22", "vendorName": "Acme"}
    nominal_w = 11_000
    feed_in_w = 0


class FeedInDescription(Description):
    """Of a station whose car can give power back."""

    feed_in_w = 10_000


class FakeMeter:
    """Stands for evse.metering.Meter."""

    def __init__(self, phases=3):
        self.phases = phases
        self.power_w = 4200
        self.phase_power_w = [1400] * phases
        self.current_ma = [6090] * phases
        self.voltage_mv = [230_000] * phases
        self.energy_wh = 1234
        self.produced_wh = None
        self.frequency_mhz = 50_010
        self.state = 0
        self.value_source = 0


class FakeCar:
    """Stands for evse.car.Car."""

    def __init__(self, meter):
        self.meter = meter
        self.phases = meter.phases
        self.nominal_mv = 230_000
        self.has_meter = True
        self.told = None
        self.limit_ma = 16_000
        self.in_use = meter.phases
        self.wh = 0
        self.operating = "normalOperation"

    def max_ma(self):
        return self.limit_ma

    def phases_in_use(self):
        return self.in_use

    def session_wh(self):
        return self.wh

    def state(self, now):
        return self.operating


class World:
    """The station with one connected manager, unless `connect` is False."""

    def __init__(
        self,
        settings=None,
        connect=True,
        phases=3,
        description=Description,
        on_summary=None,
        has_meter=True,
    ):
        self.now = 1_000_000
        self.fault = ""
        self.limit_changes = 0
        self.logged = []
        self.settings = Settings() if settings is None else settings
        self.meter = FakeMeter(phases)
        self.car = FakeCar(self.meter)
        self.car.has_meter = has_meter
        self.station = Station(
            description,
            self.meter,
            lambda: self.fault,
            self.settings,
            lambda: self.now,
            lambda: None,
            self._limit_changed,
            self.car,
            on_summary,
        )
        self.device = self.station.device
        self.lpc = self.station.lpc
        self.lpp = self.station.lpp
        self.manager = None
        if connect:
            self.manager = Manager(self)

    def _limit_changed(self):
        self.limit_changes += 1

    def pass_time(self, seconds, step_ms=1000):
        """Let time pass in steps, running what is due."""
        end = self.now + int(seconds * 1000)
        while self.now < end:
            self.now = min(end, self.now + step_ms)
            self.device.tick(self.now)
            self.device.flush()


class Manager:
    """The far end of one connection."""

    def __init__(self, world, address=HEMS):
        self.world = world
        self.address = address
        self.version = "1.3.0"  # in the header of whatever is sent
        self.counter = 100
        self.peer = Peer(
            world.device, "ski of " + address, lambda peer, text: world.logged.append(text)
        )
        self.peer.start(world.now)
        self.beats = 0
        self.asked = []  # the station's reads and calls, as `Answer`s

    def close(self):
        self.peer.stop()

    def send(self, classifier, source, destination, command, ack=True, reference=None, **header):
        """Send one command (text of its members) and return what comes back, as `Answer`s."""
        self.counter += 1
        text = (
            '{"datagram":[{"header":[{"specificationVersion":"%s"},{"addressSource":[{"device":"%s"},'
            '{"entity":%s},{"feature":%d}]},{"addressDestination":[%s{"entity":%s},{"feature":%d}]},'
            '{"msgCounter":%d}%s,{"cmdClassifier":"%s"}%s]},{"payload":[{"cmd":[[%s]]}]}]}'
        ) % (
            header.get("version", self.version),
            header.get("device", self.address),
            json.dumps(list(source[0])),
            source[1],
            header.get("to", '{"device":"%s"},' % EVSE),
            json.dumps(list(destination[0])),
            destination[1],
            self.counter,
            "" if reference is None else ',{"msgCounterReference":%d}' % reference,
            classifier,
            ',{"ackRequest":true}' if ack else "",
            command,
        )
        return self.receive(text)

    def receive(self, text):
        """Hand raw text to the station and return what it sends in answer."""
        self.peer.outbox = []
        self.peer.receive(text.encode() if isinstance(text, str) else text, self.world.now)
        self.world.device.flush()
        return self.take()

    def take(self):
        """What the station has sent since the last look."""
        answers = [Answer(parts) for parts in self.peer.outbox]
        self.peer.outbox = []
        self.asked.extend([a for a in answers if a.classifier in ("read", "call")])
        return answers

    def introduce(self, discovery=DISCOVERY, use_cases=USE_CASES):
        """Answer the station's questions as a guard for LPC does: discovery, use cases."""
        for asked in self.take():
            if asked.classifier == "read" and asked.function.endswith("DiscoveryData"):
                asked_next = self.send(
                    "reply", *_back(asked), discovery, ack=False, reference=asked.counter
                )
                for question in asked_next:
                    if question.classifier == "read":
                        self.send(
                            "reply",
                            *_back(question),
                            use_cases,
                            ack=False,
                            reference=question.counter,
                        )

    def relate(self, kind, server, feature_type, client=CLIENT):
        """Call for a "Binding" or "Subscription"; returns the error number."""
        command = (
            '{"nodeManagement%sRequestCall":[{"%sRequest":[{"clientAddress":[{"device":"%s"},'
            '{"entity":%s},{"feature":%d}]},{"serverAddress":[{"device":"%s"},{"entity":%s},'
            '{"feature":%d}]},{"serverFeatureType":"%s"}]}]}'
        ) % (
            kind,
            kind.lower(),
            self.address,
            json.dumps(list(client[0])),
            client[1],
            EVSE,
            json.dumps(list(server[0])),
            server[1],
            feature_type,
        )
        answers = self.send("call", NODE_MANAGEMENT, NODE_MANAGEMENT, command)
        return next(a.error for a in answers if a.classifier == "result")

    def heartbeat(self, server=SERVER, ack=False):
        """Send one heartbeat to the station's DeviceDiagnosis client."""
        self.beats += 1
        return self.send("notify", server, ((1,), 1), HEARTBEAT % self.beats, ack=ack)

    def write_limit(self, members, filters=None, client=CLIENT):
        """Write entry 1 of the limit list with literal `members`; returns the error number."""
        if filters is None:
            filters = '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
        command = (
            '{"function":"loadControlLimitListData"},%s{"loadControlLimitListData":'
            '[{"loadControlLimitData":[[{"limitId":1}%s]]}]}' % (filters, members)
        )
        answers = self.send("write", client, LOAD_CONTROL, command)
        self.notifies = [a for a in answers if a.classifier == "notify"]
        return answers[0].error

    def read(self, destination, function, filters=""):
        """Read a function; returns the answer."""
        name = '{"function":"%s"},' % function if filters else ""
        return self.send("read", CLIENT, destination, '%s%s{"%s":[]}' % (name, filters, function))[
            0
        ]

    def commission(self):
        """Introduce, subscribe and bind LoadControl and DeviceConfiguration."""
        self.introduce()
        for feature, name in (
            (LOAD_CONTROL, "LoadControl"),
            (CONFIGURATION, "DeviceConfiguration"),
        ):
            assert self.relate("Subscription", feature, name) == 0
            assert self.relate("Binding", feature, name) == 0


def _back(asked):
    return asked.destination, asked.source


class Answer:
    """A datagram of the station, parsed independently of spine.datagram."""

    def __init__(self, parts):
        self.text = "".join([bytes(part).decode() for part in parts])
        header, payload = json.loads(self.text)["datagram"]
        fields = flat(header["header"])
        self.classifier = fields["cmdClassifier"]
        self.counter = fields["msgCounter"]
        self.reference = fields.get("msgCounterReference")
        self.source = _address(fields["addressSource"])
        self.destination = _address(fields["addressDestination"])
        commands = payload["payload"][0]["cmd"]
        assert len(commands) == 1
        self.command = flat(commands[0])
        names = [n for n in self.command if n not in ("function", "filter")]
        assert len(names) == 1
        self.function = names[0]
        self.data = self.command[self.function]
        self.error = flat(self.data)["errorNumber"] if self.function == "resultData" else None

    def entries(self, name):
        """The entries of a list function, each flattened one level."""
        for member in self.data:
            if name in member:
                return [flat(entry) for entry in member[name]]
        return []


def flat(members):
    """One level of an array of single-member objects as a dict."""
    result = {}
    for member in members:
        for name in member:
            assert name not in result
            result[name] = member[name]
    return result


def _address(tree):
    fields = flat(tree)
    return tuple(fields["entity"]), fields["feature"]
