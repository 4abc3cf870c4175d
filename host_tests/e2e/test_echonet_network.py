"""The ECHONET Lite task on real sockets: addresses, ports, multicast, IPv6, loss of the network.

And its console command, and a flood while an energy manager limits the charger over SHIP.
"""

import queue
import random
import re
import socket
import statistics
import threading
import time

import pytest

from host_tests.bench.client import Client
from host_tests.e2e.echonet_peers import lan as network
from host_tests.e2e.world import settled_heap, wait_status
from tools.energy_manager.identity import Identity

GROUP = "224.0.23.0"
GET = "1081%04X05FF0102A10162018000"
ANSWER = "1081%04X02A10105FF017201800130"
LIST = "108100000EF0010EF0017301D5040102A101"
SEARCH = "108100010EF0010EF0016201D600"
STANDBY = "1081000705FF0102A1016101DA0144"
FOUND = "108100010EF0010EF0017201D6040102A101"


@pytest.fixture(scope="module")
def lan():
    """Two namespaces; what is only about them is skipped where they cannot be made."""
    try:
        with network.NamespaceLan() as lan:
            yield lan
    except OSError as problem:
        pytest.skip(str(problem))


def collect(raw, seconds):
    """All that comes within this time, as (seconds since now, line)."""
    begin = time.monotonic()
    lines = []
    while (left := begin + seconds - time.monotonic()) > 0:
        try:
            line = raw.next(left)
        except queue.Empty:
            break
        lines.append((time.monotonic() - begin, line))
    return lines


# --- addresses, ports, multicast


def test_answers_go_to_port_3610_whatever_port_the_question_came_from(lan, tmp_path):
    with network.Charger(lan, state=tmp_path):
        with network.Raw(lan, lan.ours, GROUP) as usual:
            with network.Raw(lan, lan.ours, GROUP, 40_000) as other:
                other.send(lan.theirs, GET % 1)
                assert usual.next() == f"{lan.theirs} 3610 {ANSWER % 1}"
                assert [line for _, line in collect(other, 0.3) if "group" not in line] == []


def test_the_start_is_announced_and_a_multicast_search_answered_in_its_time(lan, tmp_path):
    with network.Raw(lan, lan.ours, GROUP) as raw:
        with network.Charger(lan, state=tmp_path):
            assert raw.next(5.0) in (
                f"{lan.theirs} 3610 group {LIST}",
                f"{lan.theirs} 3610 group 1081000002A1010EF0017301C70130",
            )
            time.sleep(1.5)
            collect(raw, 0.1)
            delays = []
            for _ in range(8):
                raw.send(GROUP, SEARCH)
                answers = [x for x in collect(raw, 0.4) if "group" not in x[1]]
                assert [line for _, line in answers] == [f"{lan.theirs} 3610 {FOUND}"]
                delays.append(answers[0][0])
            assert max(delays) - min(delays) > 0.05
            begin = time.monotonic()
            raw.ask(lan.theirs, SEARCH)
            assert time.monotonic() - begin < 0.05  # the same by unicast


def test_a_request_for_notification_is_answered_to_everybody(lan, tmp_path):
    with network.Charger(lan, state=tmp_path):
        with network.Raw(lan, lan.ours, GROUP) as raw:
            time.sleep(1.5)
            collect(raw, 0.1)
            raw.send(lan.theirs, "1081002005FF0102A10163018000")
            assert raw.next() == f"{lan.theirs} 3610 group 1081002002A10105FF017301800130"


def test_senders_outside_of_the_subnet_get_no_answer(lan, tmp_path):
    with network.Charger(lan, state=tmp_path) as charger:
        lan.run(lan.our_prefix, "ip", "address", "add", "10.79.0.1/24", "dev", "a0")
        lan.run(lan.their_prefix, "ip", "route", "add", "10.79.0.0/24", "dev", "b0")
        with network.Raw(lan, "10.79.0.1", GROUP) as stranger:
            time.sleep(1.5)
            collect(stranger, 0.1)
            stranger.send(lan.theirs, GET % 1, SEARCH)
            stranger.send(GROUP, SEARCH)
            stranger.silence(0.6)
        assert charger.command("echonet")["controllers"] == []


def test_ipv4_and_ipv6_at_the_same_time(lan, tmp_path):
    addresses = f"{lan.theirs},{lan.theirs6}"
    with network.Raw(lan, lan.ours, GROUP) as four:
        with network.Raw(lan, lan.ours6, "ff02::1%a0") as six:
            with network.Charger(lan, state=tmp_path, echonet_address=addresses) as charger:
                time.sleep(2.0)
                for raw in (four, six):
                    lines = [line.split() for _, line in collect(raw, 0.1)]
                    assert any(w[2:] == ["group", LIST] for w in lines), lines
                assert four.ask(lan.theirs, GET % 5) == ANSWER % 5
                assert six.ask("fe80::2%a0", GET % 6) == ANSWER % 6
                six.send("ff02::1%a0", SEARCH)
                assert FOUND in [line.split()[-1] for _, line in collect(six, 0.5)]
                charger.command("echonet allow fe80::1%b0")
                charger.command("echonet writes on")
                write = "1081000705FF0102A1016101ED02003C"
                assert six.ask("fe80::2%a0", write) == "1081000702A10105FF017101ED00"
                assert four.ask(lan.theirs, write) == "1081000702A10105FF015101ED02003C"
                seen = {c["address"] for c in charger.command("echonet")["controllers"]}
                assert lan.ours in seen and any(a.startswith("fe80::1") for a in seen)


def test_an_interface_that_goes_and_comes_back_is_joined_again_and_announced(tmp_path):
    try:
        lan = network.NamespaceLan().__enter__()
    except OSError as problem:
        pytest.skip(str(problem))
    addresses = f"{lan.theirs},{lan.theirs6}"
    with lan, network.Charger(lan, state=tmp_path, speed=10, echonet_address=addresses) as charger:
        charger.command(f"echonet allow {lan.ours}")
        charger.command("echonet allow fe80::1%b0")
        charger.command("echonet writes on")
        charger.command("ev plug")
        with network.Raw(lan, lan.ours, GROUP) as raw:
            raw.send(GROUP, SEARCH)
            assert FOUND in [line.split()[-1] for _, line in collect(raw, 1.0)]
            assert raw.ask(lan.theirs, STANDBY) == "1081000702A10105FF017101DA00"
        lan.run(lan.our_prefix, "ip", "link", "del", "a0")
        end = time.monotonic() + 8
        while charger.command("echonet")["state"] == "running":
            assert time.monotonic() < end
            time.sleep(0.1)
        wait_status(charger, state="B1", why=lambda text: "standby" in text)
        charger.command("ev unplug")  # what was written ends without a network too
        wait_status(charger, state="A", why=lambda text: "ECHONET" not in text)
        lan.cable()
        with network.Raw(lan, lan.ours, GROUP) as raw:
            lines = [line.split()[-1] for _, line in collect(raw, 8.0)]
            assert LIST in lines
            raw.send(GROUP, SEARCH)
            assert FOUND in [line.split()[-1] for _, line in collect(raw, 1.0)]
        with network.Raw(lan, lan.ours6, "ff02::1%a0") as six:
            six.send("ff02::1%a0", SEARCH)
            assert FOUND in [line.split()[-1] for _, line in collect(six, 1.0)]
            assert six.ask("fe80::2%a0", STANDBY) == "1081000702A10105FF017101DA00"


# --- the console


def test_the_console_switches_everything_and_remembers_it(tmp_path):
    here = network.Lan()
    with network.Charger(here, state=tmp_path) as charger:
        command = charger.command

        def again_from(text):
            mark = charger.mark()
            command(text)
            charger.wait_event("listening", start=mark)

        status = command("echonet status")
        assert (status["state"], status["writes"], status["allowed"]) == ("running", "off", [])
        assert status["objects"] == ["0EF001", "02A101"]
        command("echonet allow 127.0.0.1")
        command("echonet allow 127.0.0.1")
        command("echonet allow 127.0.0.77")
        command("echonet deny 127.0.0.77")
        assert command("echonet writes on")["writes"] == "on"
        assert command("echonet rate 500")["rate_per_s"] == 500
        assert command("echonet class 027e")["objects"] == ["0EF001", "027E01"]
        for wrong in (
            "maybe",
            "writes perhaps",
            "allow",
            "allow nobody.example",
            "allow 1.2.3",
            "deny 127.0.0.77",
            "rate 0",
            "rate x",
            "class 0130",
            "status now",
        ):
            answer = command(f"echonet {wrong}")
            assert not answer["ok"] and answer["error"], wrong
        again_from("restart")
        again = command("echonet")
        assert (again["writes"], again["allowed"], again["rate_per_s"]) == (
            "on",
            ["127.0.0.1"],
            500,
        )
        assert again["objects"] == ["0EF001", "027E01"]
        for number in range(2, 5):
            assert command(f"echonet allow 127.0.0.{number}")["ok"]
        assert not command("echonet allow 127.0.0.5")["ok"]  # four at most
        assert command("echonet off")["state"] == "off"
        assert not command("echonet allow 127.0.0.5")["ok"]
        assert command("status")["echonet"] == "off"
        again_from("restart")
        assert command("echonet")["state"] == "off"
        assert command("echonet on")["state"] == "starting"
        again_from("factory-reset yes")
        again = command("echonet")
        assert (again["writes"], again["allowed"]) == ("off", [])


def test_switching_off_takes_back_what_was_written_and_frees_the_port(tmp_path):
    here = network.Lan()
    with network.Charger(here, state=tmp_path) as charger:
        charger.command(f"echonet allow {here.ours}")
        charger.command("echonet writes on")
        with Controller() as controller:
            assert controller.ask("1081000705FF0102A1016101ED02003C")[20:22] == "71"
            sources = [x["source"] for x in charger.command("limits")["limits"]]
            assert sources == ["hardware", "ECHONET"]
            charger.command("echonet off")
            sources = [x["source"] for x in charger.command("limits")["limits"]]
            assert sources == ["hardware"]
            time.sleep(0.2)
            assert controller.ask(GET % 1) is None
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                probe.bind((here.theirs, 3610))  # without sharing it
            charger.command("echonet on")
            time.sleep(0.3)
            assert controller.ask(GET % 2) == ANSWER % 2


def test_a_port_that_another_program_shares_is_said_and_used(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((network.Lan.theirs, 3610))
        with network.Charger(network.Lan(), state=tmp_path) as charger:
            lines = charger.command("log")["lines"]
            assert sum("another program shares port 3610" in line for line in lines) == 1
            with Controller() as controller:
                assert controller.ask(GET % 1) == ANSWER % 1


def test_without_the_option_nothing_is_loaded(tmp_path):
    with network.simulate.Simulator(
        state=tmp_path / "without", port=0, no_mdns=True, no_echonet=True
    ) as charger:
        charger.wait_event("listening")
        assert charger.command("echonet")["state"] == "off"
        without = settled_heap(charger)
    with network.Charger(network.Lan(), state=tmp_path / "with") as charger:
        assert settled_heap(charger) > without + 10_000


# --- floods


class Controller:
    """A socket of this machine's loopback on port 3610; a context manager."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((network.Lan.ours, 3610))
        self._socket.settimeout(1.0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def ask(self, frame):
        """The answer in hex, None if there is none within a second."""
        self._socket.sendto(bytes.fromhex(frame), (network.Lan.theirs, 3610))
        try:
            while True:
                answer = self._socket.recv(2000).hex().upper()
                if answer[4:8] == frame[4:8]:
                    return answer
        except TimeoutError:
            return None


class Flood:
    """Datagrams of all kinds at a steady rate until the end of a `with` block."""

    RATE = 2_000
    BURST = 10

    def __init__(self):
        good = bytes.fromhex("1081000105FF0102A101620A8000820088008900C500C700DA00D300D800ED00")
        write = bytes.fromhex("1081000105FF0102A1016102DA0147EB0400000000")
        dice = random.Random(1)
        self._frames = [good, write, good[:20], b"", dice.randbytes(1472), dice.randbytes(60_000),
                        bytes.fromhex("1081000105FF0101300162018000"),
                        bytes.fromhex("1081000105FF0102A10162FF") + b"\x83\0" * 255,
                        bytes.fromhex("1081000105FF0102A10163018000")]  # fmt: skip
        for _ in range(40):
            frame = bytearray(dice.choice((good, write)))
            frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
            self._frames.append(bytes(frame))
        self._sockets = []
        for number in range(20, 30):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.bind((f"{network.Lan.network}.{number}", 0))
            self._sockets.append(sock)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def __enter__(self):
        self._begin = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()
        self.rate = self.sent / (time.monotonic() - self._begin)
        for sock in self._sockets:
            sock.close()

    def _run(self):
        while not self._is_over.is_set():
            for _ in range(self.BURST):
                sock = self._sockets[self.sent % len(self._sockets)]
                frame = self._frames[self.sent % len(self._frames)]
                sock.sendto(frame, (network.Lan.theirs, 3610))
                self.sent += 1
            ahead = self.sent / self.RATE - (time.monotonic() - self._begin)
            if ahead > 0:
                time.sleep(ahead)


def limits(client, count):
    """Round trips of so many limit writes in ms."""
    times = []
    for number in range(count):
        times.append(client.limit(True, 4200 + number % 100))
        if number % 50 == 0:
            client.heartbeat()
        time.sleep(0.005)
    return times


def test_a_flood_of_2000_datagrams_a_second_loses_nothing_and_delays_no_limit(tmp_path):
    identity = Identity.load(tmp_path / "manager")
    with network.Charger(
        network.Lan(), state=tmp_path / "charger", trust=[identity.ski]
    ) as charger:
        client = Client(identity, "127.0.0.1", charger.port)
        client.connect()
        client.commission()
        with Controller() as controller:
            quiet = limits(client, 100)
            with Flood() as warm:
                time.sleep(0.5)
            before = settled_heap(charger)
            with Flood() as flood:
                busy = limits(client, 300)
                answers = [controller.ask(GET % number) for number in range(1, 101)]
            assert flood.rate > 0.9 * Flood.RATE and warm.sent
            assert answers == [ANSWER % number for number in range(1, 101)]
            median = statistics.median(busy)
            worst = sorted(busy)[int(len(busy) * 0.95)]
            usual = statistics.median(quiet), sorted(quiet)[int(len(quiet) * 0.95)]
            print(f"quiet {usual[0]:.2f} ms, flood {median:.2f} ms, 95 % {worst:.2f}")
            # and what this machine needs anyhow, if others use it too
            assert median < 5 + usual[0] and worst < 20 + usual[1], (usual, median, worst)
            assert settled_heap(charger) - before <= 512
            status = charger.command("echonet")
            assert status["malformed"] > 100 and status["ignored"] > 10
            assert controller.ask(GET % 9) == ANSWER % 9
        assert not any(re.search("task|emory", line) for line in charger.command("log")["lines"])
        client.close()


def test_forged_sources_of_our_own_start_no_conversation(tmp_path):
    with network.Charger(network.Lan(), state=tmp_path) as charger:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as forger:
            forger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            forger.bind((network.Lan.theirs, 0))  # as if we had sent it
            for _ in range(20):
                forger.sendto(bytes.fromhex(GET % 1), (network.Lan.theirs, 3610))
        time.sleep(0.3)
        assert charger.command("echonet")["controllers"] == []


def test_an_idle_node_uses_no_more_of_the_heap_as_time_goes_by(tmp_path):
    with network.Charger(network.Lan(), state=tmp_path) as charger:
        at_first = settled_heap(charger)
        time.sleep(1.5)  # the instance list has been announced, and has come back to us
        assert settled_heap(charger) <= at_first
