"""The serial console: commands on stdin, answers on stdout, for people and for scripts.

`help` lists the commands. `json <command>` gives the same answer as one line of JSON,
`{"answer":"<command>","ok":true,…}`, so that scripts can drive it. What a command returns is a
dictionary; how it looks as text is decided in one place below.

Nothing secret is ever printed. Reading never blocks the event loop.
"""

import gc
import json
import sys
from asyncio import core

from micropython import const

from evse import arbiter as sources
from firmware.version import VERSION
from ship.ski import group

_MAX_LINE = const(512)  # a QR text fits

# name, arguments, what it does; the order of `help`
_COMMANDS = (
    ("help", "", "list the commands"),
    ("id", "", "SHIP ID, SKI and the text of the label's QR code"),
    ("certificate", "", "own certificate as PEM"),
    ("status", "", "what the charger does and why"),
    ("limits", "", "all limits, who set them, which one is binding"),
    ("peers", "", "trusted peers, connections, and nodes seen in the network"),
    ("trust", "SKI|QR-TEXT", "trust a peer: it may connect and limit the charger"),
    ("accept", "[SKI]", "trust the peer that is waiting, after comparing its SKI"),
    ("reject", "[SKI]", "send away the peer that is waiting"),
    ("untrust", "SKI", "forget a peer and part from it"),
    ("pair", "[auto|off] [SECONDS]", "let partners find this node; auto: trust the next one"),
    ("button", "", "press the simulated board's button for pairing"),
    ("ev", "[plug|unplug|set OPTION VALUE] [NAME=VALUE ...]", "the simulated car"),
    ("log", "", "what happened lately"),
    ("restart", "", "start the firmware again"),
    ("factory-reset", "yes", "forget peers and settings, keep the identity"),
    ("shutdown", "", "say goodbye and end"),
)

# Those in firmware.console_peers, which is loaded when one of them is first used
_PEERS = ("trust", "accept", "reject", "untrust", "pair", "button")


class CommandError(Exception):
    """A command that cannot be carried out; the text says what to do instead."""


class Console:
    """Commands are the methods `do_<name>`: they take the arguments and return a dictionary."""

    def __init__(self, node):
        self._node = node

    async def run(self):
        """Read lines for ever and answer them.

        One octet at a time: a longer read would wait until its buffer is full.
        """
        octet = bytearray(1)
        line = bytearray()
        while True:
            yield core._io_queue.queue_read(sys.stdin)
            if not sys.stdin.buffer.readinto(octet):
                return  # stdin is closed: the node goes on without a console
            if octet not in (b"\r", b"\n"):
                if len(line) < _MAX_LINE:
                    # Commands are ASCII; noise on the line is neither decoded nor sent back.
                    line.extend(octet if b" " <= octet <= b"~" else b"?")
            elif line:
                self.answer(str(line, "ascii"))
                line = bytearray()

    def answer(self, line):
        """Carry out one line and print the answer."""
        words = line.split()
        as_json = bool(words) and words[0] == "json"
        if as_json:
            words = words[1:]
        if not words:
            return
        name = words[0]
        try:
            result = self._carry_out(name, words[1:])
            ok = True
        except CommandError as error:
            result = {"error": str(error)}
            ok = False
        if as_json:
            result["answer"] = name
            result["ok"] = ok
            sys.stdout.write(json.dumps(result) + "\n")
        else:
            for text in _lines(result, ""):
                sys.stdout.write(text + "\n")

    def _carry_out(self, name, arguments):
        if name in _PEERS:
            from firmware import console_peers

            return getattr(console_peers, name)(self._node, arguments)
        for command in _COMMANDS:
            if command[0] == name:
                return getattr(self, "do_" + name.replace("-", "_"))(arguments)
        raise CommandError("unknown command %s; try help" % name)

    # --- commands ---------------------------------------------------------------------------

    def do_help(self, arguments):
        lines = ["%-14s %s" % ((c[0] + " " + c[1]).strip(), c[2]) for c in _COMMANDS]
        return {"text": "\n".join(lines), "commands": [c[0] for c in _COMMANDS]}

    def do_id(self, arguments):
        node = self._node
        ski = node.identity.ski
        return {
            "ship_id": node.ship_id,
            "ski": ski,
            "ski_label": group(ski),
            "device": node.device.address,
            "qr": node.qr_text(),
        }

    def do_certificate(self, arguments):
        node = self._node
        import binascii

        text = str(binascii.b2a_base64(node.identity.certificate), "ascii").strip()
        rows = [text[at : at + 64] for at in range(0, len(text), 64)]
        pem = ["-----BEGIN CERTIFICATE-----"] + rows + ["-----END CERTIFICATE-----"]
        return {"text": "\n".join(pem)}

    def do_status(self, arguments):
        node = self._node
        control = node.control
        meter = control.meter
        lpc = node.station.lpc
        stall_us = node.stall_us
        node.stall_us = 0
        gc.collect()
        return {
            "version": VERSION,
            "uptime_ms": node.clock.now_ms(),
            "state": control.state,
            "ev_connected": control.ev_connected,
            "charging": control.charging,
            "offered_ma": control.offered_ma,
            "phases_in_use": control.phases_in_use,
            "power_w": meter.power_w,
            "current_ma": meter.current_ma,
            "session_wh": control.session.energy_wh,
            "faults": control.fault_names(),
            "why": control.explain(),
            "lpc_state": lpc.state_name(),
            "lpc_cap_w": lpc.cap_w(),
            "connections": node.links.open_count(),
            "mdns": node.neighbours.state,
            "heap_used": gc.mem_alloc(),
            "heap_free": gc.mem_free(),
            "stall_us": stall_us,
        }

    def do_limits(self, arguments):
        node = self._node
        now = node.clock.now_ms()
        active = []
        for source in range(sources.SOURCE_COUNT):
            published = node.arbiter.published(source, now)
            if published:
                in_watts, value, is_stale, _, reason = published
                entry = {"source": sources.source_name(source), "w" if in_watts else "ma": value}
                if is_stale:
                    entry["stale"] = True
                if reason:
                    entry["reason"] = reason
                active.append(entry)
        limit = node.station.lpc.limit
        return {
            "limits": active,
            "why": node.control.explain(),
            "lpc": {
                "state": node.station.lpc.state_name(),
                "limit_w": limit.limit_w,
                "active": limit.is_active(),
                "remaining_s": limit.remaining_s(now),
                "failsafe_w": limit.failsafe_w,
                "failsafe_duration_s": limit.failsafe_duration_s,
            },
        }

    def do_peers(self, arguments):
        node = self._node
        links = [
            {"ski": link.ski or "", "state": link.state(), "pending": link.is_pending()}
            for link in node.links.all
        ]
        return {
            "trusted": node.registration.store.peers,
            "connections": links,
            "seen": node.neighbours.seen(),
        }

    def do_ev(self, arguments):
        node = self._node
        ev = getattr(node.board, "ev", None)
        if ev is None:
            raise CommandError("this board has a real car, not a simulated one")
        try:
            if arguments:
                _ev_command(ev, arguments[0], arguments[1:])
        except (ValueError, TypeError) as error:
            raise CommandError(str(error))
        result = {name: getattr(ev, name) for name in ev.options()}
        result["plugged"] = ev.is_plugged
        result["soc_permille"] = ev.soc_permille
        return result

    def do_log(self, arguments):
        node = self._node
        lines = node.log.lines()
        return {"text": "\n".join(lines), "lines": lines}

    def do_restart(self, arguments):
        node = self._node
        node.stop("restart")
        return {"text": "restarting"}

    def do_factory_reset(self, arguments):
        node = self._node
        if arguments != ["yes"]:
            raise CommandError("this forgets all peers and settings: factory-reset yes")
        node.storage.remove("settings")
        node.settings.clear()
        node.registration.forget()
        node.stop("restart")
        return {"text": "peers and settings are forgotten; restarting"}

    def do_shutdown(self, arguments):
        node = self._node
        node.stop("shutdown")
        return {"text": "goodbye"}


def _lines(value, indent):
    """An answer as text: `name: value` lines, nested ones indented."""
    if not isinstance(value, dict):
        yield indent + str(value)
        return
    if "text" in value:
        for line in value["text"].split("\n"):
            yield indent + line
        return
    for key in sorted(value):
        item = value[key]
        if isinstance(item, dict):
            yield "%s%s:" % (indent, key)
            for line in _lines(item, indent + "  "):
                yield line
        elif isinstance(item, list):
            yield "%s%s: %s" % (indent, key, "" if item else "none")
            for entry in item:
                yield (
                    indent
                    + "  - "
                    + ", ".join(
                        ["%s %s" % (k, entry[k]) for k in sorted(entry)]
                        if isinstance(entry, dict)
                        else [str(entry)]
                    )
                )
        else:
            yield "%s%s: %s" % (indent, key, item)


def _ev_command(ev, verb, arguments):
    if verb == "plug":
        options = {}
        for argument in arguments:
            name, _, value = argument.partition("=")
            options[name] = int(value)
        ev.plug(**options)
    elif verb == "unplug":
        ev.unplug()
    elif verb == "set" and len(arguments) == 2:
        ev.set(arguments[0], int(arguments[1]))
    else:
        raise ValueError("ev plug [phases=3 max_ma=16000 soc_percent=40], unplug, set NAME VALUE")
