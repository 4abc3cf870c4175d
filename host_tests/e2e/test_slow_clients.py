"""Clients that are slow, silent, deaf or too many, while an energy manager stays connected.

Whatever they do, the manager is answered within half a second meanwhile, and when they are gone no
connection is left of them. What all of them together leave on the heap is shown at the end: not an
octet.
"""

import contextlib
import functools
import ssl
import time

import pytest

from host_tests.e2e.peer import DISCOVERY, Closed, Peer, make_certificate
from host_tests.e2e.world import (
    HEAP_SLACK,
    LogReader,
    part_and_check_heap,
    wait_heap,
    wait_status,
    watched_charger,
)

ANSWER_S = 0.5
HANDSHAKE_S = 3  # so long a handshake is not displaced
PONG_S = 10  # until who does not answer a ping is gone
ALERT = bytes((0x15, 3, 3, 0, 2, 2, 80))  # TLS alert, fatal, internal_error
UPGRADE_S = 15  # from accepting TCP to the end of the upgrade
STRANGERS = 20
MAX_READS = 4000  # of detailed discovery, far more than any socket buffer holds answers


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Two trusted peers, and strangers."""
    folder = tmp_path_factory.mktemp("certificates")
    names = ["good", "second", "third", *(f"stranger{i}" for i in range(STRANGERS))]
    return {name: make_certificate(folder, name=name) for name in names}


@pytest.fixture(scope="module")
def slow_world(tmp_path_factory, certificates):
    """(charger, manager that is connected, octets on the heap before and with that)."""
    trusted = [certificates[name].ski for name in ("good", "second", "third")]
    warm = functools.partial(warm_up, certificates)
    with watched_charger(tmp_path_factory.mktemp("slow"), trusted, warm) as made:
        yield made


def warm_up(certificates, charger, manager):
    manager.connect_to(charger)
    manager.wait_usable()
    manager.release()  # controlled: the charger changes no state by itself meanwhile
    for _ in range(3):
        peers = [Peer(charger.port, certificates["good"]).reach("data") for _ in range(2)]
        peers.append(Peer(charger.port, certificates["second"]).reach("data"))
        peers[1].discover()
        for peer in peers:
            peer.drop()
        wait_status(charger, connections=1)
    names = [f"stranger{i}" for i in range(3)]
    strangers = [Peer(charger.port, certificates[name]).reach("cmi") for name in names]
    silent = [Peer(charger.port) for _ in range(3)]
    for peer in strangers + silent:
        peer.drop()
    wait_alone(charger)
    wrong = Peer(charger.port, certificates["good"]).reach("upgrade")
    wrong.write(Peer.frame(b"", masked=False))
    wrong.wait_closed()
    manager.close()
    wait_status(charger, connections=0)


@pytest.fixture
def slow(slow_world, certificates):
    """What a case needs; afterwards all is as before."""
    charger, manager, _, heap = slow_world
    with contextlib.ExitStack() as peers:
        yield Case(charger, manager, certificates, peers)
        answered(manager)
    wait_alone(charger)
    answered(manager)
    wait_status(charger, connections=1)
    wait_heap(charger, heap, HEAP_SLACK)


class SlowPeer(Peer):
    """Sends its first flight octet by octet."""

    def send_octets(self, octets):
        for octet in octets:
            super().send_octets(bytes([octet]))
            time.sleep(0.001)


class Case:
    """Peers of one case; `log` is what the charger logs from its beginning."""

    def __init__(self, charger, manager, certificates, peers):
        self.charger = charger
        self.manager = manager
        self.log = LogReader(charger)
        self._certificates = certificates
        self._peers = peers

    def peer(self, name="good", stage="tcp", kind=Peer, **options):
        """Connect a peer that is dropped at the end, up to a stage."""
        peer = kind(self.charger.port, self._certificates[name], **options)
        return self._peers.enter_context(peer).reach(stage)

    def states(self):
        """Where the connections stand beside the manager's."""
        own = self.manager.identity.ski
        peers = self.charger.command("peers")["connections"]
        return [link["state"] for link in peers if link["ski"] != own]

    def wait_states(self, *wanted):
        """Wait until the other connections stand there."""
        wait_until(lambda: self.states() == list(wanted), self.states)


def wait_until(condition, shown, timeout_s=3.0):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, shown()
        time.sleep(0.02)


def wait_alone(charger):
    """Wait until no connection is left but the manager's."""

    def connections():
        return charger.command("peers")["connections"]

    wait_until(lambda: len(connections()) == 1, connections)


def answered(manager):
    """The manager gets its answer, and soon."""
    start = time.monotonic()
    assert manager.is_answered()
    assert time.monotonic() - start < ANSWER_S


def is_ended(peer):
    """Whether the node has ended the connection of a peer, without waiting for it."""
    peer.set_wait(0.2)
    try:
        while peer.receive_octets():
            pass
    except TimeoutError:
        return False
    return True


def test_a_client_that_says_nothing_disturbs_nobody(slow):
    slow.peer()
    slow.wait_states("handshake")
    for _ in range(10):
        answered(slow.manager)


def test_a_client_that_stops_inside_its_first_record_disturbs_nobody(slow):
    peer = slow.peer()
    peer.send_octets(peer.client_hello()[:40])
    slow.wait_states("handshake")
    for _ in range(10):
        answered(slow.manager)


def test_a_client_that_stops_between_two_flights_disturbs_nobody(slow):
    peer = slow.peer()
    peer.send_octets(peer.client_hello(version="TLSv1_2"))
    assert peer.receive_octets()[:1] == b"\x16", "the server's flight"
    slow.wait_states("handshake")
    for _ in range(10):
        answered(slow.manager)


def test_a_client_that_stops_inside_the_upgrade_disturbs_nobody(slow):
    peer = slow.peer(stage="tls")
    peer.write(peer.request_head()[:60])
    slow.wait_states("upgrade")
    for _ in range(10):
        answered(slow.manager)


def test_who_is_slow_on_purpose_is_ended_when_the_time_for_the_upgrade_is_over(slow):
    silent = slow.peer()
    start = time.monotonic()
    loris = slow.peer(stage="tls")
    head = loris.request_head()
    sent = 0
    while len(slow.states()) == 2 and time.monotonic() < start + UPGRADE_S + 2:
        if sent < len(head) - 4:
            loris.write(head[sent : sent + 1])
            sent += 1
        answered(slow.manager)
        time.sleep(0.1)
    slow.wait_states()
    assert UPGRADE_S - 0.5 < time.monotonic() - start < UPGRADE_S + 1.5
    assert sent > UPGRADE_S, "its octets alone do not prolong the time"
    assert is_ended(silent) and is_ended(loris)
    slow.log.wait("no upgrade in time")


def test_who_comes_octet_by_octet_but_in_time_is_served(slow):
    peer = slow.peer(kind=SlowPeer)
    peer.do_tls()
    answered(slow.manager)
    for octet in peer.request_head():
        peer.write(bytes([octet]))
    while b"\r\n\r\n" not in peer.read():
        pass
    for octet in peer.frame(b"\0\0"):
        peer.write(bytes([octet]))
    assert peer.receive() == b"\0\0"
    answered(slow.manager)


def test_who_asks_and_never_reads_is_ended_for_overload(slow):
    peer = slow.peer(window=4096, stage="data")
    peer.discover()
    peer.set_wait(2)
    for number in range(MAX_READS):
        try:
            peer.datagram("read", {DISCOVERY: {}}, ack=False)
        except (OSError, Closed):
            break
        if number % 100 == 0:
            answered(slow.manager)
            if not slow.states():
                break
    slow.log.wait("overload")
    slow.wait_states()
    peer.set_wait(2)
    with contextlib.suppress(OSError, UnicodeDecodeError, AssertionError):
        # The close frame arrives only if there was room for it behind what it had not read.
        assert peer.wait_closed()[0] in (1008, None)


def test_of_those_who_wait_for_trust_the_oldest_gives_way_and_hears_why(slow):
    first, second, third = (slow.peer(f"stranger{i}", "cmi") for i in range(3))
    assert len(slow.states()) == 3
    fourth = slow.peer("stranger3", "cmi")
    assert first.wait_closed() == (4001, "no room for another connection")
    slow.log.wait("gave way to a newer connection")
    assert not any(is_ended(peer) for peer in (second, third, fourth))
    answered(slow.manager)


def test_of_silent_clients_two_are_kept_and_give_way_when_their_time_is_over(slow):
    start = time.monotonic()
    first, second = (slow.peer() for _ in range(2))
    slow.wait_states("handshake", "handshake")
    while time.monotonic() < start + HANDSHAKE_S - 0.5:
        more = slow.peer()
        assert more.receive_octets() == ALERT, "who is refused hears that it is not its fault"
        answered(slow.manager)
        time.sleep(0.5)
    assert not is_ended(first) and not is_ended(second)
    time.sleep(max(0, start + HANDSHAKE_S + 0.2 - time.monotonic()))
    slow.peer("good", "data")
    assert first.receive_octets() == ALERT
    assert not is_ended(second)
    answered(slow.manager)


def test_a_trusted_peer_in_its_handshake_is_not_displaced(slow):
    partner = slow.peer("good")
    for _ in range(4):
        slow.peer()
    partner.reach("tls")  # its handshake was slow, but it has its time
    for step in (partner.do_upgrade, partner.do_cmi, partner.do_hello):
        for i in range(4):
            with contextlib.suppress(ssl.SSLError, Closed):  # there may be silent ones still
                slow.peer(f"stranger{i}", "cmi")
        step()
    for step in (partner.do_handshake, partner.do_data):
        step()
    assert partner.discover().address
    answered(slow.manager)


def test_silent_clients_and_strangers_do_not_keep_a_trusted_peer_out(slow):
    slow.peer()
    slow.peer("stranger0", "cmi")
    partner = slow.peer("good", "data")
    assert partner.discover().address
    answered(slow.manager)


def test_three_partners_stay_and_a_fourth_hears_that_there_is_no_room(slow):
    partners = [slow.peer(name, "data") for name in ("good", "second")]
    fourth = slow.peer("third", "tls")
    assert fourth.upgrade(fourth.request_head()) == 503
    fourth.wait_closed()
    slow.log.wait("refused: no room")
    assert slow.peer("stranger0", "cmi").expect("connectionHello")[1]["phase"] == "pending"
    assert all(partner.discover().address for partner in partners)
    answered(slow.manager)


def test_a_partner_that_vanished_makes_room_in_ten_seconds(slow):
    mute, partner = (slow.peer(name, "data") for name in ("good", "second"))
    partner.discover()  # and `mute` answers nothing from now on, no ping either
    fourth = slow.peer("third", "tls")
    assert fourth.upgrade(fourth.request_head()) == 503
    start = time.monotonic()
    while time.monotonic() < start + PONG_S + 2 and len(slow.states()) > 1:
        partner.discover()  # a sign of life
        time.sleep(0.2)
    assert PONG_S - 1 < time.monotonic() - start < PONG_S + 2
    slow.log.wait("no pong in time")
    assert slow.peer("third", "data").discover().address
    assert is_ended(mute)
    answered(slow.manager)


def test_strangers_in_a_row_who_never_leave_are_replaced_one_by_one(slow):
    trusted = slow.charger.command("peers")["trusted"]
    for i in range(STRANGERS):
        slow.peer(f"stranger{i}", "cmi")
        answered(slow.manager)
    assert len(slow.states()) == 3
    assert slow.charger.command("peers")["trusted"] == trusted


def test_all_of_them_leave_nothing_on_the_heap(slow_world):
    charger, manager, idle, _ = slow_world
    part_and_check_heap(charger, manager, idle)
