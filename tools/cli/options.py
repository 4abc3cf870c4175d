"""Options that several commands have, exit codes, and the board that the options mean."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tools.console_link import ConsoleLink
from tools.label.raster import RESOLUTIONS_DPI
from tools.label.stock import LabelError, parse_size
from tools.serial_board import SerialBoard, ports
from tools.simulate import Simulator

OK = 0
REFUSED = 1
NO_ANSWER = 3

_START_S = 30  # until a board that may just start answers; a simulated one makes its key in it

_BOARD = "The board"


def serial_number(text: str) -> str:
    """Check a serial number as the simulator does; raise typer.BadParameter."""
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text) or text.startswith("."):
        raise typer.BadParameter("1 to 32 letters, digits, '.', '_' or '-'")
    return text


def _size(text: str) -> str:
    try:
        parse_size(text)
    except LabelError as problem:
        raise typer.BadParameter(str(problem))
    return text


def _dpi(number: int) -> int:
    if number not in RESOLUTIONS_DPI:
        raise typer.BadParameter(f"label printers have {', '.join(map(str, RESOLUTIONS_DPI))}")
    return number


Json = Annotated[bool, typer.Option("--json", help="One line of JSON for each result.")]
Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        "-p",
        metavar="DEVICE",
        help="Serial port of the board; not needed if there is just one.",
        autocompletion=ports,
        rich_help_panel=_BOARD,
    ),
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="A simulated board.", rich_help_panel=_BOARD)
]
State = Annotated[
    Path | None,
    typer.Option(
        help="Folder with the simulated boards' flash, one folder a serial number (build/sim).",
        rich_help_panel=_BOARD,
    ),
]
Serial = Annotated[
    str,
    typer.Option(
        help="Serial number of the simulated board.",
        callback=serial_number,
        rich_help_panel=_BOARD,
    ),
]
Password = Annotated[
    str | None,
    typer.Option(
        envvar="PILOTWIRE_PASSWORD",
        show_envvar=True,
        metavar="TEXT",
        help="Password of the board's console; it is asked for if it is needed.",
        rich_help_panel=_BOARD,
    ),
]
Size = Annotated[
    str,
    typer.Option(callback=_size, metavar="MMxMM", help="Size of a label, such as 50x30 or 57x32."),
]
Dpi = Annotated[
    int,
    typer.Option(callback=_dpi, help="Dots an inch of the label printer: 203, 300 or 600."),
]
Font = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="Font for letters that DejaVu does not have."),
]
Printer = Annotated[
    str | None,
    typer.Option(
        metavar="HOST[:PORT]|DEVICE", help="Label printer that understands ZPL, to print at once."
    ),
]


def port_or_simulator(port: "str | None", simulate: bool) -> "str | None":
    """Return the port that is meant, None for a simulated board; raise typer.BadParameter."""
    if port and simulate:
        raise typer.BadParameter("either --port or --simulate")
    if port or simulate:
        return port
    found = ports()
    if len(found) != 1:
        there = "there are " + ", ".join(found) if found else "no USB serial port is there"
        raise typer.BadParameter(f"which board? --port DEVICE ({there}), or --simulate")
    return found[0]


def simulated(serial: str, state: "Path | None", **options) -> Simulator:
    """Return a simulated board that is not yet started."""
    return Simulator(port=0, serial=serial, state=state / serial if state else None, **options)


@contextmanager
def opened(
    port: "str | None", simulate: bool, serial: str, state: "Path | None"
) -> Iterator[ConsoleLink]:
    """Open the console of the board that is meant; it answers. Raises ConsoleError."""
    port = port_or_simulator(port, simulate)
    with SerialBoard(port) if port else simulated(serial, state) as board:
        board.identity(_START_S)
        yield board
