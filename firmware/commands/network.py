"""The command `network`: the Wi-Fi of boards that have one (evse.board.Board.network).

Name and password are kept in the settings; the password is never shown.
"""

from firmware.commands.dialog import ask

SETTING = "wifi"


def run(console, name, words):
    """Without words: the state. Joining asks what is not on the line."""
    network = get(console.node)
    verb = words[0] if words else ""
    if verb == "scan" and len(words) == 1:
        return _scan(network)
    if verb == "join":
        return _join(console, network, " ".join(words[1:]))
    if verb == "leave" and len(words) == 1:
        network.leave()
        console.node.settings.put(SETTING, None)
        return {"text": "left; the charger will not join any network by itself"}
    if words:
        raise ValueError("network, network scan, network join [NAME [PASSWORD]], network leave")
    return network.state()


def get(node):
    """The board's network. Raises ValueError if it has none that can be chosen."""
    network = node.board.network()
    if network is None:
        raise ValueError("this board has no Wi-Fi; its network needs no setting")
    return network


async def _scan(network):
    found = await scan(network)
    return {"text": listing(found), "networks": [entry(item) for item in found]}


async def scan(network):
    """The networks in reach, each name once, the strongest first."""
    best = {}
    for name, signal_dbm, is_open in await network.scan():
        if name and signal_dbm > best.get(name, (-200,))[0]:
            best[name] = (signal_dbm, is_open)
    return sorted([(best[name][0], name, best[name][1]) for name in best], reverse=True)


def entry(item):
    """One of `scan`, for JSON."""
    return {"name": item[1], "signal_dbm": item[0], "open": item[2]}


def listing(found):
    """What `scan` found as numbered lines."""
    if not found:
        return "no network in reach; is the antenna connected?"
    return "\n".join(
        [
            "%2d  %-32s %4d dBm%s" % (i + 1, found[i][1], found[i][0], "  open" * found[i][2])
            for i in range(len(found))
        ]
    )


async def _join(console, network, text):
    name, password = _quoted(text)
    if not name:
        name = await choose(console, network)
    if not password and not console.is_json:
        password = await ask(console, "password of %s (Enter: none): " % name, True)
    return await join(console.node, network, name, password)


async def choose(console, network):
    """Let the user choose a network from a list; return its name. Raises ValueError."""
    found = await scan(network)
    answer = await ask(console, listing(found) + "\nnumber or name: ")
    if answer.isdigit() and 1 <= int(answer) <= len(found):
        return found[int(answer) - 1][1]
    if not answer:
        raise ValueError("no network was chosen")
    return answer


async def join(node, network, name, password):
    """Join, and keep name and password if that works. Raises ValueError with what to do."""
    try:
        await network.join(name, password)
    except OSError as error:
        raise ValueError("cannot join %s: %s" % (name, error))
    node.settings.put(SETTING, {"name": name, "password": password})
    state = network.state()
    state["text"] = "joined %s, address %s" % (name, state["address"])
    return state


def _quoted(text):
    """Name and password; a name with blanks is in double quotes."""
    if text.startswith('"') and '"' in text[1:]:
        name, _, password = text[1:].partition('"')
    else:
        name, _, password = text.partition(" ")
    return name, password.strip()
