"""The serial console: commands on stdin, answers on stdout, for people and for scripts.

`json <command>` gives the same answer as one line of JSON, `{"answer":"<command>","ok":true,…}`,
so that scripts can drive it. The commands are in firmware/commands; they and whatever only they
need are loaded when one is used and dropped when it is done, so that an idle console costs little.

Nothing secret is ever printed. Reading never blocks the event loop.
"""

import gc
import json
import sys
from asyncio import core

from micropython import const

_MAX_LINE = const(256)


class Console:
    """Reads lines and answers them; `node` is a firmware.node.Node."""

    def __init__(self, node):
        self.node = node

    async def run(self):
        """Read lines for ever and answer them.

        One octet at a time: a longer read would wait until its buffer is full.
        """
        octet = bytearray(1)
        line = bytearray()
        while True:
            yield core._io_queue.queue_read(sys.stdin)
            if not sys.stdin.buffer.readinto(octet):
                return  # stdin is closed: the node goes on without a console
            if octet not in (b"\r", b"\n"):
                if len(line) < _MAX_LINE:
                    # Commands are ASCII; noise on the line is neither decoded nor sent back.
                    line.extend(octet if b" " <= octet <= b"~" else b"?")
            elif line:
                words = str(line, "ascii").split()
                line = bytearray()
                await self.answer(words)

    async def answer(self, words):
        """Carry out one line, given as its words, and print the answer."""
        as_json = bool(words) and words[0] == "json"
        if as_json:
            words = words[1:]
        if not words:
            return
        result = await self._carry_out(words[0], words[1:])
        if as_json:
            result["answer"] = words[0]
            sys.stdout.write(json.dumps(result) + "\n")
        else:
            from firmware.commands.text import write

            del result["ok"]
            write(result)
        for module in list(sys.modules):
            if "commands" in module:
                del sys.modules[module]

    async def _carry_out(self, name, words):
        """The answer of a command as a dictionary; `ok` is False if it has an `error`."""
        try:
            from firmware.commands.index import command

            result = command(name)(self, name, words)
            if not isinstance(result, dict):
                result = await result
            result["ok"] = True
            return result
        except ValueError as error:  # what the user has to do instead
            return {"error": str(error), "ok": False}
        except Exception as error:
            self.node.log.exception(name, error)
            gc.collect()
            return {"error": "%s failed: %s" % (name, type(error).__name__), "ok": False}
