"""What the ECHONET Lite tests share: a small network, drivers of foreign controllers, npm.

Answers go to port 3610 of an address, so node and controller need addresses of their own. Where
network namespaces can be made there are two of them and a virtual cable, multicast included; else
the two are loopback addresses which every test run draws anew, so that several may go on at once
and beside a `make run`.
"""

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

from tools import simulate

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent
MODULES = ROOT / ".peers"
WAIT_S = 15.0

_CABLE = """
set -e
ip link set lo up
unshare --net sleep 100000 &
other=$!
trap "kill $other" EXIT
while [ "$(readlink /proc/$other/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
nsenter -t $other -n ip link set lo up
echo $$ $other
cat
"""


class Lan:
    """Addresses and command prefixes of both ends; a context manager.

    `ours` is where controllers live, `theirs` the node's address.
    """

    has_multicast = False
    network = simulate.loopback_network()
    ours, theirs = network + ".1", network + ".2"
    our_prefix = their_prefix = ()

    def __enter__(self) -> "Lan":
        return self

    def __exit__(self, *_) -> None:
        pass


class NamespaceLan(Lan):
    """Two network namespaces and a cable. Raises OSError where they cannot be made."""

    has_multicast = True
    ours, theirs = "10.78.0.1", "10.78.0.2"
    ours6, theirs6 = "fe80::1%a0", "fe80::2%b0"

    def __enter__(self) -> "NamespaceLan":
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        self._process = None
        for command in (["unshare", "--net"], ["unshare", "-r", "--net"]):
            if shutil.which("unshare", path=path) and shutil.which("ip", path=path):
                self._process = subprocess.Popen(
                    [*command, "sh", "-c", _CABLE],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env={**os.environ, "PATH": path},
                )
                if line := self._process.stdout.readline():
                    break
                self._process.wait()
                self._process = None
        if self._process is None:
            raise OSError("network namespaces cannot be made here")
        enter = ["nsenter", "--net", "-t"]
        if os.getuid():
            enter = ["nsenter", "--user", "--preserve-credentials", "--net", "-t"]
        ours, self._other = line.split()
        self.our_prefix, self.their_prefix = [*enter, ours], [*enter, self._other]
        self.cable()
        return self

    def cable(self) -> None:
        """Connect both ends; again, if one end of the cable was deleted."""
        self.run(
            self.our_prefix, *"ip link add a0 type veth peer name b0 netns".split(), self._other
        )
        for prefix, name, number in ((self.our_prefix, "a0", 1), (self.their_prefix, "b0", 2)):
            for command in (
                f"ip address add 10.78.0.{number}/24 dev {name}",
                f"ip -6 address add fe80::{number}/64 dev {name} nodad",
                f"ip link set {name} up",
                f"ip route add 224.0.0.0/4 dev {name}",
            ):
                self.run(prefix, *command.split())

    def __exit__(self, *_) -> None:
        self._process.stdin.close()
        self._process.wait(WAIT_S)

    def run(self, prefix, *command) -> None:
        """Run one command at one end."""
        path = os.environ["PATH"] + ":/usr/sbin:/sbin"
        environment = {**os.environ, "PATH": path}
        subprocess.run([*prefix, *command], check=True, capture_output=True, env=environment)


class Charger(simulate.Simulator):
    """A simulated charger at the node's end of a network, ready when it has started."""

    def __init__(self, lan: Lan, **options):
        options = {"echonet_address": lan.theirs, **options}
        super().__init__(port=0, no_mdns=True, **options)
        self._prefix = list(lan.their_prefix)

    def start(self) -> None:
        usual = simulate.command_line

        def wrapped(options):
            command, environment = usual(options)
            return [*self._prefix, *command], environment

        with mock.patch.object(simulate, "command_line", wrapped):
            super().start()
        self.wait_event("listening")
        end = time.monotonic() + WAIT_S
        while True:
            status = self.command("status")
            if (status["echonet"], status["state"]) == ("running", "A"):
                break
            assert time.monotonic() < end, self.lines
            time.sleep(0.02)


class Child:
    """A child process that is written to and read from in lines; a context manager."""

    def __init__(self, command, environment=None):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


class Driver(Child):
    """A foreign controller as a child process, one line of JSON for each call; a context manager.

    `announcements` are those it has reported so far.
    """

    def __init__(self, prefix, command, environment=None):
        self.announcements = []
        self._answers = queue.Queue()
        self._number = 0
        super().__init__([*prefix, *command], environment)
        self._next(lambda message: message.get("ready"))

    def call(self, verb: str, **arguments) -> dict:
        """Let it do something; returns what it saw. Raises AssertionError if that failed."""
        self._number += 1
        request = {"id": self._number, "do": verb, **arguments}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._next(lambda message: message.get("id") == self._number)
        assert "error" not in answer, answer
        return answer

    def wait_inf(self, start: int = 0, **wanted) -> dict:
        """Wait for an announcement, from `start` on, with these values (EPC in hex after an x)."""
        values = {name[1:]: value for name, value in wanted.items()}
        end = time.monotonic() + WAIT_S
        while True:
            for item in self.announcements[start:]:
                if values.items() <= item["values"].items():
                    return item
            assert time.monotonic() < end, self.announcements
            time.sleep(0.02)

    def _next(self, wanted):
        while True:
            message = self._answers.get(timeout=WAIT_S)
            if wanted(message):
                return message

    def _read(self):
        for line in self._process.stdout:
            if line.startswith("{"):
                message = json.loads(line)
                if "announced" in message:
                    self.announcements.append(message["announced"])
                else:
                    self._answers.put(message)


def javascript(library: str, role: str, lan: Lan, address: str) -> Driver:
    """One of the npm libraries; see `missing`."""
    prefix = lan.our_prefix if role == "controller" else lan.their_prefix
    command = ["node", str(HERE / "driver.js"), library, role, address]
    return Driver(prefix, command, {"NODE_PATH": str(MODULES / "node_modules")})


def pychonet(lan: Lan, address: str) -> Driver:
    """pychonet from PyPI."""
    return Driver(lan.our_prefix, [sys.executable, str(HERE / "pychonet_driver.py"), address])


def missing() -> str:
    """Why the npm libraries cannot be used here, and what to do; empty if they can."""
    if not shutil.which("node"):
        return "needs node.js and npm, then: make setup"
    if not (MODULES / ".stamp").exists():
        return "npm's ECHONET Lite libraries are missing; with npm installed: make setup"
    return ""


class Raw(Child):
    """A bare UDP socket at the controllers' end; a context manager."""

    def __init__(self, lan: Lan, own: str, group: str, port: int = 3610):
        command = [sys.executable, str(HERE / "raw_driver.py"), own, group, str(port)]
        self._lines = queue.Queue()
        super().__init__([*lan.our_prefix, *command])
        assert self._lines.get(timeout=WAIT_S) == "ready"

    def send(self, address: str, *frames: str) -> None:
        """Send frames given in hex."""
        for frame in frames:
            self._process.stdin.write(f"{address} {frame}\n")
        self._process.stdin.flush()

    def next(self, timeout: float = 5.0) -> str:
        """The next datagram: sender, its port, `group` if it was sent there, octets in hex."""
        return self._lines.get(timeout=timeout)

    def ask(self, address: str, frame: str) -> str:
        """The octets of the answer to a frame; announcements in between are passed over."""
        self.send(address, frame)
        while True:
            words = self.next().split()
            if words[-1][4:8] == frame[4:8] and "group" not in words:
                return words[-1]

    def silence(self, seconds: float) -> None:
        """AssertionError if something comes within this time."""
        with contextlib.suppress(queue.Empty):
            line = self._lines.get(timeout=seconds)
            raise AssertionError(line)

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(line.strip())
