"""A car at the station of spine_world, and an energy manager that knows what to do with it."""

import json

from spine_world import CLIENT, HEARTBEAT, HEMS, NODE_MANAGEMENT, World, discovery_text

EV = (1, 1)
CLASSIFICATION = (EV, 1)
STATE = (EV, 2)
CONFIGURATION = (EV, 3)
ELECTRICAL = (EV, 4)
MEASUREMENT = (EV, 5)
LOAD_CONTROL = (EV, 6)
IDENTIFICATION = (EV, 7)
TIME_SERIES = (EV, 8)
INCENTIVES = (EV, 9)
SUPERVISION = (EV, 10)
SERVER = ((1,), 1)

OPEV = "overloadProtectionByEvChargingCurrentCurtailment"
OSCEV = "optimizationOfSelfConsumptionDuringEvCharging"
CEVC = "coordinatedEvCharging"
LIMITS = "loadControlLimitListData"
PARTIAL = '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'


def roles(*pairs):
    """Use case data of the manager: (use case name, actor) pairs on its entity [1]."""
    entry = (
        '[{"address":[{"device":"%s"},{"entity":[1]}]},{"actor":"%s"},{"useCaseSupport":'
        '[[{"useCaseName":"%s"},{"useCaseVersion":"1.0.1"},{"scenarioSupport":[1,2,3]}]]}]'
    )
    text = ",".join([entry % (HEMS, actor, name) for name, actor in pairs])
    return '{"nodeManagementUseCaseData":[{"useCaseInformation":[%s]}]}' % text


ROLES = roles((OPEV, "CEM"), (OSCEV, "CEM"))
DISCOVERY = discovery_text((1, 1))


class EvWorld(World):
    """A world with a manager that supervises cars; `plugged` says if one is there at once."""

    def __init__(self, plugged=True, use_cases=ROLES, settings=None, told=None, phases=3):
        super().__init__(settings=settings, phases=phases)
        self.car.told = told
        self.meter.current_ma = [0] * phases
        self.meter.phase_power_w = [0] * phases
        self.counter = 0
        self.manager.introduce(DISCOVERY, use_cases)
        self.manager.relate("Subscription", NODE_MANAGEMENT, "NodeManagement", NODE_MANAGEMENT)
        self.manager.take()
        if plugged:
            self.plug()

    @property
    def ev(self):
        return self.station.ev

    def plug(self):
        self.station.ev_connected(True)
        self.device.flush()

    def unplug(self):
        self.station.ev_connected(False)
        self.device.flush()

    def bind(self):
        assert self.manager.relate("Subscription", LOAD_CONTROL, "LoadControl") == 0
        assert self.manager.relate("Binding", LOAD_CONTROL, "LoadControl") == 0
        return self

    def beat(self, timeout=4):
        self.counter += 1
        text = HEARTBEAT.replace("PT60S", "PT%dS" % timeout) % self.counter
        return self.manager.send("notify", SERVER, SUPERVISION, text, ack=False)

    def report(self, state):
        text = '{"deviceDiagnosisStateData":[{"operatingState":"%s"}]}' % state
        return self.manager.send("notify", SERVER, SUPERVISION, text, ack=False)

    def keep_alive(self, seconds):
        """Let time pass with a heartbeat each 2 s, as managers in the field do."""
        while seconds > 0:
            self.beat()
            self.pass_time(min(2, seconds))
            seconds -= 2

    def write(self, *limits, filters=PARTIAL, client=CLIENT):
        """Write (limitId, active, amperes in tenths) each; returns the answers."""
        entries = [
            '[{"limitId":%d},{"isLimitActive":%s},{"value":[{"number":%d},{"scale":-1}]}]'
            % (number, "true" if active else "false", tenths)
            for number, active, tenths in limits
        ]
        command = '{"function":"%s"},%s{"%s":[{"loadControlLimitData":[%s]}]}' % (
            LIMITS,
            filters,
            LIMITS,
            ",".join(entries),
        )
        return self.manager.send("write", client, LOAD_CONTROL, command)

    def limit_all(self, tenths, active=True, first=1):
        """Write the same limit to every phase; returns the error number."""
        return self.write(*[(first + i, active, tenths) for i in range(self.car.phases)])[0].error

    def allowed(self):
        """What OPEV allows now: (mA, why)."""
        return self.ev.opev.allowed(self.now)


def plain(tree):
    """EEBUS JSON as plain dicts and lists, where members tell that it is an object."""
    if isinstance(tree, list) and tree and all(isinstance(m, dict) and len(m) == 1 for m in tree):
        return {key: plain(value) for member in tree for key, value in member.items()}
    if isinstance(tree, list):
        return [plain(item) for item in tree]
    return tree


def entries(answer, name):
    """The entries of a list answer as plain dicts."""
    return [plain(json.loads(json.dumps(entry))) for entry in plain(answer.data).get(name, [])]
