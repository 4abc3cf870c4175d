"""Every timer of a connection: 1 ms before its limit nothing happens, at the limit it does."""

from test_ship_connection import (
    ABORTED,
    ACCESS_METHODS,
    ANNOUNCE_CLOSE,
    CONFIRM_CLOSE,
    READY,
    REQUEST,
    Peer,
    in_data_exchange,
    in_hello,
    in_pin,
    in_protocol_handshake,
)

from ship.base import CLIENT, SERVER

ERROR_1 = b'\x01{"messageProtocolHandshakeError":[{"error":1}]}'


def expires(peer, now, sent, closed):
    """Check that a connection ends at `now`, with these messages, and not before."""
    assert peer.connection.deadline() == now
    peer.connection.tick(now - 1)
    assert peer.take() == [] and peer.closed is None
    peer.connection.tick(now)
    assert peer.take() == sent
    assert peer.closed == closed
    assert peer.connection.deadline() is None


def test_no_cmi_ends_after_30_seconds():
    for role in (SERVER, CLIENT):
        peer = Peer(role)
        peer.take()
        expires(peer, 30_000, [], (4001, "no CMI in time"))


def test_wait_for_ready_ends_after_120_seconds():
    for role in (SERVER, CLIENT):
        for is_trusted in (True, False):
            peer = in_hello(role, is_trusted)
            expires(peer, 120_000, [ABORTED], (4001, "hello timeout"))


def test_a_prolongation_moves_wait_for_ready():
    peer = in_hello()
    peer.say(REQUEST)
    expires(peer, 240_000, [ABORTED], (4001, "hello timeout"))


def test_an_unanswered_prolongation_request_ends():
    peer = in_hello(is_trusted=False)
    peer.say(READY)
    assert peer.connection.deadline() == 45_000
    assert peer.wait_until(45_000) == [REQUEST]
    expires(peer, 105_000, [ABORTED], (4001, "hello timeout"))


def test_the_protocol_handshake_ends_after_10_seconds():
    for role in (SERVER, CLIENT):
        peer = in_protocol_handshake(role)
        expires(peer, 10_000, [ERROR_1], (4001, "protocol handshake error 1"))


def test_a_missing_pin_state_ends_after_10_seconds():
    for role in (SERVER, CLIENT):
        expires(in_pin(role), 10_000, [], (4001, "no PIN state in time"))


def test_missing_access_methods_are_logged_after_60_seconds_and_nothing_else():
    peer = in_data_exchange()
    assert peer.connection.deadline() == 60_000
    peer.connection.tick(59_999)
    assert peer.owner.log == []
    peer.connection.tick(60_000)
    assert peer.owner.log == ["accessMethodsRequest is not answered"]
    assert peer.closed is None and peer.take() == []
    assert peer.connection.deadline() is None


def test_access_methods_in_time_are_not_logged():
    peer = in_data_exchange()
    peer.say(ACCESS_METHODS)
    assert peer.connection.deadline() is None
    peer.connection.tick(60_000)
    assert peer.owner.log == []


def test_an_unconfirmed_announcement_ends_after_its_max_time():
    peer = in_data_exchange()
    peer.connection.end("unspecific", 7_000)
    assert peer.take() == [ANNOUNCE_CLOSE]
    expires(peer, 7_500, [], (4001, "close"))


def test_a_confirmed_close_of_the_peer_is_waited_for_within_bounds():
    for max_time, wait_ms in ((b"500", 500), (b"4999", 4999), (b"5001", 5000), (b'"700"', 700)):
        peer = in_data_exchange()
        octets = b'\x03{"connectionClose":[{"phase":"announce"},{"maxTime":' + max_time + b"}]}"
        assert peer.say(octets) == [CONFIRM_CLOSE]
        expires(peer, wait_ms, [], (4001, "close"))
    peer = in_data_exchange()
    assert peer.say(b'\x03{"connectionClose":[{"phase":"announce"}]}') == [CONFIRM_CLOSE]
    expires(peer, 2_000, [], (4001, "close"))


def test_timers_of_a_phase_do_not_outlive_it():
    peer = in_data_exchange()
    peer.say(ACCESS_METHODS)
    assert peer.wait_until(10_000_000) == []
    assert peer.closed is None


def test_pending_without_request_does_not_move_the_timer_of_a_ready_side():
    peer = in_hello()
    peer.now = 30_000
    assert peer.say(b'\x01{"connectionHello":[{"phase":"pending"},{"waiting":120000}]}') == []
    expires(peer, 120_000, [ABORTED], (4001, "hello timeout"))


def test_prolongations_keep_a_waiting_user_connected():
    peer = in_hello()
    for now in (45_000, 105_000, 165_000):
        assert peer.wait_until(now) == []
        (answer,) = peer.say(REQUEST)
        assert answer.startswith(b'\x01{"connectionHello":[{"phase":"ready"},{"waiting":')
        assert peer.closed is None
    assert peer.say(READY) == [] and peer.state == 20
