"""Responder and browser under MicroPython, seen by python-zeroconf and by Avahi.

zeroconf runs in this process on 127.0.0.1. Avahi runs in network and mount namespaces of its own
with its own D-Bus, joined to the node's namespace by a pair of virtual cables; nothing outside of
the test is touched. Where avahi-daemon or the right to make namespaces is missing, its tests are
skipped.
"""

import contextlib
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, ServiceListener, Zeroconf

from tools.micropython import micropython_path

ROOT = Path(__file__).resolve().parent.parent.parent
TYPE = "_ship._tcp.local."
SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
WAIT_S = 15.0

# What runs under MicroPython: `register true`, `address A` and `close` on stdin, events as JSON
# on stdout.
NODE = """
import asyncio, json, os, sys
from firmware.clock import Clock
from firmware.mdns import MdnsTask
from mdns.browser import Browser
from mdns.responder import Responder
from mdns.service import Service
from mdns.txt import parse, ship_strings

config = json.loads(sys.argv[1])

class Log:
    def error(self, text):
        print(json.dumps({"error": text}))

def strings(register):
    return ship_strings("i:12345_u:EVSE-0001", config["ski"], register=register, brand="Acme",
        model="EVSE22", device_type="ChargingStation", serial="0001", categories=(3,))

async def main():
    clock = Clock()
    now = clock.now_ms()
    address = bytes([int(part) for part in config["address"].split(".")])
    service = Service(config["instance"], config["host"], 4712, strings(False), [address])
    responder = Responder(service, now, os.urandom)
    browser = Browser(now, os.urandom)
    task = MdnsTask(responder, browser, clock, config["address"], Log())
    running = asyncio.create_task(task.run())
    asyncio.create_task(watch(task, responder, browser))
    stdin = asyncio.StreamReader(sys.stdin)
    while True:
        words = (await stdin.readline()).split()
        if words and words[0] == b"register":
            responder.set_txt(strings(words[1] == b"true"), clock.now_ms())
            task.flush()
        elif words and words[0] == b"address":
            task.move(str(words[1], "ascii"))
        else:
            task.close()
            await running
            return

async def watch(task, responder, browser):
    was_announced = False
    while True:
        if responder.is_announced != was_announced:
            was_announced = responder.is_announced
            service = responder.service
            print(json.dumps({"announced": was_announced, "instance": service.instance,
                "host": service.host}))
        for kind, peer in browser.events():
            keys = parse(peer.txt) or {}
            print(json.dumps({"peer": ("", "found", "changed", "lost")[kind],
                "name": peer.instance, "port": peer.port, "register": keys.get("register"),
                "addresses": [list(address) for address in peer.addresses]}))
        await asyncio.sleep_ms(20)

asyncio.run(main())
"""


class Node:
    """The node as a subprocess; `prefix` is put before its command line."""

    def __init__(self, instance, host, address="127.0.0.1", prefix=(), ski=SKI):
        config = {"instance": instance, "host": host, "address": address, "ski": ski}
        environment = dict(os.environ, MICROPYPATH=f"{ROOT}:{ROOT}/lib:.frozen")
        with tempfile.NamedTemporaryFile("w", suffix=".py", delete=False) as script:
            script.write(NODE)
        self._script = script.name
        self._process = subprocess.Popen(
            [*prefix, str(micropython_path(64)), script.name, json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self._events = []
        self._lines = queue.Queue()
        threading.Thread(target=self._pump, daemon=True).start()

    def _pump(self):
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait(self, **fields):
        """Return the first event with these fields; the others stay for later."""
        end = time.monotonic() + WAIT_S
        while True:
            for event in self._events:
                if fields.items() <= event.items():
                    self._events.remove(event)
                    return event
            line = None
            with contextlib.suppress(queue.Empty):
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            if line is None:
                raise AssertionError(f"no {fields} among {self._events}")
            self._events.append(json.loads(line))

    def say(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(BrokenPipeError):
            self.say("close")
        try:
            assert self._process.wait(WAIT_S) == 0
        finally:
            self._process.kill()
            os.unlink(self._script)


class Seen(ServiceListener):
    """What zeroconf's browser tells, for one instance."""

    def __init__(self, instance):
        self._name = f"{instance}.{TYPE}"
        self._events = queue.Queue()

    def add_service(self, zc, type_, name):
        self._note("added", name)

    def update_service(self, zc, type_, name):
        self._note("updated", name)

    def remove_service(self, zc, type_, name):
        self._note("removed", name)

    def _note(self, what, name):
        if name == self._name:
            self._events.put(what)

    def wait(self, what):
        while self._events.get(timeout=WAIT_S) != what:
            pass


@pytest.fixture
def foreign():
    """A zeroconf instance on the loopback interface."""
    instance = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
    yield instance
    instance.close()


def unique(text):
    """A name that no other node on this machine uses."""
    return f"{text} {os.getpid()} {time.monotonic_ns() % 1_000_000}"


def host_of(instance):
    return "h" + instance.replace(" ", "-").lower()


def hems(instance, register="false", port=4711):
    properties = {"txtvers": "1", "path": "/ship/", "id": "HEMS", "ski": SKI, "register": register}
    return ServiceInfo(
        TYPE,
        f"{instance}.{TYPE}",
        port=port,
        properties=properties,
        server=host_of(instance) + ".local.",
        addresses=[bytes([127, 0, 0, 1])],
    )


def test_zeroconf_sees_all_records_the_change_and_the_goodbye(foreign):
    instance = unique("EVSE")
    seen = Seen(instance)
    ServiceBrowser(foreign, TYPE, seen)
    with Node(instance, host_of(instance)) as node:
        seen.wait("added")
        info = foreign.get_service_info(TYPE, f"{instance}.{TYPE}", timeout=5000)
        assert info.port == 4712
        assert info.server == host_of(instance) + ".local."
        assert info.addresses == [bytes([127, 0, 0, 1])]
        assert info.text == b"".join(
            bytes([len(string)]) + string
            for string in (
                b"txtvers=1",
                b"path=/ship/",
                b"id=i:12345_u:EVSE-0001",
                b"ski=" + SKI.encode(),
                b"brand=Acme",
                b"model=EVSE22",
                b"type=ChargingStation",
                b"register=false",
                b"serial=0001",
                b"cat=3",
                b"ecc=false",
            )
        )
        node.wait(announced=True, instance=instance)

        node.say("register true")
        seen.wait("updated")
        info = foreign.get_service_info(TYPE, f"{instance}.{TYPE}", timeout=5000)
        assert info.properties[b"register"] == b"true"

        start = time.monotonic()
        node.say("close")
        seen.wait("removed")
        assert time.monotonic() - start < 3.0
        assert foreign.get_service_info(TYPE, f"{instance}.{TYPE}", timeout=300) is None


def test_zeroconf_is_found_changed_and_lost(foreign):
    instance = unique("HEMS")
    charger = unique("EVSE")
    with Node(charger, host_of(charger)) as node:
        foreign.register_service(hems(instance))
        event = node.wait(peer="found", name=instance)
        assert event["port"] == 4711 and event["register"] == "false"
        assert event["addresses"] == [[127, 0, 0, 1]]
        foreign.update_service(hems(instance, "true"))
        assert node.wait(peer="changed", name=instance)["register"] == "true"
        foreign.unregister_service(hems(instance, "true"))
        node.wait(peer="lost", name=instance)


def test_zeroconf_sees_another_address_and_its_own_is_followed(foreign):
    charger = unique("EVSE")
    instance = unique("HEMS")
    seen = Seen(charger)
    ServiceBrowser(foreign, TYPE, seen)
    with Node(charger, host_of(charger)) as node:
        seen.wait("added")
        node.wait(announced=True)
        node.say("address 127.0.0.2")
        end = time.monotonic() + WAIT_S
        addresses = None
        while addresses != [bytes([127, 0, 0, 2])]:
            assert time.monotonic() < end, addresses
            time.sleep(0.1)
            info = foreign.get_service_info(TYPE, f"{charger}.{TYPE}", timeout=1000)
            addresses = info and info.addresses
        foreign.register_service(hems(instance))
        assert node.wait(peer="found", name=instance)["addresses"] == [[127, 0, 0, 1]]
        moved = hems(instance)
        moved.addresses = [bytes([127, 0, 0, 9])]
        foreign.update_service(moved)
        assert node.wait(peer="changed", name=instance)["addresses"] == [[127, 0, 0, 9]]


def test_a_name_that_zeroconf_defends_is_left_to_it(foreign):
    instance = unique("Taken")
    foreign.register_service(hems(instance))
    with Node(instance, "x" + host_of(instance)) as node:
        event = node.wait(announced=True)
        assert event["instance"] == instance + " (2)"
        assert foreign.get_service_info(TYPE, f"{instance} (2).{TYPE}", timeout=5000).port == 4712


def test_two_nodes_of_one_name_side_by_side_find_two_names():
    instance = unique("Twin")
    host = host_of(instance)
    with Node(instance, host) as one, Node(instance, host, ski="0" + SKI[1:]) as two:
        names = {node.wait(announced=True)["instance"] for node in (one, two)}
        assert names == {instance, instance + " (2)"}


def test_a_resolver_without_multicast_dns_is_answered():
    instance = unique("EVSE")
    host = host_of(instance)
    wire = bytes([len(host)]) + host.encode() + b"\x05local\0"
    with Node(instance, host) as node, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        node.wait(announced=True)
        asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, bytes([127, 0, 0, 1]))
        asker.settimeout(WAIT_S)
        question = wire + b"\0\1\0\1"
        asker.sendto(b"\xab\xcd\1\0\0\1\0\0\0\0\0\0" + question, ("224.0.0.251", 5353))
        answer, (address, port) = asker.recvfrom(1500)
        assert (address, port) == ("127.0.0.1", 5353)
        # the one answer, with a short life and no cache-flush bit
        assert answer.startswith(b"\xab\xcd\x84\0\0\1\0\1\0\0\0\1" + question)
        assert b"\0\1\0\1\0\0\0\x0a\0\4\x7f\0\0\1" in answer


# --- namespaces


@pytest.fixture(autouse=True)
def _programs_of_root(monkeypatch):
    """`ip` and avahi-daemon are not on every user's path."""
    monkeypatch.setenv("PATH", os.environ["PATH"] + ":/usr/sbin:/sbin")


def _unshare():
    """The command that makes namespaces here; skip the test if there is none."""
    for command in (["unshare", "--net", "--mount"], ["unshare", "-r", "--net", "--mount"]):
        if shutil.which("unshare") and shutil.which("ip"):
            if subprocess.run([*command, "true"], capture_output=True).returncode == 0:
                return command
    pytest.skip("no right to make network namespaces (or no unshare, ip)")


def test_a_port_in_use_is_reported_and_no_crash():
    holder = (
        "import socket, subprocess, sys\n"
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "holder.bind(('0.0.0.0', 5353))\n"
        "sys.exit(subprocess.run(sys.argv[1:]).returncode)\n"
    )
    prefix = [*_unshare(), sys.executable, "-c", holder]
    with Node("EVSE 1", "evse-1", prefix=prefix) as node:
        assert "UDP port 5353 is in use" in node.wait()["error"]


_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={folder}/bus</listen>
  <policy context="default">
    <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>
  </policy>
</busconfig>
"""

_AVAHI = """[server]
host-name=avahi-peer
use-ipv6=no
allow-interfaces=a0
[publish]
publish-workstation=no
"""

# Two namespaces and a cable between them: Avahi lives in this one, the node in the other.
_LINK = """
set -e
folder=$1
mount -t tmpfs tmpfs /run  # Avahi's own files are here, at fixed places
mkdir -p /run/avahi-daemon
ip link set lo up
exec 3<&0
unshare --net cat <&3 &
node=$!
while [ "$(readlink /proc/$node/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link add a0 type veth peer name b0
ip link set b0 netns $node
ip address add 10.77.0.1/24 dev a0
ip link set a0 up
nsenter -t $node -n sh -c 'ip link set lo up
  ip address add 10.77.0.2/24 dev b0; ip link set b0 up'
dbus-daemon --config-file=$folder/bus.conf --nofork --nopidfile 2>/dev/null &
bus=$!
while ! [ -S $folder/bus ]; do sleep 0.05; done
avahi-daemon -f $folder/avahi.conf --no-chroot --no-drop-root --no-rlimits --no-proc-title \\
  >$folder/avahi.log 2>&1 &
avahi=$!
while ! grep -q 'startup complete' $folder/avahi.log; do sleep 0.1; done
echo $$ $node
wait $node
kill $avahi $bus
wait
"""


class Avahi:
    """avahi-daemon on 10.77.0.1, and the way into the node's namespace, 10.77.0.2."""

    def __init__(self, folder):
        (folder / "bus.conf").write_text(_BUS.format(folder=folder))
        (folder / "avahi.conf").write_text(_AVAHI)
        self._environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={folder}/bus")
        self._link = subprocess.Popen(
            [*_unshare(), "sh", "-c", _LINK, "link", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self._environment,
        )
        line = self._link.stdout.readline()
        assert line, (folder / "avahi.log").read_text()
        ours, theirs = line.split()
        enter = ["nsenter", "--net", "-t"]
        if os.getuid():
            enter = ["nsenter", "--user", "--preserve-credentials", "--net", "-t"]
        self.node_prefix = [*enter, theirs]
        self.prefix = [*enter, ours]

    @contextlib.contextmanager
    def start(self, *command):
        """Run one of avahi-utils for the length of a `with` block."""
        with subprocess.Popen(
            [*self.prefix, *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self._environment,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def set_address(self, where, device, address):
        """Give an interface another address: `where` is the prefix of a namespace."""
        for words in (["flush", "dev", device], ["add", f"{address}/24", "dev", device]):
            subprocess.run([*where, "ip", "address", *words], check=True)

    def close(self):
        self._link.stdin.close()  # ends `cat`, and with it the rest
        self._link.wait(WAIT_S)


@pytest.fixture
def avahi():
    programs = ("avahi-daemon", "avahi-browse", "avahi-publish", "dbus-daemon", "nsenter")
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        pytest.skip("not installed: " + ", ".join(missing))
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path: names of sockets are short
        daemon = Avahi(Path(folder))
        yield daemon
        daemon.close()


def browsed(browser, event, name):
    """Return the fields of avahi-browse's next line with this event and instance, or None."""
    for line in browser.stdout:
        fields = line.strip().split(";", 9)
        if fields[0] == event and fields[3] == name:
            return fields
    return None


def test_avahi_sees_all_records_the_change_and_the_goodbye(avahi):
    with avahi.start("avahi-browse", "--resolve", "--parsable", "_ship._tcp") as browser:
        with Node("EVSE1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
            fields = browsed(browser, "=", "EVSE1")
            assert fields[6:9] == ["evse-1.local", "10.77.0.2", "4712"]
            assert set(fields[9].split()) == {
                '"txtvers=1"',
                '"path=/ship/"',
                '"id=i:12345_u:EVSE-0001"',
                f'"ski={SKI}"',
                '"brand=Acme"',
                '"model=EVSE22"',
                '"type=ChargingStation"',
                '"register=false"',
                '"serial=0001"',
                '"cat=3"',
                '"ecc=false"',
            }
            node.wait(announced=True)
            node.say("register true")
            end = time.monotonic() + WAIT_S
            while '"register=true"' not in fields[9]:
                assert time.monotonic() < end
                # avahi-browse tells a change of strings to those only who ask anew
                command = ["avahi-browse", "--resolve", "--parsable", "--terminate", "_ship._tcp"]
                with avahi.start(*command) as again:
                    fields = browsed(again, "=", "EVSE1")
            node.say("close")
            assert browsed(browser, "-", "EVSE1")


def test_a_name_that_avahi_has_is_left_to_it(avahi):
    strings = ["txtvers=1", "id=x", f"ski={SKI}"]
    with avahi.start("avahi-publish", "-s", "HEMS1", "_ship._tcp", "4711", *strings) as publisher:
        assert "Established under name 'HEMS1'" in publisher.stdout.readline()
        with Node("HEMS1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
            event = node.wait(peer="found", name="HEMS1")
            assert event["port"] == 4711 and [10, 77, 0, 1] in event["addresses"]
            assert node.wait(announced=True)["instance"] == "HEMS1 (2)"
            publisher.terminate()
            node.wait(peer="lost", name="HEMS1")


def test_a_name_that_we_have_is_left_to_us_by_avahi(avahi):
    with Node("EVSE1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
        node.wait(announced=True, instance="EVSE1")
        with avahi.start("avahi-publish", "-s", "EVSE1", "_ship._tcp", "4711") as publisher:
            output = ""
            while "Established under name 'EVSE1 #2'" not in output:
                line = publisher.stdout.readline()
                assert line, output
                output += line


def test_avahi_follows_us_to_another_address(avahi):
    with avahi.start("avahi-browse", "--resolve", "--parsable", "_ship._tcp") as browser:
        with Node("EVSE1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
            assert browsed(browser, "=", "EVSE1")[7] == "10.77.0.2"
            node.wait(announced=True)
            avahi.set_address(avahi.node_prefix, "b0", "10.77.0.3")
            node.say("address 10.77.0.3")
            end = time.monotonic() + WAIT_S
            address = None
            while address != "10.77.0.3":
                assert time.monotonic() < end, address
                command = ["avahi-browse", "--resolve", "--parsable", "--terminate", "_ship._tcp"]
                with avahi.start(*command) as again:
                    fields = browsed(again, "=", "EVSE1")
                    address = fields and fields[7]


def test_we_follow_avahi_to_another_address(avahi):
    strings = ["txtvers=1", "id=x", f"ski={SKI}"]
    with avahi.start("avahi-publish", "-s", "HEMS1", "_ship._tcp", "4711", *strings):
        with Node("EVSE1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
            addresses = node.wait(peer="found", name="HEMS1")["addresses"]
            assert [10, 77, 0, 1] in addresses
            avahi.set_address(avahi.prefix, "a0", "10.77.0.9")
            while [10, 77, 0, 9] not in addresses or [10, 77, 0, 1] in addresses:
                addresses = node.wait(peer="changed", name="HEMS1")["addresses"]


_ZEROCONF = """
import sys, time
from zeroconf import IPVersion, ServiceBrowser, ServiceListener, Zeroconf

class Seen(ServiceListener):
    def add_service(self, zc, kind, name):
        info = zc.get_service_info(kind, name, 3000)
        print("added", name, info and info.parsed_addresses(), flush=True)
    def update_service(self, zc, kind, name):
        info = zc.get_service_info(kind, name, 3000)
        print("updated", name, info and info.parsed_addresses(), flush=True)
    def remove_service(self, zc, kind, name):
        print("removed", name, flush=True)

zeroconf = Zeroconf(interfaces=[sys.argv[1]], ip_version=IPVersion.V4Only)
ServiceBrowser(zeroconf, "_ship._tcp.local.", Seen())
time.sleep(60)
"""


def test_zeroconf_in_another_namespace_sees_us_come_and_go(avahi):
    with avahi.start(sys.executable, "-c", _ZEROCONF, "10.77.0.1") as zeroconf:
        with Node("EVSE1", "evse-1", "10.77.0.2", avahi.node_prefix) as node:
            line = f"EVSE1.{TYPE} ['10.77.0.2']\n"
            assert zeroconf.stdout.readline() == "added " + line
            node.wait(announced=True)
            node.say("close")
            assert zeroconf.stdout.readline() == f"removed EVSE1.{TYPE}\n"
