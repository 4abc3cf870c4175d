"""The command line of the energy manager: options, help, exit codes.

`main` is the only entry; what the commands do is in `commands.py`.
"""

import argparse
import asyncio
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import commands
from .commands import INTERRUPTED, NOT_FOUND, OK, REFUSED, USAGE
from .dial import NotFound
from .identity import DEFAULT_STATE
from .lpc import NotUsable
from .output import Output
from .peers import UnknownTarget
from .ship_messages import ConnectionLost, NotReachable, ShipError, ShipTimeout
from .spine import NoAnswer, SpineError
from .spine_data import parse_duration

_DESCRIPTION = """\
Energy manager for chargers that speak SHIP and SPINE (EEBUS): finds them, pairs, watches, limits.

First steps with a simulated charger on this machine:
  python -m tools.energy_manager pair 127.0.0.1:4712 --yes    (then `trust …` on its console)
  python -m tools.energy_manager watch --host 127.0.0.1
  python -m tools.energy_manager limit 4200 --for 15m --stay
"""
_EPILOG = """\
exit codes: 0 done, 1 refused by the charger or not offered by it, 2 wrong usage,
3 not found, not reachable or no answer in time, 130 interrupted.

One charger keeps one connection per energy manager: two commands at the same time need two
--state folders, and are two energy managers to the charger.
"""


def _seconds(text: str) -> float:
    """Read `90`, `90s`, `15m`, `2h`, `1h30m` or an ISO 8601 duration."""
    if text.upper().startswith("P"):
        seconds = parse_duration(text.upper())
    elif re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    else:
        seconds = parse_duration("PT" + text.upper()) if text else None
    if seconds is None or seconds < 0:
        raise argparse.ArgumentTypeError(f"not a duration: {text!r} (try 90s, 15m, 2h)")
    return seconds


def _watts(text: str) -> float:
    """Read `4200`, `4200W` or `4.2kW`; negative values are passed on, the charger must cope."""
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*(k?)w?", text.strip().lower())
    if match is None:
        raise argparse.ArgumentTypeError(f"not a power in watts: {text!r}")
    watts = float(match.group(1)) * (1000 if match.group(2) else 1)
    return int(watts) if watts.is_integer() else watts


def _entity(text: str) -> tuple[int, ...]:
    """Read an entity address, `1` or `1,1`."""
    try:
        return tuple(int(part) for part in re.split(r"[.,]", text.strip("[]")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"not an entity: {text!r} (try 1 or 1,1)") from None


def _pin(text: str) -> str:
    digits = text.replace(" ", "").replace("-", "").lower()
    if not re.fullmatch("[0-9a-f]{8,16}", digits):
        raise argparse.ArgumentTypeError("a PIN has 8 to 16 hexadecimal digits")
    return digits


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("must be positive")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.energy_manager",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_command = parser.add_subparsers(metavar="COMMAND", required=True).add_parser

    def command(name, run, text, timeout_s=15, is_connecting=True):
        sub = add_command(name, help=text, description=text[0].upper() + text[1:] + ".")
        sub.set_defaults(run=run)
        _common_options(sub, timeout_s, is_connecting)
        return sub

    command("identity", commands.identity, "show our own SKI and SHIP ID", is_connecting=False)
    command(
        "discover",
        commands.discover_chargers,
        "list the chargers that announce themselves by mDNS",
        timeout_s=4,
    )

    sub = command("pair", commands.pair, "connect for the first time and wait for trust", 300)
    sub.add_argument("target", nargs="?", help="SKI, text of the QR code, or HOST:PORT")
    sub.add_argument("--yes", action="store_true", help="trust whatever SKI answers at HOST:PORT")

    sub = command("watch", commands.watch, "show limit, power, energy and state until Ctrl-C")
    sub.add_argument(
        "--for", dest="duration", type=_seconds, metavar="TIME", help="end after TIME"
    )

    sub = command("limit", commands.limit, "limit the charger's consumption, or release it")
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("watts", nargs="?", type=_watts, help="4200, 4200W, 4.2kW")
    what.add_argument("--release", action="store_true", help="take the limit away")
    sub.add_argument(
        "--for", dest="duration", type=_seconds, metavar="TIME", help="15m, 2h (default: no end)"
    )
    sub.add_argument(
        "--stay", action="store_true", help="keep sending heartbeats until the limit ends"
    )

    sub = command(
        "current", commands.current, "limit the current of each phase of the plugged car"
    )
    what = sub.add_mutually_exclusive_group(required=True)
    what.add_argument("amperes", nargs="?", type=float, help="10, 7.5, 0 is a pause")
    what.add_argument("--release", action="store_true", help="take the limits away")
    sub.add_argument(
        "--recommend", action="store_true", help="as what the sun gives, not as an obligation"
    )
    sub.add_argument("--for", dest="duration", type=_seconds, metavar="TIME", help="stay so long")

    sub = command("failsafe", commands.failsafe, "show or set what holds without energy manager")
    sub.add_argument("--power", type=_watts, metavar="WATTS", help="limit in failsafe state")
    sub.add_argument("--duration", type=_seconds, metavar="TIME", help="2h to 24h")

    sub = command("read", commands.read, "read any SPINE function and print it decoded")
    sub.add_argument("function", help="for example loadControlLimitListData")
    sub.add_argument("--entity", type=_entity, default=(1,), metavar="N[,N]", help="default 1")
    sub.add_argument("--feature", type=int, metavar="N", help="default: the one that offers it")
    return parser


def _common_options(sub: argparse.ArgumentParser, timeout_s: float, is_connecting: bool) -> None:
    add = sub.add_argument
    add(
        "--state",
        type=Path,
        default=DEFAULT_STATE,
        metavar="DIR",
        help="folder of our key and of the paired chargers (%(default)s)",
    )
    add("--json", action="store_true", help="one JSON object per line")
    if not is_connecting:
        return
    add("--ski", help="SKI of the charger; for a paired one its beginning or SHIP ID will do")
    add("--host", help="address of the charger, instead of asking mDNS")
    add("--port", type=int, help="TCP port, with --host (4712)")
    add("--pin", type=_pin, help="PIN on the charger's label, if it asks for one")
    add("--interface", metavar="ADDRESS", help="address of the network interface for mDNS")
    add(
        "--timeout",
        type=_positive,
        default=timeout_s,
        metavar="S",
        help="seconds to wait for the charger (%(default)s)",
    )
    add(
        "--speed",
        type=_positive,
        default=1,
        metavar="N",
        help="the simulated charger's clock runs N times faster: heartbeats N times as often",
    )
    add("--trace", metavar="FILE", help="append every message with its time to FILE, - for stderr")


async def _run(args: argparse.Namespace, out: Output) -> int:
    """Run a command so that SIGTERM ends it as cleanly as Ctrl-C."""
    task = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await args.run(args, out)
    except asyncio.CancelledError:
        return OK if args.run is commands.watch else INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    parser = _parser()
    args = parser.parse_args(arguments)
    if getattr(args, "release", False) and args.duration is not None:
        parser.error("--release takes no --for")
    out = Output(args.json)
    try:
        return asyncio.run(_run(args, out))
    except KeyboardInterrupt:
        return OK if args.run is commands.watch else INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone
        return OK
    except UnknownTarget as error:
        out.error(str(error))
        return USAGE
    except (NotFound, NotReachable, ShipTimeout, ConnectionLost, NoAnswer, OSError) as error:
        out.error(str(error) or "no answer in time")
        return NOT_FOUND
    except (ShipError, SpineError, NotUsable) as error:
        out.error(str(error))
        return REFUSED
