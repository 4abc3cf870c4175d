"""PIN verification, both halves: required, optional, ok, none; input, error, delays that stay."""

from test_ship_connection import (
    ACCESS_METHODS_REQUEST,
    DATA,
    DATAGRAM,
    OUR_READY,
    PIN_NONE,
    READY,
    SELECT,
    Owner,
    Peer,
    exchange,
    in_pin,
)

from ship.base import CLIENT, SERVER
from ship.pin_check import PinCheck, PinLock, make_pin

OUR_PIN = "5555aaaaff"
PIN_OK = b'\x01{"connectionPinState":[{"pinState":"pinOk"}]}'
REQUIRED = b'\x01{"connectionPinState":[{"pinState":"required"},{"inputPermission":"ok"}]}'
REQUIRED_BUSY = b'\x01{"connectionPinState":[{"pinState":"required"},{"inputPermission":"busy"}]}'
OPTIONAL = b'\x01{"connectionPinState":[{"pinState":"optional"},{"inputPermission":"ok"}]}'
OPTIONAL_BUSY = b'\x01{"connectionPinState":[{"pinState":"optional"},{"inputPermission":"busy"}]}'
RIGHT = b'\x01{"connectionPinInput":[{"pin":"5555AAAAFF"}]}'
WRONG = b'\x01{"connectionPinInput":[{"pin":"5555AAAAFE"}]}'
PIN_ERROR = b'\x01{"connectionPinError":[{"error":1}]}'


class Device:
    """What a device keeps of its PIN: the lock, the stored count, who has given it."""

    def __init__(self, pin_state="required", wrong=0, now=0):
        self.stored = [wrong]
        self.accepted = 0
        self.lock = PinLock(OUR_PIN, pin_state, wrong, self.stored.append, now)

    def peer(self, role=SERVER, is_ok=False, now=0):
        """A connection in the PIN phase, with what it has said about our PIN."""
        owner = Owner()
        owner.check = PinCheck(self.lock, is_ok, self._accept)
        peer = Peer(role, owner=owner)
        peer.now = now
        peer.say(b"\x00\x00", READY)
        if role == SERVER:
            peer.say(SELECT.replace(b"select", b"announceMax"))
        return peer, peer.say(SELECT)

    def _accept(self):
        self.accepted += 1


# our PIN


def test_required_and_the_right_pin_at_once():
    for role, sent in ((SERVER, [REQUIRED]), (CLIENT, [SELECT, REQUIRED])):
        device = Device()
        peer, said = device.peer(role)
        assert said == sent
        assert peer.say(PIN_NONE) == [] and peer.state == 27
        assert peer.owner.take() == []
        assert peer.say(RIGHT) == [PIN_OK, ACCESS_METHODS_REQUEST]
        assert peer.state == 38 and device.accepted == 1
        assert peer.owner.take() == ["open"]


def test_nothing_is_exchanged_before_a_required_pin():
    peer, _ = Device().peer()
    assert peer.say(PIN_NONE, DATA, ACCESS_METHODS_REQUEST) == []
    assert peer.owner.take() == []
    sent = peer.say(RIGHT)
    assert sent[:2] == [PIN_OK, ACCESS_METHODS_REQUEST] and len(sent) == 3
    assert peer.owner.take() == ["open", DATAGRAM]


def test_the_peer_may_give_the_pin_before_its_own_state():
    peer, _ = Device().peer()
    assert peer.say(RIGHT) == [PIN_OK]
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST]


def test_digits_count_and_not_their_case_or_more():
    for pin, is_right in (
        (b"5555aaaaff", True),
        (b"5555AaAaFf", True),
        (b"5555 aaaa ff", False),
        (b"05555aaaaff", False),
        (b"5555aaaaf", False),
        (b"", False),
    ):
        peer, _ = Device().peer()
        (answer,) = peer.say(b'\x01{"connectionPinInput":[{"pin":"' + pin + b'"}]}')
        assert answer == (PIN_OK if is_right else PIN_ERROR), pin


def test_malformed_input_is_a_wrong_pin():
    for body in (b"[]", b'[{"pin":5555}]', b'[{"pin":null}]', b'[{"pin":[]}]', b"7"):
        device = Device()
        peer, _ = device.peer()
        assert peer.say(b'\x01{"connectionPinInput":' + body + b"}") == [PIN_ERROR]
        assert device.stored[-1] == 1


def test_the_third_wrong_pin_costs_12_seconds():
    device = Device()
    peer, _ = device.peer()
    assert peer.say(PIN_NONE, WRONG, WRONG) == [PIN_ERROR, PIN_ERROR]
    assert peer.say(WRONG) == [PIN_ERROR, REQUIRED_BUSY] and peer.state == 30
    assert device.stored == [0, 1, 2, 3]
    # not even the right one is looked at meanwhile
    assert peer.say(RIGHT) == [] and peer.wait_until(11_999) == []
    assert peer.wait_until(12_000) == [REQUIRED] and peer.state == 27
    assert peer.say(RIGHT) == [PIN_OK, ACCESS_METHODS_REQUEST]
    assert device.stored == [0, 1, 2, 3, 0]


def test_each_further_wrong_pin_costs_12_and_from_the_sixth_on_75_seconds():
    device = Device()
    peer, _ = device.peer()
    peer.say(PIN_NONE, WRONG, WRONG, WRONG)
    now = 12_000
    for delay_ms in (12_000, 12_000, 75_000, 75_000):
        assert peer.wait_until(now - 1) == []
        assert peer.wait_until(now) == [REQUIRED]
        assert peer.say(WRONG) == [PIN_ERROR, REQUIRED_BUSY]
        now += delay_ms
    assert peer.wait_until(now) == [REQUIRED]
    assert peer.say(RIGHT) == [PIN_OK, ACCESS_METHODS_REQUEST]


def test_the_delay_survives_a_reconnect():
    device = Device()
    peer, _ = device.peer()
    peer.say(WRONG, WRONG, WRONG)
    peer, said = device.peer(now=1_000)
    assert said == [REQUIRED_BUSY] and peer.say(PIN_NONE, RIGHT) == []
    assert peer.wait_until(11_999) == [] and peer.wait_until(12_000) == [REQUIRED]


def test_the_delay_survives_a_restart_in_full():
    for wrong, delay_ms in ((3, 12_000), (5, 12_000), (6, 75_000), (100, 75_000)):
        peer, said = Device(wrong=wrong).peer()
        assert said == [REQUIRED_BUSY]
        peer.say(PIN_NONE)
        assert peer.wait_until(delay_ms - 1) == [] and peer.wait_until(delay_ms) == [REQUIRED]
    assert Device(wrong=2).peer()[1] == [REQUIRED]


def test_wrong_pins_count_for_the_device_and_not_for_a_connection():
    device = Device()
    one, _ = device.peer()
    two, _ = device.peer()
    assert one.say(PIN_NONE, WRONG, WRONG) == [PIN_ERROR] * 2
    assert two.say(WRONG) == [PIN_ERROR, REQUIRED_BUSY]
    assert one.say(RIGHT) == [REQUIRED_BUSY] and one.state == 30
    assert one.wait_until(12_000) == [REQUIRED]
    assert one.say(RIGHT) == [PIN_OK, ACCESS_METHODS_REQUEST]


def test_a_peer_that_has_given_the_pin_before_owes_nothing():
    device = Device()
    peer, said = device.peer(is_ok=True)
    assert said == [PIN_OK]
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST]
    assert peer.say(WRONG) == [] and device.stored == [0]


def test_optional_lets_data_flow_and_takes_the_pin_then():
    device = Device("optional")
    peer, said = device.peer()
    assert said == [OPTIONAL]
    assert peer.say(PIN_NONE) == [ACCESS_METHODS_REQUEST] and peer.state == 38
    assert not peer.owner.check.is_ok
    assert peer.say(WRONG, WRONG, WRONG) == [PIN_ERROR, PIN_ERROR, PIN_ERROR, OPTIONAL_BUSY]
    assert peer.say(DATA) == [] and peer.owner.take() == ["open", DATAGRAM]
    assert peer.wait_until(12_000) == [OPTIONAL]
    assert peer.say(RIGHT) == [PIN_OK] and peer.owner.check.is_ok and device.accepted == 1


def test_who_does_not_give_our_pin_is_left_after_five_minutes():
    peer, _ = Device().peer()
    peer.say(PIN_NONE)
    assert peer.wait_until(299_999) == [] and peer.closed is None
    peer.wait_until(300_000)
    assert peer.closed == (4001, "our PIN was not given")


# the peer's PIN


def asked(state=REQUIRED, pin=None, role=SERVER):
    """A connection whose peer has just said that it wants a PIN; and our answer."""
    peer = in_pin(role)
    peer.owner.peer_pin = pin
    return peer, peer.say(state)


def test_a_known_pin_is_sent_at_once():
    for role in (SERVER, CLIENT):
        peer, said = asked(pin="1234abcd", role=role)
        assert said == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}'] and peer.state == 33
        assert peer.say(PIN_OK) == [ACCESS_METHODS_REQUEST] and peer.state == 38


def test_a_user_is_asked_for_the_pin():
    peer, said = asked()
    assert said == [] and peer.state == 32
    assert peer.owner.take() == ["PIN wanted"]
    assert peer.connection.enter_pin("1234abcd")
    assert peer.take() == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}']
    assert peer.say(PIN_OK) == [ACCESS_METHODS_REQUEST]
    assert not peer.connection.enter_pin("1234abcd") and peer.take() == []


def test_a_wrong_pin_is_not_sent_again():
    peer, _ = asked(pin="1234abcd")
    assert peer.say(PIN_ERROR) == []
    assert peer.owner.take() == ["PIN wanted", "wrong PIN"] and peer.state == 32
    assert peer.say(REQUIRED_BUSY, REQUIRED) == []
    assert peer.owner.take() == ["PIN wanted"]
    peer.connection.enter_pin("8888")
    assert peer.take() == [b'\x01{"connectionPinInput":[{"pin":"8888"}]}']
    assert peer.say(PIN_OK) == [ACCESS_METHODS_REQUEST]


def test_an_error_without_a_pin_sent_means_nothing():
    peer, _ = asked()
    assert peer.say(PIN_ERROR) == [] and peer.owner.take() == ["PIN wanted"]


def test_a_busy_peer_gets_the_pin_when_it_is_ready():
    peer, said = asked(REQUIRED_BUSY, pin="1234abcd")
    assert said == [] and peer.owner.take() == []
    assert peer.say(REQUIRED) == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}']
    peer, _ = asked(REQUIRED_BUSY)
    assert peer.connection.enter_pin("77777777") and peer.take() == []
    assert peer.say(REQUIRED) == [b'\x01{"connectionPinInput":[{"pin":"77777777"}]}']


def test_a_missing_permission_is_permission():
    _, said = asked(b'\x01{"connectionPinState":[{"pinState":"required"}]}', "1234abcd")
    assert said == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}']


def test_an_optional_pin_is_given_if_it_is_known_and_holds_nothing_up():
    peer, said = asked(OPTIONAL, "1234abcd")
    assert said == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}', ACCESS_METHODS_REQUEST]
    peer, said = asked(OPTIONAL)
    assert said == [ACCESS_METHODS_REQUEST] and peer.state == 38
    assert peer.connection.enter_pin("1234abcd")
    assert peer.take() == [b'\x01{"connectionPinInput":[{"pin":"1234abcd"}]}']
    assert peer.say(PIN_ERROR, OPTIONAL_BUSY, OPTIONAL) == []
    assert peer.connection.enter_pin("abcd1234")
    assert len(peer.take()) == 1
    assert peer.say(PIN_OK) == [] and not peer.connection.enter_pin("1")


def test_a_peer_may_change_its_mind_in_data_exchange():
    peer = in_pin()
    peer.say(PIN_NONE)
    assert peer.say(REQUIRED) == [] and peer.owner.take() == ["open", "PIN wanted"]
    assert peer.connection.enter_pin("1234abcd") and len(peer.take()) == 1
    assert peer.say(PIN_OK, DATA) == [] and peer.owner.take() == [DATAGRAM]
    assert peer.say(b'\x01{"connectionPinState":[{"pinState":"maybe"}]}') == []
    assert peer.closed is None


def test_a_pin_that_nobody_knows_ends_after_five_minutes():
    peer, _ = asked()
    assert peer.connection.deadline() == 300_000
    peer.wait_until(299_999)
    assert peer.closed is None
    peer.wait_until(300_000)
    assert peer.closed == (4001, "the peer requires a PIN")


def test_no_pin_state_within_10_seconds_ends():
    peer, _ = Device().peer()
    peer.say(RIGHT)
    peer.wait_until(10_000)
    assert peer.closed == (4001, "no PIN state in time")


def test_an_unknown_pin_state_is_left():
    for body in (b"[]", b'[{"pinState":"maybe"}]', b'[{"inputPermission":"ok"}]'):
        peer = in_pin()
        assert peer.say(b'\x01{"connectionPinState":' + body + b"}") == []
        assert peer.closed == (4001, "unknown PIN state")


def test_superfluous_permission_and_pin_ok_are_taken_as_none():
    for octets in (
        PIN_OK,
        b'\x01{"connectionPinState":[{"pinState":"none"},{"inputPermission":"ok"}]}',
        b'\x01{"connectionPinState":[{"pinState":"pinOk"},{"inputPermission":"busy"}]}',
    ):
        assert in_pin().say(octets) == [ACCESS_METHODS_REQUEST]


def test_without_a_pin_input_and_error_mean_nothing():
    peer = in_pin()
    assert peer.say(RIGHT, PIN_ERROR) == [] and peer.state == 32
    assert not peer.connection.enter_pin("1234abcd")


def test_a_pin_is_entered_in_its_phases_only():
    for peer in (Peer(SERVER), Peer(CLIENT)):
        assert not peer.connection.enter_pin("1234abcd")


# both


def test_two_nodes_that_want_a_pin_of_each_other():
    one, two = Device(), Device()
    ends = []
    for role, device in ((CLIENT, one), (SERVER, two)):
        owner = Owner()
        owner.check = PinCheck(device.lock, False, device._accept)
        owner.peer_pin = OUR_PIN if role == CLIENT else None
        ends.append(Peer(role, owner=owner))
    exchange(*ends)
    assert (two.accepted, one.accepted) == (1, 0)
    assert ends[0].state == 27 and ends[1].state == 32
    assert ends[1].connection.enter_pin("00000000")
    exchange(*ends)
    assert ends[1].owner.take() == ["PIN wanted", "wrong PIN"]
    assert ends[1].connection.enter_pin(OUR_PIN)
    exchange(*ends)
    assert one.accepted == 1 and ends[0].state == ends[1].state == 38


def test_a_new_pin_has_8_digits_and_does_not_begin_with_0():
    for octets in (bytes(5), b"\xff" * 5, bytes(range(5)), b"\x0f\x01\x02\x03\x04"):
        pin = make_pin(lambda count, octets=octets: octets[:count])
        assert len(pin) == 8 and pin[0] in "123456789abcdef", pin
    assert make_pin(lambda count: b"\x0e\x01\x02\x03\x04") == "f1020304"


def test_what_we_say_about_the_hello_is_unchanged_by_a_pin():
    owner = Owner()
    owner.check = PinCheck(Device().lock, False, None)
    assert Peer(SERVER, owner=owner).say(b"\x00\x00") == [b"\x00\x00", OUR_READY]
