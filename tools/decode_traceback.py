"""Bring what an image says in tracebacks and errors back to the sources.

An image names its own lines and short names (tools/bundle):

    File "pilotwire.py", line 1204, in aB
    AttributeError: 'aC' object has no attribute 'k'

becomes

    File "lib/spine/peer.py", line 88, in Peer.receive
    AttributeError: 'Peer' object has no attribute 'outbox|links'

Lines that hold several statements are shown as the first of them, and a short name that several
things have as all of them. The map must be the one that was written with the image.

    python -m tools.decode_traceback console.log
    python -m tools.decode_traceback --map build/pilotwire.map.json < console.log
"""

import argparse
import json
import re
import sys
from pathlib import Path

from tools.romfs import IMAGE, MAP, ROOT

_PLACE = re.compile(r'File "([^"]+)", line (\d+)(?:, in [\w<>]+)?')
_OBJECT = re.compile(r"'(\w+)' object")
_ATTRIBUTE = re.compile(r"attribute '(\w+)'")
_GLOBAL = re.compile(r"name '(\w+)'")


class Decoder:
    """The way back that is described by a map (tools/romfs.py)."""

    def __init__(self, text: str):
        content = json.loads(text)
        self._lines = content["lines"]
        self._old = {}  # kind → new name → old names
        for kind, names in content["names"].items():
            olds = self._old.setdefault(kind, {})
            for old, new in sorted(names.items()):
                olds.setdefault(new, []).append(old)

    def decode(self, line: str) -> str:
        """One line of a log; what is none of ours stays as it is."""
        line = _PLACE.sub(self._place, line)
        for pattern, kind in ((_OBJECT, "globals"), (_ATTRIBUTE, "attributes")):
            line = pattern.sub(lambda match, kind=kind: self._name(match, kind), line)
        return _GLOBAL.sub(lambda match: self._name(match, "globals"), line)

    def _place(self, match):
        lines = self._lines.get(match[1].rsplit("/", 1)[-1], ())
        number = int(match[2])
        if not 1 <= number <= len(lines) or lines[number - 1] is None:
            return match[0]
        file, line, function = lines[number - 1]
        return f'File "{file}", line {line}, in {function or "<module>"}'

    def _name(self, match, kind):
        olds = self._old.get(kind, {}).get(match[1], [match[1]])
        return match[0].replace(f"'{match[1]}'", f"'{'|'.join(olds)}'")


def main(arguments: "list[str] | None" = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("log", nargs="?", type=Path, help="file to read (default: stdin)")
    default = ROOT / IMAGE.with_suffix(f".{MAP}")
    parser.add_argument("--map", type=Path, default=default, help="(default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        decoder = Decoder(options.map.read_text())
        lines = options.log.read_text().splitlines() if options.log else sys.stdin
        for line in lines:
            print(decoder.decode(line.rstrip("\n")))
    except FileNotFoundError as problem:
        print(f"decode_traceback: {problem.filename} is missing", file=sys.stderr)
        return 1
    except (OSError, ValueError, KeyError) as problem:
        print(f"decode_traceback: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
