"""tools/simulate.py: its command line, and its line protocol with a small stand-in firmware."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools import romfs, simulate
from tools.console_link import ConsoleError
from tools.simulate import Simulator

LAUNCHER = Path(simulate.__file__)
SKI = "0123456789abcdef0123456789abcdef01234567"

FIRMWARE = """
import sys, json

def main(arguments, started):
    print("log: hello")
    print('{"event": "listening", "address": "127.0.0.1", "port": 4100}')
    while True:
        line = sys.stdin.readline()
        if not line or line == "shutdown\\n":
            print('{"event": "closed"}')
            sys.exit(3)
        words = line.split()
        if words == ["json", "arguments"]:
            print("{no json")
            print('{"answer": "arguments", "ok": true, "arguments": %s}' % json.dumps(arguments))
        elif words == ["json", "limit"]:
            print('{"event": "lpc", "state": "limited", "limit_w": 4200}')
            print('{"answer": "limit", "ok": true}')
        elif words == ["json", "crash"]:
            raise ValueError("crashed")
        elif words == ["json", "where"]:
            import micropython
            where = json.dumps([__file__, 64 if sys.maxsize > 1 << 32 else 32])
            print('{"answer": "where", "ok": true, "where": %s}' % where)
        elif words == ["json", "deaf"]:
            import time
            time.sleep(3600)
"""
GUARD = ("firmware/start.py", "firmware/rescue.py")  # as they are


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A project with the stand-in firmware."""
    for name, text in {
        "firmware/__init__.py": "",
        "firmware/main.py": FIRMWARE,
        "firmware/json.py": "raise ImportError('the folder of main.py is on the path')",
        "boards/sim/__init__.py": "",
        **{name: (romfs.ROOT / name).read_text() for name in GUARD},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(simulate, "ROOT", tmp_path)
    return tmp_path


def _passed_on(words):
    """Return what the firmware is given for these words of the command line."""
    command, _ = simulate.command_line(simulate.parser().parse_args(words))
    return command[command.index("--address") :]


def test_options_reach_the_firmware_with_their_defaults(root):
    state = str(root / "build" / "sim" / "0001")
    assert _passed_on([]) == (
        f"--address 127.0.0.1 --port 4712 --state {state} --serial 0001 --phases 3 "
        "--speed 1 --feed-in 0 --log-level info --mdns-address 127.0.0.1 "
        "--echonet-address 127.0.0.1"
    ).split(" ")
    assert Path(state).is_dir()


def test_options_reach_the_firmware_as_given(root, tmp_path):
    words = (
        f"--address 127.0.0.2 --port 0 --state {tmp_path}/s --serial A-7 --bits 32 --heap 96K "
        f"--no-mdns --mdns-address 127.0.0.3 --trust {SKI} --phases 1 "
        "--speed 20 --feed-in 5000 --iso15118 --switch-phases --log-level debug "
        "--no-echonet --echonet-address 127.0.0.4 --json --trust"
    ).split(" ")
    assert _passed_on([*words, " ".join([SKI[:20].upper(), SKI[20:]])]) == (
        f"--address 127.0.0.2 --port 0 --state {tmp_path}/s --serial A-7 --trust {SKI} "
        f"--trust {SKI} --phases 1 --speed 20 --feed-in 5000 --iso15118 --switch-phases "
        "--log-level debug --mdns-address 127.0.0.3 --echonet-address 127.0.0.4 "
        "--no-echonet --no-mdns --json"
    ).split(" ")
    command, environment = simulate.command_line(simulate.parser().parse_args(words[:-1]))
    assert command[0].endswith("/micropython32") and command[1:3] == ["-X", "heapsize=96K"]
    assert environment["MICROPYPATH"] == f"{root}:{root}/lib:.frozen"


@pytest.mark.parametrize(
    "words",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--port", "x"],
        ["--serial", "../0001"],
        ["--serial", ""],
        ["--bits", "16"],
        ["--heap", "0"],
        ["--heap", "96KB"],
        ["--trust", SKI[1:]],
        ["--phases", "2"],
        ["--speed", "0"],
        ["--log-level", "all"],
        ["--code", "binary"],
        ["--addr", "127.0.0.1"],
    ],
)
def test_wrong_values_are_refused_before_anything_starts(words, capsys):
    with pytest.raises(SystemExit) as ended:
        simulate.main(words)
    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_help_works_from_anywhere_with_the_system_python(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", LAUNCHER, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "--mdns-address" in done.stdout


# --- Simulator ---


def test_simulator_refuses_what_the_command_line_refuses():
    with pytest.raises(ValueError, match="--phases"):
        Simulator(phases=2)
    with pytest.raises(ValueError, match="--colour"):
        Simulator(colour="red")


def test_simulator_starts_answers_and_stops(root):
    with Simulator(port=0, trust=[SKI], no_mdns=True, heap=None) as charger:
        assert charger.port == 4100
        answer = charger.command("arguments")
        assert answer["ok"] is True
        assert answer["arguments"][:4] == ["--address", "127.0.0.1", "--port", "0"]
        assert answer["arguments"][-2:] == ["--no-mdns", "--json"]
        assert charger.lines[0] == "log: hello"
        assert charger.stop() == 3
        assert charger.wait_event("closed") == {"event": "closed"}
    assert charger.process.returncode == 3


def test_events_are_found_by_their_fields_and_place(root):
    with Simulator() as charger:
        assert charger.command("limit") == {"answer": "limit", "ok": True}
        assert charger.wait_event("lpc", state="limited")["limit_w"] == 4200
        later = charger.mark()
        with pytest.raises(ConsoleError, match=r"no event .*lpc"):
            charger.wait_event("lpc", timeout=0.05, start=later)
        charger.command("limit")
        assert charger.wait_event("lpc", start=later)["limit_w"] == 4200


@pytest.mark.parametrize("code", ["source", "romfs"])
@pytest.mark.parametrize("bits", [64, 32])
def test_simulator_runs_either_code_on_either_word_size(root, code, bits):
    with Simulator(code=code, bits=bits, heap="128K") as charger:
        where, word = charger.command("where")["where"]
        assert where.startswith("/rom/") == (code == "romfs")
        assert word == bits


def test_a_crash_is_reported_with_the_last_lines(root):
    with Simulator() as charger:
        with pytest.raises(ConsoleError, match=r"ended before(.|\n)*ValueError: crashed"):
            charger.command("crash")
        assert charger.stop() == 1


def test_silence_is_reported_and_a_deaf_process_is_ended(root, monkeypatch):
    monkeypatch.setattr(simulate, "_STOP_TIMEOUT_S", 0.2)
    with Simulator() as charger:
        charger.wait_event("listening")
        with pytest.raises(ConsoleError, match=r"no answer to `deaf` in 0\.1 s"):
            charger.command("deaf", timeout=0.1)
        start = time.monotonic()
        assert charger.stop() == -signal.SIGTERM
        assert time.monotonic() - start < 5


def test_a_killed_simulator_starts_again_with_the_same_options(root):
    charger = Simulator(serial="K1")
    charger.start()
    charger.wait_event("listening")
    charger.kill()
    assert charger.process.returncode == -signal.SIGKILL
    with charger:
        assert "K1" in charger.command("arguments")["arguments"]


def test_several_run_side_by_side(root):
    with Simulator(serial="A") as one, Simulator(serial="B", bits=32) as other:
        assert "A" in one.command("arguments")["arguments"]
        assert "B" in other.command("arguments")["arguments"]
    assert sorted(path.name for path in (root / "build" / "sim").iterdir()) == ["A", "B"]


def test_the_command_becomes_the_charger_and_passes_signals_on(root):
    script = (
        "import sys; from pathlib import Path; from tools import simulate; "
        f"simulate.ROOT = Path({str(root)!r}); sys.exit(simulate.main([]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=LAUNCHER.parent.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "log: hello\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM
