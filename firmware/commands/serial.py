"""The command `serial`: the charger's serial number, which the production line gives it.

SHIP ID, device address and label hang on it, so it is given once, before anybody is trusted, and
survives a factory reset (state file `serial`, read by firmware.main). The key stays; its
certificate goes on naming the number before, which no partner looks at, until `key renew`.
"""

from micropython import const

_FILE = "serial"
_MAX_LENGTH = const(32)  # of the TXT key `serial`


def run(console, name, words):
    """Without a word: the number, and whether it was given."""
    node = console.node
    is_given = node.storage.has(_FILE)
    if not words:
        return {"serial": node.config.serial, "is_given": is_given}
    if is_given or node.registration.store.peers:
        raise ValueError(
            "this charger is %s for good: label and peers know it so" % node.config.serial
        )
    text = words[0]
    if len(words) > 1 or len(text) > _MAX_LENGTH or text[0] == "." or not _is_plain(text):
        raise ValueError("a serial number has 1 to 32 letters, digits, '.', '_' or '-'")
    for _ in range(2):  # both generations: it can not be made again
        node.storage.save(_FILE, text.encode())
    if text != node.config.serial:
        node.stop("restart")
    return {"serial": text, "text": "this charger is %s from now on" % text}


def _is_plain(text):
    """Whether a text can be part of a host name and of a file name."""
    for letter in text:
        if letter not in "._-" and not ("0" <= letter <= "9" or "a" <= letter.lower() <= "z"):
            return False
    return True
