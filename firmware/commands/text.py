"""How an answer looks to people."""

import sys


def write(answer):
    """Print a dictionary as `name: value` lines; `text` stands for all of it."""
    for line in _lines(answer, ""):
        sys.stdout.write(line + "\n")


def _lines(value, indent):
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
                yield "%s  - %s" % (indent, _entry(entry))
        else:
            yield "%s%s: %s" % (indent, key, item)


def _entry(entry):
    if isinstance(entry, dict):
        return ", ".join(["%s %s" % (key, entry[key]) for key in sorted(entry)])
    return str(entry)
