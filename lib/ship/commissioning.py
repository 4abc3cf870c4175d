"""Commissioning by a trusted tool (SHIP 12.6, 1.1 13.4.7; IEC 63380-3 6.9.6, Tables 43 to 49).

A peer with enough trust may tell us whom else to trust (`keyMaterial`), see whom we trust
(`keyMaterialRequest`) and have us forget somebody (`keyMaterialDelete`). Only loaded when such a
message arrives. Nothing is kept between messages: each one is judged by the trust of its sender.

Rules, all of them here because the standard leaves them open: a tool needs user trust or second
factor trust of 32; one that came by a tool itself only if that said so (`commissioningTool`); it
gives no more trust than it has, and takes none from those who have more.
"""

from eebus_json import to_wire
from micropython import const

from ship.messages import boolean, uint
from ship.ski import parse_ski, ski_of_point, to_hex
from ship.trust import MAX_PEERS, TrustFull

MIN_TOOL_TRUST = const(32)

_MIN_TRUST = const(8)
_DEFAULT_TRUST = const(32)
_CURVE = const(23)  # secp256r1 in IANA's TLS Supported Groups
_POINT_DIGITS = const(130)
_MAX_ID = const(63)


def receive(node, ski, root, body, send):
    """Take a message of the peer `ski` in data exchange and `send` the answer, if there is one.

    `node` has `trust` (TrustStore), `identity.ski`, `save_trust()`, and `trust_peer`,
    `untrust_peer` as the console uses them.
    """
    tool = node.trust.find(ski)
    may_commission = (
        tool is not None
        and max(tool["trust"], tool.get("second", 0)) >= MIN_TOOL_TRUST
        and tool.get("tool", True)
    )
    if root == "commissioningRequest":
        answer = b"true" if may_commission else b"false"
        send(b'\x01{"commissioningResponse":[{"accept":%s}]}' % answer)
    elif root == "keyMaterialRequest" and may_commission:
        entries = [_entry(peer, True) for peer in node.trust.peers]
        send(_message("keyMaterial", entries, (("maxEntries", MAX_PEERS),)))
    elif root == "keyMaterial":
        stored = _store(node, tool, _entries(body)) if may_commission else []
        send(_message("keyMaterialResponse", stored))
    elif root == "keyMaterialDelete":
        found = _find(node, tool, _entries(body)) if may_commission else []
        send(_message("keyMaterialDeleteResponse", [_entry(peer, False) for peer in found]))
        for peer in found:
            node.untrust_peer(peer["ski"])


def _store(node, tool, entries):
    """Trust the keys of the entries; return what is stored, in the form of the response."""
    stored = []
    for ski, entry in entries:
        user_trust = uint(entry.get("userTrust"))
        user_trust = min(_DEFAULT_TRUST if user_trust is None else user_trust, tool["trust"])
        if ski == node.identity.ski or user_trust < _MIN_TRUST:
            continue
        is_new = node.trust.find(ski) is None
        try:
            node.trust_peer(ski, user_trust, "tool " + tool["ski"][:8])
        except TrustFull:
            break
        peer = node.trust.find(ski)
        if is_new:
            peer["tool"] = boolean(entry.get("commissioningTool"))
            ship_id = entry.get("id")
            if isinstance(ship_id, str) and len(ship_id) <= _MAX_ID:
                peer["id"] = ship_id
        stored.append(_entry(peer, False))
    node.save_trust()
    return stored


def _find(node, tool, entries):
    """The peers of the entries that this tool may have us forget."""
    found = []
    for ski, _ in entries:
        peer = node.trust.find(ski)
        if peer and peer not in found and peer["trust"] <= tool["trust"]:
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


def _entry(peer, with_tool):
    """A peer's entry in an answer."""
    entry = (("curve", _CURVE), ("ski", peer["ski"].upper()), ("userTrust", peer["trust"]))
    if with_tool:
        entry += (("commissioningTool", peer.get("tool", True)),)
    return entry + (("id", peer["id"]),) if peer["id"] else entry


def _message(root, entries, head=()):
    return b'\x01{"%s":%s}' % (
        root.encode(),
        to_wire(head + (("entry", entries),) if entries else head),
    )
