"""Enhanced communication mode: an energy guard behind a gateway (IEC 63380-3 5.4.3, 5.5.3)."""

from spine_world import (
    CLIENT,
    DISCOVERY,
    EVSE,
    HEMS,
    LOAD_CONTROL,
    NODE_MANAGEMENT,
    USE_CASES,
    Manager,
    World,
)

from spine.enhanced import MAX_DEVICES

GATEWAY = "d:_i:777_GATE-1"
GATEWAY_DISCOVERY = (
    '{"nodeManagementDetailedDiscoveryData":[{"deviceInformation":[{"description":'
    '[{"deviceAddress":[{"device":"%s"}]},{"networkFeatureSet":"%s"}]}]},{"entityInformation":'
    '[[{"description":[{"entityAddress":[{"entity":[0]}]},{"entityType":"DeviceInformation"}]}]]},'
    '{"featureInformation":[[{"description":[{"featureAddress":[{"entity":[0]},{"feature":0}]},'
    '{"featureType":"NodeManagement"},{"role":"special"}]}]]}]}'
)
NO_USE_CASES = '{"nodeManagementUseCaseData":[]}'
LIST = "nodeManagementDestinationListData"


def destinations(*addresses, change=""):
    entry = '[{"deviceDescription":[{"deviceAddress":[{"device":"%s"}]}%s]}]'
    rows = ",".join([entry % (address, change) for address in addresses])
    return '{"%s":[{"nodeManagementDestinationData":[%s]}]}' % (LIST, rows)


class Gateway(Manager):
    """The far end of the connection; `through` speaks for a device behind it."""

    def __init__(self, world, feature_set="gateway"):
        super().__init__(world, GATEWAY)
        self.introduce(GATEWAY_DISCOVERY % (GATEWAY, feature_set), NO_USE_CASES)
        self.questions = [a for a in self.asked if a.function == LIST]

    def list(self, *addresses):
        """Answer the question for the destination list; returns what the station sends then."""
        asked = self.questions.pop()
        text = destinations(GATEWAY, *addresses)
        return self.send("reply", NODE_MANAGEMENT, NODE_MANAGEMENT, text, False, asked.counter)

    def tell(self, text, partial):
        if partial:
            text = (
                '{"function":"%s"},{"filter":[[{"cmdControl":[{"partial":[]}]}]]},' % LIST + text
            )
        return self.send("notify", NODE_MANAGEMENT, NODE_MANAGEMENT, text, False)

    def introduce_guard(self, asked):
        """The guard answers its own discovery read, then the use case read."""
        self.address = HEMS
        for text in (DISCOVERY, USE_CASES):
            read = next(a for a in asked if a.classifier == "read")
            asked = self.send("reply", NODE_MANAGEMENT, NODE_MANAGEMENT, text, False, read.counter)


def guarded():
    """A station whose energy guard is behind a gateway and has bound and subscribed."""
    world = World(connect=False)
    gateway = world.manager = Gateway(world)
    gateway.introduce_guard(gateway.list(HEMS))
    for kind in ("Subscription", "Binding"):
        assert gateway.relate(kind, LOAD_CONTROL, "LoadControl") == 0
    gateway.take()
    return world, gateway


def device_of(answer):
    """The device an answer is for."""
    start = answer.text.index('"addressDestination":[{"device":"') + 33
    return answer.text[start : answer.text.index('"', start)]


def test_a_partner_that_is_no_gateway_is_not_asked_for_destinations():
    assert Gateway(World(connect=False), "smart").questions == []
    assert len(Gateway(World(connect=False), "router").questions) == 1


def test_every_device_on_the_list_is_discovered_at_its_own_address():
    gateway = Gateway(World(connect=False))
    asked = gateway.list(HEMS, "d:_i:777_OTHER", EVSE)
    assert [(a.classifier, a.function, device_of(a)) for a in asked] == [
        ("read", "nodeManagementDetailedDiscoveryData", HEMS),
        ("read", "nodeManagementDetailedDiscoveryData", "d:_i:777_OTHER"),
    ]


def test_a_guard_behind_a_gateway_sets_a_limit_and_hears_of_it():
    world, gateway = guarded()
    gateway.heartbeat()
    limit = ',{"isLimitActive":true},{"value":[{"number":4200},{"scale":0}]}'
    assert gateway.write_limit(limit) == 0
    assert world.lpc.cap_w() == 4200
    assert [(device_of(n), n.destination) for n in gateway.notifies] == [(HEMS, CLIENT)]


def test_the_gateway_itself_has_no_right_to_write():
    _, gateway = guarded()
    gateway.address = GATEWAY
    assert gateway.write_limit(',{"isLimitActive":true}') == 9  # binding required


def test_a_device_that_leaves_the_list_takes_its_bindings_along():
    for text, partial in (
        (destinations(HEMS, change=',{"lastStateChange":"removed"}'), True),
        (destinations(GATEWAY), False),
    ):
        world, gateway = guarded()
        assert len(list(world.device.bindings)) == 1
        gateway.address = GATEWAY
        gateway.tell(text, partial)
        assert list(world.device.bindings) == list(world.device.subscriptions)[1:] == []
        assert [peer.address for peer in world.device.peers] == [GATEWAY]


def test_a_partial_notify_adds_a_device_and_keeps_the_others():
    world, gateway = guarded()
    gateway.address = GATEWAY
    new = destinations("d:_i:777_NEW", change=',{"lastStateChange":"added"}')
    asked = gateway.tell(new, True)
    assert [device_of(a) for a in asked] == ["d:_i:777_NEW"]
    assert len(list(world.device.bindings)) == 1


def test_all_devices_end_with_the_connection():
    world, gateway = guarded()
    gateway.close()
    assert world.device.peers == []
    assert list(world.device.bindings) == list(world.device.subscriptions) == []


def test_the_number_of_devices_is_bounded_and_a_list_without_addresses_adds_none():
    world = World(connect=False)
    gateway = Gateway(world)
    asked = gateway.list(*["d:_i:777_N%d" % number for number in range(MAX_DEVICES + 3)])
    assert len(asked) == MAX_DEVICES == len(world.device.peers) - 1
    assert "too many devices behind " + GATEWAY in world.logged
    gateway.tell(
        '{"%s":[{"nodeManagementDestinationData":[[],[{"deviceDescription":[]}]]}]}' % LIST, 0
    )
    assert len(world.device.peers) == 1


def test_a_device_that_is_connected_itself_is_not_taken_a_second_time():
    world = World()
    world.manager.commission()
    gateway = Gateway(world)
    assert gateway.list(HEMS) == []
    assert len(world.device.peers) == 2


def test_a_destination_that_is_not_ours_is_unreachable():
    _, gateway = guarded()
    read = '{"deviceDiagnosisStateData":[]}'
    other = '{"device":"d:_i:777_OTHER"},'
    answer = gateway.send("read", CLIENT, LOAD_CONTROL, read, to=other)[0]
    assert answer.error == 5
