"""The peers a node trusts (SHIP 12.2.2, 12.3; IEC 63380-3 6.9.3, Table 30).

A list of small records that the owner keeps in storage: `ski`, `id` (the SHIP ID, once it is
known), and for each category of trust that was granted a list of level, who granted it, and when
(xs:dateTime, empty where the wall time was not known). Within a category the highest level counts;
levels are never added up. Only user trust lets a peer communicate.
"""

from micropython import const

MAX_PEERS = const(8)

# Categories
USER = "user"
SECOND_FACTOR = "second"
PKI = "pki"

# Levels of Table 30
AUTO_ACCEPT = const(8)
USER_VERIFICATION = const(32)  # the user compared the SKI and accepted
USER_INPUT = const(64)  # the user typed or scanned the SKI
MAX_LEVEL = const(96)  # of user trust that a commissioning tool may hand on

MIN_USER = const(8)  # below it there is no communication
MIN_PIN = const(32)  # user trust of a partner that is given its PIN (SHIP 12.5)
MIN_COMMISSIONING = const(32)  # user or second-factor trust of a commissioning tool


class TrustFull(Exception):
    """No room for another peer: one must be removed first."""


class TrustStore:
    """Trusted peers by SKI (40 lower-case digits). `peers` is the list of a store before."""

    def __init__(self, peers=None):
        self.peers = peers or []

    def find(self, ski):
        """The record of a peer, by the key it has or by the one it has announced, or None."""
        for peer in self.peers:
            if ski in (peer["ski"], peer.get("next", "")):
                return peer
        return None

    def level(self, ski, category=USER):
        """The trust in a key in one category; 0 without any."""
        grant = (self.find(ski) or {}).get(category)
        return grant[0] if grant else 0

    def trusts(self, ski):
        """Whether the owner of a key may communicate with this node."""
        return self.level(ski) >= MIN_USER

    def add(self, ski, level, by, at="", category=USER):
        """Trust a peer, or raise the trust it has. Raises TrustFull."""
        peer = self.find(ski)
        if peer is None:
            if len(self.peers) >= MAX_PEERS:
                raise TrustFull()
            peer = {"ski": ski, "id": ""}
            self.peers.append(peer)
        if level > self.level(ski, category):
            peer[category] = [level, by, at]

    def may_commission(self, ski):
        """Whether a peer may tell us whom to trust (SHIP 12.6)."""
        best = max(self.level(ski), self.level(ski, SECOND_FACTOR))
        return best >= MIN_COMMISSIONING and self.find(ski).get("tool", True)

    def commission(self, tool, ski, level, at=""):
        """Trust a peer because the commissioning tool with the key `tool` says so.

        The level is capped by what the tool has itself. Returns whether the tool may do that;
        raises TrustFull.
        """
        if not self.may_commission(tool):
            return False
        best = max(self.level(tool), self.level(tool, SECOND_FACTOR))
        self.add(ski, min(level, best, MAX_LEVEL), tool, at)
        return True

    def remove(self, ski):
        """Forget a peer. Returns whether it was there."""
        peer = self.find(ski)
        if peer is None:
            return False
        self.peers.remove(peer)
        return True

    def learn_id(self, ski, ship_id):
        """Compare the SHIP ID of a peer with the one stored, or store it the first time.

        Returns False if it differs: the connection must end (close code 4450).
        """
        peer = self.find(ski)
        if peer is None:
            return True
        if not peer["id"]:
            peer["id"] = ship_id
        return peer["id"] == ship_id


def with_categories(peers):
    """Schema 2 of the list from schema 1, where a peer had one trust of one kind."""
    for peer in peers:
        if "trust" in peer:
            peer[USER] = [peer.pop("trust"), peer.pop("by"), ""]
    return peers
