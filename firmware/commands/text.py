"""How an answer looks to people."""

import sys

from firmware.log import plain

_WORDS = {None: "-", True: "yes", False: "no"}


def write(answer):
    """Print a dictionary as `name: value` lines; `text` stands for all of it."""
    for line in _lines(answer, ""):
        sys.stdout.write(plain(line) + "\n")


def _lines(value, indent):
    if "text" in value:
        for line in value["text"].split("\n") if value["text"] else ():
            yield indent + line
        return
    for key in sorted(value):
        item = value[key]
        if isinstance(item, dict):
            yield "%s%s:" % (indent, key)
            for line in _lines(item, indent + "  "):
                yield line
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield "%s%s:" % (indent, key)
            for entry in item:
                yield "%s  - %s" % (indent, _entry(entry))
        else:
            yield "%s%s: %s" % (indent, key, _word(item))


def _entry(entry):
    return ", ".join(["%s %s" % (key, _word(entry[key])) for key in sorted(entry)])


def _word(value):
    if isinstance(value, list):
        return ", ".join([_word(item) for item in value]) or "none"
    return _WORDS[value] if value is None or isinstance(value, bool) else str(value)
