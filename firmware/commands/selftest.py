"""The command `test`: whether everything works that can be checked without a car.

Nothing is switched, and the charger goes on charging. Each test is a function of the node that
returns None, or what is wrong and what to do.
"""

import asyncio
import gc
import os

from evse.metering import NORMAL

_FILE = "selftest"
_FREE = 12_000  # octets of heap for one more energy manager


def run(console, name, words):
    """Takes no words; `passed` is the result."""
    return _run(console)


async def _run(console):
    for _ in range(10):  # just after the start the pilot line has not been classified
        if console.node.control.state != "unknown":
            break
        await asyncio.sleep_ms(100)
    done = tests(console.node)
    width = max([len(test["name"]) for test in done])
    lines = [
        "%-*s  %s" % (width, test["name"], "ok" if test["ok"] else "FAILED: " + test["wrong"])
        for test in done
    ]
    passed = not any(test["wrong"] for test in done)
    lines.append("passed" if passed else "failed")
    return {"text": "\n".join(lines), "tests": done, "passed": passed}


def tests(node):
    """The results of all tests: name, ok, and what is wrong."""
    done = []
    for name, test in (
        ("pilot", _pilot),
        ("contactor", _contactor),
        ("meter", _meter),
        ("sensors", _sensors),
        ("storage", _storage),
        ("identity", _identity),
        ("random numbers", _random),
        ("memory", _memory),
        ("time", _time),
        ("network", _network),
        ("mDNS", _mdns),
    ):
        try:
            wrong = test(node)
        except Exception as error:  # a broken part must not hide the others
            wrong = "%s %s" % (type(error).__name__, error)
        done.append({"name": name, "ok": wrong is None, "wrong": wrong or ""})
    return done


def _pilot(node):
    if node.board.pilot_mv() is None:
        return "no measurement of the pilot line; check the board's driver and wiring"
    if node.control.state in ("E", "F", "unknown"):
        return "state %s; check the cable and the pilot's wiring" % node.control.state
    return None


def _contactor(node):
    is_closed = node.board.contactor_closed()
    if is_closed is not None and is_closed != node.control.charging:
        return "contacts are %s; check for welding" % ("closed" if is_closed else "open")
    return None


def _meter(node):
    if node.board.HAS_METER and node.control.meter.state != NORMAL:
        return "the meter does not answer; check its bus and address"
    return None


def _sensors(node):
    names = node.control.fault_names()
    return "active faults: " + ", ".join(names) if names else None


def _storage(node):
    octets = os.urandom(16)
    node.storage.save(_FILE, octets)
    kept = node.storage.load(_FILE)
    node.storage.remove(_FILE)
    return None if kept == octets else "what was written is not what is read; replace the board"


def _identity(node):
    stored = node.storage.load("identity")
    if stored is None or not bytes(stored).endswith(node.identity.certificate):
        return "the stored identity is not the one in use; restore a backup"
    return None


def _random(node):
    return None if os.urandom(16) != os.urandom(16) else "no random numbers; replace the board"


def _memory(node):
    gc.collect()
    free = gc.mem_free()
    return None if free >= _FREE else "%d octets free; restart, and report this" % free


def _time(node):
    if node.wall.timestamp() is None:
        return "not known; it comes from the network, or from the energy manager"
    return None


def _network(node):
    network = node.board.network()
    if network is not None and node.settings.get("wifi", None) and not network.state()["name"]:
        return "not joined; see network"
    return None


def _mdns(node):
    state = node.neighbours.state
    return None if state in ("off", "running") else state
