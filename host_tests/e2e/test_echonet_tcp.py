"""ECHONET Lite over TCP, the option: pieces, strangers, controllers that are silent or deaf."""

import socket
import time

import pytest

from host_tests.e2e.echonet_peers import lan as network
from host_tests.e2e.world import settled_heap

GET = "1081%04X05FF0102A10162018000"
ANSWER = "1081%04X02A10105FF017201800130"
WRITE = "1081000705FF0102A1016101ED02003C"
REFUSED = "1081000702A10105FF015101ED02003C"
WRITTEN = "1081000702A10105FF017101ED00"
LONGEST = 576


@pytest.fixture
def charger(tmp_path):
    with network.Charger(network.Lan(), state=tmp_path) as charger:
        answer = charger.command("echonet tcp on")
        assert (answer["ok"], answer["tcp"]) == (True, "on")
        end = time.monotonic() + 10
        while charger.command("echonet")["state"] != "running":
            assert time.monotonic() < end
            time.sleep(0.02)
        yield charger


class Connection:
    """A controller's connection; a context manager."""

    def __init__(self, receive_buffer=None):
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(5.0)
        self.socket.bind((network.Lan.ours, 0))
        self.socket.connect((network.Lan.theirs, 3610))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(bytes.fromhex(text))

    def receive(self, text):
        """Wait for exactly these octets."""
        wanted, got = bytes.fromhex(text), b""
        while len(got) < len(wanted) and (more := self.socket.recv(len(wanted) - len(got))):
            got += more
        assert got == wanted, got.hex()

    def ask(self, number=1):
        self.send(GET % number)
        self.receive(ANSWER % number)

    def is_closed(self):
        """Whether the charger has closed it, now or within the time-out."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionError:
            return True


def test_it_is_off_until_it_is_switched_on(charger):
    with Connection() as connection:
        connection.ask()
    assert charger.command("echonet tcp off")["tcp"] == "off"
    time.sleep(0.3)
    with pytest.raises(ConnectionRefusedError):
        Connection()
    mark = charger.mark()
    charger.command("echonet tcp on")
    charger.command("restart")
    charger.wait_event("listening", start=mark)
    time.sleep(0.3)
    assert charger.command("echonet")["tcp"] == "on"
    with Connection() as connection:
        connection.ask()


def test_frames_come_in_pieces_and_several_at_once_and_are_answered_in_order(charger):
    with Connection() as connection:
        for octet in bytes.fromhex(GET % 1):
            connection.send("%02X" % octet)
            time.sleep(0.005)
        connection.receive(ANSWER % 1)
        connection.send("".join(GET % number for number in range(2, 60)) + (GET % 60)[:8])
        connection.receive("".join(ANSWER % number for number in range(2, 60)))
        connection.send((GET % 60)[8:])
        connection.receive(ANSWER % 60)
        connection.send("1081006105FF0102A1016200" + "1081006205FF0101300162018000" + GET % 99)
        connection.receive(ANSWER % 99)  # no properties, no such object: no answer


def test_writing_takes_the_same_permission_as_over_udp(charger):
    with Connection() as connection:
        connection.send(WRITE)
        connection.receive(REFUSED)
        charger.command(f"echonet allow {network.Lan.ours}")
        charger.command("echonet writes on")
        connection.send(WRITE)
        connection.receive(WRITTEN)
        (seen,) = charger.command("echonet")["controllers"]
        assert (seen["address"], seen["writes"], seen["refused"]) == (network.Lan.ours, 1, 1)
        assert {"source": "ECHONET", "ma": 6000} in [
            {name: limit[name] for name in ("source", "ma") if name in limit}
            for limit in charger.command("limits")["limits"]
        ]


def test_what_is_no_frame_or_too_long_ends_the_connection(charger):
    for text in ("474554202F", "1082000105FF0102A10162018000", "00"):
        with Connection() as connection:
            connection.send(text)
            assert connection.is_closed()
    longest = "1081000205FF0102A1016103" + "F0FF" + "55" * 255 + "F1FF" + "66" * 255
    longest += "F230" + "77" * 48
    assert len(longest) == 2 * LONGEST
    with Connection() as connection:
        connection.send(longest)
        connection.receive("1081000202A10105FF015103" + longest[24:])
        connection.send(longest[:1054] + "31" + longest[1056:] + "77")
        assert connection.is_closed()
    with Connection() as connection:
        connection.ask()


def test_one_more_connection_takes_the_place_of_the_one_silent_for_longest(charger):
    with Connection() as first, Connection() as second:
        first.ask()
        time.sleep(0.05)
        second.ask()
        time.sleep(0.05)
        first.ask()
        with Connection() as third:
            third.ask()
            assert second.is_closed()
            first.ask()
            third.ask()


def test_a_controller_that_does_not_read_is_left_and_costs_nothing(charger):
    with Connection() as connection:
        connection.ask()
    before = settled_heap(charger)
    everything = "1081000105FF0102A10162FF" + "8300" * 255
    with Connection(receive_buffer=4096) as deaf:
        deaf.socket.settimeout(10.0)
        with pytest.raises(OSError):
            while True:
                deaf.send(everything)
    with Connection() as connection:
        connection.ask()
    for _ in range(20):
        with Connection() as connection:
            connection.send(GET % 1)
    time.sleep(0.3)
    assert settled_heap(charger) - before <= 512
    assert not any("task" in line or "rror" in line for line in charger.command("log")["lines"])


def test_a_port_that_is_taken_is_said_and_tried_again(tmp_path):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((network.Lan.theirs, 3610))
        other.listen(1)
        with network.Charger(network.Lan(), state=tmp_path) as charger:
            charger.command("echonet tcp on")
            end = time.monotonic() + 5
            while "port 3610 is in use" not in charger.command("echonet")["state"]:
                assert time.monotonic() < end
                time.sleep(0.05)
            other.close()
            end = time.monotonic() + 10
            while charger.command("echonet")["state"] != "running":
                assert time.monotonic() < end
                time.sleep(0.1)
            with Connection() as connection:
                connection.ask()
