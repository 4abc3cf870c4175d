"""The production line and the host command with simulated boards, through pipes and a terminal."""

import contextlib
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path
from unittest import mock

import pytest

from host_tests.e2e.world import Manager
from tools import cli, simulate
from tools.console_link import ConsoleError
from tools.label.scan import scan_file
from tools.lib import qr
from tools.line import rehearsal
from tools.line.records import STEPS
from tools.serial_board import SerialBoard
from tools.simulate import Simulator

ROOT = simulate.ROOT
PASSPHRASE = "four words and a 7"


def pilotwire(*words, env=None):
    """Run the host command in this process; return (exit code, records)."""
    out = io.StringIO()
    with mock.patch.dict(os.environ, env or {}), contextlib.redirect_stdout(out):
        code = cli.main([*map(str, words), "--json"])
    return code, [json.loads(line) for line in out.getvalue().splitlines()]


@contextlib.contextmanager
def board_on_a_port(state, serial="0001"):
    """Yield the path of a serial port behind which a simulated board has its terminal."""
    options = {"port": 0, "serial": serial, "state": state, "no_mdns": True}
    command, environment = simulate.command_line(Simulator(**options).options)
    command.remove("--json")
    ends = [pty.openpty(), pty.openpty()]  # the board's terminal, the port
    for _, slave in ends:
        tty.setraw(slave)
    board = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=ends[0][1], stdout=ends[0][1], stderr=ends[0][1]
    )
    masters = [master for master, _ in ends]
    is_plugged = True

    def cable():
        while is_plugged:
            for at in select.select(masters, [], [], 0.05)[0]:
                os.write(masters[1 - masters.index(at)], os.read(at, 4096))

    thread = threading.Thread(target=cable)
    thread.start()
    try:
        yield os.ttyname(ends[1][1])
    finally:
        board.kill()
        board.wait()
        is_plugged = False
        thread.join()
        for end in ends:
            for descriptor in end:
                os.close(descriptor)


def line_options(folder):
    return (
        *("--records", folder / "records.sqlite"),
        *("--labels", folder / "labels"),
        *("--state", folder / "boards"),
    )


# --- the line -----------------------------------------------------------------------------------


def test_boards_are_made_labelled_and_paired_by_their_labels_despite_a_cut(tmp_path):
    told = []
    rehearsal.rehearse(tmp_path / "line", 3, cut_after=8, say=told.append)
    assert told[0] == "cut after 8 steps: 1 boards finished, 2 begun"
    assert told[1].startswith("3 boards provisioned")
    assert "3 labels on 1 sheet, all read back" in told[2]
    assert told[3].startswith("3 boards paired by their labels and limited")


@pytest.mark.parametrize("steps", [0, 2, 4])
def test_a_cut_after_any_step_costs_no_key_and_no_record(tmp_path, steps):
    if steps:
        rehearsal.provision(tmp_path, 1, cut_after=steps)
    else:
        cut_at_the_key(tmp_path)
    begun = rehearsal.pilotwire(tmp_path, "records")
    lines = rehearsal.provision(tmp_path, 1)
    repeated = [line["step"] for line in lines if line["event"] == "step"]
    assert repeated == list(STEPS)[-len(repeated) :] and len(STEPS) - len(repeated) >= steps
    (record,) = rehearsal.check_records(tmp_path, 1)
    assert begun[0]["ski"] in (None, record["ski"])
    assert lines[-1]["ski"] == record["ski"]


def cut_at_the_key(folder):
    """Cut a board in the middle of its first start, while it makes its key."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "tools", "provision", "--simulate", "--serial", "0001"),
            *map(str, line_options(folder)),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 20
    while not (folder / "boards" / "0001").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_commands_of_the_documentation_do_what_it_says(tmp_path, monkeypatch):
    text = (ROOT / "docs" / "production-line.md").read_text()
    block = re.search(r"^```sh line\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    commands = [line.split() for line in block.splitlines()]
    assert len(commands) == 5 and all(words[0] == ".venv/bin/pilotwire" for words in commands)
    monkeypatch.chdir(tmp_path)
    for words in commands:
        if "--simulate" in words:
            words += ["--state", str(tmp_path)]
        code, lines = pilotwire(*words[1:])
        assert code == 0 and lines, words
    assert sorted(path.name for path in Path("line/labels").iterdir()) == [
        *("0001.pdf", "0001.png", "0002.pdf", "0002.png", "0002.zpl"),
        *("0003.pdf", "0003.png", "sheet-0001-0003.pdf"),
    ]


def test_a_finished_number_and_a_copied_board_are_refused(tmp_path):
    options = line_options(tmp_path)
    assert pilotwire("provision", "--simulate", "--serial", "0001", *options)[0] == 0
    code, lines = pilotwire("provision", "--simulate", "--serial", "0001", *options)
    assert code == 1 and "0001 was given to a board" in lines[-1]["text"]
    (tmp_path / "boards" / "0001").rename(tmp_path / "boards" / "0002")
    code, lines = pilotwire("provision", "--simulate", "--serial", "0002", *options)
    assert code == 1 and "this board is 0001 already" in lines[-1]["text"]
    assert not (tmp_path / "labels" / "0002.png").exists()


def _hear_interrupts():
    """Who runs the tests in the background of a shell has interrupts ignored, and so children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_ends_the_line_with_130_and_it_goes_on_later(tmp_path):
    words = ("provision", "--simulate", "--serial", "01", "--count", "9", "--resume")
    process = subprocess.Popen(
        [sys.executable, "-m", "tools", *words, *map(str, line_options(tmp_path)), "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=_hear_interrupts,  # noqa: PLW1509 (this process has no threads)
    )
    with process:
        while json.loads(process.stdout.readline())["event"] != "finished":
            pass
        # Python drops an interrupt that falls into a destructor; a person would press once more
        while process.poll() is None:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
    assert process.returncode == 130
    code, lines = pilotwire(*words[:-2], "3", "--resume", *line_options(tmp_path))
    assert code == 0
    assert lines[0]["event"] == "skipped" and lines[0]["serial"] == "01"
    # A slow machine may have come so far before the interrupt was heard.
    done = [line["serial"] for line in lines if line["event"] in ("finished", "skipped")]
    assert done[-1] == "03"


def test_a_board_on_a_serial_port_is_provisioned(tmp_path):
    with board_on_a_port(tmp_path / "board", "S1") as port:
        words = ("provision", "--serial", "S1", "--port", port, *line_options(tmp_path)[:4])
        code, lines = pilotwire(*words)
        assert code == 0, lines
        code, answers = pilotwire("console", "id", "--port", port)
        assert code == 0 and answers[0]["ski"] == lines[-1]["ski"]
        label = qr.read(scan_file(tmp_path / "labels" / "S1.png"))
        assert label["SKI"] == lines[-1]["ski"]
        code, (answer,) = pilotwire("console", "pin", "--port", port)
        assert label["PIN"] == answer["pin"].replace(" ", "")
        code, lines = pilotwire(*words[:2], "S2", *words[3:])
        assert code == 1 and "this board is S1 already" in lines[-1]["text"]
        code, answers = pilotwire("console", "serial", "--port", port)
        assert answers[0]["serial"] == "S1"


def test_a_board_is_given_its_number_once_and_for_good(tmp_path):
    with board_on_a_port(tmp_path / "board", "none") as port:
        code, (line,) = pilotwire("console", "serial", "a b", "--port", port)
        assert code == 1 and "1 to 32 letters" in line["text"]
        words = ("provision", "--serial", "S1", "--port", port, *line_options(tmp_path)[:4])
        code, lines = pilotwire(*words)
        assert code == 0 and lines[-1]["ship_id"] == "Pilotwire-S1"
        code, (line,) = pilotwire("console", "serial", "S2", "--port", port)
        assert code == 1 and "this charger is S1 for good" in line["text"]
        assert pilotwire("console", "factory-reset", "yes", "--port", port)[0] == 0
        code, (line,) = pilotwire("console", "serial", "--port", port)
        assert (line["serial"], line["is_given"]) == ("S1", True)
    with board_on_a_port(tmp_path / "board", "none") as port:  # it has been off
        assert pilotwire("console", "id", "--port", port)[1][0]["ship_id"] == "Pilotwire-S1"
    for path in (tmp_path / "board").glob("serial*"):
        path.write_bytes(b"damaged")
    with Simulator(port=0, state=tmp_path / "board", no_mdns=True) as board:
        with pytest.raises(ConsoleError, match="serial number is damaged"):
            board.command("id")


# --- a board ------------------------------------------------------------------------------------


def test_while_a_program_talks_the_terminal_neither_prompts_nor_echoes(tmp_path):
    with board_on_a_port(tmp_path) as port:
        with SerialBoard(port) as board:
            ski = board.command("id", 30)["ski"]
            mark = board.mark()
            board.command("status")
            assert [line[:1] for line in board.lines[mark:]] == ["{"]
        with SerialBoard(port) as board:  # and again, after a person had it back
            assert board.command("id")["ski"] == ski


def test_an_unplugged_board_is_noticed(tmp_path):
    with contextlib.ExitStack() as plugged:
        port = plugged.enter_context(board_on_a_port(tmp_path))
        with SerialBoard(port) as board:
            board.command("id", 30)
            plugged.close()
            start = time.monotonic()
            with pytest.raises(ConsoleError, match=r"ended before answer|no answer to"):
                board.command("id", 3)
            assert time.monotonic() - start < 5


def test_a_peer_is_trusted_by_the_picture_of_its_label(tmp_path):
    options = ("--simulate", "--serial", "0001", "--state", tmp_path)
    with Manager(tmp_path / "manager") as manager:
        ski = manager.identity.ski
        fields = {"SKI": ski, "ID": manager.identity.ship_id, "SERIAL": "1", "CAT": "2"}
        text = qr.write({**fields, "BRAND": "Acme", "MODEL": "Manager", "PIN": "5555aaaaff"})
    words = ("label", "--qr", text, "--format", "png", "--labels", tmp_path / "labels")
    code, (label,) = pilotwire(*words)
    assert code == 0
    code, (answer,) = pilotwire("peers", "trust", label["paths"][0], *options)
    assert code == 0 and answer["ski"] == ski
    code, lines = pilotwire("peers", "list", *options)
    assert [line["ski"] for line in lines if line["event"] == "trusted"] == [ski]
    assert pilotwire("peers", "remove", text, *options)[0] == 0
    code, lines = pilotwire("peers", "remove", ski, *options)
    assert code == 1 and "not trusted" in lines[0]["text"]


@pytest.mark.parametrize("is_serial", [False, True])
def test_a_backup_brings_identity_and_peers_to_a_new_board(tmp_path, is_serial):
    file, env = tmp_path / "a.backup", {"PILOTWIRE_PASSPHRASE": PASSPHRASE}
    old = ("--simulate", "--serial", "0001", "--state", tmp_path / "old")
    assert pilotwire("peers", "trust", "ab" * 20, *old)[0] == 0
    code, (saved,) = pilotwire("backup", file, *old, env=env)
    assert code == 0 and saved["peers"] == ["ab" * 20]
    assert file.stat().st_mode & 0o777 == 0o600
    code, lines = pilotwire("backup", file, *old, env=env)
    assert code == 1 and "--force" in lines[0]["text"]
    with contextlib.ExitStack() as stack:
        if is_serial:
            port = stack.enter_context(board_on_a_port(tmp_path / "new" / "0001"))
            new = ("--port", port)
        else:
            new = ("--simulate", "--serial", "0001", "--state", tmp_path / "new")
        assert pilotwire("console", "id", *new)[1][0]["ski"] != saved["ski"]
        code, lines = pilotwire("restore", file, *new, env=env)
        assert code == 1 and "--yes" in lines[0]["text"]
        code, (restored,) = pilotwire("restore", file, "--yes", *new, env=env)
        assert code == 0 and restored["ski"] == saved["ski"]
        assert pilotwire("console", "id", *new)[1][0]["ski"] == saved["ski"]
        code, lines = pilotwire("peers", "list", *new)
        assert lines[0]["ski"] == "ab" * 20


def test_a_wrong_passphrase_or_a_flipped_bit_never_reaches_a_board(tmp_path):
    file, env = tmp_path / "a.backup", {"PILOTWIRE_PASSPHRASE": PASSPHRASE}
    board = ("--simulate", "--serial", "0001", "--state", tmp_path / "boards")
    assert pilotwire("backup", file, *board, env=env)[0] == 0
    code, (shown,) = pilotwire("restore", file, "--dry-run", env=env)
    assert code == 0 and shown["has_identity"] and "key" not in json.dumps(shown)
    wrong = {"PILOTWIRE_PASSPHRASE": PASSPHRASE.upper()}
    code, (line,) = pilotwire("restore", file, "--yes", *board, env=wrong)
    assert code == 1 and "wrong passphrase" in line["text"]
    text = file.read_text()
    at = text.index("\n") + 200
    file.write_text(text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :])
    code, (line,) = pilotwire("restore", file, "--yes", *board, env=env)
    assert code == 1 and "damaged" in line["text"]
    code, (line,) = pilotwire("restore", file, "--dry-run", env={"PILOTWIRE_PASSPHRASE": "short"})
    assert code == 1


def test_a_locked_console_takes_the_password_from_the_environment(tmp_path):
    board = ("--simulate", "--serial", "0001", "--state", tmp_path)
    assert pilotwire("console", "password correct horse", *board)[0] == 0
    code, (line,) = pilotwire("peers", "trust", "ab" * 20, *board)
    assert code == 1 and "PILOTWIRE_PASSWORD" in line["text"]
    env = {"PILOTWIRE_PASSWORD": "wrong horse"}
    code, (line,) = pilotwire("peers", "trust", "ab" * 20, *board, env=env)
    assert code == 1 and "wrong password" in line["text"] and "horse" not in line["text"]
    env = {"PILOTWIRE_PASSWORD": "correct horse"}
    assert pilotwire("peers", "trust", "ab" * 20, *board, env=env)[0] == 0


def test_the_doctor_looks_at_a_board(tmp_path):
    board = ("--simulate", "--serial", "0001", "--state", tmp_path)
    code, lines = pilotwire("doctor", "--no-machine", *board)
    assert code == 0
    found = {line["name"]: line["result"] for line in lines}
    assert found["identity"] == found["self-test"] == found["console"] == "good"
    assert found["trust"] == "warning"


def test_the_terminal_command_is_a_terminal(tmp_path):
    with board_on_a_port(tmp_path) as port:
        here, there = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "tools", "console", "--port", port],
            cwd=ROOT,
            stdin=there,
            stdout=there,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        shown = bytearray()

        def see(text):
            end = time.monotonic() + 20
            while text not in shown:
                assert time.monotonic() < end, bytes(shown)
                if select.select([here], [], [], 0.1)[0]:
                    shown.extend(os.read(here, 4096))

        time.sleep(1)
        os.write(here, b"\r")
        see(b"> ")
        os.write(here, b"id\r")
        see(b"ship_id: Pilotwire-0001")
        os.write(here, b"\x1d")
        assert process.wait(10) == 0
        os.close(here)


def test_the_script_that_setup_makes_runs_from_anywhere(tmp_path):
    script = Path(sys.executable).with_name("pilotwire")
    done = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "provision" in done.stdout
    assert cli.main(["records", "--records", str(tmp_path / "none")]) == 1
