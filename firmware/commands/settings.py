"""The command `set`: what the installer and the owner decide, kept over restarts.

What the numbers mean to energy managers is in usecases.ev; the limit of the installation is
published by firmware.limits.
"""

from micropython import const

from firmware.limits import publish_installation
from usecases.ev import DEFAULT_SAFE_MA, SET_MODE, SET_SAFE_MA, SET_STRICT
from usecases.oscev import NORMAL

NAME = "name"
INSTALLATION = "installation_ma"

_MAX_NAME = const(40)
_MIN_MA = const(6_000)  # no car charges with less

# What holds until it is set
_DEFAULTS = (
    (NAME, ""),
    (INSTALLATION, 0),
    (SET_SAFE_MA, DEFAULT_SAFE_MA),
    (SET_STRICT, 0),
    (SET_MODE, NORMAL),
)
_LARGEST = {SET_SAFE_MA: 80_000, SET_STRICT: 1, SET_MODE: 2}


def run(console, name, words):
    """`set` tells all settings, `set NAME` one, `set NAME VALUE` changes one."""
    node = console.node
    if words and words[0] not in _names():
        raise ValueError("no such setting; there are " + ", ".join(_names()))
    if len(words) > 1:
        change(node, words[0], " ".join(words[1:]))
    return {name: value(node, name) for name in _names() if name in words or len(words) != 1}


def value(node, name):
    """The present value of a setting."""
    return node.settings.get(name, dict(_DEFAULTS)[name])


def change(node, name, text):
    """Change one setting, at once and for good. Raises ValueError with what is possible."""
    settings = node.settings
    if name == NAME:
        if len(text) > _MAX_NAME:
            raise ValueError("a name has at most %d characters" % _MAX_NAME)
        settings.put(name, "" if text == "-" else text)
    elif name == INSTALLATION:
        most = node.board.MAX_CURRENT_MA
        if not text.isdigit() or not (int(text) == 0 or _MIN_MA <= int(text) <= most):
            raise ValueError("%s is a number from %d to %d, or 0" % (name, _MIN_MA, most))
        settings.put(name, int(text))
        publish_installation(settings, node.arbiter, node.clock.now_ms())
    elif name == SET_SAFE_MA and text == "none":
        settings.put(name, None)  # a silent energy manager changes nothing
    else:
        if name == SET_SAFE_MA and text.isdigit() and 0 < int(text) < _MIN_MA:
            raise ValueError("%s is 0, none, or 6000 or more: no pilot says less" % name)
        if not text.isdigit() or int(text) > _LARGEST[name]:
            raise ValueError("%s is a number from 0 to %d" % (name, _LARGEST[name]))
        settings.put(name, int(text))


def _names():
    return [name for name, _ in _DEFAULTS]
