"""The console against wrong commands, long lines and noise: each is answered, nothing dies."""

import time

import pytest

from host_tests.e2e.peer import Peer, make_certificate
from tools.simulate import Simulator

ANSWER_S = 0.5  # well below the pause after which a task that crashed is started again


@pytest.fixture(scope="module")
def charger(tmp_path_factory):
    state = tmp_path_factory.mktemp("console")
    with Simulator(port=0, state=state, no_mdns=True) as started:
        assert started.port
        yield started


@pytest.fixture(autouse=True)
def alive(charger):
    """After each case the console answers at once, and no task has crashed."""
    yield
    start = time.monotonic()
    assert charger.command("id")["ok"]
    assert time.monotonic() - start < ANSWER_S
    assert not any("task " in line for line in charger.command("log")["lines"])


def typed(charger, octets):
    """Write octets to the console as they are; return the lines that came back."""
    mark = charger.mark()
    charger.process.stdin.buffer.write(octets)
    charger.process.stdin.buffer.flush()
    charger.command("id")  # it is answered after them
    return [line for line in charger.lines[mark:] if not line.startswith("{")]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("dance", "unknown command dance; try help"),
        ("do_help", "unknown command"),
        ("__init__", "unknown command"),
        ("trust", "a SKI has 40 hexadecimal digits"),
        ("trust 12", "a SKI has 40 hexadecimal digits"),
        ("trust " + "g" * 40, "a SKI has 40 hexadecimal digits"),
        ("trust " + "a" * 41, "a SKI has 40 hexadecimal digits"),
        ("untrust " + "ab" * 20, "not trusted"),
        ("factory-reset", "factory-reset yes"),
        ("ev fly", "ev plug"),
        ("ev plug wings=2", "wings"),
        ("ev plug phases=9", "phases are 1 to 3"),
        ("ev plug phases", "integer"),
        ("ev set wings 2", "no such option"),
        ("ev set max_ma much", "integer"),
        ("ev set max_ma -1", "0 or more"),
    ],
)
def test_a_wrong_command_is_answered_with_what_is_wrong(charger, command, told):
    answer = charger.command(command)
    assert not answer["ok"]
    assert told in answer["error"]
    assert typed(charger, command.encode() + b"\n")[0].startswith("error: ")


def test_a_line_that_is_too_long_is_cut_and_answered_once(charger):
    lines = typed(charger, b"x" * 5000 + b"\n")
    assert lines == ["error: unknown command " + "x" * 512 + "; try help"]


def test_noise_is_answered_without_being_sent_back(charger):
    lines = typed(charger, b"\xff\xfe\x00\x80\x1b[2J\n" + bytes(range(256)) + b"\n")
    assert lines
    assert all(" " <= character <= "~" for line in lines for character in line), lines


def test_empty_lines_and_other_line_ends_are_taken(charger):
    assert typed(charger, b"\n\r\n   \n\r\r\njson\n") == []
    assert any(line.startswith("ship_id: ") for line in typed(charger, b"id\r\n"))


def test_no_more_peers_than_there_is_room_for(charger):
    skis = [f"{number:040x}" for number in range(9)]
    answers = [charger.command("trust " + ski) for ski in skis]
    assert [answer["ok"] for answer in answers] == [True] * 8 + [False]
    assert "untrust one first" in answers[-1]["error"]
    assert charger.command("untrust " + skis[0])["ok"]
    assert charger.command("trust " + skis[8])["ok"]
    for ski in skis[1:]:
        assert charger.command("untrust " + ski)["ok"]
    assert charger.command("peers")["trusted"] == []


def test_restart_parts_from_peers_and_serves_them_again(charger, tmp_path):
    good = make_certificate(tmp_path)
    charger.command("trust " + good.ski)
    mark = charger.mark()
    with Peer(charger.port, good).reach("data") as peer:
        charger.command("restart")
        close = peer.expect("connectionClose")[1]
        assert close == {"phase": "announce", "maxTime": 500, "reason": "unspecific"}
        peer.control("connectionClose", {"phase": "confirm"}, kind=3)
        assert peer.wait_closed()[0] == 4001
    port = charger.wait_event("listening", start=mark)["port"]
    with Peer(port, good).reach("data") as peer:
        assert peer.discover().address


def test_without_a_console_the_charger_goes_on(tmp_path):
    good = make_certificate(tmp_path)
    options = {"state": tmp_path / "state", "no_mdns": True, "trust": [good.ski]}
    with Simulator(port=0, **options) as charger:
        with Peer(charger.port, good).reach("data") as peer:
            charger.process.stdin.close()
            time.sleep(0.2)
            assert peer.discover().address
        charger.process.kill()  # nobody can ask it to shut down any more
        charger.process.wait()
