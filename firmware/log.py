"""The event log: a ring of text in fixed memory, shown by the console command `log`.

`event` is for what a script watches (one line of JSON on stdout if JSON output is on), `info` and
`debug` are for people. Nothing is formatted below the level.
"""

import json
import sys

from micropython import const

ERROR = const(0)
INFO = const(1)
DEBUG = const(2)
LEVELS = ("error", "info", "debug")

_RING = const(2048)  # octets of history


class Log:
    """`echo` also prints each line with `write`; `as_json` prints events as JSON lines."""

    def __init__(self, clock, level=INFO, echo=False, as_json=False):
        self.level = level
        self.echo = echo
        self.as_json = as_json
        self.write = sys.stdout.write
        self._clock = clock
        self._ring = bytearray(_RING)
        self._end = 0  # octets ever written

    def error(self, text):
        """Something an installer has to know."""
        self._write(text)

    def info(self, text):
        """Something that helps to understand what happened."""
        if self.level >= INFO:
            self._write(text)

    def debug(self, text):
        """Detail for developers."""
        if self.level >= DEBUG:
            self._write(text)

    def event(self, name, **fields):
        """A named event with fields that JSON can carry."""
        if self.level >= INFO:
            details = ["%s %s" % (key, fields[key]) for key in sorted(fields)]
            self._write("%s: %s" % (name, ", ".join(details)) if details else name)
        if self.as_json:
            fields["event"] = name
            fields["ms"] = self._clock.now_ms()
            sys.stdout.write(json.dumps(fields) + "\n")

    def exception(self, where, error):
        """An error that ended a task or a connection, with the place it came from."""
        self.error("%s: %s %s" % (where, type(error).__name__, error))
        if self.level >= DEBUG:
            sys.print_exception(error)

    def lines(self):
        """The history, oldest first."""
        ring, end = self._ring, self._end
        if end <= _RING:
            text = ring[:end]
        else:
            cut = end % _RING
            text = ring[cut:] + ring[:cut]
            text = text[text.find(b"\n") + 1 :]
        return str(text, "utf-8").split("\n")[:-1]

    def _write(self, text):
        now = self._clock.now_ms()
        line = "%d.%03d %s\n" % (now // 1000, now % 1000, plain(text[:240]))
        if self.echo:
            self.write(line)
        for octet in line.encode():
            self._ring[self._end % _RING] = octet
            self._end += 1


def plain(text):
    """The text without control characters: names that others chose cannot move the cursor."""
    for character in text:
        if _is_control(character):
            return "".join([" " if _is_control(c) else c for c in text])
    return text


def _is_control(character):
    return character < " " or "\x7f" <= character <= "\x9f"
