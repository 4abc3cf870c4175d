"""The commands that change trust: `trust`, `accept`, `reject` and `untrust`."""

from ship.ski import group, parse_ski
from ship.trust import USER_INPUT, USER_VERIFICATION, TrustFull


def run(console, name, words):
    """SKIs are taken in groups or in one."""
    node = console.node
    if name == "trust":
        return give_trust(node, ski_of(words), USER_INPUT)
    if name == "accept":
        return give_trust(node, _waiting(node, words), USER_VERIFICATION)
    if name == "reject":
        ski = _waiting(node, words)
        for link in node.links.of(ski):
            link.reject()
        return {"ski": ski, "text": "rejected: %s" % group(ski)}
    ski = ski_of(words)
    if not node.registration.untrust(ski):
        raise ValueError("this SKI is not trusted; see peers")
    return {"ski": ski, "text": "forgotten: %s" % group(ski)}


def give_trust(node, ski, level):
    """Trust a peer; return the answer. Raises ValueError if there is no room."""
    try:
        node.registration.trust(ski, level, "console")
    except TrustFull:
        raise ValueError("no room for another peer; untrust one first")
    return {"ski": ski, "text": "trusted: %s" % group(ski)}


def ski_of(words):
    """The SKI that the words are. Raises ValueError with where to read it."""
    try:
        return parse_ski("".join(words).replace(" ", ""))
    except ValueError as error:
        raise ValueError("%s; read it from the peer's label or screen" % error)


def _waiting(node, words):
    """The SKI of the peer that waits for trust; its first digits do if there are several."""
    begin = "".join(words).lower()
    waiting = {link.ski for link in node.links.all if link.is_pending()}
    waiting = [ski for ski in waiting if ski.startswith(begin)]
    if not waiting:
        raise ValueError("nobody is waiting; see peers")
    if len(waiting) > 1:
        raise ValueError("several peers are waiting; add the first digits of the SKI")
    return waiting[0]
