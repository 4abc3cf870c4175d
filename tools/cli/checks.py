"""The command doctor: what is wrong with this machine, or a board, and what to do about it."""

import sys
from typing import Annotated

import typer

from tools import doctor as checks
from tools.cli import options
from tools.console_link import ConsoleError
from tools.energy_manager.output import Output

_MARKS = {checks.GOOD: "ok    ", checks.WARNING: "note  ", checks.BAD: "WRONG "}


def add_to(app: typer.Typer) -> None:
    """Add the command to the host command."""
    app.command(rich_help_panel="A board")(doctor)


def doctor(
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    machine: Annotated[
        bool, typer.Option(help="Check this machine; --no-machine for the board alone.")
    ] = True,
    json: options.Json = False,
) -> None:
    """Check this machine, and a board if one is named; say what to do about what is wrong."""
    out = Output(json)
    worst = checks.GOOD
    if machine:
        worst = max(worst, _show(out, checks.machine()))
    if port or simulate:
        try:
            with options.opened(port, simulate, serial, state) as board:
                worst = max(worst, _show(out, checks.board(board)))
        except ConsoleError as silence:
            worst = max(worst, _show(out, [checks.silent(str(silence))]))
    elif not machine:
        raise typer.BadParameter("nothing to check: name a board by --port, or --simulate")
    sys.exit(options.REFUSED if worst == checks.BAD else options.OK)


def _show(out: Output, found) -> int:
    """Print checks as they come; return the worst result."""
    worst = checks.GOOD
    for check in found:
        worst = max(worst, check.result)
        text = f"{_MARKS[check.result]}{check.name}: {check.text}"
        if check.todo:
            text += f"\n      -> {check.todo}"
        name = checks.NAMES[check.result]
        out.say(
            text, event="check", name=check.name, result=name, text=check.text, todo=check.todo
        )
    return worst
