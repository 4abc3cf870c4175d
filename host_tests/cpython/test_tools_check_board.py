"""tools/check_board.py: every board in the tree is good, and each mistake is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import boards as package
from tools import check_board
from tools.check_board import CheckError, boards, check, main
from tools.chips import CHIPS, pin_problems

ROOT = Path(__file__).resolve().parent.parent.parent

GOOD = """
from boards.parts.board import PartsBoard
from boards.parts.network import Wifi
from boards.parts.pilot import ControlPilot
from boards.parts.relay import Relay


class Ours(PartsBoard):
    VENDOR = BRAND = "Ours"
    MODEL = "One"
    CHIP = "ESP32"
    HAS_METER = False

    def __init__(self):
        self.relay = Relay(coil=26)
        self.pilot = ControlPilot(25, sense=36, zero_mv=1_500, gain=10_000)
        self.wifi = Wifi(lambda: False)


def create():
    return Ours()
"""


@pytest.fixture
def ours(monkeypatch, tmp_path):
    """Check a board made of this text, in a folder of its own."""
    folder = tmp_path / "boards" / "ours"
    folder.mkdir(parents=True)
    monkeypatch.setattr(package, "__path__", [str(folder.parent), *package.__path__])

    def run(text):
        (folder / "board.py").write_text(text)
        monkeypatch.setattr(check_board, "ROOT", tmp_path)
        return check("ours")

    yield run
    for module in [name for name in sys.modules if name.startswith("boards.ours")]:
        del sys.modules[module]


def test_every_board_in_the_tree_is_good():
    assert boards() == ["esp32_devkit", "esp32_evse", "esp32_s3", "sim"]
    for name in boards():
        report = check(name)
        assert report["problems"] == [], name
        assert report["announces"]["use_cases"]["limitationOfPowerConsumption"] == [1, 2, 3, 4]


def test_what_a_board_announces_follows_from_what_it_can():
    announced = check("esp32_s3")["announces"]
    assert announced["ship_id"] == "Pilotwire-0001"
    assert (announced["phases"], announced["nominal_w"]) == (3, 22_080)
    assert announced["use_cases"]["monitoringOfPowerConsumption"]
    assert "overloadProtectionByEvChargingCurrentCurtailment" in announced["use_cases_with_car"]
    assert "evChargingSummary" not in announced["use_cases"]
    assert "evChargingSummary" in check("sim")["announces"]["use_cases"]


def test_pins_are_named_with_their_part_and_what_is_missing_with_its_meaning():
    report = check("esp32_evse")
    assert report["pins"][27] == {"part": "ControlPilot", "uses": ["output"]}
    assert report["pins"][36] == {"part": "ControlPilot", "uses": ["adc"]}
    assert any("type B" in warning for warning in report["warnings"])
    assert report["parts"]["residual-current monitor"] is False
    assert check("esp32_s3")["warnings"] == []


def test_a_smaller_board_than_ours_is_good(ours):
    report = ours(GOOD)
    assert report["problems"] == []
    assert "no meter: energy managers see the offered current only" in report["warnings"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("coil=26", "coil=25", "GPIO 25 is used more than once: Relay, ControlPilot"),
        ("coil=26", "coil=35", "GPIO 35 (Relay) cannot be an output"),
        ("coil=26", "coil=6", "GPIO 6 (Relay) belongs to the memory of the module"),
        ("coil=26", "coil=24", "GPIO 24 (Relay) does not exist on the ESP32"),
        ("coil=26", "coil=1", "GPIO 1 (Relay) belongs to the console"),
        ("coil=26", "coil=12", "GPIO 12 (Relay) decides at reset how the chip starts"),
        ("sense=36", "sense=27", "GPIO 27 (ControlPilot) is not on ADC1"),
        ('CHIP = "ESP32"', 'CHIP = "ESP8266"', "CHIP is 'ESP8266'; known are ESP32, ESP32-S3"),
        ('CHIP = "ESP32"', "CHIP = None", "it uses pins, but CHIP is None"),
        ('"One"', '""', "MODEL is empty"),
        ("HAS_METER = False", "HAS_METER = True", "self.meter is missing in __init__"),
        ("HAS_METER = False", "HAS_METER = False\n    PHASES = 4", "PHASES is 4"),
        ("HAS_METER = False", "HAS_METER = False\n    MAX_CURRENT_MA = 5", "MAX_CURRENT_MA is 5"),
        ("HAS_METER = False", "HAS_METER = False\n    MAX_CURRENT_MA = 63_000", "above 51 A"),
        ("HAS_METER = False", "HAS_METER = False\n    HOT_DC = 800", "HOT_DC must be below"),
        ("self.wifi = ", "wifi = ", "self.wifi or self.ethernet is missing"),
        ("self.pilot = ", "pilot = ", "self.pilot is missing in __init__"),
        ("self.relay = ", "relay = ", "self.relay is missing in __init__"),
        ("return Ours()", "return object()", "create() must return an instance"),
        ("gain=10_000", "gian=10_000", "create() failed in boards/ours/board.py:16: TypeError"),
        ("coil=26", "coil=None", "create() failed in boards/parts/relay.py:"),
        ("class Ours", "class Ours(", "create() failed: SyntaxError"),
    ],
)
def test_a_mistake_is_named(ours, old, new, expected):
    report = ours(GOOD.replace(old, new, 1))
    assert any(expected in problem for problem in report["problems"]), report["problems"]
    assert report["announces"] == {}


def test_a_boot_pin_may_be_used_on_purpose_and_flash_pins_never():
    uses = [(0, "pin", "Button"), (0, "pull-up", "Button")]
    assert len(pin_problems(CHIPS["ESP32"], uses)) == 1
    assert pin_problems(CHIPS["ESP32"], uses, (0,)) == []
    assert pin_problems(CHIPS["ESP32"], [(6, "pin", "Led")], (6,)) != []


def test_the_rules_of_the_s3_are_others():
    s3 = CHIPS["ESP32-S3"]
    assert pin_problems(s3, [(36, "pin", "Led"), (36, "output", "Led")]) == []
    for gpio, word in ((30, "memory"), (46, "starts"), (19, "console"), (22, "exist")):
        assert word in pin_problems(s3, [(gpio, "pin", "Led")])[0]
    assert "memory" in pin_problems(CHIPS["ESP32-S3-OCTAL"], [(36, "pin", "Led")])[0]
    assert "memory" in pin_problems(CHIPS["ESP32-PSRAM"], [(16, "pin", "Led")])[0]
    assert "ADC1" in pin_problems(s3, [(11, "pin", "Ntc"), (11, "adc", "Ntc")])[0]
    assert pin_problems(s3, [(10, "pin", "Ntc"), (10, "adc", "Ntc")]) == []


def test_an_input_only_pin_has_no_pull_up():
    problems = pin_problems(CHIPS["ESP32"], [(34, "pin", "Button"), (34, "pull-up", "Button")])
    assert problems == ["GPIO 34 (Button) has no pull-up: put a resistor on the board and say so"]


def test_exit_status_and_json(capsys, ours):
    assert main(["sim", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["board"] == "sim"
    assert main([]) == 0
    assert capsys.readouterr().out.count(": good\n") == 4
    assert main(["nowhere"]) == 2
    assert "there are: esp32_devkit, esp32_evse, esp32_s3, sim" in capsys.readouterr().err
    with pytest.raises(CheckError):
        check("parts")
    ours(GOOD.replace("coil=26", "coil=25"))
    assert main(["ours"]) == 1
    out = capsys.readouterr().out
    assert "error: GPIO 25 is used more than once" in out
    assert "boards/ours: 1 problem(s)" in out


def test_make_check_is_the_command():
    done = subprocess.run(
        ["make", "-s", "check", "BOARD=esp32_devkit", "ARGS=--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["chip"] == "ESP32"


def test_the_board_of_the_readme_is_good(ours):
    text = (ROOT / "boards" / "README.md").read_text()
    report = ours(text.split("```python board\n")[1].split("```")[0])
    assert report["problems"] == []
    assert report["announces"]["ship_id"] == "Example-0001"
