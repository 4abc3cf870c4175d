"""Commands about one board: console, peers, backup, restore."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from serial.tools.miniterm import Miniterm

from tools import backup as backups
from tools import simulate as simulator
from tools.cli import options
from tools.console_link import ConsoleError, ConsoleLink
from tools.energy_manager.output import Output
from tools.label import scan
from tools.lib import qr, ski
from tools.line import LineError
from tools.serial_board import open_port

_SEAL_S = 120  # a board derives the key from a passphrase in Python
_RESTART_S = 60
_LEAVE = "\x1d"  # Ctrl-]

Passphrase = Annotated[
    str | None,
    typer.Option(
        envvar="PILOTWIRE_PASSPHRASE",
        show_envvar=True,
        metavar="TEXT",
        help="Passphrase of the backup; it is asked for if it is needed.",
    ),
]

_peers = typer.Typer(help="Who may limit a board: list, trust, remove.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the host command."""
    for command in (list_peers, trust, remove):
        _peers.command(command.__name__.split("_")[0])(command)
    for command in (console, backup, restore):
        app.command(rich_help_panel="A board")(command)
    app.add_typer(_peers, name="peers", rich_help_panel="A board")


def console(
    words: Annotated[
        list[str] | None, typer.Argument(help="A command for the board; without, a terminal.")
    ] = None,
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    password: options.Password = None,
    json: options.Json = False,
) -> None:
    """Open a terminal to a board (Ctrl-] leaves it), or have it carry out one command.

    In the terminal type `help`.
    """
    if words:
        with options.opened(port, simulate, serial, state) as board:
            _show(Output(json), _asked(board, " ".join(words), password))
        return
    port = options.port_or_simulator(port, simulate)
    if port is None:
        arguments = ["--port", "0", "--serial", serial]
        arguments += ["--state", str(state / serial)] if state else []
        sys.exit(simulator.main(arguments))
    if not sys.stdin.isatty():
        raise typer.BadParameter("standard input is no terminal; give the command as arguments")
    terminal = Miniterm(open_port(port), echo=False, eol="cr", filters=["direct"])
    terminal.exit_character = _LEAVE
    terminal.set_rx_encoding("utf-8")
    terminal.set_tx_encoding("utf-8")
    Console(stderr=True).print(f"{port}; Ctrl-] leaves, `help` lists the commands", style="dim")
    terminal.start()
    try:
        terminal.join(True)
    finally:
        terminal.stop()
        terminal.close()


def list_peers(
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    json: options.Json = False,
) -> None:
    """Show who is trusted, who is connected, and who announces itself."""
    out = Output(json)
    with options.opened(port, simulate, serial, state) as board:
        answer = _asked(board, "peers", None)
    for peer in answer["trusted"]:
        text = f"trusted    {ski.group(peer['ski'])}  {peer.get('id') or ''}"
        out.say(text, event="trusted", **peer)
    for link in answer["connections"]:
        state_text = "waits for trust" if link["pending"] else link["state"]
        text = f"connected  {ski.group(link['ski']) or '(not yet known)'}  {state_text}"
        out.say(text, event="connection", **link)
    for node in answer["seen"]:
        name = node.get("name", "")
        text = f"seen       {ski.group(node.get('ski', '')) or '(without SKI)'}  {name}"
        out.say(text, event="seen", **node)
    if not any(answer[key] for key in ("trusted", "connections", "seen")):
        out.hint("nobody yet: pilotwire peers trust SKI, or scan the label with the manager")


def trust(
    who: Annotated[str, typer.Argument(help="SKI, QR text, or a picture of a label.")],
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    password: options.Password = None,
    json: options.Json = False,
) -> None:
    """Trust an energy manager: it may connect and limit the board."""
    _about_peer("trust", who, port, simulate, serial, state, password, json)


def remove(
    who: Annotated[str, typer.Argument(help="SKI, QR text, or a picture of a label.")],
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    password: options.Password = None,
    json: options.Json = False,
) -> None:
    """Forget an energy manager and part from it."""
    _about_peer("untrust", who, port, simulate, serial, state, password, json)


def _about_peer(verb, who, port, simulate, serial, state, password, json) -> None:
    peer = _peer(who)
    with options.opened(port, simulate, serial, state) as board:
        _show(Output(json), _asked(board, f"{verb} {peer}", password))


def _peer(who: str) -> str:
    """Return how a board's console is told of a peer; raise typer.BadParameter or LabelError.

    That is the SKI, and of a label with a PIN both, so that the board can give the peer its PIN.
    """
    if Path(who).is_file():
        who = scan.scan_file(Path(who))
    try:
        if not who.strip().startswith("SHIP;"):
            return ski.parse_ski(who)
        fields = qr.read(who)
    except ValueError as problem:
        raise typer.BadParameter(f"{who!r}: {problem}")
    if "PIN" in fields:
        return "SHIP;SKI:{SKI};PIN:{PIN};ENDSHIP;".format_map(fields)
    return fields["SKI"]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to put it.", dir_okay=False)],
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    passphrase: Passphrase = None,
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    password: options.Password = None,
    json: options.Json = False,
) -> None:
    """Save identity, peers and settings of a board, sealed with a passphrase.

    The board seals it: the key does not leave it unencrypted. The file is opened again to prove
    that it can be used.
    """
    if file.exists() and not force:
        raise LineError(f"{file} is there already; --force replaces it")
    passphrase = _passphrase(passphrase, is_new=True)
    with options.opened(port, simulate, serial, state) as board:
        known = _asked(board, "id", None)["ski"]
        text = backups.take(_command(board, password), passphrase)
    told = backups.report(backups.unseal(text, passphrase))
    if told["ski"] != known or not told["has_identity"]:
        raise LineError(f"the board has SKI {known}, but sealed a backup of {told['ski']}")
    new = file.with_name(file.name + ".new")
    new.touch(0o600)
    new.write_text(text)
    new.replace(file)
    Output(json).say(f"{file}  {_about(told)}", event="backup", path=str(file), **told)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.", exists=True, dir_okay=False)],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Open the file and show it; no board is needed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    passphrase: Passphrase = None,
    port: options.Port = None,
    simulate: options.Simulate = False,
    serial: options.Serial = "0001",
    state: options.State = None,
    password: options.Password = None,
    json: options.Json = False,
) -> None:
    """Bring a backup to a board: its key, and so its label, become the saved ones.

    For a board that takes the place of a broken one. The broken one must not run again: two boards
    with one key disturb each other.
    """
    try:
        text = file.read_text(encoding="ascii")
    except UnicodeDecodeError:
        raise backups.BackupError(f"{file} is no backup")
    passphrase = _passphrase(passphrase, is_new=False)
    told = backups.report(backups.unseal(text, passphrase))
    out = Output(json)
    if dry_run:
        lines = [f"{key}: {told[key]}" for key in told]
        out.say("\n".join(lines), event="dry_run", **told)
        return
    with options.opened(port, simulate, serial, state) as board:
        own = _asked(board, "id", None)
        if not yes:
            _confirm(own["ship_id"], own["ski"], told)
        with _sending(json) as progress:
            backups.give(_command(board, password), text, passphrase, progress)
        _wait_restored(board, told["ski"])
    out.say(f"restored: {_about(told)}", event="restored", **told)


@contextmanager
def _sending(is_quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Yield what shows how many octets of all are sent."""
    with Progress(
        console=Console(stderr=True), disable=is_quiet or not sys.stderr.isatty()
    ) as bar:
        task = bar.add_task("sending", total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _confirm(ship_id: str, number: str, about: dict) -> None:
    if not sys.stdin.isatty():
        raise LineError("nobody to ask whether to replace the board's identity: --yes")
    print(f"{ship_id} has SKI {number} now", file=sys.stderr)
    typer.confirm(f"Replace it by {_about(about)}?", abort=True, err=True)


def _wait_restored(board: ConsoleLink, number: str) -> None:
    """Wait until the board has started again with the restored key."""
    end = time.monotonic() + _RESTART_S
    while board.identity(_RESTART_S)["ski"] != number:
        if time.monotonic() > end:
            raise ConsoleError(f"the board does not come back with SKI {number}; see its console")
        time.sleep(0.2)


def _about(about: dict) -> str:
    return f"{about['ship_id']} of {about['time']}, SKI {about['ski']}"


def _passphrase(given: "str | None", is_new: bool) -> str:
    if given is None:
        if not sys.stdin.isatty():
            raise LineError("no passphrase: PILOTWIRE_PASSPHRASE or --passphrase")
        given = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)
    backups.check_passphrase(given)
    return given


def _command(board: ConsoleLink, password: "str | None") -> Callable[[str], dict]:
    """Return what carries out console commands that take long, for tools.backup."""
    return lambda line: _asked(board, line, password, _SEAL_S)


def _asked(
    board: ConsoleLink, command: str, password: "str | None", timeout_s: float = 10
) -> dict:
    """Return the answer to a command, after `login` if the board wants it.

    Raises LineError with the board's reason if it refuses.
    """
    answer = board.command(command, timeout_s)
    if not answer["ok"] and str(answer["error"]).startswith("locked"):
        if password is None and sys.stdin.isatty():
            password = typer.prompt("Password of the console", hide_input=True, err=True)
        if password is None:
            raise LineError("the console has a password: PILOTWIRE_PASSWORD or --password")
        answer = board.command("login " + password, _SEAL_S)
        if answer["ok"]:
            answer = board.command(command, timeout_s)
    if not answer["ok"]:
        raise LineError(str(answer["error"]))
    return answer


def _show(out: Output, answer: dict) -> None:
    """Print an answer of the board: its text, or its fields."""
    fields = {key: answer[key] for key in answer if key not in ("answer", "ok")}
    lines = [f"{key}: {fields[key]}" for key in sorted(fields)]
    out.say(str(fields.get("text") or "\n".join(lines)), event=answer["answer"], **fields)
