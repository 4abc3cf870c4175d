"""A label: what is on it, and where, in millimetres from its upper left corner.

The QR code is on the left, or above, whichever leaves the larger text. Beside it are brand and
model, the serial number, the SKI in groups of four, and the PIN if the board has one: what
somebody without a scanner types into an energy manager. Everything comes from the QR text, so
that picture and words cannot differ.
"""

from dataclasses import dataclass
from pathlib import Path

from tools.label import fonts, rules, symbol
from tools.label.stock import LabelError

_MARGIN_MM = 1.0
_MAX_EM_MM = 3.2
_MIN_EM_MM = 1.6  # capitals 1.2 mm high: what can still be read at arm's length
_LEADING = 1.25  # em from line to line
_ASCENT = 0.93  # em from the top of a line to its baseline
_GROUPS_A_LINE = (10, 5, 4, 2)  # of the SKI's ten


@dataclass(frozen=True)
class Text:
    """A line of text; `face` is a name of tools.label.fonts."""

    text: str
    face: str
    x_mm: float
    baseline_mm: float
    em_mm: float


@dataclass(frozen=True)
class Design:
    """A finished label; its name is the serial number.

    `modules` are drawn from (x, y), `module_mm` wide; the rest is white.
    """

    name: str
    qr_text: str
    width_mm: float
    height_mm: float
    modules: "list[bytes]"
    module_mm: float
    x_mm: float
    y_mm: float
    texts: "tuple[Text, ...]"
    font: "Path | None" = None


@dataclass(frozen=True)
class _Line:
    text: str
    face: str
    may_shrink: bool = False


def design(
    qr_text: str,
    size_mm: "tuple[float, float]",
    module_mm: float = symbol.MODULE_MM,
    font: "Path | None" = None,
) -> Design:
    """Lay out the label of this QR text. Raise LabelError if it breaks a rule or does not fit."""
    fields = rules.check(qr_text)
    if module_mm < symbol.MODULE_MM:
        raise LabelError(f"modules have at least {symbol.MODULE_MM} mm, not {module_mm:g}")
    modules = symbol.modules(qr_text)
    width, height = size_mm
    side = (len(modules) + 2 * symbol.QUIET) * module_mm
    if side > min(size_mm):
        raise LabelError(
            f"the QR code with its white border needs {side:.1f} mm each way, "
            f"the label has {width:g} x {height:g} mm: take a larger one"
        )
    beside = (side, _MARGIN_MM, width - side - _MARGIN_MM, height - 2 * _MARGIN_MM)
    below = (_MARGIN_MM, side, width - 2 * _MARGIN_MM, height - side - _MARGIN_MM)
    choices = [
        (_texts(fields, beside, font), (0.0, (height - side) / 2)),
        (_texts(fields, below, font), ((width - side) / 2, 0.0)),
    ]
    texts, (x, y) = max(choices, key=lambda choice: choice[0][-1].em_mm if choice[0] else 0)
    if not texts:
        raise LabelError(
            f"a label of {width:g} x {height:g} mm has no room for text of {_MIN_EM_MM} mm "
            f"beside the QR code of {side:.1f} mm: take a larger one"
        )
    quiet = symbol.QUIET * module_mm
    return Design(
        name=fields["SERIAL"],
        qr_text=qr_text,
        width_mm=width,
        height_mm=height,
        modules=modules,
        module_mm=module_mm,
        x_mm=x + quiet,
        y_mm=y + quiet,
        texts=texts,
        font=font,
    )


def _texts(fields: dict, box: tuple, font: "Path | None") -> "tuple[Text, ...]":
    """Return the lines as large as they fit into the box (x, y, width, height); () if they do not.

    The last line is one that does not shrink by itself, so its size is that of the label.
    """
    x, y, width, height = box
    best = (0.0, [])
    for groups in _GROUPS_A_LINE:
        lines = _lines(fields, groups)
        widest = max(_width(line, font) for line in lines if not line.may_shrink)
        em = min(_MAX_EM_MM, width / widest, height / (_LEADING * len(lines)))
        best = max(best, (em, lines), key=lambda each: each[0])
    em, lines = best
    if em < _MIN_EM_MM:
        return ()
    top = y + (height - _LEADING * em * len(lines)) / 2
    texts = []
    for number, line in enumerate(lines):
        if line.may_shrink:
            line, size = _shrunk(line, width, em, font)
        else:
            size = em
        baseline = top + (number * _LEADING + _ASCENT) * em
        texts.append(Text(line.text, line.face, x, baseline, size))
    return tuple(texts)


def _lines(fields: dict, groups: int) -> "list[_Line]":
    """Return what is printed, top to bottom, with so many groups of the SKI on a line."""
    lines = [
        _Line(fields["BRAND"] + " " + fields["MODEL"], fonts.BOLD, may_shrink=True),
        _Line("S/N " + fields["SERIAL"], fonts.BOLD),
    ]
    if "PIN" in fields:
        lines.append(_Line("PIN " + fields["PIN"], fonts.BOLD))
    lines.append(_Line("SKI", fonts.SANS))
    words = fields["SKI"].split(" ")
    for at in range(0, len(words), groups):
        lines.append(_Line(" ".join(words[at : at + groups]), fonts.MONO))
    return lines


def _width(line: _Line, font: "Path | None") -> float:
    return fonts.face(line.face, font).width(line.text)


def _shrunk(line: _Line, width: float, em: float, font: "Path | None") -> "tuple[_Line, float]":
    """Return a line that fits, and its size: smaller first, then cut with an ellipsis."""
    size = max(_MIN_EM_MM, min(em, width / _width(line, font)))
    text = line.text
    while _width(line, font) * size > width:
        text = text[:-1].rstrip()
        line = _Line(text + "…", line.face)
    return line, size
