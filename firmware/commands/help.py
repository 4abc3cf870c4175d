"""The command `help`."""

from firmware.commands.index import row, rows


def run(console, name, words):
    """`help` lists all commands, `help COMMAND` explains one."""
    if words:
        return _explain(*row(words[0]))
    commands = rows()
    lines = ["%-14s %s" % (fields[0], fields[4]) for fields in commands]
    lines.append("help COMMAND explains one, with an example; json COMMAND answers in JSON")
    return {"text": "\n".join(lines), "commands": [fields[0] for fields in commands]}


def _explain(name, _, guard, arguments, what, example):
    usage = (name + " " + arguments).strip()
    lines = ["usage:   " + usage, "         " + what, "example: " + example]
    if guard:
        when = " if it changes something" if guard == "?" else ""
        lines.append("Needs the password%s, once there is one." % when)
    return {"text": "\n".join(lines), "command": name, "usage": usage, "example": example}
