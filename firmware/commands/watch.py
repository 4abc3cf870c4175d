"""The command `watch`: what the charger does, a line a second.

For people until a key is pressed; scripts say how many lines, and get them as JSON.
"""

import json
import sys

from firmware.commands.dialog import key

_DEFAULT = 10  # lines, if there is no key to end it
_MOST = 3_600


def run(console, name, words):
    """`watch [LINES]`."""
    text = "".join(words)
    if text and not (text.isdigit() and 1 <= int(text) <= _MOST):
        raise ValueError("watch, or watch LINES with 1 to %d" % _MOST)
    return _watch(console, int(text) if text else None)


async def _watch(console, lines):
    node = console.node
    if lines is None:
        lines = _MOST if not console.is_script else _DEFAULT
    if not console.is_script:
        sys.stdout.write("any key ends this\n")
    shown = 0
    while shown < lines:
        shown += 1
        if console.is_json:
            sys.stdout.write(json.dumps({"watch": _state(node)}) + "\n")
        else:
            sys.stdout.write(_line(_state(node)) + "\n")
        if shown < lines and await key(console, 1_000):
            break
    return {"text": "", "lines": shown}


def _state(node):
    control = node.control
    return {
        "time": node.wall.timestamp(),
        "uptime_ms": node.clock.now_ms(),
        "state": control.state,
        "offered_ma": control.offered_ma,
        "power_w": control.meter.power_w,
        "energy_wh": control.session.energy_wh,
        "why": control.explain(),
        "connections": node.links.open_count(),
    }


def _line(state):
    clock = state["time"][11:19] if state["time"] else "%8d" % (state["uptime_ms"] // 1000)
    return "%s  %-2s %5d W %6d Wh  %s, %d connected" % (
        clock,
        state["state"],
        state["power_w"],
        state["energy_wh"],
        state["why"],
        state["connections"],
    )
