"""Reads the recorded sessions in host_tests/vectors; their form is in the README there."""

import json

from spine_world import flat

SESSIONS = ("grid_box", "guard", "hems")

_FOLDER = (__file__.rpartition("/")[0] or ".") + "/../vectors/"


def facts(name):
    """Yield (milliseconds, who, what, rest of the line) for each fact of a session."""
    for line in _lines(name):
        ms, who, what = line.split(" ", 3)[:3]
        yield int(ms), who, what, line[len(ms) + len(who) + len(what) + 3 :]


def payloads():
    """Yield (function, JSON tree) for each data element of the recorded datagrams and examples."""
    for name in SESSIONS:
        for _, who, what, rest in facts(name):
            if who == "manager" and rest.count(" ") >= 3 and what != "control":
                command = flat(json.loads("[" + rest.split(" ", 3)[3] + "]"))
                for function in command:
                    if function not in ("function", "filter"):
                        yield function, command[function]
    for name in ("station_data", "device_data"):
        for line in _lines(name):
            function, _, text = line.partition(" ")
            yield function, json.loads(text)


def _lines(name):
    with open(_FOLDER + name + ".txt") as file:
        for line in file:
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                yield line


def address_of(text):
    """((1, 1), 3) of "[1,1]/3"."""
    entity, _, feature = text.partition("/")
    return tuple(json.loads(entity)), int(feature)


def address_text(address):
    """`{"entity":[1,1]},{"feature":3}` of ((1, 1), 3)."""
    numbers = ",".join([str(number) for number in address[0]])
    return '{"entity":[%s]},{"feature":%d}' % (numbers, address[1])
