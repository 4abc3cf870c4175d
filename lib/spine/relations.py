"""Bindings and subscriptions (IEC 63380-3 5.5.4, 5.5.5): two tables with the same mechanics.

An entry ties a client feature of a peer to one of our server features. A binding gives one energy
manager the right to write: a feature can be bound by one peer at a time, and those that together
make a power limit by the same one (LPC must have one partner; who sums up a session may be
another). Any number may subscribe within the bounds below.

Persistence: entries live as long as the connection and are never stored. The standard lets
partners keep them, practice asks again on every connection (entity and feature numbers may have
changed); asking for what exists is success, so both kinds are served. A partner that is gone thus
never locks a feature. What must outlive the connection, that LPC is switched on and the limits, is
the use case's to store. Entries end with the connection, by delete call, and with either feature's
entity, there and here, without a delete call.
"""

from micropython import const

from spine.errors import COMMAND_REJECTED, OVERLOAD, SpineError

_LIMITING = ("LoadControl", "DeviceConfiguration")  # LPC and LPP need both

MAX_PER_PEER = const(48)  # about one entry per server feature, both entities, some clients twice


class Relation:
    """One binding or subscription."""

    def __init__(self, number, peer, client_entity, client_feature, feature):
        self.number = number
        self.peer = peer
        self.client_entity = client_entity
        self.client_feature = client_feature
        self.feature = feature


class Relations:
    """The table of bindings, or that of subscriptions, of the local device."""

    def __init__(self, exclusive):
        self._exclusive = exclusive  # bindings: one peer at a time
        self._entries = []
        self._last_number = 0

    def __iter__(self):
        return iter(self._entries)

    def of_feature(self, feature):
        """The entries of one server feature."""
        return [entry for entry in self._entries if entry.feature is feature]

    def find(self, peer, client_entity, client_feature, feature):
        """The entry between a client feature of `peer` and `feature`, or None."""
        for entry in self._entries:
            if (
                entry.feature is feature
                and entry.peer is peer
                and entry.client_feature == client_feature
                and entry.client_entity == client_entity
            ):
                return entry
        return None

    def add(self, peer, client_entity, client_feature, feature):
        """Add an entry unless it exists. Returns whether it is new; raises SpineError."""
        if self.find(peer, client_entity, client_feature, feature):
            return False
        count = 0
        for entry in self._entries:
            count += entry.peer is peer
            # The same partner may come on a second connection (SHIP 12.2.2): its name is its key.
            if self._exclusive and entry.peer.name != peer.name:
                if _belong_together(entry.feature, feature):
                    raise SpineError(COMMAND_REJECTED, "bound by another energy manager")
        if count >= MAX_PER_PEER:
            raise SpineError(OVERLOAD, "too many entries")
        self._last_number += 1
        entry = Relation(self._last_number, peer, client_entity, client_feature, feature)
        self._entries.append(entry)
        return True

    def remove(self, matches):
        """Remove every entry for which `matches(entry)` holds; return how many there were."""
        before = len(self._entries)
        self._entries = [entry for entry in self._entries if not matches(entry)]
        return before - len(self._entries)

    def drop_peer(self, peer):
        """The connection to `peer` has ended."""
        self.remove(lambda entry: entry.peer is peer)

    def drop_entity(self, entity):
        """One of our entities has disappeared."""
        self.remove(lambda entry: entry.feature.entity is entity)

    def drop_remote(self, peer, address, feature=None):
        """An entity of `peer` has disappeared with its sub-entities, or only a feature of it."""
        depth = len(address)
        self.remove(
            lambda e: (
                e.peer is peer
                and e.client_entity[:depth] == address
                and feature in (None, e.client_feature)
            )
        )


def _belong_together(one, two):
    """Whether two server features have to be bound by the same peer."""
    if one is two:
        return True
    is_limit = one.feature_type in _LIMITING and two.feature_type in _LIMITING
    return is_limit and one.entity is two.entity
