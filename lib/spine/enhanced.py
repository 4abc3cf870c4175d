"""Enhanced communication mode (IEC 63380-3 5.4.3, 5.5.3): devices behind a gateway or router.

A partner that calls itself one is asked for its destination list. Every device on it becomes a
peer of its own, discovered, bound and subscribed like any other, whose datagrams travel over the
partner's connection. It is loaded when such a partner appears.

We are an end device: nothing is forwarded, and a device that is not on the list is answered as a
part of the partner. A device that is connected itself is not taken a second time. Where the
standard is not at hand (unconfirmed): trust in the partner covers the devices behind it,
`addressOriginator` is neither sent nor looked at, each device has its own message counter as seen
from here.
"""

from micropython import const

from spine import model
from spine.peer import Peer
from spine.remote import refuse_delete

MAX_DEVICES = const(4)  # behind one partner

_LIST = "nodeManagementDestinationListData"


class DistantPeer(Peer):
    """A device behind `gateway`."""

    def __init__(self, gateway, address):
        super().__init__(gateway.device, gateway.name, lambda peer, text: gateway.log(text))
        self.address = address
        self._gateway = gateway

    def finish(self, out):
        """What is for the device goes to the gateway."""
        self._gateway.finish(out)


def take_destinations(peer, datagram, now):
    """The destination list of a gateway, or a notify of changes. Complete data replaces all."""
    partial = bool(datagram.filters)
    if partial:
        refuse_delete(datagram)
    listed, removed = [], []
    entry_type = model.field_type(model.list_field(model.find_function(_LIST)))
    for tree in datagram.entries("nodeManagementDestinationData"):
        description = peer.decoder.decode(entry_type, tree).get("deviceDescription", {})
        address = description.get("deviceAddress", {}).get("device")
        is_removed = description.get("lastStateChange") == "removed"
        (removed if is_removed else listed).append(address)
    for address in list(peer.behind):
        if address in removed or not (partial or address in listed):
            peer.behind.pop(address).stop()
    for address in listed:
        known = [known.address for known in peer.device.peers]  # a direct connection comes first
        if address in known or address in (None, peer.device.address):
            continue
        if len(peer.behind) >= MAX_DEVICES:
            peer.log("too many devices behind %s" % peer.address)
            break
        peer.behind[address] = DistantPeer(peer, address)
        peer.behind[address].start(now)
