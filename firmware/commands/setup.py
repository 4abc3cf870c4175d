"""The command `setup`: the questions of commissioning, one after the other.

Enter keeps what is there. A wrong answer is asked again with what is wrong. Each answer holds at
once, so that Ctrl-C loses nothing that was done before.
"""

from firmware.commands.choose import accept, candidates, listing
from firmware.commands.dialog import Stopped, agrees, ask, say
from firmware.commands.lock import run as lock
from firmware.commands.network import choose, join
from firmware.commands.selftest import tests
from firmware.commands.setting import NAME, change, value
from firmware.limits import SET_INSTALLATION_MA
from ship.ski import group


def run(console, name, words):
    """Takes no words."""
    return _setup(console)


async def _setup(console):
    node = console.node
    say("Enter keeps the value in brackets, Ctrl-C stops.")
    await _password(console)
    if node.board.network() is not None:
        await _network(console)
    await _setting(console, NAME, "Name of the charger")
    await _setting(
        console,
        SET_INSTALLATION_MA,
        "Most that the installation allows per phase, in mA\n"
        + "(6000 or more; none: as much as the board's %d)" % node.board.MAX_CURRENT_MA,
    )
    await _peers(console)
    failed = [test["name"] for test in tests(node) if not test["ok"]]
    say("Self-test: " + ("failed: %s; see test" % ", ".join(failed) if failed else "passed"))
    return {"text": "Set up. Make a backup now: backup", "failed": failed}


async def _password(console):
    if console.node.storage.has("lock"):
        return
    wanted = await agrees(console, "Set a password for changes at this console? [no] ")
    while wanted:
        try:
            say((await lock(console, "password", ()))["text"])
            return
        except Stopped:
            raise
        except ValueError as error:
            say(str(error))


async def _network(console):
    node = console.node
    network = node.board.network()
    while True:
        here = network.state()["name"]
        if not await agrees(console, "Look for Wi-Fi networks? [%s] " % (here or "no")):
            return
        name = await choose(console, network)
        password = await ask(console, "Password of %s (Enter: none): " % name, True)
        try:
            say((await join(node, network, name, password))["text"])
            return
        except ValueError as error:
            say(str(error))


async def _setting(console, name, question):
    node = console.node
    while True:
        now = value(node, name)
        now = "none" if now is None else now
        answer = await ask(console, "%s [%s] " % (question, now))
        if not answer:
            return
        try:
            change(node, name, answer)
            return
        except ValueError as error:
            say(str(error))


async def _peers(console):
    """Show who is there until the user has enough."""
    node = console.node
    while True:
        found = candidates(node)
        say(listing(found))
        answer = await ask(
            console, "Energy manager to trust: number or SKI, r: look again [none] "
        )
        if not answer:
            say("Your energy manager can also scan the label of the charger.")
            return
        if answer == "r":
            continue
        try:
            ski = await accept(console, found, answer)
        except Stopped:
            raise
        except ValueError as error:
            say(str(error))
            continue
        say("trusted: %s" % group(ski))
        return
