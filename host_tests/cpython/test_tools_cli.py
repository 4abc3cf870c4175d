"""The host command: help, options, refusals and exit codes; what needs a board is in e2e/."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import cli, doctor, serial_board
from tools.cli import checks, options
from tools.console_link import ConsoleError
from tools.label.scan import scan_file
from tools.lib import qr
from tools.line.records import Records

ROOT = Path(cli.__file__).resolve().parent.parent.parent
COMMANDS = (
    "provision label records console backup restore doctor peers simulate manager demo".split()
)
SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"


def text_of(serial: str, ski: str = SKI) -> str:
    fields = {"SKI": ski, "ID": "Acme-" + serial, "BRAND": "Acme", "MODEL": "E", "SERIAL": serial}
    return qr.write({**fields, "CAT": "3"})


def plain(err: str) -> str:
    """Return what a box of Typer's says, on one line."""
    return " ".join(err.replace("│", " ").split())


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run the command in an empty folder; return (exit code, records on stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "ports", list)

    def run(*words):
        code = cli.main([*words, "--json"])
        out, err = capsys.readouterr()
        return code, [json.loads(line) for line in out.splitlines()], err

    return run


@pytest.fixture
def made(tmp_path):
    """Records of three boards, the last one not yet identified."""
    path = tmp_path / "line" / "records.sqlite"
    with Records(path) as base:
        for serial, ski in (("0001", "a" * 40), ("0002", "b" * 40)):
            base.begin(serial)
            base.identify(serial, ski, "Acme-" + serial, text_of(serial, ski), "0.1.0")
        base.finish_step("0001", "label")
        base.begin("0003")
    return path


def test_help_tells_every_command(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f" {name} " not in text] == []
    assert "Exit codes" in text


@pytest.mark.parametrize("name", ["provision", "label", "records", "console", "backup", "restore"])
def test_each_command_explains_itself(name, capsys):
    assert cli.main([name, "--help"]) == 0
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["simulate", "manager", "demo"])
def test_the_programs_keep_their_own_options(name):
    done = subprocess.run(
        [sys.executable, "-m", "tools", name, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0 and "usage:" in done.stdout.lower()
    assert ("--speed" in done.stdout) == (name in ("simulate", "demo"))


def test_the_shell_completes_commands_and_sheets():
    environment = {**os.environ, "_PILOTWIRE_COMPLETE": "complete_bash"}
    for words, count, expected in (
        ("pilotwire pro", 1, "provision"),
        ("pilotwire label --sheet L600", 3, "L6009"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tools"],
            cwd=ROOT,
            env={**environment, "COMP_WORDS": words, "COMP_CWORD": str(count)},
            capture_output=True,
            text=True,
        )
        assert done.stdout.split() == [expected], done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("fly", "No such command"),
        ("provision --simulate", "--serial"),
        ("provision --serial 0001", "which board?"),
        ("provision --serial ../1 --simulate", "1 to 32 letters"),
        ("provision --serial 0001 --simulate --port /dev/ttyUSB0", "either --port or --simulate"),
        ("provision --serial 0001 --simulate --count 0", "--count"),
        ("provision --serial A --simulate --count 2", "does not end in digits"),
        ("provision --serial 98 --simulate --count 3", "does not end in digits"),
        ("provision --serial 0001 --simulate --format bmp", "none of pdf"),
        ("provision --serial 0001 --simulate --size 5", "no label size"),
        ("provision --serial 0001 --simulate --dpi 150", "203, 300, 600"),
        ("provision --serial 0001 --simulate --image f.bin", "--image is for a real board"),
        ("label", "which label?"),
        ("label 0001 --sheet L1", "known are L6009"),
        ("label 0001 --sheet L6011 --shift 1", "two numbers"),
        ("records --forget", "forget which?"),
        ("console", "which board?"),
        ("peers trust 12 --simulate", "40 hexadecimal digits"),
        ("restore nowhere.backup", "does not exist"),
        ("doctor --no-machine", "nothing to check"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_sentence(run, made, words, told):
    code, _, err = run(*words.split())
    assert code == 2
    assert told in plain(err), err


def test_two_ports_are_not_guessed_between(run, monkeypatch):
    monkeypatch.setattr(options, "ports", lambda: ["/dev/ttyUSB0", "/dev/ttyUSB1"])
    code, _, err = run("console", "id")
    assert code == 2 and "there are /dev/ttyUSB0, /dev/ttyUSB1" in plain(err)


def test_a_port_that_is_not_there_ends_with_3(run):
    for words in (("console", "id"), ("provision", "--serial", "1"), ("peers", "list")):
        code, lines, _ = run(*words, "--port", "/dev/no-such-port")
        assert code == 3
        assert "no such port" in lines[-1]["text"]


def test_errors_for_people_go_to_standard_error(made, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["records", "0009"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", "error: 0009 is not in the records\n")


# --- records and labels -------------------------------------------------------------------------


def test_records_are_listed(run, made):
    code, lines, _ = run("records")
    assert code == 0
    assert [line["serial"] for line in lines] == ["0001", "0002", "0003"]
    assert lines[0]["finished"] and lines[0]["qr"] == text_of("0001", "a" * 40)
    assert lines[1]["done"] == "identify" and not lines[1]["finished"]
    code, lines, _ = run("records", "0002")
    assert [line["ski"] for line in lines] == ["b" * 40]


def test_scrapped_boards_are_forgotten(run, made):
    assert run("records", "0002", "--forget")[1] == [{"event": "forgotten", "serial": "0002"}]
    assert [line["serial"] for line in run("records")[1]] == ["0001", "0003"]
    assert run("records", "0002", "--forget")[0] == 1


def test_records_that_are_not_there_are_not_made(run, tmp_path):
    for words in (("records",), ("label", "--all")):
        code, lines, _ = run(*words, "--records", "none.sqlite")
        assert code == 1 and "no records in none.sqlite" in lines[0]["text"]
    assert not (tmp_path / "none.sqlite").exists()


def test_labels_are_made_again_from_the_records(run, made):
    code, (line,), _ = run("label", "0001", "--format", "png", "--size", "57x32", "--dpi", "203")
    assert code == 0 and line["paths"] == ["line/labels/0001.png"] and not line["printed"]
    assert scan_file(Path(line["paths"][0])) == text_of("0001", "a" * 40)


def test_a_label_is_made_of_any_qr_text(run):
    code, (line,), _ = run("label", "--qr", text_of("X7"), "--format", "png", "--labels", "here")
    assert code == 0 and scan_file(Path("here/X7.png")) == text_of("X7")
    code, (line,), _ = run("label", "--qr", "SHIP;ID:x;")
    assert code == 1 and "no text of a SHIP label" in line["text"]


def test_sheets_take_all_that_have_an_identity(run, made):
    code, (line,), _ = run("label", "--all", "--sheet", "L7160", "--skip", "3", "--outline")
    assert code == 0
    assert line == {"event": "sheet", "path": "line/labels/sheet-0001-0002.pdf", "count": 2}
    assert Path(line["path"]).read_bytes().startswith(b"%PDF")
    code, (line,), _ = run("label", "--all", "--sheet", "L7160", "--skip", "21")
    assert code == 1 and "skip 0 to 20" in line["text"]


def test_a_board_without_identity_has_no_label(run, made):
    for serial in ("0003", "0009"):
        code, (line,), _ = run("label", serial)
        assert code == 1 and f"{serial} is not in the records, or has no identity" in line["text"]


# --- doctor -------------------------------------------------------------------------------------


def test_the_doctor_finds_this_machine_fit(run):
    code, lines, _ = run("doctor")
    assert code == 0, lines
    assert {line["name"] for line in lines} >= {"Python", "packages", "MicroPython 32-bit", "mDNS"}
    assert all(line["todo"] for line in lines if line["result"] != "good")


def test_what_is_wrong_is_said_with_what_to_do(run, monkeypatch, tmp_path):
    (tmp_path / "pyproject.toml").write_text(
        '[dependency-groups]\nhost = ["pytest>=8", "rich>=999", "no-such-package-at-all"]\n'
    )
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(doctor.micropython, "FOLDER", tmp_path)
    monkeypatch.setattr(doctor, "ports", lambda: [str(tmp_path / "port")])
    code, lines, _ = run("doctor")
    wrong = {line["name"]: line for line in lines if line["result"] == "bad"}
    assert code == 1
    assert "rich>=999, no-such-package-at-all" in wrong["packages"]["text"]
    assert wrong["packages"]["todo"] == "make setup"
    assert "MicroPython 64-bit" in wrong and "dialout" in wrong["serial ports"]["todo"]


def test_a_silent_board_is_a_finding(run, monkeypatch):
    def silent(*_):
        raise ConsoleError("no answer to `id` in 60 s:\n")

    monkeypatch.setattr(checks.options, "opened", silent)
    code, (line,), _ = run("doctor", "--no-machine", "--port", "/dev/ttyUSB0")
    assert code == 1 and line["name"] == "console" and line["text"].startswith("no answer")


def test_what_keeps_a_port_closed_is_explained(monkeypatch, tmp_path):
    monkeypatch.setattr(serial_board, "ports", lambda: ["/dev/ttyUSB0"])
    for number, told in (
        (2, "no such port; there are /dev/ttyUSB0"),
        (13, "dialout"),
        (11, "use"),
    ):
        assert told in serial_board._advice(OSError(number, "text"))
    with pytest.raises(ConsoleError, match="no such port"):
        serial_board.open_port(str(tmp_path / "none"))
