"""Designs as SVG and PDF, in exact millimetres, and A4 sheets of many labels.

In SVG text is drawn as outlines, so that a label looks the same wherever it is opened; what it
says is repeated in `<title>` and `<desc>`. In PDF the fonts are embedded and text can be searched.
"""

from collections.abc import Iterator
from xml.sax.saxutils import escape

from fpdf import FPDF

from tools.label import fonts
from tools.label.design import Design
from tools.label.stock import A4_MM, LabelError, Sheet

MAX_LABELS = 5_000  # of one sheet file


def runs(design: Design) -> "Iterator[tuple[int, int, int]]":
    """Yield the dark stretches of the symbol's rows: (row, first column, length)."""
    for row, line in enumerate(design.modules):
        column = 0
        while (column := line.find(1, column)) >= 0:
            end = line.find(0, column)
            end = len(line) if end < 0 else end
            yield row, column, end - column
            column = end


def svg(design: Design) -> bytes:
    """Return a label as an SVG file."""
    unit = design.module_mm
    symbol = "".join(
        f"M{column} {row}h{length}v1h-{length}z" for row, column, length in runs(design)
    )
    words = "".join(
        fonts.face(t.face, design.font).outline(t.text, t.x_mm, t.baseline_mm, t.em_mm)
        for t in design.texts
    )
    width, height = f"{design.width_mm:g}", f"{design.height_mm:g}"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}mm" height="{height}mm" '
        f'viewBox="0 0 {width} {height}">\n'
        f"<title>{escape(' '.join(t.text for t in design.texts))}</title>\n"
        f"<desc>{escape(design.qr_text)}</desc>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n'
        f'<path transform="translate({design.x_mm:.4f} {design.y_mm:.4f}) scale({unit:.4f})" '
        f'shape-rendering="crispEdges" d="{symbol}"/>\n'
        f'<path d="{words}"/>\n'
        "</svg>\n"
    ).encode()


def pdf(design: Design) -> bytes:
    """Return a label as a PDF file with one page of its size."""
    document = _document("label " + design.name)
    document.add_page("P", format=(design.width_mm, design.height_mm))
    _draw(document, design, 0, 0)
    return bytes(document.output())


def sheets(
    designs: "list[Design]",
    sheet: Sheet,
    skip: int = 0,
    shift_mm: "tuple[float, float]" = (0.0, 0.0),
    outline: bool = False,
) -> bytes:
    """Return labels on A4 sheets as a PDF file.

    `skip` leaves labels free that are gone from the first sheet; `shift_mm` (right, down) makes up
    for a printer that feeds askew; `outline` draws the edges, to compare a print on plain paper
    with the stock.
    """
    if not designs:
        raise LabelError("there is no label to print")
    if not 0 <= skip < sheet.count:
        raise LabelError(f"a sheet has {sheet.count} labels: skip 0 to {sheet.count - 1}")
    if len(designs) > MAX_LABELS:
        raise LabelError(f"at most {MAX_LABELS} labels fit into one file")
    document = _document("labels")
    for number, design in enumerate(designs):
        index = (skip + number) % sheet.count
        if number == 0 or index == 0:
            document.add_page("P", format=A4_MM)
        x, y = sheet.place(index)
        x, y = x + shift_mm[0], y + shift_mm[1]
        _draw(document, design, x, y)
        if outline:
            document.set_line_width(0.1)
            document.rect(x, y, sheet.width_mm, sheet.height_mm)
    return bytes(document.output())


def _document(title: str) -> FPDF:
    document = FPDF(unit="mm")
    document.set_auto_page_break(False)
    document.set_margin(0)
    document.set_title(title)
    document.set_creator("Pilotwire")
    return document


def _draw(document: FPDF, design: Design, x: float, y: float) -> None:
    unit = design.module_mm
    for row, column, length in runs(design):
        left, top = x + design.x_mm + column * unit, y + design.y_mm + row * unit
        document.rect(left, top, length * unit, unit, style="F")
    for text in design.texts:
        _use(document, text.face, design.font)
        document.set_font_size(text.em_mm * 72 / 25.4)
        document.text(x + text.x_mm, y + text.baseline_mm, text.text)


def _use(document: FPDF, face: str, own) -> None:
    """Choose a face; each is embedded once."""
    path = fonts.face(face, own).path
    family = path.stem.lower()
    if family not in document.fonts:
        document.add_font(family, fname=path)
    document.set_font(family)
