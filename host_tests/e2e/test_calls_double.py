"""Two connections with one peer, one called and one that called: which stays (SHIP 12.2.2)."""

import time

import pytest

from host_tests.e2e.called import Listener
from host_tests.e2e.peer import WAIT_S, Peer, certificate_in_order
from host_tests.e2e.world import wait_status
from tools.simulate import Simulator

CALL_S = 5.0  # until a peer that has appeared is called, with mDNS


@pytest.fixture
def charger(tmp_path):
    with Simulator(port=0, state=tmp_path / "charger", log_level="debug") as started:
        assert started.port
        yield started


def two_connections(charger, certificate, is_ours_first):
    """(older, newer): one is opened by the charger, one by the peer."""
    with Listener(certificate) as listener:
        charger.command("trust " + certificate.ski)
        called = listener.accept(CALL_S)
        if is_ours_first:
            return called.reach("data"), Peer(charger.port, certificate).reach("data")
        older = Peer(charger.port, certificate).reach("data")
        return older, called.reach("data")


def wait_parted(older, newer, timeout_s):
    """Seconds until the charger closes the older one, while both are alive."""
    start = time.monotonic()
    older.set_wait(0.1)
    while time.monotonic() < start + timeout_s:
        assert newer.discover().address
        try:
            assert older.expect("connectionClose")[1]["phase"] == "announce"
            older.set_wait(WAIT_S)
            return time.monotonic() - start
        except TimeoutError:
            continue
    raise AssertionError("both stay")


@pytest.mark.parametrize("is_ours_first", [False, True])
def test_of_two_connections_the_larger_ski_keeps_the_newest(charger, tmp_path, is_ours_first):
    hems = certificate_in_order(tmp_path, charger.command("id")["ski"], False)
    older, newer = two_connections(charger, hems, is_ours_first)
    with older, newer:
        assert 2.5 < wait_parted(older, newer, 6) < 4.5
        older.wait_closed()
        assert newer.discover().address
        wait_status(charger, connections=1)


def test_with_the_smaller_ski_both_stay_for_half_a_minute(charger, tmp_path):
    hems = certificate_in_order(tmp_path, charger.command("id")["ski"], True)
    older, newer = two_connections(charger, hems, True)
    with older, newer:
        assert 28 < wait_parted(older, newer, 35) < 32
        assert newer.discover().address
        wait_status(charger, connections=1)


def test_with_the_smaller_ski_one_that_is_dead_goes_soon(charger, tmp_path):
    hems = certificate_in_order(tmp_path, charger.command("id")["ski"], True)
    older, newer = two_connections(charger, hems, False)
    with older, newer:
        start = time.monotonic()
        while len(charger.command("peers")["connections"]) == 2:
            newer.discover()
            assert time.monotonic() < start + 16
            time.sleep(0.1)
        assert time.monotonic() - start > 12, "3 s of grace and 10 s for the pong"
        assert newer.discover().address


@pytest.mark.parametrize("is_larger", [False, True])
def test_a_peer_that_closes_the_newer_one_itself_keeps_the_older(charger, tmp_path, is_larger):
    """As nodes do that keep the connection which the larger SKI has opened, or the other one."""
    hems = certificate_in_order(tmp_path, charger.command("id")["ski"], is_larger)
    with Listener(hems) as listener:
        charger.command("trust " + hems.ski)
        with listener.accept(CALL_S).reach("data") as older:
            newer = Peer(charger.port, hems).reach("data")
            newer.drop()
            time.sleep(4)
            assert older.discover().address
            wait_status(charger, connections=1)
