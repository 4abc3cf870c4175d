"""The commands `peers`, `trust` and `untrust`: who may limit the charger."""

from ship.ski import group, parse_ski
from ship.trust import USER_VERIFICATION, TrustFull


def run(console, name, words):
    """`trust` and `untrust` take an SKI, in groups or in one."""
    node = console.node
    if name == "peers":
        return _peers(node)
    try:
        ski = parse_ski("".join(words))
    except ValueError as error:
        raise ValueError("%s; read it from the peer's label or screen" % error)
    if name == "trust":
        try:
            node.registration.trust(ski, USER_VERIFICATION, "console")
        except TrustFull:
            raise ValueError("no room for another peer; untrust one first")
        return {"ski": ski, "text": "trusted: %s" % group(ski)}
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
