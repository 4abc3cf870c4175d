"""The serial console: commands on stdin, answers on stdout, for people and for scripts.

`json <command>` gives the same answer as one line of JSON, `{"answer":"<command>","ok":true,…}`.
A script at a board's serial port first sends `json` by itself: from then on there is no prompt and
no echo, and events come as lines of JSON too, until Ctrl-C. At a pipe it is like that from the
start, except that events are as the node was started.

The commands are in firmware/commands; they, and the line editor (firmware.terminal), are loaded
when they are used and dropped afterwards, so that an idle console costs little. After ten minutes
without a key the session ends: history and what the password opened are forgotten.

No key is ever printed; the PIN is on the label as well. Reading never blocks the event loop.
"""

import asyncio
import gc
import json
import sys
from asyncio import core

from micropython import const

_MAX_LINE = const(512)  # the text of a QR code fits
_IDLE_MS = const(600_000)
_BURST = const(64)  # octets that are read in a row, so that a pasted text finds room
_PROMPT = "> "
_INTERRUPT = "\x03"  # instead of a line: Ctrl-C; firmware.terminal has it too


class Console:
    """Reads lines and answers them; `node` is a firmware.node.Node.

    For commands: `is_json` (the answer will be one line of JSON), `is_script` (nobody sees prompts
    or can press a key), `unlocked` and `wrong_ms` (firmware.commands.lock), and `parts`, a place
    for octets until the session ends. Questions are asked by firmware.commands.dialog.
    """

    def __init__(self, node, is_terminal=False):
        self.node = node
        self.is_json = False
        self.unlocked = False
        self.wrong_ms = node.clock.now_ms()  # start, or the last wrong password
        self.parts = None
        self.is_script = not is_terminal
        self._is_terminal = is_terminal  # whether keys come as they are typed
        self._terminal = None
        self._octet = bytearray(1)
        self._line = bytearray()
        self._last = 0
        self._poll = None  # made with the terminal

    async def run(self):
        """Read lines for ever and answer them."""
        interrupts = 0
        if not self.is_script:
            sys.stdout.write("Console: type help.\n")
        try:
            while True:
                line = await self.line(_PROMPT)
                interrupts = interrupts + 1 if line == _INTERRUPT else 0
                if interrupts == 1:
                    sys.stdout.write("Ctrl-C again ends the firmware\n")
                else:
                    await self.answer(["shutdown"] if interrupts else line.split())
        except EOFError:
            pass  # stdin is closed: the node goes on without a console
        finally:
            self._leave()

    async def answer(self, words):
        """Carry out one line, given as its words, and print the answer."""
        self.is_json = bool(words) and words[0] == "json"
        if self.is_json:
            words = words[1:]
            if not words:
                self._set_script(True)
        if not words:
            return
        result = await self._carry_out(words[0], words[1:])
        if self.is_json:
            result["answer"] = words[0]
            sys.stdout.write(json.dumps(result) + "\n")
        else:
            from firmware.commands.text import write

            del result["ok"]
            write(result)
        _forget("commands")

    async def _carry_out(self, name, words):
        """The answer of a command as a dictionary; `ok` is False if it has an `error`."""
        try:
            from firmware.commands.index import find

            run, is_guarded = find(name, words)
            if is_guarded and self.node.storage.has("lock") and not self.unlocked:
                raise ValueError("locked: login first")
            result = run(self, name, words)
            if not isinstance(result, dict):
                result = await result
            result["ok"] = True
            return result
        except ValueError as error:  # what the user has to do instead
            return {"error": str(error), "ok": False}
        except EOFError:  # of stdin
            raise
        except Exception as error:
            self.node.log.exception(name, error)
            gc.collect()
            return {"error": "%s failed: %s %s" % (name, type(error).__name__, error), "ok": False}

    # --- reading -----------------------------------------------------------------------------

    async def line(self, prompt, is_secret=False):
        """Return a line, or _INTERRUPT. Raises EOFError when stdin is closed."""
        if self._terminal:
            self._terminal.start(prompt, is_secret)
        while True:
            if not await self._wait():
                self._leave()
                if prompt != _PROMPT:
                    return _INTERRUPT
            for _ in range(_BURST):
                line = self._feed(self.read(), prompt, is_secret)
                if line is not None:
                    return line
                if not self._poll or not self._poll.poll(0):
                    break
            else:
                await asyncio.sleep_ms(0)

    def _feed(self, octet, prompt, is_secret):
        """Take an octet; return a line if it is complete."""
        if not self.is_script:
            if not self._terminal:
                self._enter(prompt, is_secret)
            return self._terminal.feed(octet)
        last, self._last = self._last, octet
        if octet == 3 and self._is_terminal:
            self._set_script(False)
            self._line = bytearray()
            self._enter(prompt, is_secret)
            return None
        if octet in (10, 13):
            if octet == 10 and last == 13:
                return None
            line = str(self._line, "ascii")
            self._line = bytearray()
            return line
        if len(self._line) < _MAX_LINE:
            # Commands are ASCII; noise on the line is neither decoded nor sent back.
            self._line.append(octet if 32 <= octet <= 126 else 63)
        return None

    async def _wait(self):
        """Wait for input. Returns False if a session ends because nothing came."""
        if not self._terminal and not self.unlocked and not self.parts:
            await readable()
            return True
        try:
            await asyncio.wait_for_ms(readable(), self.node.clock.real_ms(_IDLE_MS))
        except asyncio.TimeoutError:
            return False
        return True

    def read(self):
        """One octet: a longer read would wait until its buffer is full. Raises EOFError."""
        try:
            count = sys.stdin.buffer.readinto(self._octet)
        except OSError:  # a terminal that was unplugged
            count = 0
        if not count:
            raise EOFError()
        return self._octet[0]

    # --- sessions ----------------------------------------------------------------------------

    def _enter(self, prompt, is_secret):
        """Somebody sits at a terminal: the line editor is needed."""
        import select

        from firmware.terminal import Terminal

        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._terminal = Terminal(sys.stdout.write)
        self.node.log.write = self._terminal.above
        self._terminal.start(prompt, is_secret)

    def _leave(self):
        """Nobody sits there any more; the prompt comes back with the next key."""
        if self._terminal:
            sys.stdout.write("\r\x1b[K")
            _forget("terminal")
        self.unlocked = False
        self.parts = None
        self._terminal = self._poll = None
        self.node.log.write = sys.stdout.write

    def _set_script(self, is_script):
        """A script takes over the terminal, or gives it back."""
        if self._is_terminal:
            self._leave()
            self.is_script = is_script
            self.node.log.as_json = is_script
            self.node.log.echo = not is_script


async def readable():
    """Wait until stdin has something to read."""
    yield core._io_queue.queue_read(sys.stdin)


def _forget(part):
    """Drop modules of the firmware by a part of their names: their package keeps none either."""
    for name in list(sys.modules):
        if part in name:
            del sys.modules[name]
    package = sys.modules.get("firmware", None)  # there is none in a bundle
    if package:
        package.__dict__.pop(part, None)
