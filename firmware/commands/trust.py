"""The commands that change trust: `trust`, `accept`, `reject`, `untrust`, `pair` and `button`."""

from ship.pairing import MAX_MS
from ship.ski import group, parse_ski
from ship.trust import USER_INPUT, USER_VERIFICATION, TrustFull


def run(console, name, words):
    """SKIs are taken in groups or in one; `trust` takes the text of a label too."""
    node = console.node
    if name == "trust":
        return trust_label(node, label(words))
    if name == "accept":
        return give_trust(node, _waiting(node, words), USER_VERIFICATION)
    if name == "reject":
        ski = _waiting(node, words)
        node.links.rejected(ski)
        return {"ski": ski, "text": "rejected: %s" % group(ski)}
    if name == "untrust":
        ski = _ski(words)
        if not node.registration.untrust(ski):
            raise ValueError("this SKI is not trusted; see peers")
        return {"ski": ski, "text": "forgotten: %s" % group(ski)}
    if name == "pair":
        return _pair(node, words)
    if not hasattr(node.board, "button"):
        raise ValueError("this board has a real button, or none")
    node.board.button = True
    return {"text": "pressed"}


def trust_label(node, fields):
    """A label may have the peer's PIN as well."""
    answer = give_trust(node, fields["SKI"], USER_INPUT)
    if "PIN" in fields:
        node.pins.enter(fields["SKI"], fields["PIN"])
    return answer


def give_trust(node, ski, level):
    try:
        node.registration.trust(ski, level, "console")
    except TrustFull:
        raise ValueError("no room for another peer; untrust one first")
    return {"ski": ski, "text": "trusted: %s" % group(ski)}


def _waiting(node, words):
    """The SKI of the peer that waits for trust; its first digits do if there are several."""
    begin = "".join(words).lower()
    waiting = {link.ski for link in node.links.all if link.is_pending()}
    waiting = [ski for ski in waiting if ski.startswith(begin)]
    if not waiting:
        raise ValueError("nobody is waiting; see peers")
    if len(waiting) > 1:
        raise ValueError("several peers are waiting; add the first digits of the SKI")
    return waiting[0]


def _ski(words):
    return label(words)["SKI"]


def label(words):
    """Fields of a label's QR code, or the SKI alone as digits in any grouping."""
    try:
        if words and words[0].startswith("SHIP;"):
            from ship import qr

            return qr.read(" ".join(words))
        return {"SKI": parse_ski("".join(words))}
    except ValueError as error:
        raise ValueError("%s; read it from the peer's label or screen" % error)


def _pair(node, words):
    registration = node.registration
    options = [word for word in words if not word.isdigit()]
    seconds = [int(word) for word in words if word.isdigit()] or [MAX_MS // 1000]
    if options not in ([], ["auto"], ["off"]) or len(seconds) > 1:
        raise ValueError("pair [auto/off] [SECONDS], at most %d" % (MAX_MS // 1000))
    if options == ["off"]:
        registration.close_window("console")
    else:
        registration.open_window("console", bool(options), seconds[0] * 1000)
    left_ms = registration.window.remaining_ms(node.wall.now_ms())
    return {
        "remaining_s": (left_ms + 999) // 1000,
        "auto": options == ["auto"],
        "register": registration.is_open(),
    }
