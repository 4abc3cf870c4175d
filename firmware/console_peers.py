"""Console commands about partners: whom to trust, and the time for registration (SHIP 5).

Each function is a command of firmware.console: it takes the node and the arguments, returns a
dictionary, and raises CommandError with what to do instead.
"""

from firmware.console import CommandError
from ship.pairing import MAX_MS
from ship.ski import group, parse_ski
from ship.trust import USER_INPUT, USER_VERIFICATION, TrustFull


def trust(node, arguments):
    """Trust a key that was typed, or read from a label, which may have the peer's PIN as well."""
    fields = _label(arguments)
    answer = _trust(node, fields["SKI"], USER_INPUT)
    if "PIN" in fields:
        node.pins.enter(fields["SKI"], fields["PIN"])
    return answer


def accept(node, arguments):
    """Trust the peer that is waiting: the user has compared the SKI."""
    return _trust(node, _waiting(node, arguments), USER_VERIFICATION)


def reject(node, arguments):
    """Send away the peer that is waiting."""
    ski = _waiting(node, arguments)
    node.links.rejected(ski)
    return {"ski": ski, "text": "rejected: %s" % group(ski)}


def untrust(node, arguments):
    """Forget a key and part from its owner."""
    ski = _ski(arguments)
    if not node.registration.untrust(ski):
        raise CommandError("this SKI is not trusted; see peers")
    return {"ski": ski, "text": "forgotten: %s" % group(ski)}


def pair(node, arguments):
    """Open or close the time for registration; with `auto` the next peer is trusted unseen."""
    registration = node.registration
    words = [word for word in arguments if not word.isdigit()]
    seconds = [int(word) for word in arguments if word.isdigit()] or [MAX_MS // 1000]
    if words not in ([], ["auto"], ["off"]) or len(seconds) > 1:
        raise CommandError("pair [auto|off] [SECONDS], at most %d" % (MAX_MS // 1000))
    if words == ["off"]:
        registration.close_window("console")
    else:
        registration.open_window("console", bool(words), seconds[0] * 1000)
    left_ms = registration.window.remaining_ms(node.wall.now_ms())
    return {
        "remaining_s": (left_ms + 999) // 1000,
        "auto": words == ["auto"],
        "register": registration.is_open(),
    }


def button(node, arguments):
    """Press the button of the simulated board."""
    if not hasattr(node.board, "button"):
        raise CommandError("this board has a real button, or none")
    node.board.button = True
    return {"text": "pressed"}


def _trust(node, ski, level):
    try:
        node.registration.trust(ski, level, "console")
    except TrustFull:
        raise CommandError("no room for another peer; untrust one first")
    return {"ski": ski, "text": "trusted: %s" % group(ski)}


def _waiting(node, arguments):
    """The SKI of the peer that waits for trust; its first digits do if there are several."""
    begin = "".join(arguments).lower()
    waiting = {link.ski for link in node.links.all if link.is_pending()}
    waiting = [ski for ski in waiting if ski.startswith(begin)]
    if not waiting:
        raise CommandError("nobody is waiting; see peers")
    if len(waiting) > 1:
        raise CommandError("several peers are waiting; add the first digits of the SKI")
    return waiting[0]


def _ski(arguments):
    return _label(arguments)["SKI"]


def _label(arguments):
    """Fields of a label's QR code, or the SKI alone as digits in any grouping."""
    try:
        if arguments and arguments[0].startswith("SHIP;"):
            from ship import qr

            return qr.read(" ".join(arguments))
        return {"SKI": parse_ski("".join(arguments))}
    except ValueError as error:
        raise CommandError("%s; read it from the peer's label or screen" % error)
