"""The console of a board as programs use it: commands and their answers, events, one JSON a line.

What carries the lines, a serial line or the pipes of a simulated charger, is the business of the
classes derived from `ConsoleLink`: they call `_take` for each line and `_end` at the end, and
have `_write`.
"""

import json
import threading
import time

_ASK_S = 3.0  # for an answer to `id` before it is asked again
_TAIL_LINES = 40  # shown when something goes wrong


class ConsoleError(Exception):
    """The board ended or did not answer in time; carries its last lines."""


class ConsoleLink:
    """`lines` holds everything the board has printed so far.

    A place in it, as `mark()` returns it, limits a wait to what comes later.
    """

    def __init__(self):
        self.lines = []
        self._news = threading.Condition()
        self._ended = False

    def mark(self) -> int:
        """Return the place after the last line so far."""
        with self._news:
            return len(self.lines)

    def command(self, text: str, timeout: float = 10.0) -> dict:
        """Write one console command, return its answer.

        Raises ConsoleError if the board ends or stays silent.
        """
        start = self.mark()
        self._write("json " + text)
        return self.wait_for(
            lambda line: "answer" in line, timeout, start, what=f"answer to `{text}`"
        )

    def identity(self, patience_s: float) -> dict:
        """Return the answer to `id` as soon as there is one.

        The question is repeated, because a board that starts does not hear it. Raises ConsoleError
        if there is no answer within `patience_s`, or the board does not know who it is.
        """
        end = time.monotonic() + patience_s
        while True:
            try:
                answer = self.command("id", max(0.0, min(_ASK_S, end - time.monotonic())))
            except ConsoleError:
                if self._ended or time.monotonic() >= end:
                    raise
            else:
                if not answer["ok"]:
                    raise ConsoleError(f"the board does not tell who it is: {answer}")
                return answer

    def wait_event(self, name: str, timeout: float = 10.0, start: int = 0, **fields) -> dict:
        """Return the first event of that name, from `start` on, that has these fields."""
        wanted = {"event": name, **fields}
        return self.wait_for(
            lambda line: all(line.get(key) == value for key, value in wanted.items()),
            timeout,
            start,
            what=f"event {wanted}",
        )

    def wait_for(self, predicate, timeout: float = 10.0, start: int = 0, what="such line") -> dict:
        """Return the first JSON line, from `start` on, for which `predicate(dict)` is true.

        Raises ConsoleError if the board ends or `timeout` seconds pass before there is one.
        """
        end = time.monotonic() + timeout
        with self._news:
            while True:
                for line in self.lines[start:]:
                    parsed = _parse(line)
                    if parsed is not None and predicate(parsed):
                        return parsed
                start = len(self.lines)
                if self._ended:
                    raise ConsoleError(f"ended before {what}:\n{self._tail()}")
                if not self._news.wait(end - time.monotonic()):
                    raise ConsoleError(f"no {what} in {timeout} s:\n{self._tail()}")

    def _write(self, line: str) -> None:
        """Send a line; whoever waits for an answer learns from there that nobody is there."""
        raise NotImplementedError

    def _take(self, line: str) -> None:
        with self._news:
            self.lines.append(line)
            self._news.notify_all()

    def _end(self) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()

    def _tail(self) -> str:
        return "\n".join(self.lines[-_TAIL_LINES:])


def _parse(line: str) -> "dict | None":
    """Return a line of JSON, be it after a prompt; None for any other."""
    start = line.find("{")
    if start < 0:
        return None
    try:
        value = json.loads(line[start:])
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
