"""Editing a line at a terminal: what mpremote, picocom and screen send, and what they show.

Fed with octets, it writes the echo and gives back lines. It knows neither sockets nor commands,
except which of them are followed by a secret: those words are shown as asterisks and are not kept
in the history. Loaded when somebody sits at a terminal (firmware.console).

    Left, Right, Home, End     or Ctrl-B, Ctrl-F, Ctrl-A, Ctrl-E
    Backspace (08 or 7F), Delete, Ctrl-U, Ctrl-K, Ctrl-W    delete to the left, at, all before,
                               all behind, one word
    Up, Down                   or Ctrl-P, Ctrl-N: lines typed before
    Tab                        completes the name of a command
    Ctrl-L                     draws the line anew
    Ctrl-C                     gives the line up

Enter may come as CR, LF or CR LF. A line that is longer than the window scrolls sideways, because
a serial terminal does not tell how wide it is: 80 columns are assumed.
"""

from micropython import const

INTERRUPT = "\x03"  # instead of a line: Ctrl-C
MAX_LINE = const(512)  # the text of a QR code fits

_COLUMNS = const(79)
_MIN_ROOM = const(8)  # behind a prompt that is too long
_HISTORY = const(8)  # lines
_SEQUENCE = const(8)  # octets of an escape sequence that are looked at

_BELL = "\x07"
_ESCAPE = const(0x1B)
_ENTER = b"\r\n"

# final octet of an escape sequence, or the number before `~` → the control key of that meaning
_FINALS = b"A\x10B\x0eC\x06D\x02H\x01F\x05"
_NUMBERS = b"1\x013\x044\x057\x018\x05"

# command → how many words, itself included, may be shown
_SECRET = {"login": 1, "password": 1, "backup": 1, "restore": 1, "network": 3, "peer-pin": 2}


class Terminal:
    """One session. `write` takes text.

    `start` begins a line, then `feed` takes octets until it returns the line.
    """

    def __init__(self, write):
        self._write = write
        self._history = []
        self._place = 0  # in the history; its length means the new line
        self._prompt = None  # None while no line is being typed
        self._is_secret = False
        self._line = ""
        self._draft = ""
        self._at = 0
        self._sequence = None  # of an escape sequence: what came so far
        self._last = 0

    def start(self, prompt, is_secret=False):
        """Begin a new line; a secret one is neither shown nor kept."""
        self._prompt = prompt
        self._is_secret = is_secret
        self._line = self._draft = ""
        self._at = 0
        self._place = len(self._history)
        self._draw()

    def above(self, text):
        """Write lines of text above the line that is being typed."""
        if self._prompt is None:
            self._write(text)
        else:
            self._write("\r\x1b[K" + text)
            self._draw()

    def feed(self, octet):
        """Take one octet. Return a complete line, INTERRUPT, or None."""
        last, self._last = self._last, octet
        if self._sequence is not None:
            octet = self._escape(octet)
        if octet is None or (octet == 10 and last == 13):
            return None
        if octet in _ENTER:
            return self._enter()
        if octet == 3:
            self._write("^C\n")
            self._prompt = None
            return INTERRUPT
        if octet == _ESCAPE:
            self._sequence = b""
        elif 32 <= octet <= 126:
            self._insert(chr(octet))
        else:
            self._control(octet)
        return None

    def _escape(self, octet):
        """Take an octet of an escape sequence; return the control key it means at its end."""
        sequence = self._sequence
        if len(sequence) < _SEQUENCE:
            sequence += bytes((octet,))
        is_parameter = 48 <= octet <= 59  # digits, semicolon
        if (len(sequence) == 1 and octet in b"[O") or (len(sequence) > 1 and is_parameter):
            self._sequence = sequence
            return None
        self._sequence = None
        if len(sequence) == 1:
            return octet if octet < 32 else None  # Escape by itself, or with a letter
        at = _FINALS.find(bytes((octet,)))
        keys = _FINALS
        if octet == 126:  # ~
            at = _NUMBERS.find(sequence[1:-1] or b"?")
            keys = _NUMBERS
        return keys[at + 1] if at >= 0 and not at % 2 else None

    def _enter(self):
        line = self._line
        self._write("\n")
        self._prompt = None
        is_new = not self._history or self._history[-1] != line
        if line.strip() and is_new and not self._is_secret and self._shown() == line:
            self._history = (self._history + [line])[-_HISTORY:]
        return line

    def _insert(self, text):
        """Put a character in; MAX_LINE is the end."""
        if len(self._line) >= MAX_LINE:
            self._write(_BELL)
            return
        at = self._at
        self._line = self._line[:at] + text + self._line[at:]
        self._at = at + len(text)
        shown = self._shown()
        if self._at < len(shown) or len(self._prompt) + len(shown) >= _COLUMNS:
            self._draw()
        elif not self._is_secret:
            self._write(shown[at:])

    def _control(self, key):
        if key in b"\x04\x08\x7f\x0b\x15\x17":
            self._cut(key)
        elif key in b"\x0e\x10":
            self._recall(key)
        elif key == 9:
            self._tab()
        elif key == 1:
            self._at = 0
        elif key == 5:
            self._at = len(self._line)
        elif key == 2:
            self._at = max(0, self._at - 1)
        elif key == 6:
            self._at = min(len(self._line), self._at + 1)
        elif key != 12:
            self._write(_BELL)
            return
        self._draw()

    def _cut(self, key):
        """Delete from `start` to `end`."""
        start = end = self._at
        if key == 4:
            end += 1
        elif key in b"\x08\x7f":
            start = max(0, start - 1)
        elif key == 11:
            end = len(self._line)
        elif key == 21:
            start = 0
        else:
            start = len(self._line[:end].rstrip())
            while start and self._line[start - 1] != " ":
                start -= 1
        self._line = self._line[:start] + self._line[end:]
        self._at = start

    def _recall(self, key):
        """Another line of the history; behind the last is the one that was being typed."""
        place = self._place + (1 if key == 14 else -1)
        if self._is_secret or not 0 <= place <= len(self._history):
            self._write(_BELL)
            return
        if self._place == len(self._history):
            self._draft = self._line
        self._place = place
        self._line = self._history[place] if place < len(self._history) else self._draft
        self._at = len(self._line)

    def _tab(self):
        """Complete the last word, or show what it may become."""
        words = self._line[: self._at].split(" ")
        names = [] if self._is_secret else _complete(words)
        known = len(words[-1])
        if len(names) == 1:
            self._insert(names[0][known:] + " ")
        elif names:
            self.above("  ".join(names) + "\n")
        else:
            self._write(_BELL)

    def _shown(self):
        """The line as it may be seen: secrets as asterisks."""
        words = self._line.split(" ")
        first = 1 if words[0] == "json" else 0
        if len(words) > first and words[first] in _SECRET:
            for i in range(first + _SECRET[words[first]], len(words)):
                words[i] = "*" * len(words[i])
        return " ".join(words)

    def _draw(self):
        """Draw the prompt and the part of the line around the cursor."""
        shown = "" if self._is_secret else self._shown()
        at = min(self._at, len(shown))
        room = max(_MIN_ROOM, _COLUMNS - len(self._prompt))
        start = max(0, min(at - room // 2, len(shown) - room))
        part = shown[start : start + room]
        back = start + len(part) - at
        self._write("\r%s%s\x1b[K%s" % (self._prompt, part, "\x1b[%dD" % back if back else ""))


def _complete(words):
    """The names of commands that begin like the last word, where one is expected."""
    from firmware.commands.index import rows

    if words[:-1] not in ([], ["help"], ["json"]):
        return []
    return [fields[0] for fields in rows() if fields[0].startswith(words[-1])]
