"""The command `set`: what the installer and the user want (firmware.limits, usecases.ev)."""

from firmware import limits
from usecases.ev import DEFAULT_SAFE_MA, SET_MODE, SET_SAFE_MA, SET_STRICT
from usecases.oscev import NORMAL

NAME = "name"  # of the charger in the network

_MAX_NAME = 40
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
    (NAME, 0, 0, None),
)


def run(console, name, words):
    """`set` tells all settings, `set NAME` one, `set NAME VALUE` changes one.

    A limit holds at once. What energy managers are told of it (installation_ma is the nominal
    maximum) follows at the next start, opev_* with the next car, and the name at the next start.
    """
    node = console.node
    if len(words) > 1:
        change(node, words[0], " ".join(words[1:]))
    elif words:
        return {words[0]: value(node, words[0])}
    return {row[0]: value(node, row[0]) for row in _SETTINGS}


def value(node, name):
    """The present value of a setting."""
    return node.settings.get(name, _row(name)[3])


def change(node, name, text):
    """Change a setting for good. Raises ValueError with what is possible."""
    node.settings.put(name, _value(text, *_row(name)))
    limits.configure(node.settings, node.control, node.clock.now_ms())


def _row(name):
    for row in _SETTINGS:
        if row[0] == name:
            return row
    names = ", ".join([row[0] for row in _SETTINGS])
    raise ValueError("set NAME VALUE; names are " + names)


def _value(text, name, smallest, largest, _):
    if name == NAME:
        if len(text) > _MAX_NAME:
            raise ValueError("a name has at most %d characters" % _MAX_NAME)
        return None if text == "none" else text
    # No limit of that kind; for opev_safe_ma: a silent energy manager changes nothing.
    if text == "none" and smallest == _MIN_MA:
        return None
    if text == "0" or (text.isdigit() and smallest <= int(text) <= largest):
        return int(text)
    none = ", or none" if smallest == _MIN_MA else ""
    raise ValueError("%s is 0, or %d to %d%s" % (name, smallest, largest, none))
