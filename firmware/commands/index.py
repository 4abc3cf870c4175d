"""Which commands there are, and where.

To add one, write `run(console, name, words)` in a module of this folder and add a row to TABLE
and, for a new module, two lines to `_load`. `run` gets the words behind the name and returns the
answer as a dictionary, or is a coroutine that does. ValueError with what to do instead is the
answer to wrong words. A key `text` in the answer is what people see instead of the other
keys. Modules are loaded for one use: nothing in them may outlive it.

A row: name | module | guard | arguments | what it does | example
The guard is `!` for what changes trust or limits, `?` if it does so only with arguments.
The order is that of `help`.
"""

TABLE = """
help|help||[COMMAND]|list the commands, or explain one|help trust
setup|setup|!||commissioning: password, network, name, limits, peers|setup
status|status|||what the charger does and why|status
watch|watch||[LINES]|status live, a line a second, until a key is pressed|watch
limits|status|||all limits, who set them, which one is binding|limits
log|events||[WORD]|what happened lately, or the lines with a word|log pending
test|selftest|||self-test: what is wrong, and what to do|test
id|device|||SHIP ID, SKI and the text of the label's QR code|id
serial|serial|?|[NUMBER]|the serial number; the production line gives it, once|serial 0001
certificate|device|||own certificate as PEM|certificate
peers|peers|||trusted peers, connections, and nodes seen in the network|peers
choose|choose|!||choose an energy manager from those who wait or are seen|choose
trust|trust|!|SKI/QR-TEXT|trust a peer: it may connect and limit the charger|trust b467 a399 9eb5 …
accept|trust|!|[SKI]|trust the peer that is waiting, after comparing its SKI|accept b467
reject|trust|!|[SKI]|send away the peer that is waiting|reject
untrust|trust|!|SKI|forget a peer and part from it|untrust b467 a399 9eb5 …
pair|trust|!|[auto/off] [SECONDS]|let partners find this node; auto: trust the next|pair auto 60
pin|keys|?|[off/optional/required]|our PIN, and whether partners have to give it|pin required
peer-pin|keys|!|SKI PIN|enter the PIN of a partner, as its label shows it|peer-pin b467… 5555aaaaff
key|keys|?|[successor/change/renew]|another key, or a new certificate for it|key successor
network|network|?|[scan/join [NAME [PASSWORD]]/leave]|the Wi-Fi, if there is one|network join
address|system|?|[IPV4]|where the node is announced, or that it has moved|address 192.0.2.7
set|setting|?|[NAME [VALUE]]|what installer and user want: limits, charge mode|set user_ma 10000
echonet|echonet|?|[VERB [VALUE]]|ECHONET Lite: state, controllers, who may write|echonet writes on
password|lock|!|[PASSWORD/off]|set or remove the password for changes|password
login|lock||[PASSWORD/button]|allow changes until logout or 10 idle minutes|login
logout|lock|||end what login began|logout
backup|backup|!|[PASSPHRASE]|identity, peers and settings, sealed with a passphrase|backup
restore|backup|!|[add BASE64/clear/apply PASSPHRASE]|bring a backup back|restore
button|trust|||press the simulated board's button for pairing|button
ev|car||[plug/unplug/set OPTION VALUE] [NAME=VALUE ...]|the simulated car|ev plug phases=3
station|car||[set OPTION VALUE]|defects of the simulated station|station set meter_fails 1
restart|system|||start the firmware again|restart
factory-reset|system|!|yes|forget peers, settings, password; keep the identity|factory-reset yes
shutdown|system|!||say goodbye and end|shutdown
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


def find(name, words):
    """The function that carries out a command, and whether the password guards it.

    Raises ValueError if there is no such command.
    """
    _, module, guard, _, _, _ = row(name)
    return _load(module), guard == "!" or (guard == "?" and bool(words))


def _load(module):
    if module == "backup":
        from firmware.commands.backup import run
    elif module == "car":
        from firmware.commands.car import run
    elif module == "choose":
        from firmware.commands.choose import run
    elif module == "device":
        from firmware.commands.device import run
    elif module == "echonet":
        from firmware.commands.echonet import run
    elif module == "events":
        from firmware.commands.events import run
    elif module == "help":
        from firmware.commands.help import run
    elif module == "keys":
        from firmware.commands.keys import run
    elif module == "lock":
        from firmware.commands.lock import run
    else:
        return _load_more(module)
    return run


def _load_more(module):
    if module == "network":
        from firmware.commands.network import run
    elif module == "peers":
        from firmware.commands.peers import run
    elif module == "selftest":
        from firmware.commands.selftest import run
    elif module == "serial":
        from firmware.commands.serial import run
    elif module == "setting":
        from firmware.commands.setting import run
    elif module == "setup":
        from firmware.commands.setup import run
    elif module == "status":
        from firmware.commands.status import run
    elif module == "system":
        from firmware.commands.system import run
    elif module == "trust":
        from firmware.commands.trust import run
    elif module == "watch":
        from firmware.commands.watch import run
    return run
