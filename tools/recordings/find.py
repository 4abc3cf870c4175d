"""Find the SPINE datagrams in any text: logs, JSON files, source code, issue threads.

A datagram is recognised by its element `datagram`. What stands around it does not matter: a time
and a direction, the SHIP header (`{"data":…}`) or nothing. The JSON may be spread over lines, may
stand inside a string (escaped once or several times, also as joined literals of C), and may have
been wrapped by a terminal. It is handed on as it was written, apart from that.

Texts that begin like a datagram and end too early (rotated logs, shortened quotations) are found
as well, with `text` None: what is lost cannot be judged, but must not go unnoticed.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_FILE_OCTETS = 64 << 20  # larger files are refused: nobody records so much in one piece
MAX_TEXT = 1 << 19  # characters of an interrupted datagram that are looked at
MAX_ESCAPES = 4  # levels of strings inside strings

_START = re.compile(r'(?P<quote>\\*")datagram(?P=quote)\s*:\s*(?=[\[{])')
_IN_STRING = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_NEXT_LITERAL = re.compile(r'"\s*(?:\+\s*)?"')  # C joins literals, other languages add them
# What may interrupt unescaped text: line breaks (also inside a comment), joints of raw literals.
_JOINT = re.compile(r"\r?\n[ \t]*(?:(?://|\*|#)[ \t]*)?|" + r'\)(\w*)"\s*R"\1\(|' + r"`\s*\+\s*`")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Found:
    """One datagram: `{"datagram":…}` as text, or None if it breaks off; line counts from 1."""

    line: int
    text: str | None


def files(place: Path) -> Iterator[Path]:
    """The file `place`, or all files in the folder `place`, hidden ones excepted, in order.

    Raises FileNotFoundError if it does not exist.
    """
    if not place.is_dir():
        if not place.exists():
            raise FileNotFoundError(f"no such file or folder: {place}")
        yield place
        return
    for path in sorted(place.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
        if path.is_file() and not hidden:
            yield path


def read(path: Path) -> str:
    """The text of a file; octets that are no UTF-8 (frames in a dump) become question marks.

    Raises ValueError for a file beyond `MAX_FILE_OCTETS`.
    """
    size = path.stat().st_size
    if size > MAX_FILE_OCTETS:
        raise ValueError(f"{path}: {size >> 20} MiB, at most {MAX_FILE_OCTETS >> 20} are read")
    return path.read_bytes().decode(errors="replace")


def datagrams(text: str) -> Iterator[Found]:
    """Each datagram of a text in order."""
    line, counted, behind = 1, 0, 0
    for match in _START.finditer(text):
        if match.start() < behind:
            continue  # a string inside a datagram that has been read
        line += text.count("\n", counted, match.start())
        counted = match.start()
        value, behind = _value(text, match.end(), len(match["quote"]) - 1)
        yield Found(line, None if value is None else '{"datagram":' + value + "}")


def _value(text: str, start: int, backslashes: int) -> tuple[str | None, int]:
    """(text of the JSON value at `start` without escapes or None, where to go on)."""
    if not backslashes:
        return _plain(text, start)
    body, end = _literal(text, start)
    for _ in range(MAX_ESCAPES):
        value, _ = _plain(body, 0)
        if value is not None:
            return value, end
        body = _unescaped(body)
    return None, start


def _plain(text: str, start: int) -> tuple[str | None, int]:
    """The same for JSON that is not escaped; lines that were wrapped are joined."""
    try:
        _, end = _DECODER.raw_decode(text, start)
        return text[start:end], end
    except (ValueError, RecursionError):
        pass
    # A string that was wrapped is no JSON until the line break has gone.
    piece = text[start : start + MAX_TEXT]
    joined = _JOINT.sub("", piece)
    try:
        _, length = _DECODER.raw_decode(joined)
        return joined[:length], start + length
    except (ValueError, RecursionError):
        return None, start


def _literal(text: str, start: int) -> tuple[str, int]:
    """The rest of the string that `start` is in, with the literals that are joined to it."""
    parts = []
    while True:
        match = _IN_STRING.match(text, start)
        parts.append(match[0])
        following = _NEXT_LITERAL.match(text, match.end())
        if not following:
            return "".join(parts), match.end()
        start = following.end()


def _unescaped(body: str) -> str:
    """One level of escapes less."""
    try:
        return json.loads('"' + body + '"', strict=False)
    except ValueError:
        return body.replace('\\"', '"').replace("\\\\", "\\")
