"""Whom this node trusts: the store of peers and what hangs on a change of it (SHIP 5, 12.3)."""

from ship.trust import TrustStore


class Registration:
    """`store` is the ship.trust.TrustStore of `node`, kept in the state file `peers`."""

    def __init__(self, node):
        self._node = node
        self.store = TrustStore(node.storage.load("peers"))

    def trust(self, ski, user_trust, by):
        """Trust a key, now and after restarts. Raises ship.trust.TrustFull."""
        self.store.add(ski, user_trust, by)
        self._save()
        for link in self._node.links.of(ski):
            link.trust()

    def untrust(self, ski):
        """Forget a key and part from its owner. Returns whether it was trusted."""
        known = self.store.remove(ski)
        self._save()
        for link in self._node.links.of(ski):
            link.reject()
        return known

    def forget(self):
        """Factory reset: no peer survives, not even in memory."""
        self._node.storage.remove("peers")
        self.store = TrustStore()

    def learn_id(self, ski, ship_id):
        """Store or compare a peer's SHIP ID. Returns False if it is another one."""
        peer = self.store.find(ski)
        known = peer and peer["id"]
        if not self.store.learn_id(ski, ship_id):
            return False
        if peer and not known:
            self._node.storage.save("peers", self.store.dump())
        return True

    def is_open(self):
        """Whether the TXT key `register` is true: as long as nobody is trusted (SHIP 5.1)."""
        return not self.store.peers

    def _save(self):
        self._node.storage.save("peers", self.store.dump())
        self._node.neighbours.announce()
