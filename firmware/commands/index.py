"""Which commands there are, and where.

To add one, write `run(console, name, words)` in a module of this folder and add a row to TABLE
and, for a new module, two lines to `command`. `run` gets the words behind the name and returns the
answer as a dictionary, or is a coroutine that does. ValueError with what to do instead is the
answer to wrong words. A key `text` in the answer is what people see instead of the other
keys. Modules are loaded for one use: nothing in them may outlive it.

A row: name | module | guard | arguments | what it does | example
The guard is `!` for what changes trust or limits, `?` if it does so only with arguments.
The order is that of `help`.
"""

TABLE = """
help|help||[COMMAND]|list the commands, or explain one|help trust
id|device|||SHIP ID, SKI and the text of the label's QR code|id
certificate|device|||own certificate as PEM|certificate
status|status|||what the charger does and why|status
limits|status|||all limits, who set them, which one is binding|limits
peers|peers|||trusted peers, connections, and nodes seen in the network|peers
trust|peers|!|SKI|trust a peer: it may connect and limit the charger|trust b467 a399 9eb5 …
untrust|peers|!|SKI|forget a peer and part from it|untrust b467 a399 9eb5 …
set|setting|?|[NAME VALUE]|opev_safe_ma, opev_strict, charge_mode (0-2)|set charge_mode 1
ev|car||[plug/unplug/set OPTION VALUE] [NAME=VALUE ...]|the simulated car|ev plug phases=3
log|device|||what happened lately|log
restart|system|||start the firmware again|restart
factory-reset|system|!|yes|forget peers and settings, keep the identity|factory-reset yes
shutdown|system|||say goodbye and end|shutdown
"""


def rows():
    """All rows as lists of their six fields."""
    return [line.split("|") for line in TABLE.split("\n") if line]


def row(name):
    """The fields of a command. Raises ValueError if there is no such command."""
    for fields in rows():
        if fields[0] == name:
            return fields
    raise ValueError("unknown command %s; try help" % name)


def command(name):
    """The function that carries out a command. Raises ValueError if there is no such command."""
    module = row(name)[1]
    if module == "help":
        from firmware.commands.help import run
    elif module == "device":
        from firmware.commands.device import run
    elif module == "status":
        from firmware.commands.status import run
    elif module == "peers":
        from firmware.commands.peers import run
    elif module == "setting":
        from firmware.commands.setting import run
    elif module == "car":
        from firmware.commands.car import run
    else:
        from firmware.commands.system import run
    return run
