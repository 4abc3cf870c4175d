"""Commissioning by a trusted tool (SHIP 12.6, 1.1 13.4.7; IEC 63380-3 6.9.6, Tables 43 to 49).

A peer with enough trust may tell us whom else to trust (`keyMaterial`), see whom we trust
(`keyMaterialRequest`) and have us forget somebody (`keyMaterialDelete`). Only loaded when such a
message arrives. Nothing is kept between messages: each one is judged by the trust of its sender.

Rules, all of them here and in `ship.trust` because the standard leaves them open: a tool needs
user trust or second factor trust of 32; one that came by a tool itself only if that said so
(`commissioningTool`); it gives no more trust than it has, and takes none from those who have more.
"""

from eebus_json import to_wire
from micropython import const

from ship.messages import boolean, uint
from ship.ski import parse_ski, ski_of_point, to_hex
from ship.trust import MAX_PEERS, MIN_USER, USER_VERIFICATION, TrustFull

_CURVE = const(23)  # secp256r1 in IANA's TLS Supported Groups
_POINT_DIGITS = const(130)
_MAX_ID = const(63)


def receive(registration, own_ski, ski, root, body, send):
    """Take a message of the peer `ski` in data exchange and `send` the answer, if there is one.

    `registration` has `store` (TrustStore), `save()`, `untrust(ski)`, and `commission(tool, ski,
    level)`, which raises TrustFull.
    """
    store = registration.store
    may_commission = store.may_commission(ski)
    if root == "commissioningRequest":
        answer = b"true" if may_commission else b"false"
        send(b'\x01{"commissioningResponse":[{"accept":%s}]}' % answer)
    elif root == "keyMaterialRequest" and may_commission:
        entries = [_entry(store, peer) for peer in store.peers]
        send(_message("keyMaterial", entries, (("maxEntries", MAX_PEERS),)))
    elif root == "keyMaterial":
        stored = _store(registration, own_ski, ski, _entries(body)) if may_commission else []
        send(_message("keyMaterialResponse", stored))
    elif root == "keyMaterialDelete":
        found = _find(store, ski, _entries(body)) if may_commission else []
        entries = [_entry(store, peer, False) for peer in found]
        send(_message("keyMaterialDeleteResponse", entries))
        for peer in found:
            registration.untrust(peer["ski"])


def _store(registration, own_ski, tool, entries):
    """Trust the keys of the entries; return what is stored, in the form of the response."""
    store = registration.store
    stored = []
    for ski, entry in entries:
        level = uint(entry.get("userTrust"))
        level = USER_VERIFICATION if level is None else level
        if ski == own_ski or level < MIN_USER:
            continue
        is_new = store.find(ski) is None
        try:
            registration.commission(tool, ski, level)
        except TrustFull:
            break
        peer = store.find(ski)
        if is_new:
            peer["tool"] = boolean(entry.get("commissioningTool"))
            ship_id = entry.get("id")
            if isinstance(ship_id, str) and len(ship_id) <= _MAX_ID:
                peer["id"] = ship_id
        stored.append(_entry(store, peer, False))
    registration.save()
    return stored


def _find(store, tool, entries):
    """The peers of the entries that this tool may have us forget."""
    found = []
    for ski, _ in entries:
        peer = store.find(ski)
        if peer and peer not in found and store.level(ski) <= store.level(tool):
            found.append(peer)
    return found


def _entries(body):
    """Yield (ski, entry) of the entries that name a key of our curve."""
    entries = body.get("entry")
    if isinstance(entries, dict):
        entries = [entries]
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and uint(entry.get("curve", _CURVE)) == _CURVE:
            try:
                yield _ski_of(entry), entry
            except (ValueError, TypeError, AttributeError):
                pass  # it is not in the response, so the tool knows


def _ski_of(entry):
    """SKI of an entry, given as such, as public key (point, or SubjectPublicKeyInfo), or both."""
    digits = entry.get("publicKey")
    ski = entry.get("ski")
    if digits is None:
        return parse_ski(ski)
    computed = to_hex(ski_of_point(bytes.fromhex(digits[-_POINT_DIGITS:])))
    if len(digits) < _POINT_DIGITS or (ski is not None and parse_ski(ski) != computed):
        raise ValueError("not the SKI of this key")
    return computed


def _entry(store, peer, with_tool=True):
    """A peer's entry in an answer."""
    ski = peer["ski"]
    entry = (("curve", _CURVE), ("ski", ski.upper()), ("userTrust", store.level(ski)))
    if with_tool:
        entry += (("commissioningTool", store.may_commission(ski)),)
    return entry + (("id", peer["id"]),) if peer["id"] else entry


def _message(root, entries, head=()):
    return b'\x01{"%s":%s}' % (
        root.encode(),
        to_wire(head + (("entry", entries),) if entries else head),
    )
