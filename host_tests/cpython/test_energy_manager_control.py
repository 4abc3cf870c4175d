"""The energy manager as a whole, by its Python interface and its command line, against a charger.

The charger is a script over real TLS: it answers reads from a table of EEBUS JSON texts, records
what is written, and behaves as told. It shares no code with the manager.
"""

import asyncio
import contextlib
import json
import threading

import pytest
from websockets.exceptions import ConnectionClosed

from host_tests.cpython.test_energy_manager_ship import (
    ASK_METHODS,
    CONFIRM,
    charger,
    make_certificate,
    port_of,
)
from tools.energy_manager import cli
from tools.energy_manager.identity import Identity
from tools.energy_manager.lpc import NotUsable
from tools.energy_manager.manager import EnergyManager

EVSE = "d:_n:Evse"


def feature(entity, number, kind, role, functions):
    supported = ",".join(
        '[{"function":"%s"},{"possibleOperations":[%s]}]' % (name, operations)
        for name, operations in functions
    )
    return (
        '[{"description":[{"featureAddress":[{"entity":%s},{"feature":%d}]},{"featureType":"%s"},'
        '{"role":"%s"},{"supportedFunction":[%s]}]}]'
        % (json.dumps(entity), number, kind, role, supported)
    )


READ, WRITE, PARTIAL = '{"read":[]}', '{"write":[]}', '{"write":[{"partial":[]}]}'


def structure(write=PARTIAL):
    features = [
        feature([0], 0, "NodeManagement", "special", [("nodeManagementUseCaseData", READ)]),
        feature([1], 1, "DeviceClassification", "server", [(MANUFACTURER, READ)]),
        feature([1], 2, "DeviceDiagnosis", "server", [(STATE, READ), (HEARTBEAT, READ)]),
        feature(
            [1],
            3,
            "LoadControl",
            "server",
            [("loadControlLimitDescriptionListData", READ), (LIMITS, READ + "," + write)],
        ),
        feature(
            [1],
            4,
            "DeviceConfiguration",
            "server",
            [
                ("deviceConfigurationKeyValueDescriptionListData", READ),
                (KEY_VALUES, READ + "," + write),
            ],
        ),
        feature(
            [1],
            5,
            "ElectricalConnection",
            "server",
            [
                ("electricalConnectionParameterDescriptionListData", READ),
                ("electricalConnectionCharacteristicListData", READ),
            ],
        ),
        feature(
            [1],
            6,
            "Measurement",
            "server",
            [("measurementDescriptionListData", READ), (MEASUREMENTS, READ)],
        ),
    ]
    return (
        '[{"deviceInformation":[{"description":[{"deviceAddress":[{"device":"%s"}]}]}]},'
        '{"entityInformation":[[{"description":[{"entityAddress":[{"entity":[0]}]},'
        '{"entityType":"DeviceInformation"}]}],[{"description":[{"entityAddress":'
        '[{"entity":[1]}]},{"entityType":"EVSE"}]}]]},{"featureInformation":[%s]}]'
    ) % (EVSE, ",".join(features))


DISCOVERY = "nodeManagementDetailedDiscoveryData"
LIMITS = "loadControlLimitListData"
KEY_VALUES = "deviceConfigurationKeyValueListData"
MEASUREMENTS = "measurementListData"
HEARTBEAT = "deviceDiagnosisHeartbeatData"
STATE = "deviceDiagnosisStateData"
MANUFACTURER = "deviceClassificationManufacturerData"
FREE = (
    '[{"loadControlLimitData":[[{"limitId":1},{"isLimitChangeable":true},{"isLimitActive":false},'
    '{"value":[{"number":11000},{"scale":0}]}]]}]'
)
LIMITED = FREE.replace("false", "true").replace("11000", "4200")
USE_CASE = (
    '[{"address":[{"device":"d:_n:Evse"},{"entity":[1]}]},{"actor":"%s"},{"useCaseSupport":'
    '[[{"useCaseName":"%s"},{"useCaseVersion":"1.0.0"},{"scenarioSupport":[1,2,3,4]}]]}]'
)
DATA = {
    DISCOVERY: structure(),
    "nodeManagementUseCaseData": '[{"useCaseInformation":[%s]}]'
    % ",".join(
        [
            USE_CASE % ("ControllableSystem", "limitationOfPowerConsumption"),
            USE_CASE % ("MonitoredUnit", "monitoringOfPowerConsumption"),
            USE_CASE % ("EVSE", "evseCommissioningAndConfiguration"),
        ]
    ),
    "loadControlLimitDescriptionListData": (
        '[{"loadControlLimitDescriptionData":[[{"limitId":1},'
        '{"limitType":"signDependentAbsValueLimit"},{"limitCategory":"obligation"},'
        '{"limitDirection":"consume"},{"measurementId":1},{"unit":"W"},'
        '{"scopeType":"activePowerLimit"}]]}]'
    ),
    LIMITS: FREE,
    "deviceConfigurationKeyValueDescriptionListData": (
        '[{"deviceConfigurationKeyValueDescriptionData":[[{"keyId":1},'
        '{"keyName":"failsafeConsumptionActivePowerLimit"},{"valueType":"scaledNumber"}],'
        '[{"keyId":2},{"keyName":"failsafeDurationMinimum"},{"valueType":"duration"}]]}]'
    ),
    KEY_VALUES: (
        '[{"deviceConfigurationKeyValueData":[[{"keyId":1},{"value":[{"scaledNumber":'
        '[{"number":4200},{"scale":0}]}]},{"isValueChangeable":true}],[{"keyId":2},'
        '{"value":[{"duration":"PT2H"}]},{"isValueChangeable":true}]]}]'
    ),
    "electricalConnectionCharacteristicListData": (
        '[{"electricalConnectionCharacteristicData":[[{"electricalConnectionId":1},'
        '{"parameterId":1},{"characteristicId":1},'
        '{"characteristicType":"powerConsumptionNominalMax"},'
        '{"value":[{"number":11},{"scale":3}]}]]}]'
    ),
    "electricalConnectionParameterDescriptionListData": (
        '[{"electricalConnectionParameterDescriptionData":[[{"electricalConnectionId":1},'
        '{"parameterId":2},{"measurementId":2},{"acMeasuredPhases":"a"}]]}]'
    ),
    "measurementDescriptionListData": (
        '[{"measurementDescriptionData":[[{"measurementId":1},{"scopeType":"acPowerTotal"}],'
        '[{"measurementId":2},{"scopeType":"acCurrent"}],[{"measurementId":3},'
        '{"scopeType":"acEnergyConsumed"}],[{"measurementId":4},{"scopeType":"acFrequency"}]]}]'
    ),
    MEASUREMENTS: (
        '[{"measurementData":[[{"measurementId":1},{"value":[{"number":7048},{"scale":0}]}],'
        '[{"measurementId":2},{"value":[{"number":102},{"scale":-1}]}],'
        '[{"measurementId":3},{"value":[{"number":123},{"scale":3}]}],'
        '[{"measurementId":4},{"value":[{"number":50}]},{"valueState":"error"}]]}]'
    ),
    HEARTBEAT: '[{"heartbeatCounter":7},{"heartbeatTimeout":"PT60S"}]',
    STATE: '[{"operatingState":"normalOperation"}]',
    MANUFACTURER: '[{"deviceName":"EVSE22"},{"brandName":"Acme"}]',
}


def flat(parts):
    return {name: value for part in parts for name, value in part.items()}


class Evse:
    """One connection of the simulated charger."""

    def __init__(self, line, data, refusal):
        self.line = line
        self.data = data
        self.refusal = refusal
        self.requests = []  # (classifier, function)
        self.writes = []  # texts of commands
        self.heartbeats = 0
        self.counter = 0
        self.manager = ""
        self.ready = asyncio.Event()

    async def serve(self):
        await self.line.prepare()
        await self.line.send(1, ASK_METHODS)
        await self.line.send(1, '{"accessMethods":[{"id":"i:1_u:EVSE"}]}')
        async for frame in self.line.socket:
            if frame[0] == 3:
                await self.line.send(3, CONFIRM)
                break
            if frame[0] == 2:
                document = json.loads(frame[1:])
                await self.take(flat(flat(document["data"])["payload"]["datagram"]))

    async def take(self, datagram):
        header = flat(datagram["header"])
        (cmd,) = flat(datagram["payload"])["cmd"]
        function = next(name for name in flat(cmd) if name not in ("function", "filter"))
        classifier = header["cmdClassifier"]
        self.manager = flat(header["addressSource"])["device"]
        self.requests.append((classifier, function))
        if classifier == "read" and function in self.data:
            await self.answer("reply", header, '[{"%s":%s}]' % (function, self.data[function]))
        elif classifier in ("read", "call"):
            error = 6 if classifier == "read" else self.data.get("call error", 0)
            await self.answer("result", header, '[{"resultData":[{"errorNumber":%d}]}]' % error)
        elif classifier == "write":
            self.writes.append(json.dumps(cmd, separators=(",", ":")))
            await self.written(header, function)
        elif classifier == "notify":
            self.heartbeats += 1
        if (classifier, function) == ("read", "nodeManagementUseCaseData"):
            await self.subscribe()
            self.ready.set()

    async def written(self, header, function):
        if self.refusal:
            text = '[{"resultData":[{"errorNumber":7},{"description":"%s"}]}]' % self.refusal
            await self.answer("result", header, text)
            return
        await self.answer("result", header, '[{"resultData":[{"errorNumber":0}]}]')
        await self.notify(1, 3 if function == LIMITS else 4, function, LIMITED)

    async def subscribe(self):
        """Ask for the heartbeat of the manager."""
        text = (
            '[{"nodeManagementSubscriptionRequestCall":[{"subscriptionRequest":[{"clientAddress":'
            '[{"device":"d:_n:Evse"},{"entity":[1]},{"feature":8}]},{"serverAddress":[{"device":'
            '"%s"},{"entity":[1]},{"feature":1}]}]}]}]' % self.manager
        )
        await self.send("call", [0], 0, [0], 0, text)

    async def notify(self, entity, number, function, content):
        if function == LIMITS:
            text = '[{"%s":%s}]' % (function, content)
            await self.send("notify", [entity], number, [1], number, text)

    async def answer(self, classifier, header, cmd):
        source, destination = flat(header["addressDestination"]), flat(header["addressSource"])
        await self.send(
            classifier,
            source["entity"],
            source["feature"],
            destination["entity"],
            destination["feature"],
            cmd,
            '{"msgCounterReference":%d},' % header["msgCounter"],
        )

    async def send(self, classifier, entity, number, their_entity, their_number, cmd, more=""):
        self.counter += 1
        await self.line.send(
            2,
            '{"data":[{"header":[{"protocolId":"ee1.0"}]},{"payload":{"datagram":[{"header":['
            '{"specificationVersion":"1.3.0"},{"addressSource":[{"device":"%s"},{"entity":%s},'
            '{"feature":%d}]},{"addressDestination":[{"device":"%s"},{"entity":%s},'
            '{"feature":%d}]},{"msgCounter":%d},%s{"cmdClassifier":"%s"}]},'
            '{"payload":[{"cmd":[%s]}]}]}}]}'
            % (
                EVSE,
                json.dumps(entity),
                number,
                self.manager,
                json.dumps(their_entity),
                their_number,
                self.counter,
                more,
                classifier,
                cmd,
            ),
        )


@pytest.fixture
def with_charger(tmp_path):
    """Return `run(test, data changes, refusal)`: runs `test(manager, evse)` when connected."""
    certificate, ski = make_certificate(tmp_path)
    state = tmp_path / "manager"
    identity = Identity.load(state)

    def run(test, changes=(), refusal="", **options):
        lines = []

        async def script(line):
            lines.append(Evse(line, {**DATA, **dict(changes)}, refusal))
            with contextlib.suppress(ConnectionClosed):
                await lines[-1].serve()

        async def both():
            async with charger(script, certificate, identity) as server:
                async with EnergyManager(state, **options) as manager:
                    manager.port = port_of(server)
                    manager.ski = ski
                    await manager.connect("127.0.0.1", manager.port, ski)
                    await test(manager, lines)

        asyncio.run(asyncio.wait_for(both(), 20))

    return run


# -- commissioning ------------------------------------------------------------------------------


def test_commissioning_asks_in_the_order_devices_expect(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc", "mpc", "evsecc")
        asked = [one for one in lines[0].requests if one[0] in ("read", "call")]
        assert asked[:3] == [
            ("read", DISCOVERY),
            ("call", "nodeManagementSubscriptionRequestCall"),
            ("read", "nodeManagementUseCaseData"),
        ]
        rest = asked[3:]
        binding = rest.index(("call", "nodeManagementBindingRequestCall"))
        assert binding < rest.index(("read", LIMITS))
        assert rest.count(("call", "nodeManagementBindingRequestCall")) == 2
        # each feature once: Classification, Diagnosis, LoadControl, Configuration, EC, Measurement
        assert rest.count(("call", "nodeManagementSubscriptionRequestCall")) == 6
        assert list(manager.times_ms)[:6] == [
            "start",
            "tcp",
            "tls",
            "websocket",
            "data",
            "discovery",
        ]

    with_charger(test)


def test_values_are_plain_numbers_and_faulty_ones_are_left_out(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        values = manager.values()
        age_s = values["heartbeat"].pop("age_s")
        assert 0 <= age_s < 5
        assert values == {
            "is_connected": True,
            "device": EVSE,
            "limit": {
                "is_active": False,
                "limit_w": 11000,
                "ends_in_s": None,
                "is_changeable": True,
            },
            "failsafe_w": 4200,
            "failsafe_duration_s": 7200,
            "nominal_max_w": 11000,
            "heartbeat": {"counter": 7, "timeout_s": 60},
            "power_w": 7048,
            "current_a": {"a": 10.2},
            "energy_wh": 123000,
            "evse": {
                "state": "normalOperation",
                "error": None,
                "manufacturer": {"deviceName": "EVSE22", "brandName": "Acme"},
            },
            "vehicle": {"is_connected": False},
        }

    with_charger(test)


def test_usable_means_that_the_charger_has_had_a_heartbeat(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc")
        assert [e.kind for e in manager.history].count("heartbeat_sent") >= 1
        assert lines[0].heartbeats >= 1

    with_charger(test)


def test_heartbeats_follow_period_and_speed_and_can_be_switched_off(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc")
        await manager.wait_event("heartbeat_sent", lambda data: data["counter"] >= 4, timeout_s=5)
        manager.heartbeat(False)
        mark = manager.mark()
        with pytest.raises(TimeoutError):
            await manager.wait_event("heartbeat_sent", after=mark, timeout_s=0.2)

    with_charger(test, heartbeat_s=2, speed=40)


def test_a_charger_without_the_use_case_is_told_apart_from_a_slow_one(with_charger):
    async def test(manager, lines):
        with pytest.raises(NotUsable, match="lpc"):
            await manager.wait_usable("lpc")
        with pytest.raises(NotUsable):
            await manager.set_limit(4200)
        await manager.wait_usable("mpc")

    monitored = USE_CASE % ("MonitoredUnit", "monitoringOfPowerConsumption")
    changes = {"nodeManagementUseCaseData": '[{"useCaseInformation":[%s]}]' % monitored}
    with_charger(test, changes)


def test_a_refused_binding_is_told_as_the_reason(with_charger):
    async def test(manager, lines):
        with pytest.raises(NotUsable, match="error 7"):
            await manager.wait_usable("lpc")
        assert {"what": "bind LoadControl", "reason": "error 7"} in [
            event.data for event in manager.history if event.kind == "problem"
        ]

    with_charger(test, {"call error": 7})


def test_two_descriptions_of_the_limit_make_it_unusable(with_charger):
    both = DATA["loadControlLimitDescriptionListData"]
    entry = both.partition(":[")[2].removesuffix("]}]")
    twice = both.replace(entry, entry + "," + entry.replace('"limitId":1', '"limitId":2'))

    async def test(manager, lines):
        with pytest.raises(NotUsable):
            await manager.wait_usable("lpc")

    with_charger(test, {"loadControlLimitDescriptionListData": twice})


# -- writing ------------------------------------------------------------------------------------


def test_limits_are_written_as_lpc_asks(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc")
        mark = manager.mark()
        result = await manager.set_limit(4200, duration_s=900)
        assert result.ok
        assert result.took_ms > 0
        event = await manager.wait_event("limit", after=mark)
        assert event.data == {
            "via": "notify",
            "is_active": True,
            "limit_w": 4200,
            "ends_in_s": None,
            "is_changeable": True,
        }
        await manager.set_limit(7500.5)
        await manager.release()
        await manager.write_limit(is_active=True)
        await manager.write_limit(duration_s=60)
        return lines[0].writes

    writes = []

    async def keep(manager, lines):
        writes.extend(await test(manager, lines))

    with_charger(keep)
    partial = '{"cmdControl":[{"partial":[]}]}'
    delete = (
        '[{"cmdControl":[{"delete":[]}]},{"loadControlLimitListDataSelectors":[{"limitId":1}]},'
        '{"loadControlLimitDataElements":[{"timePeriod":[]}]}]'
    )

    def write(filters, entry):
        return (
            '[{"function":"loadControlLimitListData"},{"filter":[%s]},'
            '{"loadControlLimitListData":[{"loadControlLimitData":[[%s]]}]}]' % (filters, entry)
        )

    assert writes == [
        write(
            f"[{partial}]",
            '{"limitId":1},{"isLimitActive":true},{"timePeriod":[{"endTime":"PT900S"}]},'
            '{"value":[{"number":4200},{"scale":0}]}',
        ),
        write(
            f"{delete},[{partial}]",
            '{"limitId":1},{"isLimitActive":true},{"value":[{"number":75005},{"scale":-1}]}',
        ),
        write(
            f"{delete},[{partial}]",
            '{"limitId":1},{"isLimitActive":false},{"value":[{"number":4200},{"scale":0}]}',
        ),
        write(f"[{partial}]", '{"limitId":1},{"isLimitActive":true}'),
        write(f"[{partial}]", '{"limitId":1},{"timePeriod":[{"endTime":"PT60S"}]}'),
    ]


def test_failsafe_values_are_written_as_lpc_asks(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        assert (await manager.failsafe(power_w=5000, duration_s=4 * 3600)).ok
        (written,) = lines[0].writes
        assert written == (
            '[{"function":"deviceConfigurationKeyValueListData"},'
            '{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
            '{"deviceConfigurationKeyValueListData":[{"deviceConfigurationKeyValueData":'
            '[[{"keyId":1},{"value":[{"scaledNumber":[{"number":5000},{"scale":0}]}]}],'
            '[{"keyId":2},{"value":[{"duration":"PT4H"}]}]]}]}]'
        )

    with_charger(test)


def test_a_charger_without_partial_writes_gets_the_whole_list(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        await manager.set_limit(4200, duration_s=60)
        await manager.failsafe(duration_s=7200)
        limit, failsafe = lines[0].writes
        assert limit == (
            '[{"loadControlLimitListData":[{"loadControlLimitData":[[{"limitId":1},'
            '{"isLimitChangeable":true},{"isLimitActive":true},{"timePeriod":[{"endTime":"PT60S"}]}'
            ',{"value":[{"number":4200},{"scale":0}]}]]}]}]'
        )
        assert failsafe == (
            '[{"deviceConfigurationKeyValueListData":[{"deviceConfigurationKeyValueData":'
            '[[{"keyId":1},{"value":[{"scaledNumber":[{"number":4200},{"scale":0}]}]},'
            '{"isValueChangeable":true}],[{"keyId":2},{"value":[{"duration":"PT2H"}]},'
            '{"isValueChangeable":true}]]}]}]'
        )

    with_charger(test, {DISCOVERY: structure(WRITE)})


def test_a_refusal_is_a_result_not_an_exception(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc")
        result = await manager.set_limit(-1000)
        assert (result.ok, result.error, result.text) == (False, 7, "no heartbeat within 60 s")

    with_charger(test, refusal="no heartbeat within 60 s")


# -- changes while connected --------------------------------------------------------------------

EV_FEATURES = [
    feature([1, 1], 2, "DeviceDiagnosis", "server", [(STATE, READ)]),
    feature([1, 1], 5, "Measurement", "server", [(MEASUREMENTS, READ)]),
]
ADDED = (
    '[{"function":"nodeManagementDetailedDiscoveryData"},{"filter":[[{"cmdControl":[{"partial":[]}]'
    '}]]},{"nodeManagementDetailedDiscoveryData":[{"entityInformation":[[{"description":['
    '{"entityAddress":[{"entity":[1,1]}]},{"entityType":"EV"},{"lastStateChange":"added"}]}]]},'
    '{"featureInformation":[%s]}]}]' % ",".join(EV_FEATURES)
)
REMOVED = (
    '[{"function":"nodeManagementDetailedDiscoveryData"},{"filter":[[{"cmdControl":[{"partial":[]}]'
    '}]]},{"nodeManagementDetailedDiscoveryData":[{"entityInformation":[[{"description":['
    '{"entityAddress":[{"entity":[1,1]}]},{"lastStateChange":"removed"}]}]]}]}]'
)


def test_a_vehicle_is_followed_from_plug_in_to_unplugging_and_again(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        evse = lines[0]
        for _ in range(2):
            mark = manager.mark()
            await evse.send("notify", [0], 0, [0], 0, ADDED)
            await manager.wait_event("entity_added", lambda data: data["type"] == "EV", mark)
            await manager.wait_usable("vehicle")
            assert manager.values()["vehicle"]["state"] == "normalOperation"
            mark = manager.mark()
            await evse.send("notify", [0], 0, [0], 0, REMOVED)
            event = await manager.wait_event("vehicle", after=mark)
            assert event.data == {"via": "notify", "is_connected": False}
            assert manager.values()["vehicle"] == {"is_connected": False}

    with_charger(test)


def test_partial_measurements_change_only_what_they_state(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        mark = manager.mark()
        text = (
            '[{"function":"measurementListData"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},'
            '{"measurementListData":[{"measurementData":[[{"measurementId":1},'
            '{"value":[{"number":1500},{"scale":0}]}]]}]}]'
        )
        await lines[0].send("notify", [1], 6, [1], 6, text)
        event = await manager.wait_event("measurement", after=mark)
        assert (event.data["power_w"], event.data["energy_wh"]) == (1500, 123000)

    with_charger(test)


def test_any_function_can_be_read_and_nonsense_is_refused(with_charger):
    async def test(manager, lines):
        await manager.wait_ready()
        content = await manager.read(MANUFACTURER, (1,))
        assert content == {"deviceName": "EVSE22", "brandName": "Acme"}
        with pytest.raises(NotUsable):
            await manager.read("fooData", (1,))

    with_charger(test)


def test_a_dropped_connection_can_be_dialled_again(with_charger):
    async def test(manager, lines):
        await manager.wait_usable("lpc")
        manager.drop()
        assert await manager.wait_closed() == "the connection broke"
        assert not manager.is_connected
        with pytest.raises(NotUsable):
            await manager.set_limit(1)
        await manager.connect("127.0.0.1", manager.port, manager.ski)
        await manager.wait_usable("lpc")
        assert (await manager.set_limit(4200)).ok
        assert len(lines) == 2
        assert [e.kind for e in manager.history].count("connected") == 2

    with_charger(test)


def test_events_can_be_iterated(with_charger):
    async def test(manager, lines):
        kinds = []
        async for event in manager.events():
            kinds.append(event.kind)
            if event.kind == "ready":
                break
        assert "limit" in kinds
        assert "heartbeat_sent" in kinds

    with_charger(test)


# -- command line -------------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path, capsys):
    """Return `run(*arguments) -> (exit code, output)`; a charger serves at `run.port`."""
    certificate, ski = make_certificate(tmp_path)
    state = tmp_path / "manager"
    identity = Identity.load(state)
    loop = asyncio.new_event_loop()
    settings = {"refusal": ""}
    started = threading.Event()

    async def script(line):
        with contextlib.suppress(ConnectionClosed):
            await Evse(line, dict(DATA), settings["refusal"]).serve()

    async def serve_until_stopped():
        settings["stop"] = asyncio.Event()
        async with charger(script, certificate, identity) as server:
            settings["port"] = port_of(server)
            started.set()
            await settings["stop"].wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve_until_stopped(),))
    thread.start()
    started.wait(5)

    def run(*arguments):
        code = cli.main([*arguments, "--state", str(state)])
        return code, capsys.readouterr().out

    run.port, run.ski, run.settings = str(settings["port"]), ski, settings
    yield run
    loop.call_soon_threadsafe(settings["stop"].set)
    thread.join(5)
    loop.close()


def test_pairing_then_limiting_by_the_command_line(command):
    code, text = command("pair", f"127.0.0.1:{command.port}", "--yes")
    assert code == 0
    assert "On the charger's console: trust " in text
    assert "Paired with i:1_u:EVSE" in text
    code, text = command("limit", "4.2kW", "--for", "15m")  # the one paired charger is meant
    assert code == 0
    assert "accepted after" in text
    assert "notified: limited to 4200 W" in text
    code, text = command("failsafe")
    assert (code, text) == (0, "failsafe 4200 W for at least 2 h\n")
    code, text = command("read", STATE, "--entity", "1")
    assert (code, json.loads(text)) == (0, {"operatingState": "normalOperation"})


def test_every_line_of_json_output_is_an_object(command):
    here = ("--host", "127.0.0.1", "--port", command.port, "--ski", command.ski, "--json")
    code, text = command("limit", "--release", *here)
    assert code == 0
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["event"], first["error"]) == ("result", 0)
    assert (second["event"], second["limit_w"]) == ("limit", 4200)
    code, text = command("watch", "--for", "0.3s", *here)
    events = [json.loads(line)["event"] for line in text.splitlines()]
    assert code == 0
    assert {"connected", "ready", "limit", "measurement", "state", "closed"} <= set(events)


def test_a_refused_limit_is_exit_code_1(command):
    command.settings["refusal"] = "no heartbeat"
    here = ("--host", "127.0.0.1", "--port", command.port, "--ski", command.ski)
    code, text = command("limit", "4200", *here)
    assert (code, text) == (1, "refused: error 7 no heartbeat\n")


def test_another_ski_than_the_stated_one_is_exit_code_1(command):
    here = ("--host", "127.0.0.1", "--port", command.port, "--ski", "ab" * 20)
    assert command("failsafe", *here)[0] == 1


def test_nobody_there_is_exit_code_3_and_nobody_meant_is_2(command):
    assert command("failsafe", "--host", "127.0.0.1", "--port", "1", "--ski", command.ski)[0] == 3
    assert command("failsafe")[0] == 2
    assert command("failsafe", "--host", "127.0.0.1", "--port", command.port)[0] == 2
    with pytest.raises(SystemExit) as usage:
        command("limit")
    assert usage.value.code == 2
    with pytest.raises(SystemExit) as usage:
        command("limit", "--release", "--for", "5m")
    assert usage.value.code == 2


def test_a_trace_holds_every_message_with_its_time(command, tmp_path):
    path = tmp_path / "trace.txt"
    here = ("--host", "127.0.0.1", "--port", command.port, "--ski", command.ski)
    command("failsafe", *here, "--trace", str(path))
    lines = [line.split(" ", 4) for line in path.read_text().splitlines()]
    assert [line[2:] for line in lines[:3]] == [
        [">", "00", "00"],
        ["<", "00", "00"],
        [">", "01", '{"connectionHello":[{"phase":"ready"},{"waiting":120000}]}'],
    ]
    assert lines[0][0].endswith("Z")
    assert float(lines[-1][1]) > 0


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("15m", 900), ("1h30m", 5400), ("PT2H", 7200)]
)
def test_durations_of_the_command_line(text, seconds):
    assert cli._seconds(text) == seconds


@pytest.mark.parametrize(("text", "watts"), [("4200", 4200), ("4.2kW", 4200), ("-1000W", -1000)])
def test_powers_of_the_command_line(text, watts):
    assert cli._watts(text) == watts
