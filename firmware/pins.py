"""PINs of this node and of its peers (SHIP 12.5, 13.4.4.3).

Our own is made once, with the identity, and printed on the label; whether peers have to give it is
a setting: `off`, `optional` (they may read but not write before) or `required`. A peer that has
given it has second factor trust and is not asked again. Peers' PINs come from the console or from
their label's QR text and are kept until they turn out to be wrong. Loaded when a PIN matters.
"""

from micropython import const

from ship.trust import AUTO_ACCEPT, MIN_PIN, SECOND_FACTOR, USER_VERIFICATION

OFF = "off"
MODES = (OFF, "optional", "required")

_TRUST = const(16)  # second factor trust of a peer that has given the PIN (Table 30)
_FIRST_TRUST = const(32)  # and of the first one since the factory


class Pins:
    """`node` gives `settings`, `identity.pin`, `registration`, `links`, `wall` and `log`."""

    def __init__(self, node):
        self._node = node
        self._lock = None

    @property
    def mode(self):
        """One of MODES."""
        return self._node.settings.get("pin_mode", OFF)

    def set_mode(self, mode):
        """Change what peers have to give; whoever has not given it has to connect again."""
        self._node.settings.put("pin_mode", mode)
        self._lock = None
        for link in self._node.links.all:
            if mode != OFF and not self._has_given(link.ski):
                link.end()

    def check(self, link):
        """Our half of the PIN phase of a connection, while the mode is not off: a PinCheck."""
        from ship.pin_check import PinCheck

        return PinCheck(self.lock(), self._has_given(link.ski), lambda: self._accepted(link))

    def lock(self):
        """The PinLock of the device. After a restart a delay that was running starts anew."""
        if self._lock is None:
            from ship.pin_check import PinLock

            wrong = self._node.settings.get("pin_wrong", 0)
            now = self._node.wall.now_ms()
            pin = self._node.identity.pin
            self._lock = PinLock(pin, self.mode, wrong, self._save_wrong, now)
        return self._lock

    def _save_wrong(self, wrong):
        """At once: a cut must not give a guesser new tries."""
        self._node.settings.put("pin_wrong", wrong)
        self._node.settings.save_if_changed()
        if wrong:
            self._node.log.event("pin", state="wrong", tries=wrong)

    def _has_given(self, ski):
        return self._node.registration.store.level(ski, SECOND_FACTOR) >= _TRUST

    def _accepted(self, link):
        registration = self._node.registration
        store = registration.store
        if not store.trusts(link.ski):
            return  # forgotten in the meantime
        is_first = not any(SECOND_FACTOR in peer for peer in store.peers)
        if store.level(link.ski) == AUTO_ACCEPT:
            registration.trust(link.ski, USER_VERIFICATION, "PIN")
        registration.trust(link.ski, _FIRST_TRUST if is_first else _TRUST, "PIN", SECOND_FACTOR)
        link.lift_restriction()
        self._node.log.event("pin", state="given", ski=link.ski)

    # --- peers' PINs --------------------------------------------------------------------------

    def wanted(self, ski, was_wrong):
        """A peer wants its PIN: return it, or None and tell that a user has to enter it."""
        pins = dict(self._node.settings.get("peer_pins", {}))
        pin = pins.get(ski)
        if was_wrong and pin:
            del pins[ski]
            self._node.settings.put("peer_pins", pins)
            pin = None
        if self._node.registration.store.level(ski) < MIN_PIN:
            pin = None
        if pin is None:
            self._node.log.event("pin", state="refused" if was_wrong else "wanted", ski=ski)
        return pin

    def enter(self, ski, pin):
        """Keep a peer's PIN and give it if the peer is waiting for it; returns whether it is.

        Raises ValueError if the peer has too little trust to be given a PIN.
        """
        if self._node.registration.store.level(ski) < MIN_PIN:
            raise ValueError("trust this peer first; only a peer that was verified gets a PIN")
        pins = dict(self._node.settings.get("peer_pins", {}))
        pins[ski] = pin
        self._node.settings.put("peer_pins", pins)
        return any(link.enter_pin(pin) for link in self._node.links.of(ski))

    def forget(self, ski):
        """A peer is trusted no longer."""
        pins = dict(self._node.settings.get("peer_pins", {}))
        if pins.pop(ski, None):
            self._node.settings.put("peer_pins", pins)
