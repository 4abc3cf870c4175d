"""Check a folder of boards/ without hardware, and say what a charger with it will announce.

    make check BOARD=esp32_devkit
    .venv/bin/python -m tools.check_board esp32_devkit --json

The board is imported on a fake chip (tools/fake_machine.py): its constructor makes its pins, so
what is checked is what it does and not what a list says. Exit status: 0 good, 1 problems, 2 no
such board. Warnings are no problems.
"""

import argparse
import json
import sys
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_SHIMS = ROOT / "host_tests" / "shims"  # `micropython` for the host
_MANDATORY = ("set_pilot", "pilot_mv", "set_contactor")
_MAX_SAMPLED_MA = 51_000  # above, boards/parts/pilot.py cannot see the low half wave


class CheckError(Exception):
    """The board cannot be checked; the text says why."""


def check(name: str, root: "Path | None" = None) -> dict:
    """Return `board`, `chip`, `pins`, `problems`, `warnings`, `parts`, `announces`.

    Raises CheckError if there is no such board.
    """
    root = root or ROOT
    if name not in boards(root):
        raise CheckError(f"no boards/{name}/board.py; there are: {', '.join(boards(root))}")
    for folder in (_SHIMS, ROOT / "lib", ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    from evse.board import Board
    from tools import fake_machine

    world = fake_machine.reset()
    world.owner = _maker
    world.idle_mv = 1_650  # a sensor in the middle of its range
    report = {
        "board": name,
        "chip": None,
        "pins": {},
        "problems": [],
        "warnings": [],
        "parts": {},
        "announces": {},
    }
    try:
        board = fake_machine.load(f"boards.{name}.board").create()
    except Exception as problem:
        report["problems"].append(_where(problem))
        return report
    problems = report["problems"]
    problems += _description(board)
    if not problems:  # else calls would fail for these reasons
        problems += _behaviour(world, board)
        report["warnings"] += _warnings(report, board)
    if isinstance(board, Board):
        report["chip"] = board.CHIP
        problems += _pins(report, world, board)
    if not problems:
        report["announces"] = _announces(board)
    return report


def boards(root: "Path | None" = None) -> "list[str]":
    """Return the names of all boards."""
    found = sorted(path.parent.name for path in ((root or ROOT) / "boards").glob("*/board.py"))
    return [name for name in found if name != "parts"]


def _maker() -> str:
    """Who makes a pin: the class of the part in whose constructor that happens."""
    frame = sys._getframe(1)
    while frame:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("boards.") and frame.f_code.co_name == "__init__":
            return type(frame.f_locals["self"]).__name__
        frame = frame.f_back
    return "board.py"


def _where(problem: Exception) -> str:
    """One line: what was raised, and the line of the board or part that did it."""
    text = f"{type(problem).__name__}: {problem}"
    place = ""
    for frame, line in traceback.walk_tb(problem.__traceback__):
        module = frame.f_globals.get("__name__", "")
        if module.startswith("boards."):
            place = f" in {module.replace('.', '/')}.py:{line}"
    return f"create() failed{place}: {text}"


def _pins(report, world, board):
    from tools.chips import CHIPS, pin_problems

    for gpio, use, owner in world.uses:
        entry = report["pins"].setdefault(gpio, {"part": owner, "uses": []})
        if use != "pin" and use not in entry["uses"]:
            entry["uses"].append(use)
    if board.CHIP is None:
        return ["it uses pins, but CHIP is None"] if world.uses else []
    if board.CHIP not in CHIPS:
        return [f"CHIP is {board.CHIP!r}; known are {', '.join(CHIPS)}"]
    return pin_problems(CHIPS[board.CHIP], world.uses, board.BOOT_PINS)


def _description(board):
    from evse.board import Board

    kind = type(board)
    if not isinstance(board, Board):
        yield "create() must return an instance of evse.board.Board"
        return
    for method in _MANDATORY:
        if getattr(kind, method) is getattr(Board, method):
            yield f"{method}() is missing"
    for flag, method in (
        ("HAS_METER", "read_meter"),
        ("CAN_SWITCH_PHASES", "connect_phases"),
        ("HAS_NETWORK", "connect"),
        ("HAS_NETWORK", "address"),
        ("FEED_IN_W", "limit_feed_in"),
    ):
        if getattr(board, flag) and getattr(kind, method) is getattr(Board, method):
            yield f"{flag} is set, but {method}() is missing"
    for name in ("VENDOR", "BRAND", "MODEL"):
        if not getattr(board, name):
            yield f"{name} is empty: energy managers show it, and the label needs it"
    if board.PHASES not in (1, 2, 3):
        yield f"PHASES is {board.PHASES}, not 1 to 3"
    if not 6_000 <= board.MAX_CURRENT_MA <= 80_000:
        yield f"MAX_CURRENT_MA is {board.MAX_CURRENT_MA}, not 6000 to 80000"
    if not board.HOT_DC < board.TOO_HOT_DC:
        yield "HOT_DC must be below TOO_HOT_DC (tenths of a degree Celsius)"
    yield from _parts(board)


def _parts(board):
    """What a board of parts must have; an attribute that is forgotten would fail much later."""
    from evse.board import Board

    if type(board).__mro__[1].__name__ != "PartsBoard":
        return
    for part in ("pilot", "relay"):
        if getattr(board, part) is None:
            yield f"self.{part} is missing in __init__"
    if board.HAS_METER and board.meter is None and type(board).read_meter is not Board.read_meter:
        yield "self.meter is missing in __init__, or HAS_METER = False"
    if board.HAS_NETWORK and board.wifi is None and board.ethernet is None:
        yield "self.wifi or self.ethernet is missing in __init__, or HAS_NETWORK = False"
    if board.lock is not None and board.proximity is None:
        yield "a lock is for sockets, and a socket needs self.proximity"
    if board.MAX_CURRENT_MA > _MAX_SAMPLED_MA:
        yield "above 51 A boards/parts/pilot.py cannot see the low half wave"


def _behaviour(world, board):
    """At reset the pilot must be constant; afterwards no call may fail or take long."""
    for _, gpio, change in world.log:
        if isinstance(change, tuple) and change[0] == "duty" and change[1] not in (0, 65_535):
            yield f"GPIO {gpio} is a wave at reset: the pilot must be constant until it is set"
    calls = [
        ("poll", (0,)),
        ("contactor_closed", ()),
        ("faults", ()),
        ("proximity_ma", ()),
        ("temperature_dc", ()),
        ("set_pilot", (10_922,)),
        ("pilot_mv", ()),
        ("set_contactor", (False,)),
    ]
    for method, arguments in calls:
        before_us = world.now_us
        try:
            getattr(board, method)(*arguments)
        except Exception as problem:
            yield f"{method}() failed: {type(problem).__name__}: {problem}"
        if world.now_us - before_us > 2_500:
            yield f"{method}() takes {world.now_us - before_us} us; 2500 are allowed"
    board.set_pilot(65_535)


def _warnings(report, board):
    """What a board may lack, with what it means."""
    for present, part, meaning in (
        (board.contactor_closed() is not None, "feedback contact", "a weld is not noticed"),
        (
            type(board).start_self_test.__qualname__ != "Board.start_self_test"
            and getattr(board, "rcm", True) is not None,
            "residual-current monitor",
            "the installation needs a type B device, or type A with 6 mA DC detection",
        ),
        (board.HAS_METER, "meter", "energy managers see the offered current only"),
        (
            board.temperature_dc() is not None,
            "temperature sensor",
            "heat does not lower the current",
        ),
        (
            board.proximity_ma() is None or board.is_locked() is not None,
            "lock",
            "the plug of a socket can be pulled while charging",
        ),
        (
            board.network() is not None or board.HAS_NETWORK,
            "network of its own",
            "the host has it",
        ),
    ):
        report["parts"][part] = bool(present)
        if not present and board.CHIP is not None:
            yield f"no {part}: {meaning}"


def _announces(board):
    """Build the station as the firmware does and read what it would tell."""
    from evse.arbiter import Arbiter
    from evse.car import Car
    from evse.charging import ChargingControl
    from usecases.station import Station

    control = ChargingControl(board, Arbiter(board.NOMINAL_VOLTAGE_MV), 0)
    maker = f"i:{board.VENDOR_ID}" if board.VENDOR_ID else f"n:{board.VENDOR}"

    class Description:
        address = f"d:_{maker}_{board.MODEL.replace(' ', '-')}-0001"
        manufacturer = {"deviceName": board.MODEL, "brandName": board.BRAND}
        nominal_w = (
            board.MAX_CURRENT_MA // 100 * board.PHASES * (board.NOMINAL_VOLTAGE_MV // 1000) // 10
        )
        feed_in_w = board.FEED_IN_W

    station = Station(
        Description,
        control.meter,
        lambda: "",
        _NoSettings(),
        lambda: 0,
        lambda: None,
        lambda: None,
        Car(control),
        (lambda summary: None) if board.HAS_DISPLAY else None,
    )
    always = _use_cases(station.device)
    station.ev_connected(True)
    with_car = {name: s for name, s in _use_cases(station.device).items() if name not in always}
    return {
        "ship_id": f"i:{board.VENDOR_ID}_u:0001" if board.VENDOR_ID else f"{board.VENDOR}-0001",
        "device": Description.address,
        "brand": board.BRAND,
        "type": board.DEVICE_TYPE,
        "model": board.MODEL,
        "phases": board.PHASES,
        "max_current_ma": board.MAX_CURRENT_MA,
        "nominal_w": Description.nominal_w,
        "use_cases": always,
        "use_cases_with_car": with_car,
    }


def _use_cases(device):
    found = {}
    for use_case in device.use_cases:
        if use_case.name:
            support = use_case.support()
            found[support["useCaseName"]] = list(support["scenarioSupport"])
    return found


class _NoSettings:
    def get(self, key, default):
        return default

    def put(self, key, value):
        pass


def _print(report: dict) -> None:
    name = report["board"]
    if report["pins"]:
        print(f"pins of boards/{name} ({report['chip']})")
        for gpio, pin in sorted(report["pins"].items()):
            print(f"  GPIO {gpio:<3} {', '.join(pin['uses']) or 'bus':20} {pin['part']}")
    announced = report["announces"]
    if announced:
        print(f"announces itself as {announced['ship_id']}, {announced['device']}")
        print(
            f"  {announced['brand']} {announced['model']}: {announced['phases']} phase(s), "
            f"{announced['max_current_ma'] / 1000:g} A, {announced['nominal_w']} W"
        )
        for title, key in (("", "use_cases"), (" (with a car)", "use_cases_with_car")):
            for use_case, scenarios in announced[key].items():
                print(f"  {use_case} {','.join(map(str, scenarios))}{title}")
    for warning in report["warnings"]:
        print(f"warning: {warning}")
    for problem in report["problems"]:
        print(f"error: {problem}")
    print(
        f"boards/{name}: "
        + (f"{len(report['problems'])} problem(s)" if report["problems"] else "good")
    )


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="check_board", description=__doc__.split("\n", 1)[0])
    parser.add_argument("board", nargs="*", help="folders in boards/; all without one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each")
    options = parser.parse_args(arguments)
    status = 0
    try:
        for name in options.board or boards():
            report = check(name)
            if options.json:
                print(json.dumps(report))
            else:
                _print(report)
            status = status or int(bool(report["problems"]))
    except CheckError as problem:
        print(f"check: {problem}", file=sys.stderr)
        return 2
    return status


if __name__ == "__main__":
    sys.exit(main())
