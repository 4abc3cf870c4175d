"""The commands `backup` and `restore`: identity, trust and settings, sealed with a passphrase.

Sealed (firmware.commands.sealing) are parts: the length of a name, the name, two octets of length,
the content. `about` says in JSON whose backup it is; the others are state files. What is restored
is first one state file, `restore`, and put in place at the next start: a power cut in between
leaves all of the old state or all of the new.

The password of the console is not in it. Lines of at most 256 octets are too short for a backup:
scripts give it in pieces, people paste it with its first and last line.
"""

import binascii
import json
import os

from micropython import const

from firmware.commands.dialog import ask
from firmware.commands.lock import slow
from firmware.commands.sealing import seal, unseal
from firmware.version import VERSION

_FILES = ("identity", "pin", "keys", "peers", "settings")  # those that there are
_PENDING = "restore"
_MIN_LENGTH = const(12)  # a stolen backup can be guessed at without end
_MAX = const(8_192)  # octets of a backup
_COUNTER = "msg_counter"
_COUNTER_AHEAD = const(100_000)

_BEGIN = "-----BEGIN PILOTWIRE BACKUP-----"
_END = "-----END PILOTWIRE BACKUP-----"


def run(console, name, words):
    """Passphrases are asked for unless they are on the line."""
    return _backup(console, words) if name == "backup" else _restore(console, words)


async def _backup(console, words):
    node = console.node
    passphrase = " ".join(words)
    if not words:
        passphrase = await ask(console, "passphrase for this backup: ", True)
    if len(passphrase) < _MIN_LENGTH:
        raise ValueError("a passphrase has %d characters or more" % _MIN_LENGTH)
    if not words and passphrase != await ask(console, "once more: ", True):
        raise ValueError("the two differ; no backup was made")
    node.settings.save_if_changed()
    about = {
        "ship_id": node.ship_id,
        "ski": node.identity.ski,
        "serial": node.config.serial,
        "firmware": VERSION,
        "time": node.wall.timestamp(),
    }
    content = _part("about", json.dumps(about).encode())
    for file in _FILES:
        file = node.storage.newest(file)  # with the number of its schema
        data = node.storage.load(file)
        if data is not None:
            content += _part(file, data)
    sealed = await slow(seal(content, passphrase.encode(), os.urandom))
    if len(sealed) > _MAX:
        raise ValueError("the settings are too large for a backup")
    text = str(binascii.b2a_base64(sealed), "ascii").strip()
    if console.is_json:
        return {"backup": text}
    rows = [text[at : at + 64] for at in range(0, len(text), 64)]
    return {"text": "\n".join([_BEGIN] + rows + [_END])}


async def _restore(console, words):
    """In pieces: `restore add BASE64` as often as needed, then `restore apply PASSPHRASE`."""
    if words[:1] == ["add"] and len(words) == 2:
        if console.parts is None:
            console.parts = bytearray()
        _add(console.parts, words[1])
        return {"octets": len(console.parts)}
    if words == ["clear"]:
        console.parts = None
        return {"octets": 0}
    if words[:1] == ["apply"] and len(words) > 1:
        sealed, console.parts = console.parts, None
        if not sealed:
            raise ValueError("there is nothing to apply: restore add BASE64 first")
        return await _apply(console, bytes(sealed), " ".join(words[1:]))
    if words:
        raise ValueError("restore, or restore add BASE64, restore clear, restore apply PASSPHRASE")
    sealed = await _paste(console)
    return await _apply(console, sealed, await ask(console, "passphrase: ", True))


async def _paste(console):
    """Take a backup as people paste it."""
    sealed = bytearray()
    line = await ask(console, "paste the backup, with its first and last line:\n")
    if line != _BEGIN:
        raise ValueError("a backup begins with " + _BEGIN)
    while True:
        line = await ask(console, "")
        if line == _END:
            return bytes(sealed)
        _add(sealed, line)


def _add(sealed, text):
    try:
        octets = binascii.a2b_base64(text)
    except ValueError:
        octets = b""
    if not octets:
        raise ValueError("a line of the backup is damaged; send it again, more slowly")
    sealed.extend(octets)
    if len(sealed) > _MAX:
        raise ValueError("this is no backup: too long")


async def _apply(console, sealed, passphrase):
    """Check everything, then keep it for the next start."""
    node = console.node
    content = await slow(unseal(sealed, passphrase.encode()))
    about = json.loads(dict(parts(content))["about"])
    if about["ship_id"] != node.ship_id:
        raise ValueError(
            "this backup is of %s, this charger is %s; give it that serial number first"
            % (about["ship_id"], node.ship_id)
        )
    node.storage.save(_PENDING, content)
    node.stop("restart")
    about["text"] = "restored: SKI %s of %s; restarting" % (about["ski"], about["time"])
    return about


def apply(storage):
    """Put what `restore` has checked in place. Called at the start, before anything is read."""
    content = storage.load(_PENDING)
    new = dict(parts(content)) if content else {}
    counter = _counter(storage.load(storage.newest("settings")))
    for name in _FILES:
        file = name
        for part in new:
            if part.split(".")[0] == name:
                file = part
        data = new.get(file)
        if name == "settings" and data:
            # Peers have seen higher counters of messages than at the time of the backup.
            values = json.loads(data)
            values[_COUNTER] = max(counter, _counter(data)) + _COUNTER_AHEAD
            data = json.dumps(values).encode()
        if data is not None:
            storage.save_latest(file, data)
        elif new:
            storage.remove(name)
    storage.remove(_PENDING)


def parts(content):
    """Yield (name, octets) of each part. Raises ValueError if the content ends too early."""
    at = 0
    while at < len(content):
        start = at + 1 + content[at]
        end = start + 2 + int.from_bytes(content[start : start + 2], "big")
        if end > len(content):
            raise ValueError("this backup is damaged")
        yield str(content[at + 1 : start], "ascii"), content[start + 2 : end]
        at = end


def _part(name, data):
    return bytes((len(name),)) + name.encode() + len(data).to_bytes(2, "big") + data


def _counter(settings):
    try:
        return json.loads(settings).get(_COUNTER, 0) if settings else 0
    except ValueError:  # as firmware.storage.Settings does: start anew
        return 0
