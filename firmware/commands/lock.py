"""The commands `password`, `login` and `logout`: who may change trust and limits.

A fresh charger has no password, and everything is allowed to whoever sits at the console. Once
there is one, what the table of commands marks needs `login`, which lasts until `logout` or ten
minutes without a key. After five wrong passwords in a row one has to wait, first a minute, each
time twice as long, at most an hour. A restart does not help: the count is stored before a password
is compared, and the wait begins anew. A button on the board does instead of the password.

The state file `lock` has the salted key (firmware.commands.sealing), never the password.
"""

import asyncio
import binascii
import json
import os

from micropython import const

from firmware.commands.dialog import ask
from firmware.commands.sealing import SALT, derive, same

_FILE = "lock"
_ITERATIONS = const(2_000)  # guesses at the console are counted anyway
_MIN_LENGTH = const(8)
_TRIES = const(5)
_WAIT_MS = const(60_000)
_MAX_DOUBLED = const(6)
_BUTTON_MS = const(30_000)
_LOOK_MS = const(100)


def run(console, name, words):
    """`password` and `login` ask unless the password is on the line."""
    if name == "logout":
        console.unlocked = False
        return {"text": "logged out"}
    if name == "password":
        return _password(console, words)
    return _login(console, words)


async def _password(console, words):
    storage = console.node.storage
    if words == ["off"]:
        storage.remove(_FILE)
        return {"text": "no password any more: who reaches the console may change everything"}
    text = " ".join(words)
    if not words:
        text = await ask(console, "new password: ", True)
    if len(text) < _MIN_LENGTH:
        raise ValueError("a password has %d characters or more" % _MIN_LENGTH)
    if not words and text != await ask(console, "once more: ", True):
        raise ValueError("the two differ; nothing was changed")
    salt = os.urandom(SALT)
    _save(storage, salt, await slow(derive(text.encode(), salt, _ITERATIONS)), 0)
    console.unlocked = True
    return {"text": "password set; keep it with the documents of the installation"}


async def _login(console, words):
    node = console.node
    if not node.storage.has(_FILE):
        raise ValueError("there is no password yet; set one: password")
    if words == ["button"]:
        return await _button(console)
    record = node.storage.load(_FILE)
    if record is None:
        raise ValueError("the password file is damaged; use the button: login button")
    record = json.loads(record)
    _check_wait(console, record["failures"])
    text = " ".join(words) if words else await ask(console, "password: ", True)
    salt = binascii.unhexlify(record["salt"])
    key = binascii.unhexlify(record["key"])
    failures = record["failures"] + 1
    _save(node.storage, salt, key, failures)  # first: a power cut gives no further try
    if not same(await slow(derive(text.encode(), salt, _ITERATIONS)), key):
        node.log.error("console: wrong password, %d in a row" % failures)
        console.wrong_ms = node.clock.now_ms()
        _check_wait(console, failures)
        raise ValueError("wrong password; %d more before you have to wait" % (_TRIES - failures))
    return _open(console, salt, key)


async def _button(console):
    """Wait for the button of the board."""
    board = console.node.board
    for _ in range(_BUTTON_MS // _LOOK_MS):
        pressed = board.service_button()
        if pressed is None:
            raise ValueError("this board has no button; login with the password")
        if pressed:
            console.unlocked = True
            return {"text": "logged in by the button"}
        await asyncio.sleep_ms(_LOOK_MS)
    raise ValueError("the button was not pressed; try again")


def _open(console, salt, key):
    _save(console.node.storage, salt, key, 0)
    console.unlocked = True
    return {"text": "logged in"}


def _check_wait(console, failures):
    """Raise ValueError while the charger takes no passwords."""
    if failures < _TRIES:
        return
    wait_ms = min(_WAIT_MS << min(failures - _TRIES, _MAX_DOUBLED), 3_600_000)
    left_ms = console.wrong_ms + wait_ms - console.node.clock.now_ms()
    if left_ms > 0:
        raise ValueError("too many wrong passwords; wait %d s" % (-(-left_ms // 1000)))


def _save(storage, salt, key, failures):
    record = {"salt": salt.hex(), "key": key.hex(), "failures": failures}
    storage.save(_FILE, json.dumps(record).encode())


async def slow(generator):
    """Run a generator of firmware.commands.sealing beside the other tasks."""
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value
        await asyncio.sleep_ms(0)
