"""Other SPINE codecs with the same messages: `make bench ARGS="--codec-peer NAME=COMMAND"`.

COMMAND is run once for each message; the last argument is the path of a file with the datagram,
`{"datagram":[…]}` in EEBUS JSON. It decodes the datagram into what its program works with, encodes
that again, and prints one line of JSON:

    {"decode_us": 12.5, "encode_us": 8.0, "peak_bytes": 20480, "table_bytes": 119000}

Microseconds are the best of many goes. `peak_bytes` is the most memory that one decoding takes at
a time, without the text, or all it allocates where nothing is freed meanwhile; `table_bytes` is
what the data model takes of the program. Both may be left out. Everything else is ignored.
"""

import json
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60


class PeerError(Exception):
    """The command cannot be run or does not answer as it should; the text says what to do."""


@dataclass(frozen=True)
class Peer:
    """A program that measures another codec."""

    name: str
    command: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "Peer":
        """The peer of `NAME=COMMAND`. Raises ValueError."""
        name, _, command = text.partition("=")
        if not name.strip() or not command.strip():
            raise ValueError(f"{text!r} is not NAME=COMMAND")
        return cls(name.strip(), tuple(shlex.split(command)))

    def measure(self, path: Path) -> dict[str, float]:
        """The numbers of the command's answer for the datagram in a file. Raises PeerError."""
        try:
            done = subprocess.run(
                [*self.command, str(path)], capture_output=True, text=True, timeout=TIMEOUT_S
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PeerError(f"codec peer {self.name}: {error}") from error
        if done.returncode:
            reason = done.stderr.strip() or "no message"
            raise PeerError(f"codec peer {self.name}: exit code {done.returncode}: {reason}")
        return self._numbers(done.stdout)

    def _numbers(self, text: str) -> dict[str, float]:
        try:
            answer = json.loads(text)
            numbers = {name: float(answer[name]) for name in ("decode_us", "encode_us")}
            for name in ("peak_bytes", "table_bytes"):
                if name in answer:
                    numbers[name] = int(answer[name])
        except (ValueError, KeyError, TypeError) as error:
            raise PeerError(
                f"codec peer {self.name}: expected a line of JSON with decode_us and encode_us, "
                f"got {text[:80]!r}"
            ) from error
        return numbers
