"""Recorded sessions of energy managers (host_tests/vectors), replayed to our node.

`Replay` asserts after each message that the node answers as its discovery promises: a reply with
data that has no unknown element, result 0, or error 4 or 6 for what it has not; nothing to
replies, notifies and results. Here stands what a session must have led to, and that it makes no
difference in which pieces the octets arrive.
"""

from recordings import SESSIONS, payloads
from replay import Replay, assert_known
from replay_websocket import Cut, RandomCut, assert_same_over_websocket

from ship.states import COMPLETE
from usecases.power_limit import INIT, LIMITED, UNLIMITED_CONTROLLED

READ = "read"
CALL = "call"
DISCOVERY = "nodeManagementDetailedDiscoveryData"
SUBSCRIPTION = "nodeManagementSubscriptionRequestCall"
USE_CASES = "nodeManagementUseCaseData"
HEARTBEAT = "deviceDiagnosisHeartbeatData"
STATE = "deviceDiagnosisStateData"
LIMITS = "loadControlLimitListData"
LPC = "limitationOfPowerConsumption"

CMI = b"\x00\x00"
HELLO = b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":120000}]}'
ANNOUNCE_MAX = (
    b'\x01{"messageProtocolHandshake":[{"handshakeType":"announceMax"},'
    b'{"version":[{"major":1},{"minor":0}]},{"formats":[{"format":["JSON-UTF8"]}]}]}'
)
SELECT = ANNOUNCE_MAX.replace(b"announceMax", b"select")
PIN = b'\x01{"connectionPinState":[{"pinState":"none"}]}'
ACCESS_METHODS_REQUEST = b'\x01{"accessMethodsRequest":[]}'
ACCESS_METHODS = b'\x01{"accessMethods":[{"id":"ACME-EVSE-42"},{"dnsSd_mDns":[]}]}'
AS_SERVER = [CMI, HELLO, SELECT, PIN, ACCESS_METHODS_REQUEST, ACCESS_METHODS]
AS_CLIENT = [CMI, HELLO, ANNOUNCE_MAX] + AS_SERVER[2:]


# What our EV entity asks an energy manager (OPEV scenarios 2 and 3, test_usecases_opev). The
# station of this recording did not ask, so its manager has no answers to them.
EV_QUESTIONS = [
    (CALL, SUBSCRIPTION, ((0,), 0)),
    (READ, HEARTBEAT, ((1,), 5)),
    (READ, STATE, ((1,), 5)),
]


def replayed(name, control, ship_id, heartbeat_feature, ev_asks=()):
    """A replayed session, with the judgement that is the same for all.

    `ev_asks` are questions, after those of every station, that the recording leaves open.
    """
    replay = Replay(name).run()
    node = replay.node
    assert replay.control == control
    assert node.connection.state == COMPLETE and node.connection.closed is None
    assert node.peer_ship_id == ship_id
    # The only lines in the log are the refusals.
    assert all(" refused: " in line for line in node.log), node.log
    # The manager was understood: its tree, its use cases, and where its heartbeat comes from.
    peer = node.peer
    assert peer.address == replay.manager
    assert (peer.decoder.unknown, peer.decoder.unusable) == (0, 0)
    assert peer.remote.servers("DeviceDiagnosis") == [((1,), heartbeat_feature)]
    assert ((1,), "EnergyGuard") in peer.remote.actors_of(LPC)
    asked = [(a.classifier, a.function, a.destination) for a in replay.requests]
    assert asked == [
        (READ, DISCOVERY, ((0,), 0)),
        (CALL, SUBSCRIPTION, ((0,), 0)),
        (READ, USE_CASES, ((0,), 0)),
        (CALL, SUBSCRIPTION, ((0,), 0)),
        (READ, HEARTBEAT, ((1,), heartbeat_feature)),
    ] + list(ev_asks)
    server = '{"entity":[1]},{"feature":%d}]},{"serverFeatureType":"DeviceDiagnosis"}'
    assert server % heartbeat_feature in replay.requests[3].text
    # All others were answered; a notified heartbeat is as good as the one that was read.
    open_ones = [peer._pending[counter][3] for counter in sorted(peer._pending)]
    expected = [question for question in ev_asks if question[1] != HEARTBEAT]
    assert [(asked[0], asked[3], asked[2]) for asked in open_ones] == expected
    return replay


def notifies(replay, function):
    return [a for a in replay.notified if a.function == function]


def test_a_control_box_limits_the_station():
    replay = replayed("grid_box", AS_CLIENT, "12345-GRIDBOX-1", 5)
    node = replay.node
    assert node.peer.remote.entities == {(0,): "DeviceInformation", (1,): "GridGuard"}
    assert replay.accepted == {"read": 8, "call": 6, "write": 1}
    assert replay.refused == set()
    limit = node.world.lpc.limit
    assert (limit.state, limit.limit_w) == (LIMITED, 100)
    assert limit.remaining_s(node.world.now) == 3723  # PT1H2M3S, written by the last message
    # The first notify tells of the binding: LPC is on, in init. The other one is the limit.
    first, second = notifies(replay, LIMITS)
    assert '{"isLimitActive":false}' in first.text
    assert '{"isLimitActive":true},{"timePeriod":[{"endTime":"PT3723S"}]}' in second.text
    assert '{"value":[{"number":100},{"scale":0}]}' in second.text


def test_an_energy_guard_with_all_use_cases_and_a_car_that_comes_and_goes():
    replay = replayed("guard", AS_SERVER, "12345-GUARD-1", 5, EV_QUESTIONS)
    node = replay.node
    assert node.peer.remote.entities == {(0,): "DeviceInformation", (1,): "CEM"}
    assert node.peer.remote.actors_of("overloadProtectionByEvChargingCurrentCurtailment")
    # What we have not belongs to an ISO 15118 car, or is optional in monitoring.
    assert replay.refused == {
        ("EV", "DeviceClassification", "subscription"),
        ("EV", "DeviceClassification", "deviceClassificationManufacturerData"),
        ("EV", "Identification", "subscription"),
        ("EV", "Identification", "identificationListData"),
        ("EV", "Measurement", "measurementConstraintsListData"),
        ("EVSE", "Measurement", "measurementConstraintsListData"),
    }
    assert replay.accepted == {"read": 24, "call": 15, "write": 6}
    limit = node.world.lpc.limit
    assert (limit.state, limit.limit_w) == (UNLIMITED_CONTROLLED, 11_000)
    told = notifies(replay, LIMITS)
    values = [a.entries("loadControlLimitData")[0] for a in told if a.source[0] == (1,)]
    assert [(v["isLimitActive"], v["value"][0]["number"]) for v in values] == [
        (False, 11_000),  # bound: in init, the nominal power stands for a limit
        (True, 4_242),
        (True, 4_200),
        (True, 4_210),
        (False, 11_000),
    ]
    values = [a.entries("loadControlLimitData")[2] for a in told if a.source[0] == (1, 1)]
    assert [(v["isLimitActive"], v["value"][0]["number"]) for v in values] == [
        (True, 6),
        (True, 7),
    ]
    added, removed = notifies(replay, DISCOVERY)
    assert '{"entityType":"EV"},{"lastStateChange":"added"}' in added.text
    assert '[{"entity":[1,1]}]},{"lastStateChange":"removed"}' in removed.text
    # The relations to the car went with it.
    for entry in node.world.device.subscriptions:
        assert entry.feature.entity.address != (1, 1)


def test_a_home_energy_manager_sends_heartbeats_and_no_limit():
    replay = replayed("hems", AS_SERVER, "12345-HEMS-1", 4)
    node = replay.node
    assert node.peer.remote.entities == {(0,): "DeviceInformation", (1,): "CEM"}
    assert replay.accepted == {"read": 8, "call": 7}
    assert replay.refused == set()
    assert node.world.lpc.limit.state == INIT
    assert node.world.lpc.cap_w() == 4_200
    assert node.world.lpc.limit._heartbeat == node.world.now  # the last message
    bindings = [entry.feature.feature_type for entry in node.world.device.bindings]
    assert bindings == ["LoadControl", "DeviceConfiguration"]


def same_in_pieces(name, *cuts):
    """The node says the same, octet by octet, however the manager's octets are cut."""
    replay = Replay(name).run()
    for cut in cuts:
        assert_same_over_websocket(replay, cut)


def test_every_session_is_the_same_in_small_frames_and_octet_by_octet():
    for name in SESSIONS:
        same_in_pieces(name, Cut(100, 1))


def test_every_session_is_the_same_in_frames_and_reads_of_random_size():
    for name in SESSIONS:
        same_in_pieces(
            name,
            RandomCut(1, 700, 60),
            RandomCut(2, 40, 900),
            RandomCut(3, 3000, 3000),
        )


def test_every_recorded_payload_decodes_completely_and_encodes_to_the_same():
    functions = set()
    count = 0
    for function, tree in payloads():
        assert_known(function, tree)
        functions.add(function)
        count += 1
    assert count == 19 + 58 + 26 + 29 + 16
    assert len(functions) == 30
