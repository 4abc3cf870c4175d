"""Fonts of the labels: DejaVu as it comes with matplotlib, or one that the user names.

Widths and outlines are read by fontTools. A font of the user's takes the place of all faces; it is
needed where a brand name has letters that DejaVu lacks (Chinese, Japanese, Korean).
"""

import functools
import importlib.util
from pathlib import Path

from fontTools.pens.svgPathPen import SVGPathPen
from fontTools.pens.transformPen import TransformPen
from fontTools.ttLib import TTFont, TTLibError

from tools.label.stock import LabelError

SANS = "DejaVuSans.ttf"
BOLD = "DejaVuSans-Bold.ttf"
MONO = "DejaVuSansMono.ttf"


class Face:
    """One font file; lengths are in em."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self._font = TTFont(path, lazy=True)
            self._em = self._font["head"].unitsPerEm
        except (OSError, TTLibError, KeyError) as problem:
            raise LabelError(f"{path} cannot be used as a font: {problem}")
        self._names = self._font.getBestCmap() or {}
        self._glyphs = self._font.getGlyphSet()

    def width(self, text: str) -> float:
        """Return the width of a text. Raise LabelError for letters that the font lacks."""
        lacking = [letter for letter in text if ord(letter) not in self._names]
        if lacking:
            raise LabelError(
                f"{self.path.name} has no {lacking[0]!r}: name another font by --font"
            )
        return sum(self._glyphs[self._names[ord(letter)]].width for letter in text) / self._em

    def outline(self, text: str, x: float, y: float, size: float) -> str:
        """Return a text as an SVG path, its baseline beginning at (x, y), y pointing down."""
        pen = SVGPathPen(self._glyphs, ntos=lambda number: f"{number:.3f}".rstrip("0").rstrip("."))
        scale = size / self._em
        for letter in text:
            glyph = self._glyphs[self._names[ord(letter)]]
            glyph.draw(TransformPen(pen, (scale, 0, 0, -scale, x, y)))
            x += glyph.width * scale
        return pen.getCommands()


@functools.cache
def face(name: str, own: "Path | None" = None) -> Face:
    """Return the face of this name, or the user's own font."""
    if own is not None:
        return Face(own)
    package = importlib.util.find_spec("matplotlib")
    if package is None:
        raise LabelError(
            "the label fonts come with matplotlib, which is not installed: make setup"
        )
    return Face(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / name)
