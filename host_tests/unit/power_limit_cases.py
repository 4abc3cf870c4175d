"""The abstract test cases of LPC and LPP, controllable system side, as functions of a direction.

Follows the high-level test specification of both use cases, whose ids differ in the prefix only:
`test_usecases_atc_lpc.py` and `test_usecases_atc_lpp.py` name them. The energy guard is the
tester: it sends heartbeats and writes by hand (CF_EG_ManualExecution).

Parameter sheet: no energy manager (instance 2); limits 0 to the nominal maximum; PFSDM 2 h, MFSDM
24 h; D1 no (values are stored as written up to 999 MW), D2, D3, E2, N1 yes, C3 no.
"""

from spine_world import (
    CLIENT,
    CONFIGURATION,
    DIAGNOSIS,
    ELECTRICAL,
    HEMS,
    LOAD_CONTROL,
    FeedInDescription,
    Manager,
    Settings,
    World,
    flat,
)

from usecases.power_limit import (
    FAILSAFE,
    INIT,
    LIMITED,
    UNLIMITED_AUTONOMOUS,
    UNLIMITED_CONTROLLED,
)

HEARTBEATS = "deviceDiagnosisHeartbeatData"
PARTIAL = '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'


class Direction:
    """What differs between consumption and production."""

    def __init__(self, attribute, use_case, number, key, sign, nominal_w, failsafe_w):
        self.attribute = attribute
        self.use_case = use_case
        self.number = number
        self.key = key
        self.sign = sign
        self.nominal_w = nominal_w
        self.failsafe_w = failsafe_w  # PFCAPL, PFPAPL
        word = "Consumption" if sign > 0 else "Production"
        self.failsafe_name = "failsafe%sActivePowerLimit" % word
        self.nominal_name = "power%sNominalMax" % word
        self.contractual_name = "contractual%sNominalMax" % word


LPC = Direction("lpc", "limitationOfPowerConsumption", 1, 1, 1, 11_000, 4_200)
LPP = Direction("lpp", "limitationOfPowerProduction", 2, 3, -1, 10_000, 0)


class Bench:
    """The tester at a station, and what it does by hand."""

    def __init__(self, direction, settings=None):
        self.direction = direction
        self.settings = settings or Settings()
        self.world = World(settings=self.settings, description=FeedInDescription)
        self._connect()

    def _connect(self):
        entry = (
            '[{"address":[{"device":"%s"},{"entity":[1]}]},{"actor":"EnergyGuard"},'
            '{"useCaseSupport":[[{"useCaseName":"%s"},{"scenarioSupport":[1,2,3,4]}]]}]'
        )
        names = (LPC.use_case, LPP.use_case)
        entries = ",".join([entry % (HEMS, name) for name in names])
        manager = self.world.manager
        manager.introduce(
            use_cases='{"nodeManagementUseCaseData":[{"useCaseInformation":[%s]}]}' % entries
        )
        for feature, name in (
            (LOAD_CONTROL, "LoadControl"),
            (CONFIGURATION, "DeviceConfiguration"),
        ):
            assert manager.relate("Subscription", feature, name) == 0
            assert manager.relate("Binding", feature, name) == 0

    def reconnect(self):
        self.world.manager.close()
        self.world.manager = Manager(self.world)
        self._connect()

    def reboot(self, seconds=0):
        """Power off and on again; only the settings survive."""
        now = self.world.now
        self.world = World(settings=self.settings, description=FeedInDescription)
        self.world.now = max(self.world.now, now)
        self._connect()
        self.wait(seconds)

    @property
    def machine(self):
        return getattr(self.world, self.direction.attribute).limit

    @property
    def state(self):
        return self.machine.state

    def cap_w(self):
        return getattr(self.world, self.direction.attribute).cap_w()

    def beat(self):
        self.world.manager.heartbeat()

    def wait(self, seconds, alive=False):
        """Let time pass, with a heartbeat each 20 s if `alive`."""
        while seconds > 0:
            if alive:
                self.beat()
            self.world.pass_time(min(20, seconds))
            seconds -= 20

    def write(self, watts=None, active=None, duration=None, delete=False):
        """Write the limit: any of its members (MSG_01 to MSG_17). Returns whether it was ACKed.

        `watts` counts in our direction: negative ones have the wrong sign.
        """
        members = ""
        if active is not None:
            members += ',{"isLimitActive":%s}' % ("true" if active else "false")
        if duration is not None:
            members += ',{"timePeriod":[{"endTime":"%s"}]}' % duration
        if watts is not None:
            number = watts * self.direction.sign
            members += ',{"value":[{"number":%d},{"scale":0}]}' % number
        filters = PARTIAL
        if delete:
            filters = (
                '{"filter":[[{"cmdControl":[{"delete":[]}]},'
                '{"loadControlLimitListDataSelectors":[{"limitId":%d}]},'
                '{"loadControlLimitDataElements":[{"timePeriod":[]}]}],'
                '[{"cmdControl":[{"partial":[]}]}]]},' % self.direction.number
            )
        command = (
            '{"function":"loadControlLimitListData"},%s{"loadControlLimitListData":'
            '[{"loadControlLimitData":[[{"limitId":%d}%s]]}]}'
            % (filters, self.direction.number, members)
        )
        answer = self.world.manager.send("write", CLIENT, LOAD_CONTROL, command)[0]
        assert answer.classifier == "result"
        assert answer.error in (0, 7)
        return answer.error == 0

    def deactivated(self):
        """MSG_16: value, deactivated, duration deleted."""
        return self.write(self.direction.nominal_w, False, delete=True)

    def limit(self):
        """The limit as the tester reads it: active, watts in our direction, has a duration."""
        answer = self.world.manager.read(LOAD_CONTROL, "loadControlLimitListData")
        for entry in answer.entries("loadControlLimitData"):
            if entry["limitId"] == self.direction.number:
                watts = flat(entry["value"])["number"] * self.direction.sign
                return entry["isLimitActive"], watts, "timePeriod" in entry
        raise AssertionError("no such limit")

    def _write_key(self, key, value):
        command = (
            '{"function":"deviceConfigurationKeyValueListData"},%s'
            '{"deviceConfigurationKeyValueListData":[{"deviceConfigurationKeyValueData":'
            '[[{"keyId":%d},{"value":[%s]}]]}]}' % (PARTIAL, key, value)
        )
        answer = self.world.manager.send("write", CLIENT, CONFIGURATION, command)[0]
        return answer.error == 0

    def write_failsafe(self, watts):
        """Write FCAPL or FPAPL; returns whether it was ACKed."""
        text = '{"scaledNumber":[{"number":%d},{"scale":0}]}' % watts
        return self._write_key(self.direction.key, text)

    def write_duration(self, text):
        """Write FSDM; returns whether it was ACKed."""
        return self._write_key(2, '{"duration":"%s"}' % text)

    def failsafe(self):
        """(FCAPL or FPAPL in W, FSDM as text) as the tester reads them."""
        answer = self.world.manager.read(CONFIGURATION, "deviceConfigurationKeyValueListData")
        found = {}
        for entry in answer.entries("deviceConfigurationKeyValueData"):
            found[entry["keyId"]] = flat(entry["value"])
        power = flat(found[self.direction.key]["scaledNumber"])["number"]
        return power, found[2]["duration"]

    def values(self):
        """APCL_01 to APCL_05 of the parameter sheet: minimum 0, maximum the nominal power."""
        most = self.direction.nominal_w
        delta = most // 20
        return 0, delta, most // 2, most - delta, most + delta

    # --- start configurations -------------------------------------------------------------------

    def controlled(self):
        """CF_CS_UnlCntrl."""
        self.beat()
        assert self.deactivated()
        assert self.state == UNLIMITED_CONTROLLED
        return self

    def limited(self, duration=None):
        """CF_CS_Limited_wo_dur, or with a duration."""
        self.controlled()
        assert self.write(3_000, True, duration, delete=duration is None)
        assert self.state == LIMITED
        return self

    def failed(self):
        """CF_CS_FS."""
        self.controlled()
        self.wait(121)
        assert self.state == FAILSAFE
        return self

    def autonomous(self):
        """CF_CS_UnlAuto."""
        self.wait(121)
        assert self.state == UNLIMITED_AUTONOMOUS
        return self


# --- heartbeat and connection -------------------------------------------------------------------


def csheartbeat_001(direction):
    bench = Bench(direction)
    manager = bench.world.manager
    assert manager.relate("Subscription", DIAGNOSIS, "DeviceDiagnosis") == 0
    manager.take()
    times = []
    counters = []
    for _ in range(300):
        bench.world.pass_time(1)
        for answer in manager.take():
            if answer.classifier == "notify" and answer.function == HEARTBEATS:
                times.append(bench.world.now)
                counters.append(flat(answer.data)["heartbeatCounter"])
    assert len(times) >= 5
    gaps = [b - a for a, b in zip(times, times[1:])]
    assert max(gaps) <= 60_000
    assert counters == list(range(counters[0], counters[0] + len(counters)))


def csconnection_001(direction):
    bench = Bench(direction)
    assert not bench.write(3_000, True, delete=True)
    assert bench.state == INIT and not bench.limit()[0]
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED


def csconnection_002(direction):
    bench = Bench(direction)
    bench.beat()
    assert not bench.write_failsafe(2_000)
    assert bench.deactivated()
    assert bench.write_failsafe(2_000)
    assert bench.failsafe()[0] == 2_000


def csconnection_003(direction):
    bench = Bench(direction)
    bench.beat()
    assert not bench.write(-1_000, True)
    assert bench.state == UNLIMITED_CONTROLLED
    assert not bench.write_failsafe(-1_000)
    assert bench.write_failsafe(bench.values()[2])
    assert bench.failsafe()[0] == bench.values()[2]


def csconnection_004(direction):
    bench = Bench(direction)
    bench.beat()
    assert not bench.write_duration("PT3H")
    assert bench.deactivated()
    assert bench.write_duration("PT3H")
    assert bench.failsafe()[1] == "PT10800S"


def csconnection_005(direction):
    bench = Bench(direction).controlled()
    assert not bench.write_duration("PT25H12M")  # 1.05 MFSDM
    assert bench.failsafe()[1] == "PT86400S"


def csconnection_006(direction):
    bench = Bench(direction).controlled()
    assert bench.write(2_000_000_000, True)
    assert bench.limit()[:2] == (True, 999_999_999)
    assert bench.state == LIMITED


def csconnection_007(direction):
    bench = Bench(direction).controlled()
    values = bench.values()
    for watts in values[1:] + values[:1]:
        assert bench.write(watts, True)
        assert bench.limit()[:2] == (True, watts)
        assert bench.state == LIMITED
        assert bench.cap_w() == watts
    assert bench.cap_w() == 0


def csconnection_008(direction):
    bench = Bench(direction).controlled()
    for watts in bench.values():
        assert bench.write_failsafe(watts)
        assert bench.failsafe()[0] == watts
    assert not bench.write_duration("PT1H54M")
    assert bench.write_duration("PT5H")
    assert bench.failsafe()[1] == "PT18000S"
    assert not bench.write_duration("PT25H12M")
    assert bench.failsafe()[1] == "PT86400S"


def csconnection_009(direction):
    bench = Bench(direction).limited()
    bench.world.pass_time(90)
    bench.reboot()
    assert bench.state == INIT and not bench.limit()[0]
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED


# --- states -------------------------------------------------------------------------------------


def csinit_001(direction):
    bench = Bench(direction)
    assert bench.state == INIT
    assert bench.cap_w() == direction.failsafe_w
    assert not bench.limit()[0]


def csinit_002(direction):
    bench = Bench(direction)
    assert bench.failsafe() == (direction.failsafe_w, "PT7200S")
    assert not bench.limit()[0]


def csinit_003(direction):
    bench = Bench(direction).limited()
    assert bench.write_failsafe(2_500)
    assert bench.write_duration("PT4H")
    bench.reboot()
    assert bench.failsafe() == (2_500, "PT14400S")
    assert bench.state == INIT
    assert bench.cap_w() == 2_500


def cslimited_001(direction):
    bench = Bench(direction).limited()
    assert not bench.write(-1_000, True)
    assert bench.limit()[:2] == (True, 3_000)
    assert bench.state == LIMITED


def cslimited_002(direction):
    bench = Bench(direction).limited()
    bench.wait(90)
    assert bench.write(2_000, True)
    assert bench.state == LIMITED and bench.cap_w() == 2_000


def csunlcntrl_001(direction):
    bench = Bench(direction).controlled()
    assert not bench.write(-1_000, True)
    assert bench.state == UNLIMITED_CONTROLLED and not bench.limit()[0]


def csunlcntrl_003(direction):
    bench = Bench(direction).controlled()
    answer = bench.world.manager.read(ELECTRICAL, "electricalConnectionCharacteristicListData")
    found = {
        entry["characteristicType"]: flat(entry["value"])["number"]
        for entry in answer.entries("electricalConnectionCharacteristicData")
    }
    assert found[direction.nominal_name] == direction.nominal_w
    assert direction.contractual_name not in found


def csfs_001(direction):
    bench = Bench(direction).failed()
    bench.beat()
    bench.wait(90)
    assert not bench.write(3_000, True)
    assert not bench.write_failsafe(2_000)
    assert not bench.write_duration("PT3H")
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED
    assert bench.write_failsafe(2_000)


def csfs_002(direction):
    bench = Bench(direction).failed()
    bench.wait(7_190)
    assert bench.state == FAILSAFE
    assert bench.cap_w() == direction.failsafe_w


def csfs_003(direction):
    bench = Bench(direction).failed()
    assert not bench.write_duration("PT3H")
    assert not bench.limit()[0]
    assert bench.failsafe()[1] == "PT7200S"


def csunlauto_001(direction):
    bench = Bench(direction).autonomous()
    assert not bench.write(3_000, True)
    assert not bench.write_failsafe(2_000)
    assert bench.state == UNLIMITED_AUTONOMOUS
    bench.beat()
    assert bench.write(3_000, True)
    assert bench.state == LIMITED


def csunlauto_002(direction):
    bench = Bench(direction).autonomous()
    assert bench.cap_w() is None  # the nominal power is the hardware's limit
    assert not bench.limit()[0]


# --- transitions --------------------------------------------------------------------------------


def cstransition1_001(direction):
    bench = Bench(direction)
    bench.beat()
    assert not bench.write(-1_000, True)
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition1_002(direction):
    bench = Bench(direction)
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition2_001(direction):
    bench = Bench(direction)
    bench.beat()
    assert bench.write(3_000, True)
    assert (bench.state, bench.cap_w()) == (LIMITED, 3_000)


def cstransition3_001(direction):
    bench = Bench(direction)
    bench.wait(130)
    assert bench.state == UNLIMITED_AUTONOMOUS


def cstransition3_002(direction):
    bench = Bench(direction)
    bench.wait(130, alive=True)
    assert bench.state == UNLIMITED_AUTONOMOUS


def cstransition4_001(direction):
    bench = Bench(direction).controlled()
    assert bench.write(3_000, True)
    assert (bench.state, bench.cap_w()) == (LIMITED, 3_000)


def cstransition5_001(direction):
    bench = Bench(direction).controlled()
    bench.wait(119)
    assert bench.state == UNLIMITED_CONTROLLED
    bench.wait(11)
    assert (bench.state, bench.cap_w()) == (FAILSAFE, direction.failsafe_w)


def cstransition6_001(direction):
    bench = Bench(direction).limited("PT60S")
    assert bench.limit() == (True, 3_000, True)
    bench.wait(59, alive=True)
    assert bench.state == LIMITED
    bench.wait(2, alive=True)
    assert bench.state == UNLIMITED_CONTROLLED
    assert bench.limit() == (False, 3_000, False)


def cstransition6_002(direction):
    bench = Bench(direction).limited()
    assert bench.write(active=False)
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition7_001(direction):
    bench = Bench(direction).limited()
    assert bench.write_failsafe(1_700)
    bench.wait(130)
    assert (bench.state, bench.cap_w()) == (FAILSAFE, 1_700)
    assert not bench.limit()[0]


def cstransition8_001(direction):
    bench = Bench(direction).failed()
    bench.beat()
    assert not bench.write(-1_000, True)
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition8_002(direction):
    bench = Bench(direction).failed()
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition9_001(direction):
    bench = Bench(direction).failed()
    bench.beat()
    assert bench.write(3_000, True)
    assert bench.state == LIMITED


def cstransition10_001(direction):
    bench = Bench(direction).failed()
    bench.wait(7_210)
    assert bench.state == UNLIMITED_AUTONOMOUS


def cstransition10_002(direction):
    bench = Bench(direction).failed()
    bench.wait(119, alive=True)
    assert bench.state == FAILSAFE
    bench.wait(3, alive=True)
    assert bench.state == UNLIMITED_AUTONOMOUS


def cstransition11_001(direction):
    bench = Bench(direction).autonomous()
    bench.beat()
    assert not bench.write(-1_000, True)
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition11_002(direction):
    bench = Bench(direction).autonomous()
    bench.beat()
    assert bench.deactivated()
    assert bench.state == UNLIMITED_CONTROLLED


def cstransition12_001(direction):
    bench = Bench(direction).autonomous()
    bench.beat()
    assert bench.write(3_000, True)
    assert bench.state == LIMITED
