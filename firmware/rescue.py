"""The rescue console: what can be done when the firmware does not start.

No pin is touched: after a reset the contactor is open and the pilot is constant, and so they
stay. There is no network. Commands and answers have the form of the other console, also with
`json` in front. No password is asked for: it is in the state that may be damaged, and whoever is
at the serial port of a board that does not start can write its flash as well. After ten minutes
in which nothing was typed the firmware is tried again.

Stands alone like firmware.start, which runs it.
"""

import json
import os
import select
import sys

_WAIT_MS = 600_000
_MAX_LINE = 80

# Without `keys`, which may be damaged too, the key of the label is in use again.
_SETTINGS = ("settings", "peers", "lock", "restore", "keys")
_IDENTITY = ("identity", "pin", "serial") + _SETTINGS

_HELP = """\
help                 this list
status               why the firmware does not start
restart              try to start it once more
factory-reset yes    forget peers, settings, password; keep the label's identity
new-identity yes     forget everything: another key and no serial number, so the label is wrong
shutdown             end; on a board MicroPython's own prompt follows"""


def run(folder, state, is_json=False):
    """Answer commands until one is `restart` or `shutdown`, or nobody is here; returns which.

    `state` is that of firmware.start. Without an input, as after its end, it is "shutdown".
    """
    if is_json:
        _print(json.dumps({"event": "rescue", "failed": state["failed"]}))
    else:
        _print("RESCUE CONSOLE: the firmware failed to start %d times." % state["failed"])
        _print("Charging is off. `status` tells why, `help` what can be done.")
    while True:
        line = _read_line()
        if line is None:
            _print("nobody is here: trying once more")
            return "restart"
        words = line.split()
        if not line:
            return "shutdown"  # end of the input
        answer_in_json = words[:1] == ["json"]
        words = words[answer_in_json:]
        if not words:
            continue
        try:
            result = answer(folder, state, words)
            result["ok"] = True
        except (ValueError, OSError) as error:
            result = {"error": str(error), "ok": False}
        if answer_in_json:
            result["answer"] = words[0]
            _print(json.dumps(result))
        else:
            _print(result.get("error") or result["text"])
        if result["ok"] and words[0] in ("restart", "shutdown"):
            return words[0]


def answer(folder, state, words):
    """Carry out one command. Raises ValueError with what to do instead, and OSError."""
    name = words[0]
    if name == "help":
        return {"text": _HELP}
    if name == "status":
        text = "the last %d starts failed; charging is off\n%s" % (state["failed"], state["crash"])
        return {"text": text, "failed": state["failed"], "crash": state["crash"], "rescue": True}
    if name == "restart":
        return {"text": "trying once more"}
    if name == "shutdown":
        return {"text": "goodbye"}
    if name in ("factory-reset", "new-identity"):
        if words[1:] != ["yes"]:
            what = "peers, settings and the password" if name == "factory-reset" else "everything"
            raise ValueError("this forgets %s: %s yes" % (what, name))
        forget(folder, _SETTINGS if name == "factory-reset" else _IDENTITY)
        return {"text": "forgotten; restart starts the firmware"}
    raise ValueError("unknown command %s; try help" % name)


def forget(folder, names):
    """Remove the state files of these names, in all generations and schemas."""
    for file in os.listdir(folder):
        if file.split(".")[0] in names:
            os.remove(folder + "/" + file)


def _read_line():
    """A line with its end, "" when there will be no more, None when nothing came for long.

    One octet at a time, since a longer read would wait until its buffer is full.
    """
    poll = select.poll()
    poll.register(sys.stdin, select.POLLIN)
    line = ""
    while True:
        if not poll.poll(_WAIT_MS):
            return None
        octet = sys.stdin.buffer.read(1)
        if not octet:
            return line
        if sys.platform != "linux":  # there the terminal does it
            sys.stdout.buffer.write(octet)
        if octet in b"\r\n":
            return line + "\n"
        if len(line) < _MAX_LINE:
            line += chr(octet[0]) if b" " <= octet <= b"~" else "?"


def _print(text):
    sys.stdout.write(text + "\n")
