"""make deploy: real mpremote against MicroPython's Unix port behind a pseudo-terminal."""

import hashlib
import json
import os
import pty
import shutil
import subprocess
import tty
from pathlib import Path

import pytest

from tools.board_facts import BoardError, chip_of
from tools.deploy import DeployError, __main__, plan
from tools.deploy.device import Device
from tools.deploy.transfer import Firmware, carry_out, check, survey
from tools.micropython import micropython_path

PROGRAM = Path(__file__).resolve().parent.parent / "micropython" / "raw_repl.py"
RESET = 77

OLD = {"pilotwire.mpy": b"old" * 700, "firmware/start.mpy": b"start", "pilotwire_a.mpy": b"gone"}
NEW = {"pilotwire.mpy": b"new" * 1400, "firmware/start.mpy": b"start", "pilotwire_b.mpy": b"b"}


class Board:
    """A context manager; `port` is where it is, `flash` the folder that is its flash."""

    def __init__(self, flash: Path, **options):
        flash.mkdir(exist_ok=True)
        self.flash = flash
        self.options = options
        self.port = None
        self._ends = ()
        self._process = None

    def __enter__(self):
        self._ends = pty.openpty()
        for end in self._ends:
            tty.setraw(end)
        self.port = os.ttyname(self._ends[1])
        command = [micropython_path(64), PROGRAM, self.flash, json.dumps(self.options)]
        self._process = subprocess.Popen(
            command, stdin=self._ends[0], stdout=self._ends[0], stderr=subprocess.PIPE
        )
        os.close(self._ends[0])  # only the board has it: when it is gone the port is, too
        return self

    def __exit__(self, *_):
        os.close(self._ends[1])
        self._process.kill()
        self._process.wait()
        self._process.stderr.close()

    def wait_reset(self):
        assert self._process.wait(10) == RESET, self._process.stderr.read()

    def slot(self, slot):
        folder = self.flash / slot
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    def startable(self):
        """The files of the version that main.py starts."""
        main = self.flash / "main.py"
        if not main.exists():
            return None
        return self.slot(plan.active_slot(main.read_text()))


def firmware(files, version="1.0.0"):
    return Firmware("esp32-s3", "ESP32-S3", version, files)


def bring(board, files, version="1.0.0", may_replace=False):
    """Deploy; return the plan and how many octets were sent."""
    sent = []
    with Device(board.port) as device:
        made, _, _ = survey(device, firmware(files, version), may_replace)
        if not made.is_current:
            carry_out(device, made, firmware(files, version), sent.append)
    return made, sum(sent)


def test_a_version_arrives_and_the_next_one_goes_into_the_other_folder(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "starts").write_text("failed three times")
    with Board(tmp_path) as board:
        made, sent = bring(board, OLD)
        assert made.slot == "a" and sent == sum(map(len, OLD.values()))
        assert board.startable() == OLD
        assert not (tmp_path / "state" / "starts").exists(), "it has three tries of its own"
    with Board(tmp_path) as board:
        made, sent = bring(board, NEW)
        assert made.slot == "b" and board.startable() == NEW
        assert made.copy == ["firmware/start.mpy"] and sent == 4200 + 1, "only what changed"
        assert board.slot("a") == OLD
    with Board(tmp_path) as board:
        made, sent = bring(board, NEW)
        assert made.is_current and sent == 0
    with Board(tmp_path) as board:
        made, sent = bring(board, OLD, "1.0.1")
        assert made.slot == "a" and made.keep == sorted(OLD) and sent == 0
        assert '"/a"' in (tmp_path / "main.py").read_text()
        assert board.startable() == OLD


def test_main_py_starts_the_version_by_the_boot_guard():
    text = plan.main_text("b", "esp32-s3", "1.2.3")
    assert text == (
        "# Pilotwire 1.2.3 for esp32-s3, made by `make deploy`.\n"
        "import sys\n\n"
        'sys.path[:] = ["/b", ".frozen", "/lib"]\n\n'
        "from firmware.start import main\n\n"
        'main((), "pilotwire")\n'
    )
    assert plan.active_slot(text) == "b"
    assert not plan.is_foreign(text)


def test_a_cut_after_any_command_leaves_the_old_or_the_new_version_startable(tmp_path):
    cut_at = cuts = 0
    outcomes = []
    with Board(tmp_path / "before") as board:
        bring(board, OLD)
    while not outcomes or outcomes[-1] != "whole":
        flash = tmp_path / str(cut_at)
        shutil.copytree(tmp_path / "before", flash)
        with Board(flash, cut_after=cut_at) as board:
            try:
                bring(board, NEW)
                outcomes.append("whole")
            except DeployError as problem:
                assert str(problem)
                outcomes.append("new" if board.startable() == NEW else "old")
                cuts += 1
            assert board.startable() == (OLD if outcomes[-1] == "old" else NEW)
        with Board(flash) as board:  # and running it again mends it
            made, _ = bring(board, NEW)
            assert board.startable() == NEW
            assert made.is_current == (outcomes[-1] != "old")
        cut_at += 1
    assert cuts > 20
    assert outcomes == sorted(outcomes, key=["old", "new", "whole"].index)


def test_a_wrong_chip_is_refused_with_a_sentence(tmp_path):
    with Board(tmp_path, machine="Generic ESP32 module with ESP32") as board:
        with pytest.raises(DeployError, match=r"chip is ESP32; .* is made for ESP32-S3"):
            bring(board, OLD)
        assert board.startable() is None and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"version": [1, 24, 1]}, "has MicroPython 1.24; 1.25 is the oldest"),
        ({"mpy": 5}, "reads bytecode version 5, not 6"),
        ({"free_blocks": 10}, "flash is too small: .* KiB are needed .*, 40 KiB are free"),
    ],
)
def test_a_board_that_cannot_run_it_is_refused(tmp_path, options, sentence):
    with Board(tmp_path, **options) as board:
        with pytest.raises(DeployError, match=sentence):
            bring(board, OLD)
        assert not list(tmp_path.iterdir())


def test_a_main_py_of_others_is_replaced_only_if_asked_to(tmp_path):
    (tmp_path / "main.py").write_text("print('mine')\n")
    with Board(tmp_path) as board:
        with pytest.raises(DeployError, match=r"main\.py that is not ours"):
            bring(board, OLD)
        assert (tmp_path / "main.py").read_text() == "print('mine')\n"
    with Board(tmp_path) as board:
        bring(board, OLD, may_replace=True)
        assert board.startable() == OLD


def test_a_port_that_is_not_there_is_said_with_those_that_are():
    with pytest.raises(DeployError, match=r"there is no port /dev/ttyNONE; (no board|there are)"):
        Device("/dev/ttyNONE").__enter__()


def test_a_port_where_nothing_answers_is_said(monkeypatch):
    for name in ("_PATIENCE_S", "_GOODBYE_S", "_START_S"):
        monkeypatch.setattr(f"tools.deploy.device.{name}", 0.2)
    ends = pty.openpty()
    for end in ends:
        tty.setraw(end)
    monkeypatch.setattr(
        "mpremote.transport_serial.SerialTransport._is_pty_device", staticmethod(lambda _: False)
    )
    with pytest.raises(DeployError, match="answers as MicroPython"):
        Device(os.ttyname(ends[1])).__enter__()
    for end in ends:
        os.close(end)


def test_a_running_firmware_is_shut_down_by_its_console(tmp_path, monkeypatch):
    """It takes Ctrl-C for itself, so the prompt comes only after its command."""
    for name in ("_SILENCE_S", "_PATIENCE_S", "_GOODBYE_S"):
        monkeypatch.setattr(f"tools.deploy.device.{name}", 0.5)
    with Board(tmp_path, firmware=True) as board:
        bring(board, OLD)
        assert board.startable() == OLD


def test_a_slot_that_reads_back_differently_is_not_started(tmp_path, monkeypatch):
    with Board(tmp_path) as board:
        bring(board, OLD)
    write = Device.write

    def damaged(self, path, data, progress=lambda count: None):
        write(self, path, data[:-1] + b"?" if path.endswith("_b.mpy") else data, progress)

    monkeypatch.setattr(Device, "write", damaged)
    with Board(tmp_path) as board:
        with pytest.raises(DeployError, match=r"/b/pilotwire_b.mpy reads back differently"):
            bring(board, NEW)
        assert board.startable() == OLD


def test_the_other_implementations_are_refused():
    about = type("About", (), {"name": "circuitpython"})
    with pytest.raises(DeployError, match="runs circuitpython"):
        check(about, firmware(OLD))


# --- plans and chips


def sums(files):
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_a_half_filled_idle_folder_is_used_and_cleaned():
    half = dict(sums(NEW), stale="x")
    del half["pilotwire.mpy"]
    text = plan.main_text
    made = plan.make_plan(
        sums(NEW), {"a": sums(OLD), "b": half}, text("a", "x", "1"), lambda s: text(s, "x", "2")
    )
    assert (made.slot, made.send, made.copy) == ("b", ["pilotwire.mpy"], [])
    assert made.remove == ["stale"]


def test_the_chip_of_a_board_is_read_from_its_class(tmp_path):
    folder = tmp_path / "boards" / "ours"
    folder.mkdir(parents=True)
    (folder / "board.py").write_text('class Ours(Board):\n    CHIP = "ESP32-C6"\n')
    assert chip_of("ours", tmp_path) == "ESP32-C6"
    (folder / "board.py").write_text("class Ours(Board):\n    PHASES = 3\n")
    assert chip_of("ours", tmp_path) is None
    (folder / "board.py").write_text('class Ours(Board):\n    CHIP = "Z80"\n')
    with pytest.raises(BoardError, match="CHIP 'Z80'; known are: ESP32, "):
        chip_of("ours", tmp_path)
    with pytest.raises(BoardError, match="no such board: boards/theirs; there are: ours"):
        chip_of("theirs", tmp_path)


# --- the command line


def command_line(*words):
    return __main__.main(list(words))


@pytest.fixture
def s3(monkeypatch):
    """The firmware of boards/sim as if its board had a chip."""
    monkeypatch.setattr("tools.deploy.__main__.chip_of", lambda board, root: "ESP32-S3")


def test_the_real_firmware_is_deployed_the_board_reset_and_it_starts(tmp_path, s3, capsys):
    with Board(tmp_path) as board:
        assert command_line("--port", board.port, "--board", "sim", "--dry-run") == 0
        assert "would be brought there" in capsys.readouterr().out
        assert not list(tmp_path.iterdir())
    with Board(tmp_path) as board:
        assert command_line("--port", board.port, "--board", "sim", "--json") == 0
        report = json.loads(capsys.readouterr().out)
        board.wait_reset()
        assert report["ok"] and report["slot"] == "a"
        assert {"pilotwire.mpy", "firmware/start.mpy", "firmware/rescue.mpy"} <= set(
            report["sent"]
        )
        assert board.startable() == __main__.load("sim").files
    with Board(tmp_path) as board:
        assert command_line("--port", board.port, "--board", "sim") == 0
        assert "is there already: 0 bytes to send" in capsys.readouterr().out
    starts(tmp_path)


def starts(flash):
    """Run the main.py of a flash, with the Unix port as the board."""
    main = (flash / "main.py").read_text().replace('"/a"', f'"{flash}/a"')
    (flash / "main.py").write_text(main.replace("main((),", 'main(["--port", "0"],'))
    done = subprocess.run(
        [micropython_path(64), "main.py"],
        cwd=flash,
        input="json shutdown\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "listening" in done.stdout


def test_without_a_board_a_dry_run_lists_the_files(s3, capsys):
    assert command_line("--board", "sim", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "send  pilotwire.mpy" in out and "would be sent to an empty board" in out


def test_errors_are_one_sentence_and_json_on_request(capsys):
    assert command_line("--board", "sim", "--dry-run") == 1
    assert capsys.readouterr().err.startswith("deploy: boards/sim runs on a computer")
    assert command_line("--board", "nothing", "--dry-run", "--json") == 1
    assert "no such board" in json.loads(capsys.readouterr().out)["error"]
    with pytest.raises(SystemExit):
        command_line("--board", "sim")
    assert "which port?" in capsys.readouterr().err
