"""The command `choose`: pick the energy manager to trust from a list, and confirm or reject it."""

from firmware.commands.dialog import agrees, ask, say
from firmware.commands.trust import give_trust, label, trust_label
from ship.ski import group
from ship.trust import USER_VERIFICATION


def run(console, name, words):
    """Takes no words."""
    return _choose(console)


async def _choose(console):
    found = candidates(console.node)
    say(listing(found))
    ski = await accept(console, found, await ask(console, "number or SKI: "))
    return {"ski": ski, "text": "trusted: %s" % group(ski)}


def candidates(node):
    """Who is not trusted yet: (SKI, what is known, is waiting), those who wait first."""
    known = [peer["ski"] for peer in node.registration.store.peers]
    seen = {}
    for entry in node.neighbours.seen():
        words = [entry.get(key, "") for key in ("brand", "model", "name")]
        seen[entry.get("ski", "")] = " ".join([word for word in words if word])
    waiting = [link.ski for link in node.links.all if link.ski and link.is_pending()]
    found = [(ski, seen.get(ski, "not in mDNS"), True) for ski in waiting]
    for ski in sorted(seen):
        if ski and ski not in waiting and ski not in known:
            found.append((ski, seen[ski], False))
    return found


def listing(found):
    """`candidates` as numbered lines."""
    if not found:
        return "No energy manager is waiting or announced; start pairing on its side."
    lines = []
    for i in range(len(found)):
        ski, what, is_waiting = found[i]
        wait = ", waits for an answer" if is_waiting else ""
        lines.append("%2d  %s  %s%s" % (i + 1, group(ski), what, wait))
    return "\n".join(lines)


async def accept(console, found, answer):
    """Trust the one that was chosen, after a question if by number; return its SKI.

    Raises ValueError if the user does not want to: one who waits is rejected then.
    """
    node = console.node
    if not answer.isdigit() or len(answer) > 2:
        return trust_label(node, label(answer.split()))["ski"]
    if not 1 <= int(answer) <= len(found):
        raise ValueError("there is no number %s" % answer)
    ski, what, is_waiting = found[int(answer) - 1]
    question = "%s\nIs this the SKI that the energy manager shows? yes/no: " % group(ski)
    if await agrees(console, question):
        return give_trust(node, ski, USER_VERIFICATION)["ski"]
    if is_waiting:
        node.links.rejected(ski)
    raise ValueError("not trusted: " + what)
