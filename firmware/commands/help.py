"""The command `help`."""

from firmware.commands.index import row, rows


def run(console, name, words):
    """`help` lists all commands, `help COMMAND` explains one."""
    if words:
        name, _, guard, arguments, what, example = row(words[0])
        lines = [usage(name, arguments), "", what, "example: " + example]
        if guard:
            lines.append("needs the password, if one is set")
        return {"text": "\n".join(lines), "command": name, "example": example}
    commands = rows()
    lines = ["%-28s %s" % (usage(fields[0], fields[3]), fields[4]) for fields in commands]
    return {"text": "\n".join(lines), "commands": [fields[0] for fields in commands]}


def usage(name, arguments):
    """How to write a command."""
    return (name + " " + arguments).strip()
