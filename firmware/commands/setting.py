"""The command `set`: what the installer and the user want (firmware.limits, usecases.ev)."""

from firmware import limits
from usecases.ev import DEFAULT_SAFE_MA, SET_MODE, SET_SAFE_MA, SET_STRICT
from usecases.oscev import NORMAL

_MIN_MA = 6_000  # no pilot says less
_MAX_MA = 80_000

# name, smallest value beside 0, largest value, what holds until it is set
_SETTINGS = (
    (limits.SET_INSTALLATION_MA, _MIN_MA, _MAX_MA, None),
    (limits.SET_USER_MA, _MIN_MA, _MAX_MA, None),
    (limits.SET_STRICT_6A, 1, 1, 0),
    (SET_SAFE_MA, _MIN_MA, _MAX_MA, DEFAULT_SAFE_MA),
    (SET_STRICT, 1, 1, 0),
    (SET_MODE, 1, 2, NORMAL),
)


def run(console, name, words):
    """`set` alone tells all settings, `set NAME VALUE` changes one.

    A limit holds at once. What energy managers are told of it (installation_ma is the nominal
    maximum) follows at the next start, opev_* with the next car.
    """
    node = console.node
    if words:
        node.settings.put(words[0], _value(words))
        limits.configure(node.settings, node.control, node.clock.now_ms())
    return {row[0]: node.settings.get(row[0], row[3]) for row in _SETTINGS}


def _value(words):
    for name, smallest, largest, _ in _SETTINGS:
        if words[0] == name and len(words) == 2:
            # No limit of that kind; for opev_safe_ma: a silent energy manager changes nothing.
            if words[1] == "none" and smallest == _MIN_MA:
                return None
            if words[1] == "0" or (words[1].isdigit() and smallest <= int(words[1]) <= largest):
                return int(words[1])
            text = ", or none" if smallest == _MIN_MA else ""
            raise ValueError("%s is 0, or %d to %d%s" % (name, smallest, largest, text))
    names = ", ".join([row[0] for row in _SETTINGS])
    raise ValueError("set NAME VALUE; names are " + names)
