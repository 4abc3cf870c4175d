"""Whom this node trusts, and how partners come to be trusted (SHIP 5, 12.3).

    trusted beforehand   `trust`, from the console, the label's QR text, or at the start
    user verification    a stranger is kept waiting in the hello phase until `trust` or `reject`
    auto accept          `open_window(…, is_auto=True)`: the next stranger is trusted unseen
    commissioning        a partner with enough trust, or a tool on the console, says whom to trust

The TXT key `register` is true while the time for registration is open, and as long as nobody is
trusted: then the charger waits for its first partner, and several partners list only such nodes.
"""

from ship import trust
from ship.pairing import MAX_MS, Pairing


class Registration:
    """`store` is the ship.trust.TrustStore of `node`, kept in the state file `peers`."""

    def __init__(self, node):
        self._node = node
        self.store = trust.TrustStore(node.storage.load_value("peers", (trust.with_categories,)))
        self.window = Pairing()

    # --- trust --------------------------------------------------------------------------------

    def trust(self, ski, level, by, category=trust.USER):
        """Trust a key, now and after restarts. Raises ship.trust.TrustFull."""
        self.store.add(ski, level, by, self._node.wall.timestamp() or "", category)
        self._granted(ski)

    def commission(self, tool, ski, level):
        """Trust a key because the partner `tool` says so. Returns whether it may say that.

        Raises ship.trust.TrustFull.
        """
        if not self.store.commission(tool, ski, level, self._node.wall.timestamp() or ""):
            return False
        self._granted(ski)
        return True

    def _granted(self, ski):
        self.save()
        self._node.links.trusted(ski)
        self._node.neighbours.look_for(ski)

    def untrust(self, ski):
        """Forget a key and part from its owner. Returns whether it was known."""
        peer = self.store.find(ski) or {"ski": ski}
        known = self.store.remove(ski)
        self.save()
        for key in (peer["ski"], peer.get("next", "")):  # it may be here with its next key already
            self._node.pins.forget(key)
            self._node.links.rejected(key)
            self._node.neighbours.look_for(key)  # there, too, it is nobody's partner any more
        if known and not self.store.peers:
            self._node.station.release()
        return known

    def forget(self):
        """Factory reset: no peer survives, not even in memory."""
        self._node.storage.remove("peers")
        self.store = trust.TrustStore()

    def learn_id(self, ski, ship_id):
        """Store or compare a peer's SHIP ID. Returns False if it is another one."""
        peer = self.store.find(ski)
        known = peer and peer["id"]
        if not self.store.learn_id(ski, ship_id):
            return False
        if peer and not known:
            self.save()
        return True

    def save(self):
        """Store the peers; what is announced may change with them."""
        self._node.storage.save_value("peers", self.store.peers, 2)
        self._node.neighbours.announce()

    # --- the time for registration ------------------------------------------------------------

    def open_window(self, by, is_auto=False, duration_ms=MAX_MS):
        """A local action: partners may register from now on, for two minutes at most."""
        self.window.open(self._node.wall.now_ms(), duration_ms, is_auto)
        self._window_changed("open", by=by, auto=is_auto)

    def close_window(self, why):
        """The time is over, or is to be over."""
        self.window.close()
        self._window_changed("closed", why=why)

    def _window_changed(self, state, **fields):
        self._node.log.event("registration", state=state, **fields)
        self._node.neighbours.announce()

    def is_open(self):
        """Whether the TXT key `register` is true."""
        return not self.store.peers or self.window.remaining_ms(self._node.wall.now_ms()) > 0

    def tick(self, now):
        """Look at the clock and at the board's button."""
        if self.window.has_ended(now):
            self.close_window("time is over")
        if self._node.board.pairing_pressed():
            self.open_window("button", True)

    def pending(self, ski):
        """A stranger has come: trust it unseen if the time for that is open, else ask the user."""
        if self.window.accepts(self._node.wall.now_ms()):
            try:
                self.trust(ski, trust.AUTO_ACCEPT, "auto accept")
                self.close_window("a peer was accepted")
                return
            except trust.TrustFull:
                self.close_window("no room for another peer; untrust one first")
        fields = self._node.neighbours.find(ski) or {}
        self._node.log.event(
            "pending",
            ski=ski,
            brand=fields.get("brand", ""),
            model=fields.get("model", ""),
            id=fields.get("id", ""),
        )
