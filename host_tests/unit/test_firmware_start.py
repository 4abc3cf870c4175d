"""The boot guard: which starts count as failed, and when the rescue console comes."""

import io
import sys

from test_firmware_storage import Cut, Disk, copy

from firmware import rescue, start
from firmware.start import POWER_CUT, RESET, UNKNOWN

if not hasattr(sys, "print_exception"):  # CPython
    import traceback

    sys.print_exception = lambda error, file: traceback.print_exception(error, file=file)


class Flash(Disk):
    def mkdir(self, folder):
        raise OSError(17)  # it is there


class Text:
    """What the disk of the storage tests gives, as text."""

    def __init__(self, inner):
        self._inner = inner

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self):
        return str(self._inner.read(), "utf-8")

    def write(self, text):
        self._inner.write(text.encode())


def on(disk, work):
    """Do `work()` with firmware.start and firmware.rescue on this disk; None if it was cut."""
    modules = (start, rescue)
    before = start.os
    for module in modules:
        module.os = disk
        module.open = lambda path, mode="rb": Text(disk.open(path, mode))
    try:
        return work()
    except Cut:
        return None
    finally:
        for module in modules:
            module.os = before
            del module.open


def begin(disk, cause):
    return on(disk, lambda: start.begin("state", cause))


def crash(disk):
    on(disk, lambda: start.failed("state", ValueError("no such pin")))


def read(disk):
    return on(disk, lambda: start.read("state"))


def test_three_resets_during_the_start_bring_the_rescue_console():
    disk = Flash()
    assert begin(disk, POWER_CUT)
    assert begin(disk, RESET)
    assert begin(disk, RESET)
    assert not begin(disk, RESET)
    assert "watchdog" in read(disk)["crash"]
    assert not begin(disk, RESET), "a reset of the rescue console does not change that"


def test_three_exceptions_bring_the_rescue_console_on_a_board_and_on_a_computer():
    for cause in (RESET, UNKNOWN):
        disk = Flash()
        for _ in range(3):
            assert begin(disk, cause)
            crash(disk)
        assert not begin(disk, cause)
        state = read(disk)
        assert state["failed"] == 3, "each start once"
        assert "ValueError: no such pin" in state["crash"]


def test_power_cuts_during_the_start_are_not_counted_however_many():
    disk = Flash()
    for _ in range(20):
        assert begin(disk, POWER_CUT)
    for _ in range(20):
        assert begin(disk, UNKNOWN), "a developer's soft reset, a killed simulator"


def test_a_start_that_succeeded_makes_good_for_all_before():
    disk = Flash()
    for _ in range(10):
        assert begin(disk, RESET)
        crash(disk)
        assert begin(disk, RESET)
        on(disk, lambda: start.started("state"))
    assert begin(disk, RESET), "a reset in operation is no failed start"
    assert read(disk)["failed"] == 0
    steps = disk.steps
    on(disk, lambda: start.started("state"))
    on(disk, lambda: start.started("state"))
    assert disk.steps - steps == 1 + len(disk.files["state/starts"]) + 1, "written once"


def test_a_power_cut_and_the_end_of_the_rescue_console_give_one_more_try():
    disk = Flash()
    for _ in range(3):
        begin(disk, RESET)
        crash(disk)
    assert begin(disk, POWER_CUT)
    assert not begin(disk, RESET)
    on(disk, lambda: start.one_more_try("state"))
    crash(disk)
    assert not begin(disk, RESET)


def test_a_cut_at_any_octet_of_the_count_leaves_the_count_before_or_after():
    disk = Flash()
    begin(disk, RESET)
    whole = Flash()
    whole.files = copy(disk).files
    begin(whole, RESET)
    assert whole.steps > 40
    for budget in range(whole.steps):
        cut = Flash()
        cut.files = copy(disk).files
        cut.budget = budget
        begin(cut, RESET)
        cut.budget = None
        assert read(cut) == read(disk)
    assert read(whole)["failed"] == 1


def test_a_damaged_count_counts_nothing():
    for text in (b"", b"{", b"[]", b'{"failed":"x","starting":0,"crash":""}', b"3"):
        disk = Flash()
        disk.files["state/starts"] = bytearray(text)
        assert read(disk) == {"failed": 0, "starting": False, "crash": ""}
        assert begin(disk, RESET)


def test_a_full_file_system_does_not_keep_the_firmware_from_starting():
    disk = Flash()
    disk.error = OSError
    disk.budget = 3
    assert begin(disk, RESET)


# --- the rescue console


STATE = {"failed": 3, "starting": False, "crash": "ValueError: no such pin\n"}


def talk(disk, typed, is_json=False):
    """(outcome, lines) of a rescue console to which this is typed."""
    output = io.StringIO()
    lines = typed.split("\n")

    def read_line():
        return lines.pop(0) + "\n" if len(lines) > 1 else lines[0] if lines[0] != "..." else None

    def run():
        return rescue.run("state", STATE, is_json)

    before = rescue._read_line, rescue._print
    rescue._read_line = read_line
    rescue._print = lambda text: output.write(text + "\n")
    try:
        return on(disk, run), output.getvalue().split("\n")[:-1]
    finally:
        rescue._read_line, rescue._print = before


def test_the_rescue_console_says_why_and_what_can_be_done():
    outcome, lines = talk(Flash(), "\nstatus\nhelp\nrestart\n")
    assert outcome == "restart"
    assert "failed to start 3 times" in lines[0]
    assert "ValueError: no such pin" in lines
    for command in ("restart", "factory-reset yes", "new-identity yes", "shutdown"):
        assert any(line.startswith(command) for line in lines), command


def test_the_rescue_console_answers_scripts_in_json():
    outcome, lines = talk(Flash(), "json status\njson nonsense\njson\njson shutdown\n", True)
    assert outcome == "shutdown"
    assert lines[0] in (
        '{"event": "rescue", "failed": 3}',
        '{"failed": 3, "event": "rescue"}',
    )
    assert '"rescue": true' in lines[1] and '"ok": true' in lines[1]
    assert "unknown command nonsense; try help" in lines[2] and '"ok": false' in lines[2]
    assert len(lines) == 4


def test_the_rescue_console_ends_when_nobody_is_here_or_the_input_ends():
    assert talk(Flash(), "...")[0] == "restart"
    assert talk(Flash(), "status\n")[0] == "shutdown"


def test_a_factory_reset_in_the_rescue_console_keeps_the_identity():
    names = "settings settings.bak peers peers.2 peers.2.bak lock restore "
    names += "identity identity.bak pin keys serial starts"
    disk = Flash()
    disk.files = {"state/" + name: bytearray(b"x") for name in names.split()}
    _, lines = talk(disk, "factory-reset\n")
    assert lines[-1] == "this forgets peers, settings and the password: factory-reset yes"
    assert len(disk.files) == len(names.split())
    talk(disk, "factory-reset yes\n")
    kept = ["identity", "identity.bak", "pin", "serial", "starts"]
    assert sorted(disk.files) == ["state/" + name for name in kept]
    talk(disk, "new-identity yes\n")
    assert list(disk.files) == ["state/starts"]
