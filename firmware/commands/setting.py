"""The command `set`: how the charger treats its energy managers (usecases.ev)."""

from usecases.ev import DEFAULT_SAFE_MA, SET_MODE, SET_SAFE_MA, SET_STRICT
from usecases.oscev import NORMAL

# name, largest value, what holds until it is set
_SETTINGS = (
    (SET_SAFE_MA, 80_000, DEFAULT_SAFE_MA),
    (SET_STRICT, 1, 0),
    (SET_MODE, 2, NORMAL),
)


def run(console, name, words):
    """`set` alone tells all settings, `set NAME VALUE` changes one."""
    settings = console.node.settings
    if words:
        settings.put(words[0], _value(words))
    return {name: settings.get(name, default) for name, _, default in _SETTINGS}


def _value(words):
    for name, largest, _ in _SETTINGS:
        if words[0] == name and len(words) == 2:
            if words[1].isdigit() and int(words[1]) <= largest:
                return int(words[1])
            if words[1] == "none" and name == SET_SAFE_MA:
                return None  # a silent energy manager changes nothing
            raise ValueError("%s is a number from 0 to %d" % (name, largest))
    raise ValueError("set NAME VALUE; names are " + ", ".join([name for name, _, _ in _SETTINGS]))
