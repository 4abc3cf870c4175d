"""The command `set`: what the installer decides, kept over restarts.

A row: name | lowest | highest | what it is. Highest `-` is a text of 1 to 40 characters, `board`
what the board's hardware allows. 0 and `-` as a value put the setting back to nothing.
"""

from micropython import const

ROWS = """
name|1|-|name of the charger in the network; announced from the next start on
installation_ma|6000|board|mA per phase that the installation allows; 0: as much as the board
"""

_MAX_NAME = const(40)


def run(console, name, words):
    """`set` shows all, `set NAME VALUE` changes one."""
    node = console.node
    rows = [line.split("|") for line in ROWS.split("\n") if line]
    if words:
        for row in rows:
            if row[0] == words[0] and len(words) > 1:
                value = change(node, row, " ".join(words[1:]))
                return {row[0]: value}
        names = ", ".join([row[0] for row in rows])
        raise ValueError("set NAME VALUE; names are " + names)
    return {row[0]: node.settings.get(row[0], 0 if row[2] != "-" else "") for row in rows}


def change(node, row, text):
    """Change one setting, at once and for good; return its value. Raises ValueError."""
    name, low, high, _ = row
    if high == "-":
        value = "" if text == "-" else text
        if len(value) > _MAX_NAME:
            raise ValueError("at most %d characters" % _MAX_NAME)
    else:
        high = node.board.MAX_CURRENT_MA if high == "board" else int(high)
        if not text.isdigit() or not (text == "0" or int(low) <= int(text) <= high):
            raise ValueError("%s is a whole number from %s to %d, or 0" % (name, low, high))
        value = int(text)
    node.settings.put(name, value)
    node.limit_installation()
    return value


def find(name):
    """The row of a setting."""
    for line in ROWS.split("\n"):
        if line.startswith(name + "|"):
            return line.split("|")
    raise ValueError("no such setting: " + name)
