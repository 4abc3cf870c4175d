"""The charger calls its trusted peers, on real sockets: whom, where, and what it sends first."""

import os
import ssl
import time

import pytest
from zeroconf import IPVersion, Zeroconf

from host_tests.e2e.called import LOOPBACK, TYPE, Listener
from host_tests.e2e.peer import Closed, Peer, make_certificate
from host_tests.e2e.world import wait_status
from tools.simulate import Simulator

CLOSED_ADDRESS = bytes((127, 0, 0, 77))
IPV6_LOOPBACK = bytes(15) + b"\1"
CALL_S = 5.0  # until a peer that has appeared is called, with mDNS


@pytest.fixture
def charger(tmp_path):
    with Simulator(port=0, state=tmp_path / "charger", log_level="debug") as started:
        assert started.port
        yield started


@pytest.fixture
def hems(tmp_path):
    """A certificate of a peer that is called."""
    return make_certificate(tmp_path, name="hems")


def test_a_trusted_peer_that_is_seen_is_called_and_served(charger, hems):
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("data") as peer:
            assert peer.head.startswith(b"GET /ship/ HTTP/1.1\r\n")
            assert peer.discover().address
            charger.wait_event("connected", ski=hems.ski, role="client")
            link = charger.command("peers")["connections"]
            assert [(entry["role"], entry["state"]) for entry in link] == [("client", "COMPLETE")]


def test_who_is_not_trusted_is_not_called(charger, hems):
    with Listener(hems) as listener:
        with pytest.raises(TimeoutError):
            listener.accept(CALL_S)
        assert [peer["ski"] for peer in charger.command("peers")["seen"]].count(hems.ski) == 1


def test_a_peer_with_another_key_gets_nothing_beyond_the_handshake(charger, tmp_path, hems):
    impostor = make_certificate(tmp_path, name="impostor")
    with Listener(impostor, ski=hems.ski) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("tls") as peer:
            with pytest.raises(Closed):
                octets = peer.read()
                raise AssertionError(octets)


@pytest.mark.parametrize("kind", ["forged", "no-ski"])
def test_a_certificate_that_names_nobody_ends_the_handshake(charger, tmp_path, kind):
    wrong = make_certificate(tmp_path, kind)
    with Listener(wrong) as listener:
        charger.command("trust " + wrong.ski)
        with listener.accept(CALL_S) as peer, pytest.raises((ssl.SSLError, Closed)):
            peer.do_tls()
            octets = peer.read()
            raise AssertionError(octets)


def test_all_addresses_are_tried_until_one_answers(charger, hems):
    with Listener(hems, (CLOSED_ADDRESS, LOOPBACK)) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("data") as peer:
            assert peer.discover().address


def test_a_peer_is_called_on_ipv6_where_the_platform_has_it(charger, hems):
    with Listener(hems, (CLOSED_ADDRESS, IPV6_LOOPBACK), host="::1") as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("data") as peer:
            assert b"\r\nHost: [0:0:0:0:0:0:0:1]:" in peer.head
            assert peer.discover().address


def test_a_peer_that_has_moved_is_called_there(charger, hems):
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("data") as peer:
            peer.discover()
            listener.move()
        with listener.accept(10).reach("data") as peer:
            assert peer.discover().address


def test_a_peer_whose_connection_breaks_is_called_again(charger, hems):
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        for _ in range(2):
            listener.accept(10).reach("data").drop()
            wait_status(charger, connections=0)
        with listener.accept(10).reach("data") as peer:
            assert peer.discover().address


def test_a_peer_that_refuses_is_left_in_peace(charger, hems):
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("cmi") as peer:
            peer.control("connectionHello", {"phase": "aborted"})
            peer.wait_closed()
        with pytest.raises(TimeoutError):
            listener.accept(7)


def test_a_peer_without_room_is_left_in_peace(charger, hems):
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("tls") as peer:
            peer.refuse("503 Service Unavailable")
        with pytest.raises(TimeoutError):
            listener.accept(7)


def test_who_is_connected_is_not_called_and_who_is_untrusted_not_any_more(charger, hems):
    with Peer(charger.port, hems) as peer, Listener(hems) as listener:
        peer.reach("cmi")
        charger.command("accept")
        for step in (peer.do_hello, peer.do_handshake, peer.do_data):
            step()
        with pytest.raises(TimeoutError):
            listener.accept(CALL_S)
        charger.command("untrust " + hems.ski)
        peer.wait_closed()
        with pytest.raises(TimeoutError):
            listener.accept(CALL_S)


def test_two_chargers_find_each_other_and_meet_again(tmp_path):
    options = {"port": 0, "log_level": "debug"}
    with Simulator(state=tmp_path / "one", serial="C1", **options) as one:
        with Simulator(state=tmp_path / "two", serial="C2", **options) as two:
            skis = [node.command("id")["ski"] for node in (one, two)]
            one.command("trust " + skis[1])
            two.command("trust " + skis[0])
            for node, ski in ((one, skis[1]), (two, skis[0])):
                node.wait_event("connected", ski=ski)
            mark = one.mark()
        one.wait_event("disconnected", start=mark, ski=skis[1])
        with Simulator(state=tmp_path / "two", serial="C2", **options) as two:
            one.wait_event("connected", start=mark, ski=skis[1], timeout=15)
            wait_status(two, connections=1)


def announced_register(name):
    """The value of `register`, asked of the network anew; None without an answer."""
    asker = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    try:
        info = asker.get_service_info(TYPE, name, timeout=1000)
        return info and info.properties[b"register"]
    finally:
        asker.close()


def test_the_txt_key_register_follows_the_time_for_registration(tmp_path):
    serial = f"R{os.getpid()}"
    name = f"Pilotwire Simulated charger {serial}.{TYPE}"

    def wait_register(wanted):
        end = time.monotonic() + 10
        while announced_register(name) != wanted:
            assert time.monotonic() < end, wanted

    with Simulator(port=0, state=tmp_path, serial=serial) as charger:
        wait_register(b"true")  # nobody is trusted yet
        charger.command("trust " + "00" * 20)
        wait_register(b"false")
        charger.command("pair 6")
        wait_register(b"true")
        charger.wait_event("registration", state="closed", why="time is over")
        wait_register(b"false")
