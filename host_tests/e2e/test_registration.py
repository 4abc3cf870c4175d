"""How partners come to be trusted, on real sockets (SHIP 5, 12.3): from the console, by button."""

import pytest

from host_tests.e2e.peer import Peer, make_certificate
from host_tests.e2e.world import wait_status
from tools.simulate import Simulator

NOBODY = "00" * 20


@pytest.fixture
def stranger(tmp_path):
    """Somebody whom the charger does not trust."""
    return make_certificate(tmp_path, name="stranger")


@pytest.fixture
def charger(tmp_path):
    with Simulator(port=0, state=tmp_path / "charger", no_mdns=True) as started:
        assert started.port
        yield started


def come(charger, certificate):
    """Come as far as the first hello; return (peer, its phase)."""
    peer = Peer(charger.port, certificate).reach("cmi")
    return peer, peer.expect("connectionHello")[1]["phase"]


def go_on(peer):
    """From a pending hello to data exchange."""
    for step in (peer.do_hello, peer.do_handshake, peer.do_data):
        step()


def trusted(charger):
    return {peer["ski"]: peer["user"] for peer in charger.command("peers")["trusted"]}


def test_user_verification_keeps_the_peer_waiting_until_the_user_accepts(charger, stranger):
    peer, phase = come(charger, stranger)
    with peer:
        assert phase == "pending"
        charger.wait_event("pending", ski=stranger.ski)
        assert charger.command("accept")["ski"] == stranger.ski
        go_on(peer)
        assert peer.discover().address
    level, who, when = trusted(charger)[stranger.ski]
    assert (level, who) == (32, "console")
    assert when.startswith("20") and when.endswith("Z")


def test_who_is_rejected_hears_so_and_is_not_trusted(charger, stranger):
    peer, phase = come(charger, stranger)
    with peer:
        assert phase == "pending"
        assert charger.command("reject")["ok"]
        assert peer.expect("connectionHello")[1]["phase"] == "aborted"
        assert peer.wait_closed() == (4452, "Node rejected by application")
    assert trusted(charger) == {}
    assert charger.command("accept")["error"] == "nobody is waiting; see peers"


def test_of_several_the_first_digits_tell_who_is_meant(charger, tmp_path):
    certificates = [make_certificate(tmp_path, name=name) for name in ("one", "two")]
    peers = [come(charger, certificate)[0] for certificate in certificates]
    assert "several peers" in charger.command("accept")["error"]
    wanted = certificates[1].ski
    assert charger.command("accept " + wanted[:12])["ski"] == wanted
    go_on(peers[1])
    assert list(trusted(charger)) == [wanted]
    for peer in peers:
        peer.drop()


def test_a_label_can_be_scanned_beforehand_and_is_trusted_more(charger, stranger):
    label = f"SHIP;SKI:{stranger.ski.upper()};ID:i:1_HEMS;BRAND:Some brand;ENDSHIP;"
    assert charger.command("trust " + label)["ski"] == stranger.ski
    assert trusted(charger)[stranger.ski][:2] == [64, "console"]
    with Peer(charger.port, stranger).reach("data") as peer:
        assert peer.discover().address


def test_a_label_without_a_proper_ski_is_refused(charger):
    for text in ("SHIP;ID:x;ENDSHIP;", "SHIP;SKI:12;ENDSHIP;"):
        answer = charger.command("trust " + text)
        assert not answer["ok"] and "SKI" in answer["error"]


def test_the_button_lets_the_next_peer_in_unseen_and_no_other(charger, tmp_path):
    one, two = (make_certificate(tmp_path, name=name) for name in ("one", "two"))
    charger.command("trust " + NOBODY)  # so that `register` tells of the time alone
    charger.command("button")
    charger.wait_event("registration", state="open", by="button", auto=True)
    with Peer(charger.port, one).reach("data") as first:
        assert first.discover().address
        charger.wait_event("registration", state="closed", why="a peer was accepted")
        peer, phase = come(charger, two)
        assert phase == "pending"
        peer.drop()
    assert trusted(charger)[one.ski][:2] == [8, "auto accept"]
    assert two.ski not in trusted(charger)


def test_the_time_for_registration_ends_by_itself(charger, stranger):
    charger.command("trust " + NOBODY)
    answer = charger.command("pair auto 1")
    assert answer["register"] and answer["auto"] and answer["remaining_s"] == 1
    charger.wait_event("registration", state="closed", why="time is over")
    peer, phase = come(charger, stranger)
    with peer:
        assert phase == "pending"
    assert charger.command("pair off")["register"] is False


def test_without_auto_a_user_decides_while_the_time_runs(charger, stranger):
    assert charger.command("pair 300")["remaining_s"] == 120, "two minutes at most"
    peer, phase = come(charger, stranger)
    with peer:
        assert phase == "pending"
    assert "pair [auto/off]" in charger.command("pair now")["error"]


def test_a_ninth_peer_is_refused_with_a_reason(charger):
    for number in range(8):
        assert charger.command(f"trust {number:040x}")["ok"]
    assert "untrust one first" in charger.command("trust " + "ab" * 20)["error"]


def test_untrust_parts_and_the_peer_has_to_ask_again(charger, stranger):
    charger.command("trust " + stranger.ski)
    with Peer(charger.port, stranger).reach("data") as peer:
        charger.command("untrust " + stranger.ski)
        assert peer.expect("connectionClose")[1]["reason"] == "removedConnection"
        peer.wait_closed()
    wait_status(charger, connections=0)
    peer, phase = come(charger, stranger)
    with peer:
        assert phase == "pending"
