"""The host command: `pilotwire`, which is `python -m tools`.

    line.py       provision, label, records: the production line
    board.py      console, peers, backup, restore: one board, on a serial port or simulated
    checks.py     doctor: this machine and a board
    programs.py   simulate, manager, demo: the programs that were there before, unchanged
    options.py    options that several commands have, and the board they mean

Exit codes: 0 done, 1 refused, 2 wrong usage, 3 nobody answers, 130 interrupted.
"""

import sqlite3
import sys

import typer

from tools.backup import BackupError
from tools.cli import board, checks, line, programs
from tools.cli.options import NO_ANSWER, OK, REFUSED
from tools.console_link import ConsoleError
from tools.energy_manager.output import Output
from tools.label.stock import LabelError
from tools.line import LineError

_HELP = """Host tools of Pilotwire: make boards, print their labels, look after them.

Try it without a board:

  pilotwire provision --simulate --serial 0001

  pilotwire console --simulate --serial 0001
"""
_EPILOG = "Exit codes: 0 done, 1 refused, 2 wrong usage, 3 nobody answers, 130 interrupted."

app = typer.Typer(
    name="pilotwire",
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
line.add_to(app)
board.add_to(app)
checks.add_to(app)
programs.add_to(app)


def main(arguments: "list[str] | None" = None) -> int:
    """Run one command; return its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    out = Output("--json" in arguments)
    try:
        app(arguments, prog_name="pilotwire")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return OK
    except (LineError, LabelError, BackupError, OSError, sqlite3.Error) as refusal:
        out.error(str(refusal))
        return REFUSED
    except ConsoleError as silence:
        out.error(str(silence))
        return NO_ANSWER
    return OK
