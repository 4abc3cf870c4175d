"""Boot guard: starts the firmware, and after three starts that failed the rescue console instead.

A start has failed if it raised an exception, or if the board was reset (watchdog, crash) before
it ran well for a minute. What counts them is one small file in the state folder. A power cut is
nobody's fault and is not counted, however often it comes; after one, and after ten minutes in the
rescue console, there is one more try, so that a charger comes back by itself whenever it can.

This module and firmware.rescue stand alone: they are not in the bundle, import nothing of the
firmware, and so they work when the rest of it is damaged or does not fit into the RAM.
"""

import json
import os
import sys

MAX_FAILED = 3

# Why the interpreter has started
POWER_CUT = "power"
RESET = "reset"
UNKNOWN = "unknown"  # on a computer, or by a developer: says nothing about the start before

_FILE = "/starts"
_MAX_CRASH = 1000  # characters of a traceback, its end
_PAUSE_MS = 2000  # before the reset after a crash


def main(arguments=(), module="firmware.main"):
    """Run `module`.main as long as it can be started; see firmware.main for the arguments."""
    arguments = list(arguments)
    folder = "state"
    if "--state" in arguments[:-1]:
        folder = arguments[arguments.index("--state") + 1]
    may_start = begin(folder, _cause())
    while True:
        if not may_start:
            from firmware.rescue import run

            if run(folder, read(folder), "--json" in arguments) == "shutdown":
                return
            one_more_try(folder)
        try:
            loaded = __import__(module, None, None, ("main",))
            loaded.main(arguments, lambda: started(folder))
            started(folder)
            return
        except Exception as error:
            failed(folder, error)
            _reset()
            raise


def begin(folder, cause):
    """A start begins; returns whether to start the firmware, not the rescue console."""
    state = read(folder)
    if cause == RESET and state["starting"]:
        state["failed"] += 1
        state["crash"] = "the board was reset during the start, by its watchdog or a crash"
    elif cause == POWER_CUT:
        state["failed"] = min(state["failed"], MAX_FAILED - 1)
    state["starting"] = may_start = state["failed"] < MAX_FAILED
    _write(folder, state)
    return may_start


def one_more_try(folder):
    """Leave the rescue console for one start; if that fails too it comes back."""
    state = read(folder)
    state["failed"] = MAX_FAILED - 1
    state["starting"] = True
    _write(folder, state)


def started(folder):
    """The start has succeeded."""
    state = read(folder)
    if state["failed"] or state["starting"]:
        state["failed"] = 0
        state["starting"] = False
        _write(folder, state)


def failed(folder, error):
    """An exception has ended the firmware: count it and keep its traceback."""
    import gc
    import io

    gc.collect()  # it may be that the memory was full
    text = io.StringIO()
    sys.print_exception(error, text)
    state = read(folder)
    state["failed"] += 1
    state["starting"] = False
    state["crash"] = text.getvalue()[-_MAX_CRASH:]
    _write(folder, state)


def read(folder):
    """What is kept: `failed` starts in a row, whether one is `starting`, the last `crash`."""
    try:
        with open(folder + _FILE) as file:
            state = json.loads(file.read())
        return {
            "failed": int(state["failed"]),
            "starting": bool(state["starting"]),
            "crash": str(state["crash"]),
        }
    except (OSError, ValueError, KeyError, TypeError):  # not there, or of a cut: no start failed
        return {"failed": 0, "starting": False, "crash": ""}


def _write(folder, state):
    """Replace the file in one step. A start that cannot be counted is better than none."""
    path = folder + _FILE
    try:
        try:
            os.mkdir(folder)
        except OSError:
            pass  # it is there
        with open(path + ".new", "w") as file:
            file.write(json.dumps(state))
        os.rename(path + ".new", path)
    except OSError as error:
        print("start: cannot be counted:", error)


def _cause():
    try:
        import machine

        cause = machine.reset_cause()
    except (ImportError, AttributeError):
        return UNKNOWN
    if cause == machine.PWRON_RESET:
        return POWER_CUT
    return UNKNOWN if cause == getattr(machine, "SOFT_RESET", None) else RESET


def _reset():
    """Reset the board, so that all pins are safe; on a computer the process ends."""
    try:
        import machine

        reset = machine.reset
    except (ImportError, AttributeError):
        return
    import time

    sys.stdout.write("start: failed, resetting\n")
    time.sleep_ms(_PAUSE_MS)
    reset()


if __name__ == "__main__":
    main(sys.argv[1:])
