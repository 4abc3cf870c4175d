"""The peers a node trusts (SHIP 12.2.2, 12.3; IEC 63380-3 6.9.3).

A list of small records that the owner keeps in storage: SKI, SHIP ID once it is known, user trust
and how it was granted. Only user trust is used so far; less than 8 means no communication.
"""

import json

from micropython import const

MAX_PEERS = const(8)
USER_VERIFICATION = const(32)  # the user compared the SKI and accepted
USER_INPUT = const(64)  # the user typed or scanned the SKI


class TrustFull(Exception):
    """No room for another peer: one must be removed first."""


class TrustStore:
    """Trusted peers by SKI (40 lower-case digits). `text` is what `dump` gave."""

    def __init__(self, text=None):
        self.peers = []
        try:
            self.peers = json.loads(text) if text else []
        except ValueError:
            pass  # the owner's checksum makes this unlikely; start empty rather than not at all

    def dump(self):
        """The store as bytes."""
        return json.dumps(self.peers).encode()

    def find(self, ski):
        """The record of a peer, by the key it has or by the one it has announced, or None."""
        for peer in self.peers:
            if ski == peer["ski"] or ski == peer.get("next"):
                return peer
        return None

    def add(self, ski, user_trust, by):
        """Trust a peer, or raise the trust it has. Raises TrustFull."""
        peer = self.find(ski)
        if peer is None:
            if len(self.peers) >= MAX_PEERS:
                raise TrustFull()
            peer = {"ski": ski, "id": "", "trust": 0, "by": by}
            self.peers.append(peer)
        if user_trust > peer["trust"]:
            peer["trust"] = user_trust
            peer["by"] = by

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
