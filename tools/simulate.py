"""Start the firmware on the simulated board, under MicroPython's Unix port.

As a command it becomes the simulated charger: console on stdin and stdout, signals reach it.
As a module it gives tests and the demo a charger to talk to:

    with Simulator(port=0, state=folder, trust=[ski]) as charger:
        port = charger.wait_event("listening")["port"]
        charger.command("ev plug")
        charger.wait_event("lpc", state="limited")

Any number may run side by side; each needs a port and a state folder of its own.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

if __name__ == "__main__":
    sys.path[0] = str(ROOT)  # as `python -m tools.simulate` would have it

from tools import micropython, romfs  # noqa: E402
from tools.console_link import ConsoleLink  # noqa: E402

_LOCKED = "error: locked"  # the answer to `shutdown` from a console with a password
_STOP_TIMEOUT_S = 10.0  # for goodbyes and closing after `shutdown`, before signals are used


# --- command line ---


def parser() -> argparse.ArgumentParser:
    """Return the command line's parser; its defaults are also those of `Simulator`."""
    arguments = argparse.ArgumentParser(
        prog="simulate.py",
        allow_abbrev=False,
        description="Simulated charger: the unmodified firmware with boards/sim under "
        "MicroPython's Unix port. Its console is on stdin and stdout; type `help`.",
    )
    add = arguments.add_argument
    add("--address", default="127.0.0.1", help="IPv4 address to listen on (%(default)s)")
    add(
        "--port",
        type=_number(0, 65535),
        default=4712,
        help="TCP port of SHIP, 0 for any free one (%(default)s)",
    )
    add("--state", type=Path, metavar="DIR", help="key and trust list (build/sim/<serial>)")
    add(
        "--serial",
        type=_serial,
        default="0001",
        metavar="TEXT",
        help="serial number, part of the SHIP ID (%(default)s)",
    )
    add("--bits", type=int, choices=(64, 32), default=64, help="MicroPython's word size (64)")
    add("--heap", type=_heap, metavar="SIZE", help="MicroPython's heap, such as 96K or 2M")
    add(
        "--code",
        choices=("source", "romfs"),
        default="source",
        help="run the source files or an image of them, as in flash (%(default)s)",
    )
    add("--no-mdns", action="store_true", help="do not announce the charger")
    add("--mdns-address", metavar="ADDRESS", help="interface of mDNS (that of --address)")
    add("--no-echonet", action="store_true", help="no ECHONET Lite (UDP port 3610)")
    add(
        "--echonet-address",
        metavar="ADDRESS",
        help="its address (that of --address); IPv6: fe80::1%%eth0; both: separated by a comma",
    )
    add(
        "--trust",
        action="append",
        type=_ski,
        default=[],
        metavar="SKI",
        help="peer to trust from the start; may be repeated",
    )
    add("--phases", type=int, choices=(1, 3), default=3, help="phases connected (%(default)s)")
    add(
        "--feed-in", type=_number(0, 22_000), default=0, metavar="W", help="power the car can give"
    )
    add("--iso15118", action="store_true", help="the station can ask the car")
    add("--switch-phases", action="store_true", help="the station can charge on L1 alone")
    add(
        "--speed",
        type=_number(1, 1000),
        default=1,
        metavar="N",
        help="the simulated world's clock runs N times as fast (%(default)s)",
    )
    add("--log-level", choices=("error", "info", "debug"), default="info", help="(%(default)s)")
    add("--json", action="store_true", help="print one line of JSON for each event")
    return arguments


def _number(low: int, high: int):
    """Return a converter for whole numbers in this range."""

    def convert(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
        return int(text)

    return convert


def _serial(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", text) or text.startswith("."):
        raise argparse.ArgumentTypeError("1 to 32 letters, digits, '.', '_' or '-'")
    return text


def _heap(text: str) -> str:
    if not re.fullmatch(r"[1-9]\d*[KMkm]?", text):
        raise argparse.ArgumentTypeError("a number of bytes, or one with K or M")
    return text


def _ski(text: str) -> str:
    ski = re.sub(r"[\s:-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{40}", ski):
        raise argparse.ArgumentTypeError("an SKI has 40 hexadecimal digits")
    return ski


def command_line(options: argparse.Namespace) -> "tuple[list[str], dict[str, str]]":
    """Return the arguments and the environment to run; fetch and build what they need.

    Raises tools.micropython.SetupError and tools.romfs.RomfsError.
    """
    command = [str(micropython.micropython_path(options.bits))]
    if options.heap:
        command += ["-X", f"heapsize={options.heap}"]
    if options.code == "romfs":
        command.append(str(romfs.build(root=ROOT)))
    else:
        # As a module: a script's own folder would come first on the path and hide built-ins.
        command += ["-m", "firmware.start"]
    state = options.state or ROOT / "build" / "sim" / options.serial
    command += ["--address", options.address, "--port", str(options.port)]
    command += ["--state", str(Path(state).absolute()), "--serial", options.serial]
    for ski in options.trust:
        command += ["--trust", ski]
    command += ["--phases", str(options.phases), "--speed", str(options.speed)]
    command += ["--feed-in", str(options.feed_in)]
    command += ["--iso15118"] if options.iso15118 else []
    command += ["--switch-phases"] if options.switch_phases else []
    command += ["--log-level", options.log_level]
    command += ["--mdns-address", options.mdns_address or options.address]
    command += ["--echonet-address", options.echonet_address or options.address]
    command += ["--no-echonet"] * options.no_echonet
    command += ["--no-mdns"] * options.no_mdns + ["--json"] * options.json
    Path(state).mkdir(parents=True, exist_ok=True)
    return command, {**os.environ, "MICROPYPATH": f"{ROOT}:{ROOT}/lib:.frozen"}


def main(arguments: "list[str] | None" = None) -> int:
    """Become the simulated charger; return only when that fails."""
    options = parser().parse_args(arguments)
    try:
        command, environment = command_line(options)
        os.chdir(ROOT)
        os.execve(command[0], command, environment)
    except (micropython.SetupError, romfs.RomfsError, OSError) as problem:
        print(f"simulate: {problem}", file=sys.stderr)
    return 1


# --- for tests and the demo ---


def loopback_network() -> str:
    """Return three octets of a loopback address, drawn so that hardly anybody else uses them.

    ECHONET Lite has one port for all; nodes of other networks are not listened to.
    """
    return f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"


class Simulator(ConsoleLink):
    """A simulated charger as a child process; a context manager.

    Keyword arguments are the options of the command line (`mdns_address`, `log_level`, ...);
    flags are True or False, `trust` is a list. Raises ValueError for what the command line
    would refuse. Every event comes as JSON, without asking for it. ECHONET Lite gets an address
    of its own, unless one is given.
    """

    def __init__(self, **options):
        super().__init__()
        checker = parser()
        checker.error = _refuse
        options = {"echonet_address": loopback_network() + ".1", **options, "json": True}
        self.options = checker.parse_args(_words(options))
        self.process = None
        self._reader = None

    def __enter__(self) -> "Simulator":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; the charger answers as soon as `listening` has been seen."""
        command, environment = command_line(self.options)
        self.lines = []
        self._ended = False
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            bufsize=1,
        )
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()

    def stop(self) -> int:
        """Ask it to shut down, insist if it does not; return its exit status.

        A process that a signal ended has a negative status.
        """
        start = self.mark()
        if self.process.poll() is None:
            self._write("shutdown")
        for insist in (self.process.terminate, self.process.kill):
            if self._ends(start):
                break
            start = self.mark()
            insist()
        self.process.wait()
        self._reader.join()
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.returncode

    def kill(self) -> None:
        """End the process at once, as a power cut would."""
        self.process.kill()
        self.stop()

    def _ends(self, start: int) -> bool:
        """Wait for the end of the process; it does not end by itself if its console is locked."""
        end = time.monotonic() + _STOP_TIMEOUT_S
        while self.process.poll() is None:
            with self._news:
                is_locked = any(line.startswith(_LOCKED) for line in self.lines[start:])
            if is_locked or time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    @property
    def port(self) -> int:
        """The TCP port it listens on; waits until it does."""
        return self.wait_event("listening")["port"]

    def _write(self, line: str) -> None:
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:  # it has gone; whoever waits for an answer learns it from there
            pass

    def _read(self, process: subprocess.Popen) -> None:
        for line in process.stdout:
            self._take(line.rstrip("\n"))
        self._end()


def _words(options: dict) -> "list[str]":
    """Return keyword arguments as words of the command line."""
    words = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            words.append(option)
        elif value is not None and value is not False:
            values = value if isinstance(value, (list, tuple)) else [value]
            words += [f"{option}={item}" for item in values]
    return words


def _refuse(message: str):
    raise ValueError(message)


if __name__ == "__main__":
    sys.exit(main())
