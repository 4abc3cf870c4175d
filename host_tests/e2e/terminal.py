"""A person at a serial terminal: a charger behind a pseudo-terminal, keys, and what one sees.

`Screen` understands what the console sends: carriage return, line feed, backspace, and the two
ANSI sequences "erase to the end of the line" and "cursor left". Anything else is kept visibly, so
that a test which compares lines finds it.
"""

import os
import pty
import re
import select
import subprocess
import time

from tools import simulate

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE = "\x1b[H", "\x1b[F", "\x1b[3~"
ENTER, CTRL_C, TAB = "\r", "\x03", "\t"

_SEQUENCE = re.compile(r"\x1b\[(\d*)([KD])")
WAIT_S = 10.0


class Screen:
    """The lines that a terminal without end would show."""

    def __init__(self):
        self.lines = [""]
        self.at = 0
        self._rest = ""

    def show(self, text: str) -> None:
        text = self._rest + text
        self._rest = ""
        while text:
            sequence = _SEQUENCE.match(text)
            if sequence:
                self._sequence(*sequence.groups())
                text = text[sequence.end() :]
            elif text[0] == "\x1b" and len(text) < 6:
                self._rest = text  # the end of the sequence comes with the next octets
                return
            else:
                self._character(text[0])
                text = text[1:]

    def _sequence(self, number, final):
        if final == "K":
            self.lines[-1] = self.lines[-1][: self.at]
        else:
            self.at = max(0, self.at - int(number or 1))

    def _character(self, character):
        line = self.lines[-1]
        if character == "\r":
            self.at = 0
        elif character == "\n":
            self.lines.append("")
            self.at = 0
        elif character == "\b":
            self.at = max(0, self.at - 1)
        elif character != "\a":
            self.lines[-1] = line[: self.at] + character + line[self.at + 1 :]
            self.at += 1


class Person:
    """Somebody at the console of a simulated charger; a context manager.

    `options` are those of tools.simulate. `raw` is every octet that came, `screen` what they show.
    """

    def __init__(self, **options):
        own = simulate.loopback_network() + ".1"
        words = simulate._words({"echonet_address": own, **options})
        self._options = simulate.parser().parse_args(words)
        self.screen = Screen()
        self.raw = ""

    def __enter__(self):
        command, environment = simulate.command_line(self._options)
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command,
            cwd=simulate.ROOT,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            close_fds=True,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.terminate()
        self._process.wait(WAIT_S)
        os.close(self._master)

    def begin(self) -> None:
        """Press Enter at a console that has just started, and wait for the prompt behind it."""
        self.sees("Console: type help.")
        start = self.mark()
        self.type(ENTER)
        self.has_lines(start + 1)
        self.sees_prompt()

    def type(self, keys: str) -> None:
        """Press keys, each by itself."""
        for key in re.findall(r"\x1b[\[O]?[\d;]*.|.|\n", keys, re.DOTALL):
            os.write(self._master, key.encode("latin-1"))
            self._take(0.002)

    def paste(self, text: str) -> None:
        """Send a text at once."""
        os.write(self._master, text.encode())

    def sees(self, text: str, after: int = 0, timeout: float = WAIT_S) -> str:
        """Wait until some line from number `after` on has this text; return the line."""
        end = time.monotonic() + timeout
        while True:
            for line in self.screen.lines[after:]:
                if text in line:
                    return line
            assert time.monotonic() < end, f"no {text!r} in\n" + "\n".join(self.screen.lines)
            self._take(0.05)

    def sees_prompt(self, prompt: str = "> ") -> None:
        """Wait until the cursor is behind a prompt, with nothing typed yet."""
        end = time.monotonic() + WAIT_S
        while self.screen.lines[-1] != prompt:
            assert time.monotonic() < end, self.screen.lines[-5:]
            self._take(0.05)

    def sees_beginning(self, line: str) -> str:
        """Wait until the cursor is behind the beginning of a line; return that beginning."""
        end = time.monotonic() + WAIT_S
        while not self.screen.lines[-1] or not line.startswith(self.screen.lines[-1]):
            assert time.monotonic() < end, f"no {line!r} in\n" + "\n".join(self.screen.lines)
            self._take(0.05)
        return self.screen.lines[-1]

    def has_lines(self, count: int) -> None:
        """Wait until there are so many lines, the last of them begun."""
        end = time.monotonic() + WAIT_S
        while len(self.screen.lines) < count:
            assert time.monotonic() < end, "\n".join(self.screen.lines[-20:])
            self._take(0.02)

    def does(self, keys: str, prompt: str = "> ") -> list[str]:
        """Type keys at a prompt; return the lines between them and the next prompt."""
        self.sees_prompt(prompt)
        start = len(self.screen.lines)
        self.type(keys)
        end = time.monotonic() + WAIT_S
        while self.screen.lines[-1] != "> " or len(self.screen.lines) == start:
            assert time.monotonic() < end, "\n".join(self.screen.lines[start:])
            self._take(0.02)
        return self.screen.lines[start:-1]

    def does_not_know(self, key: str) -> bool:
        """Press a key that recalls a line; return whether none came."""
        self.type(key)
        self.sees_prompt()
        return self.line == "> "

    @property
    def line(self) -> str:
        """What is in the line of the cursor once nothing more comes."""
        self._take(0.1)
        return self.screen.lines[-1]

    def mark(self) -> int:
        return len(self.screen.lines)

    def ended(self) -> int:
        """Wait for the end of the process; return its exit status."""
        end = time.monotonic() + WAIT_S
        while self._process.poll() is None:
            assert time.monotonic() < end, self.screen.lines[-5:]
            self._take(0.05)
        return self._process.returncode

    def _take(self, wait_s: float) -> None:
        """Show what comes until nothing has come for a while."""
        while select.select([self._master], [], [], wait_s)[0]:
            try:
                octets = os.read(self._master, 4096)
            except OSError:  # the other side is closed
                return
            text = octets.decode("utf-8", "replace")
            self.raw += text
            self.screen.show(text)
