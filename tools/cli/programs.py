"""Programs that were there before the host command, reachable from it with their own options."""

import sys

import typer

from tools import simulate as simulator

_PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


def add_to(app: typer.Typer) -> None:
    """Add the commands to the host command."""
    for command in (simulate, manager, demo):
        app.command(
            context_settings=_PASS_ON, rich_help_panel="Programs with options of their own"
        )(command)


def simulate(context: typer.Context) -> None:
    """Run a simulated charger with its console here (simulate --help)."""
    sys.exit(simulator.main(context.args))


def manager(context: typer.Context) -> None:
    """Run the energy manager: discover, pair, limit, watch (manager --help)."""
    from tools.energy_manager import cli

    sys.exit(cli.main(context.args))


def demo(context: typer.Context) -> None:
    """Show a charger and an energy manager, end to end (demo --help)."""
    from tools.demo import __main__ as program

    sys.argv = ["pilotwire demo", *context.args]
    sys.exit(program.main())
