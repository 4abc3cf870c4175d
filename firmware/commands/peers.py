"""The commands `peers`, `trust`, `reject`, `untrust` and `pair`: who may limit the charger."""

import sys

from firmware.commands.dialog import agrees, ask
from ship.ski import group, parse_ski
from ship.trust import USER_VERIFICATION, TrustFull


def run(console, name, words):
    """`pair` asks; the others take an SKI, in groups or in one."""
    node = console.node
    if name == "peers":
        return _peers(node)
    if name == "pair":
        return _pair(console)
    ski = _ski("".join(words))
    if name == "trust":
        return {"ski": _trust(node, ski), "text": "trusted: %s" % group(ski)}
    if name == "reject":
        waiting = [link for link in node.links.of(ski) if link.is_pending()]
        for link in waiting:
            link.reject()
        if not waiting:
            raise ValueError("nobody with this SKI waits; see peers")
        return {"ski": ski, "text": "rejected: %s" % group(ski)}
    if not node.registration.untrust(ski):
        raise ValueError("this SKI is not trusted; see peers")
    return {"ski": ski, "text": "forgotten: %s" % group(ski)}


def _peers(node):
    links = [
        {"ski": link.ski or "", "state": link.state(), "pending": link.is_pending()}
        for link in node.links.all
    ]
    return {
        "trusted": node.registration.store.peers,
        "connections": links,
        "seen": node.neighbours.seen(),
    }


async def _pair(console):
    found = candidates(console.node)
    sys.stdout.write(listing(found) + "\n")
    answer = await ask(console, "number or SKI of the energy manager: ")
    ski = await accept(console, found, answer)
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
        return _trust(node, _ski(answer.replace(" ", "")))
    if not 1 <= int(answer) <= len(found):
        raise ValueError("there is no number %s" % answer)
    ski, what, _ = found[int(answer) - 1]
    question = "%s\nIs this the SKI that the energy manager shows? yes/no: " % group(ski)
    if await agrees(console, question):
        return _trust(node, ski)
    for link in node.links.of(ski):
        if link.is_pending():
            link.reject()
    raise ValueError("not trusted: " + what)


def _trust(node, ski):
    try:
        node.registration.trust(ski, USER_VERIFICATION, "console")
    except TrustFull:
        raise ValueError("no room for another peer; untrust one first")
    return ski


def _ski(text):
    try:
        return parse_ski(text)
    except ValueError as error:
        raise ValueError("%s; read it from the peer's label or screen" % error)
