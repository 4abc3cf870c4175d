"""The unmodified firmware with a real board on a fake chip: it brings up its network, serves."""

import json
import os
import subprocess
import time

import pytest

from tools.micropython import micropython_path
from tools.romfs import compile_bundle
from tools.simulate import ROOT

SCRIPT = ROOT / "host_tests" / "e2e" / "board_on_fake_chip.py"


class Chip:
    """The process; `event` reads on until an event, `ask` until the answer to a command."""

    def __init__(self, state, bits, folder="sources"):
        command = [micropython_path(bits), SCRIPT, folder, "--port", "0"]
        command += ["--address", "127.0.0.1", "--no-echonet", "--no-mdns"]
        command += ["--state", state, "--json"]
        self.process = subprocess.Popen(
            command,
            env={**os.environ, "MICROPYPATH": f"{ROOT}:{ROOT}/lib:.frozen"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def find(self, predicate):
        seen = []
        for line in self.process.stdout:
            seen.append(line)
            if line.startswith("{") and predicate(json.loads(line)):
                return json.loads(line)
        raise AssertionError("".join(seen))

    def event(self, name):
        return self.find(lambda line: line.get("event") == name)

    def ask(self, text):
        self.process.stdin.write(f"json {text}\n")
        self.process.stdin.flush()
        return self.find(lambda line: "answer" in line)


def _settings(state, values):
    """Write the settings as the firmware would."""
    program = (
        "import sys; from firmware.storage import Settings, Storage\n"
        "settings = Settings(Storage(sys.argv[1], None), 'settings')\n"
        f"settings.put('wifi', {values!r})\n"
        "settings.save_if_changed()"
    )
    subprocess.run(
        [micropython_path(64), "-c", program, state],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:{ROOT}/lib:.frozen"},
        check=True,
    )


@pytest.mark.parametrize("bits", [32, 64])
def test_a_board_joins_its_network_and_goes_on_without(tmp_path, bits):
    state = str(tmp_path / "state")
    with Chip(state, bits) as chip:
        assert chip.event("listening")["port"]
        chip.find(lambda line: line.get("event") == "charging" and line["state"] == "A")
        assert chip.ask("status")["faults"] == []
        assert chip.ask("ev")["ok"] is False  # no simulated car here
        chip.ask("shutdown")
        assert chip.event("pins")["coil"] == [0]
    _settings(state, {"name": "Carport", "password": "sunny side"})
    with Chip(state, bits) as chip:
        assert chip.event("network")["address"] == "127.0.0.1"
        chip.ask("shutdown")
        chip.event("stopped")


def test_an_image_runs_on_the_chip(tmp_path):
    folder = compile_bundle("esp32_devkit", ROOT)
    with Chip(tmp_path / "state", 32, folder) as chip:
        chip.find(lambda line: line.get("event") == "charging" and line["state"] == "A")
        time.sleep(1.5)  # until the feedback of the contactor would be judged
        assert chip.ask("status")["faults"] == []
        chip.ask("shutdown")
        assert chip.event("pins")["coil"] == [0]


@pytest.mark.parametrize("board", ["esp32_devkit", "esp32_s3", "esp32_evse"])
def test_an_image_for_a_board_has_its_parts_and_no_simulator(board):
    folder = compile_bundle(board, ROOT)
    text = (ROOT / "build" / "bundle" / board / "pilotwire.py").read_text()
    assert not list(folder.glob("*sim*"))
    for api in ("duty_u16=", "read_uv()", "time_pulse_us(", "Pin.OUT, value=", "atten=ADC."):
        assert api in text, api
    if board != "esp32_devkit":
        for api in ("rxbuf=256", "Timer.ONE_SHOT, period=", "callback="):
            assert api in text, api
    assert "PM_NONE" in text and "sleep_us" in text
