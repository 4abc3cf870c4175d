"""Sessions from connect to disconnect: partners, trust given and taken, restarts, console."""

import pytest

from host_tests.e2e.peer import Peer, certificate_in_order, make_certificate
from host_tests.e2e.world import Manager, heap_used, settled_heap, wait_status
from tools.simulate import Simulator


@pytest.fixture
def good(tmp_path):
    """The certificate of a peer that is trusted from the start."""
    return make_certificate(tmp_path)


@pytest.fixture
def charger(tmp_path, good):
    """A charger that trusts `good`."""
    with Simulator(port=0, state=tmp_path / "s", no_mdns=True, trust=[good.ski]) as started:
        assert started.port
        yield started


@pytest.mark.parametrize("bits", [64, 32])
def test_ten_sessions_leave_the_heap_as_it_was(tmp_path, bits):
    with Manager(tmp_path / "m") as manager:
        trust = [manager.identity.ski]
        with Simulator(
            port=0, state=tmp_path / "s", no_mdns=True, trust=trust, bits=bits
        ) as charger:

            def session():
                manager.connect_to(charger)
                manager.wait_usable()
                assert manager.set_limit(4200).ok
                assert manager.release().ok
                manager.close()
                wait_status(charger, connections=0)

            for _ in range(2):  # lists grow and parts of asyncio are loaded when first used
                session()
            heap = settled_heap(charger)
            heaps = []  # after each, with what an old number on a stack may keep until the next
            while sum(used <= heap for used in heaps) < 10:
                session()
                heaps.append(min(heap_used(charger) for _ in range(5)))
                assert len(heaps) < 30, (heap, heaps)


def test_untrust_in_data_exchange_announces_removed_connection(charger, good):
    with Peer(charger.port, good).reach("data") as peer:
        charger.command("untrust " + good.ski)
        close = peer.expect("connectionClose")[1]
        assert close["phase"] == "announce"
        assert close["reason"] == "removedConnection"
        assert close["maxTime"] == 500
        peer.wait_closed()
    wait_status(charger, connections=0)


def test_shutdown_parts_with_a_ship_close(charger, good):
    with Peer(charger.port, good).reach("data") as peer:
        charger.command("shutdown")
        assert peer.expect("connectionClose")[1]["phase"] == "announce"
        peer.wait_closed()
    assert charger.process.wait(10) == 0


def test_the_same_peer_again_replaces_its_old_connection(charger, tmp_path):
    again = certificate_in_order(tmp_path, charger.command("id")["ski"], is_larger=False)
    charger.command("trust " + again.ski)
    with Peer(charger.port, again).reach("data") as old:
        with Peer(charger.port, again).reach("data") as new:
            assert old.expect("connectionClose")[1]["phase"] == "announce"
            old.wait_closed()
            assert new.discover().address
            wait_status(charger, connections=1)


def test_a_stranger_waits_until_it_is_trusted(charger, tmp_path):
    stranger = make_certificate(tmp_path, name="stranger")
    with Peer(charger.port, stranger).reach("cmi") as peer:
        assert peer.expect("connectionHello")[1]["phase"] == "pending"
        charger.wait_event("pending", ski=stranger.ski)
        charger.command("trust " + stranger.ski)
        for step in (peer.do_hello, peer.do_handshake, peer.do_data):
            step()
        assert peer.discover().address
    charger.stop()
    charger.start()  # trust outlives the process
    trusted = [entry["ski"] for entry in charger.command("peers")["trusted"]]
    assert stranger.ski in trusted


def test_factory_reset_keeps_the_ski_and_forgets_peers(charger, good):
    ski = charger.command("id")["ski"]
    charger.command("trust " + "ab" * 20)
    mark = charger.mark()
    charger.command("factory-reset yes")
    assert charger.wait_event("listening", start=mark)["ski"] == ski
    trusted = [entry["ski"] for entry in charger.command("peers")["trusted"]]
    assert "ab" * 20 not in trusted


@pytest.mark.parametrize("line", ["nonsense", "trust 12", "untrust " + "g" * 40, "x" * 5000])
def test_a_wrong_command_is_answered_and_the_charger_goes_on(charger, line):
    answer = charger.command(line)
    assert not answer["ok"]
    assert answer["error"]
    assert charger.command("status")["state"]
