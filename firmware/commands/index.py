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
trust|trust|!|SKI/QR-TEXT|trust a peer: it may connect and limit the charger|trust b467 a399 9eb5 …
accept|trust|!|[SKI]|trust the peer that is waiting, after comparing its SKI|accept b467
reject|trust|!|[SKI]|send away the peer that is waiting|reject
untrust|trust|!|SKI|forget a peer and part from it|untrust b467 a399 9eb5 …
pair|trust|!|[auto/off] [SECONDS]|let partners find this node; auto: trust the next|pair auto 60
pin|keys|?|[off/optional/required]|our PIN, and whether partners have to give it|pin required
peer-pin|keys|!|SKI PIN|enter the PIN of a partner, as its label shows it|peer-pin b467… 5555aaaaff
key|keys|?|[successor/change/renew]|another key, or a new certificate for it|key successor
button|trust|||press the simulated board's button for pairing|button
address|system|?|[IPV4]|where the node is announced, or that it has moved|address 192.0.2.7
set|setting|?|[NAME VALUE]|what installer and user want: limits, charge mode|set user_ma 10000
echonet|echonet|?|[VERB [VALUE]]|ECHONET Lite: state, controllers, who may write|echonet writes on
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
    elif module == "trust":
        from firmware.commands.trust import run
    elif module == "keys":
        from firmware.commands.keys import run
    elif module == "setting":
        from firmware.commands.setting import run
    elif module == "echonet":
        from firmware.commands.echonet import run
    elif module == "car":
        from firmware.commands.car import run
    else:
        from firmware.commands.system import run
    return run
