"""The production line: steps, records and refusals, with boards that only answer on a console."""

import json
import sqlite3
import sys

import pytest

from tools import console_link
from tools.console_link import ConsoleError, ConsoleLink
from tools.energy_manager.identity import Identity
from tools.label.stock import LabelError
from tools.lib import qr
from tools.line import LineError, flash
from tools.line import provision as line
from tools.line.provision import Provisioning
from tools.line.records import STEPS, Records


def label_text(ski, ship_id, serial):
    fields = {"SKI": ski, "ID": ship_id, "BRAND": "Acme", "MODEL": "E", "CAT": "3"}
    return qr.write({**fields, "SERIAL": serial})


class Board(ConsoleLink):
    """A board with an identity of its own; `answers` replaces what it says."""

    def __init__(self, folder, serial="0001", **answers):
        super().__init__()
        identity = Identity.load(folder)
        self.ski = identity.ski
        self.asked = []
        self.answers = {
            "id": {
                "ski": identity.ski,
                "ship_id": "Acme-" + serial,
                "qr": label_text(identity.ski, "Acme-" + serial, serial),
            },
            "certificate": {"text": identity.certificate_path.read_text()},
            "serial": {"serial": serial, "is_given": True},
            "status": {"version": "1.2.3"},
            "test": {"tests": [{"name": "meter", "ok": True, "wrong": ""}]},
            **answers,
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.asked.append("closed")

    def _write(self, text):
        name = text.split()[1]
        self.asked.append(name)
        if self.answers[name] is not None:
            self._take(json.dumps({"answer": name, "ok": True, **self.answers[name]}))


@pytest.fixture
def records(tmp_path):
    with Records(tmp_path / "records.sqlite") as base:
        yield base


def run(records, board, serial="0001", label=lambda record: "label", **options):
    return Provisioning(records, serial, lambda: board, label, **options).run()


def test_a_board_goes_through_all_steps_and_is_recorded(records, tmp_path):
    board = Board(tmp_path / "a")
    told = []
    flashed = []
    record = run(
        records,
        board,
        label=lambda record: told.append(record.qr) or "a label",
        flash=lambda progress: flashed.append(progress(50.0)),
        report=lambda step, text, percent: told.append((step, bool(text), percent)),
    )
    assert len(flashed) == 1
    assert (record.serial, record.ski, record.ship_id) == ("0001", board.ski, "Acme-0001")
    assert record.version == "1.2.3" and record.done == "label" and record.error is None
    assert record.finished >= record.begun
    assert record.tests == board.answers["test"]["tests"]
    assert [each[0] for each in told if each[1:2] == (True,)] == list(STEPS)
    assert ("flash", False, 50.0) in told and board.answers["id"]["qr"] in told
    assert board.asked == ["id", "serial", "certificate", "status", "test", "closed"]
    assert records.get("0001") == record and records.all() == [record]


def test_the_line_never_asks_for_a_key(records, tmp_path):
    board = Board(tmp_path / "a")
    run(records, board)
    assert not {"backup", "key"} & set(board.asked)
    secret = (tmp_path / "a" / "key.pem").read_text().split("\n")[1]
    assert secret not in (tmp_path / "records.sqlite").read_bytes().decode("latin-1")


def test_a_finished_serial_number_is_refused(records, tmp_path):
    run(records, Board(tmp_path / "a"))
    with pytest.raises(LineError, match=r"0001 was given to a board at 20.*pilotwire label 0001"):
        run(records, Board(tmp_path / "b"))
    assert len(records.all()) == 1


def test_a_board_with_a_known_key_is_refused_under_another_number(records, tmp_path):
    first = run(records, Board(tmp_path / "a"))
    with pytest.raises(LineError, match=r"this board is 0001 already"):
        run(records, Board(tmp_path / "a", "0002"), "0002")
    second = records.get("0002")
    assert second.ski is None and second.done == "flash" and "0001 already" in second.error
    assert records.get("0001") == first
    assert run(records, Board(tmp_path / "b", "0002"), "0002").error is None


def test_a_ship_id_is_given_once(records, tmp_path):
    run(records, Board(tmp_path / "a"))
    other = Board(tmp_path / "b", "0002")
    other.answers["id"].update(
        ship_id="Acme-0001",
        qr=label_text(other.ski, "Acme-0001", "0002"),
    )
    with pytest.raises(LineError, match="this board is 0001 already"):
        run(records, other, "0002")


def cut(step):
    """Return what to put in the way of a step so that everything ends there, as at a cut."""

    def interrupt(self, *_, **__):
        raise KeyboardInterrupt

    return "_" + step, interrupt


@pytest.mark.parametrize("step", STEPS)
def test_after_a_cut_only_what_is_missing_is_done(records, tmp_path, monkeypatch, step):
    flashed = []
    board = Board(tmp_path / "a")
    with monkeypatch.context() as patched:
        patched.setattr(Provisioning, *cut(step))
        with pytest.raises(KeyboardInterrupt):
            run(records, board, flash=flashed.append)
    before = records.get("0001")
    at = STEPS.index(step)
    assert before.done == (STEPS[at - 1] if at else None) and not before.finished
    board.asked.clear()
    record = run(records, board, flash=flashed.append)
    assert record.finished and record.ski == board.ski and record.begun == before.begun
    assert len(flashed) == 1
    assert ("test" in board.asked) == (at <= STEPS.index("test"))
    assert (board.asked == []) == (step == "label")  # the record has what the label needs


def test_a_begun_number_does_not_go_on_with_another_board(records, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Provisioning, *cut("test"))
        with pytest.raises(KeyboardInterrupt):
            run(records, Board(tmp_path / "a"))
    with pytest.raises(LineError, match=r"begun with a board of SKI .*records --forget 0001"):
        run(records, Board(tmp_path / "b"))
    assert records.forget("0001") and not records.forget("0001")
    assert run(records, Board(tmp_path / "b")).finished


def test_a_failed_self_test_stops_the_board_and_can_be_repeated(records, tmp_path):
    wrong = {"tests": [{"name": "meter", "ok": False, "wrong": "does not answer"}]}
    with pytest.raises(LineError, match=r"self-test of 0001 failed\. meter: does not answer"):
        run(records, Board(tmp_path / "a", test=wrong))
    assert records.get("0001").error.endswith("does not answer")
    record = run(records, Board(tmp_path / "a"))
    assert record.finished and record.error is None


def test_what_only_an_installation_brings_fails_no_board(records, tmp_path):
    tests = [
        {"name": "time", "ok": False, "wrong": "not known"},
        {"name": "mDNS", "ok": False, "wrong": "probing"},
        {"name": "meter", "ok": True, "wrong": ""},
    ]
    assert run(records, Board(tmp_path / "a", test={"tests": tests})).tests == tests[2:]


def test_a_firmware_without_self_test_does_not_pass(records, tmp_path):
    with pytest.raises(LineError, match="cannot test itself: unknown command"):
        run(records, Board(tmp_path / "a", test={"ok": False, "error": "unknown command test"}))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"ski": "ab" * 20}, "do not belong together"),
        ({"ship_id": "Acme-2"}, "do not belong together"),
        ({"qr": label_text("ab" * 20, "Acme-0001", "0001")}, "do not belong together"),
        ({"qr": "SHIP;"}, "identity is not usable"),
        ({"qr": qr.write({"SKI": "ab" * 20, "ID": "Acme-0001"})}, "BRAND is missing"),
    ],
)
def test_a_label_that_does_not_fit_the_key_is_refused(records, tmp_path, change, told):
    board = Board(tmp_path / "a")
    board.answers["id"].update(change)
    with pytest.raises(LineError, match=told):
        run(records, board)
    assert records.get("0001").ski is None


def test_the_certificate_of_another_key_is_refused(records, tmp_path):
    other = Board(tmp_path / "b").answers["certificate"]
    with pytest.raises(LineError, match="do not belong together"):
        run(records, Board(tmp_path / "a", certificate=other))
    with pytest.raises(LineError, match="not usable"):
        run(records, Board(tmp_path / "a", certificate={"text": "no certificate"}))


def test_a_board_with_another_serial_number_is_refused(records, tmp_path):
    with pytest.raises(LineError, match="says its serial number is 0007, not 0001"):
        run(records, Board(tmp_path / "a", "0007"))


def test_a_board_without_a_number_is_given_one_before_it_is_recorded(records, tmp_path):
    run(records, Board(tmp_path / "b", "none"), "none")  # the number of the firmware is taken
    board = Board(tmp_path / "a", serial="none")
    answered = board._write

    def takes_a_number(text):
        if text == "json serial 0001":
            qr_text = label_text(board.ski, "Acme-0001", "0001")
            board.answers["id"].update(ship_id="Acme-0001", qr=qr_text)
            board.answers["serial"] = {"serial": "0001", "is_given": True}
        answered(text)

    board.answers["serial"]["is_given"] = False
    board._write = takes_a_number
    record = run(records, board)
    assert (record.ship_id, record.finished is None) == ("Acme-0001", False)
    assert board.asked[:4] == ["id", "serial", "serial", "id"]


def test_a_silent_board_is_asked_again_until_the_time_is_up(records, tmp_path, monkeypatch):
    monkeypatch.setattr(line, "_FIRST_START_S", 0.3)
    monkeypatch.setattr(console_link, "_ASK_S", 0.1)
    board = Board(tmp_path / "a", id=None)
    with pytest.raises(ConsoleError, match="no answer to `id`"):
        run(records, board)
    assert 3 <= board.asked.count("id") <= 5
    assert records.get("0001").done == "flash"


def test_a_board_that_hears_only_later_is_taken(records, tmp_path, monkeypatch):
    monkeypatch.setattr(console_link, "_ASK_S", 0.05)
    board = Board(tmp_path / "a")
    answer, board.answers["id"] = board.answers["id"], None
    asked = board._write

    def hears_the_third(text):
        if board.asked.count("id") == 2:
            board.answers["id"] = answer
        asked(text)

    board._write = hears_the_third
    assert run(records, board).finished


def test_a_label_that_does_not_print_is_tried_again(records, tmp_path):
    def broken(record):
        raise LabelError("printer is off")

    with pytest.raises(LabelError):
        run(records, Board(tmp_path / "a"), label=broken)
    assert records.get("0001").done == "test"
    board = Board(tmp_path / "a")
    assert run(records, board).finished
    assert board.asked == []


def test_two_lines_on_one_file_do_not_give_a_number_to_two_boards(records, tmp_path):
    with Records(tmp_path / "records.sqlite") as other:
        assert other.begin("0001") == records.begin("0001")
        records.identify("0001", "a" * 40, "Acme-0001", "qr", "1")
        with pytest.raises(LineError, match="another line has given number 0001"):
            other.identify("0001", "b" * 40, "Acme-0001", "qr", "1")
        assert records.get("0001").ski == "a" * 40
        records.identify("0001", "a" * 40, "Acme-0001", "qr", "1")  # again, after a cut


def test_records_are_for_their_owner_and_of_a_known_version(tmp_path):
    path = tmp_path / "line" / "records.sqlite"
    with Records(path):
        assert path.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA user_version = 9")
    base.close()
    with pytest.raises(LineError, match="another release"):
        Records(path)
    path.write_bytes(b"no database" * 100)
    with pytest.raises(LineError, match="cannot be used for records"):
        Records(path)
    with pytest.raises(LineError, match="cannot be used for records"):
        Records(path / "below a file")


# --- flashing -----------------------------------------------------------------------------------

IMAGE = bytes([0xE9, 4, 2, 0x20]) + bytes(8) + b"%c" + bytes(40)
ESPTOOL = """
import sys
print(sys.argv[1:])
for percent in (0, 33.3, 100):
    print(f"\\rWriting at 0x00010000 [==>  ] {percent:5.1f}% 1/3 bytes...", end="", flush=True)
print()
is_bad = "{bad}" in sys.argv
print("A fatal error occurred: No serial data received." if is_bad else "Hash verified.")
sys.exit(is_bad)
"""


@pytest.fixture
def esptool(tmp_path):
    path = tmp_path / "esptool.py"
    path.write_text(ESPTOOL.replace("{bad}", "/dev/bad"))
    return (sys.executable, str(path))


@pytest.mark.parametrize(
    ("number", "place"),
    [
        (0, ("esp32", 0x1000)),
        (9, ("esp32s3", 0)),
        (5, ("esp32c3", 0)),
        (13, ("esp32c6", 0)),
    ],
)
def test_chip_and_address_come_from_the_image(tmp_path, number, place):
    image = tmp_path / "firmware.bin"
    image.write_bytes(IMAGE % number)
    assert flash.place(image) == place


def test_what_is_no_image_is_refused_before_anything_is_written(tmp_path):
    image = tmp_path / "firmware.bin"
    for octets, told in (
        (b"", "no firmware image"),
        (b"\x7fELF" + bytes(60), "no firmware image"),
        (IMAGE % 99, "does not run on"),
    ):
        image.write_bytes(octets)
        with pytest.raises(LineError, match=told):
            flash.place(image)
    with pytest.raises(LineError, match="cannot be read"):
        flash.place(tmp_path / "none.bin")


def test_progress_is_told_while_esptool_writes(tmp_path, esptool):
    image = tmp_path / "firmware.bin"
    image.write_bytes(IMAGE % 0)
    told = []
    flash.flash("/dev/ttyUSB7", image, told.append, esptool)
    assert told == [0, 33.3, 100]


def test_what_esptool_says_last_is_the_reason(tmp_path, esptool):
    image = tmp_path / "firmware.bin"
    image.write_bytes(IMAGE % 0)
    with pytest.raises(LineError, match=r"No serial data received.*hold BOOT"):
        flash.flash("/dev/bad", image, lambda percent: None, esptool)
    with pytest.raises(LineError, match="make setup"):
        flash.flash("/dev/bad", image, lambda percent: None, ("/no/esptool",))


def test_the_real_esptool_takes_our_arguments(tmp_path):
    """Without a board it gets as far as the port."""
    image = tmp_path / "firmware.bin"
    image.write_bytes(IMAGE % 9)
    with pytest.raises(LineError, match=r"(?i)flashing .*(port|no such file)"):
        flash.flash(str(tmp_path / "no-port"), image, lambda percent: None)
