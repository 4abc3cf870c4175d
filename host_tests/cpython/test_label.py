"""Labels: each format is decoded again by a reader that shares nothing with the writer.

PDF is drawn by PDFium, SVG by resvg, ZPL's graphic field is unpacked by zebrafy, and zxing-cpp
reads the QR code from the picture at the printer's resolution. What these cannot show is a real
printer: that a printer takes the ZPL commands around the graphic field is checked by their text.
"""

import io
import re
import socket
import struct
import threading
from pathlib import Path

import pypdfium2
import pytest
import resvg_py
from PIL import Image, ImageChops, ImageFilter
from zebrafy import ZebrafyZPL

from tools.label import files, raster, rules, vector
from tools.label.design import design
from tools.label.scan import Scan, scan, scan_file
from tools.label.stock import SHEETS, SIZES, LabelError, parse_sheet, parse_size
from tools.lib import qr

SKI = "b467a3999eb5efa671de0032f08a9c9e5efda0e1"
FIELDS = {
    "SKI": SKI,
    "ID": "i:12345_u:EVSE-0001",
    "BRAND": "Acme",
    "TYPE": "ChargingStation",
    "MODEL": "EVSE22",
    "SERIAL": "0001",
    "CAT": "3",
}
QR = qr.write(FIELDS)
QR_WITH_PIN = qr.write({**FIELDS, "PIN": "5555aaaaff"})
RESOLUTIONS = (203, 300, 600)


def from_pdf(octets: bytes, dpi: int, page: int = 0) -> Image.Image:
    return pypdfium2.PdfDocument(octets)[page].render(scale=dpi / 72).to_pil().convert("L")


def from_svg(octets: bytes, dpi: int) -> Image.Image:
    drawn = resvg_py.svg_to_bytes(svg_string=octets.decode(), dpi=dpi, skip_system_fonts=True)
    return Image.open(io.BytesIO(bytes(drawn))).convert("L")


def from_png(octets: bytes, dpi: int) -> Image.Image:
    picture = Image.open(io.BytesIO(octets))
    assert picture.mode == "1"
    assert [round(each) for each in picture.info["dpi"]] == [dpi, dpi]
    return picture.convert("L")


def from_zpl(octets: bytes, dpi: int) -> Image.Image:
    (picture,) = ZebrafyZPL(octets.decode("ascii")).to_images()
    width, height = (int(re.search(word + rb"(\d+)", octets)[1]) for word in (rb"\^PW", rb"\^LL"))
    assert 0 <= picture.width - width < 8 and picture.height == height
    return picture.convert("L").crop((0, 0, width, height))  # its rows are whole octets


READERS = {"pdf": from_pdf, "svg": from_svg, "png": from_png, "zpl": from_zpl}


def picture(text: str, size: str, kind: str, dpi: int) -> Image.Image:
    return READERS[kind](files.render(text, parse_size(size), kind, dpi), dpi)


@pytest.mark.parametrize("dpi", RESOLUTIONS)
@pytest.mark.parametrize("kind", files.FORMATS)
@pytest.mark.parametrize("size", SIZES)
def test_every_label_is_read_back_at_print_resolution(size, kind, dpi):
    drawn = picture(QR_WITH_PIN, size, kind, dpi)
    expected = [round(length * dpi / 25.4) for length in SIZES[size]]
    assert all(abs(a - b) <= 1 for a, b in zip(drawn.size, expected, strict=True))
    assert scan(drawn) == [Scan(QR_WITH_PIN, "]Q1", "L")]


@pytest.mark.parametrize("kind", files.FORMATS)
def test_a_label_is_still_read_when_print_and_camera_are_not_sharp(kind):
    drawn = picture(QR, "50x30", kind, 300)
    drawn = drawn.filter(ImageFilter.GaussianBlur(1.5)).rotate(
        7, Image.Resampling.BICUBIC, expand=True, fillcolor=255
    )
    assert [found.text for found in scan(drawn)] == [QR]


EVERYTHING = {
    **FIELDS,
    "PIN": "12345678",
    "BSKI": "B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD A0E1",
    "B2SKI": "B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD A0E1",
    "PKEY": "x",
    "PBKEY": "x",
    "PB2KEY": "x",
    "CERTURL": "https://example.com/a",
    "CERTBURL": "http://example.com/b",
    "CERTB2URL": "https://example.com/c",
    "CAT": "2,3",
    "NOMINALPOWER": "-11000,22000",
    "FPH256": "0123456789ABCDEF" * 4,
    "SPSEC": "0123456789ABCDEF" * 2,
}


def test_what_the_board_writes_keeps_every_rule_and_each_field_has_its_own():
    for fields in (FIELDS, {**FIELDS, "PIN": "5555aaaaff"}, EVERYTHING):
        text = qr.write(fields)
        assert qr.read(text) == fields
        assert list(rules.check(text)) == [part.split(":")[0] for part in text.split(";")[1:-2]]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("SKI:b467 a399 9eb5 efa6 71de 0032 f08a 9c9e 5efd a0e1", "SKI is 40 upper-case"),
        ("SKI:" + SKI.upper(), "four a group"),
        ("SKI:B467 A399 9EB5 EFA6 71DE 0032 F08A 9C9E 5EFD  A0E1", "four a group"),
        ("PIN:12345678", "PIN is 8 to 16"),
        ("PIN:1234 567", "a PIN has 8 to 16 digits"),
        ("PIN:1234 5678 9ABC DEF0 1", "PIN is 8 to 16"),
        ("PIN:5555 aaaa ff", "PIN is 8 to 16"),
        ("ID:" + "x" * 64, "ID has more than 63 octets"),
        ("ID:", "ID is a text"),
        ("BRAND:" + "ö" * 17, "BRAND has more than 32 octets"),
        ("BRAND: ", "BRAND is a text"),
        ("MODEL:two\nlines", "control or separator"),
        ("MODEL:a\u2028b", "control or separator"),
        ("MODEL:a\u00a0b", "control or separator"),
        ("TYPE:\u200b", "control or separator"),
        ("SERIAL:" + "1" * 33, "SERIAL has more than 32"),
        ("CAT:three", "CAT is numbers"),
        ("CAT:3,", "CAT is numbers"),
        ("NOMINALPOWER:11000", "the largest production"),
        ("NOMINALPOWER:11000,0", "the largest production"),
        ("NOMINALPOWER:0,-11000", "the largest production"),
        ("NOMINALPOWER:-0,11000", "the largest production"),
        ("NOMINALPOWER:0,11000.5", "the largest production"),
        ("FPH256:" + "ab" * 32, "64 upper-case"),
        ("FPH256:" + "AB" * 31, "64 upper-case"),
        ("SPSEC:" + "AB" * 15, "32 upper-case"),
        ("CERTURL:example.com", "a URL"),
        ("BSKI:" + SKI.upper(), "BSKI is 40"),
        ("COLOUR:red", "COLOUR is no field"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named(field, told):
    key = field.partition(":")[0]
    parts = qr.write(EVERYTHING).split(";")
    at = [n for n, part in enumerate(parts) if part.startswith(key + ":")] or [-2]
    parts[at[0]] = field + (";" + parts[-2] if at == [-2] else "")
    with pytest.raises(LabelError, match="breaks the rules.*" + told):
        rules.check(";".join(parts))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (QR[:-1], "ends with ENDSHIP;"),
        (QR.replace("ENDSHIP;", ""), "ends with ENDSHIP;"),
        ("x" + QR, "begins with SHIP;"),
        (QR.replace("CAT:3;", "CAT:3;CAT:3;"), "there twice"),
        (QR.replace("CAT:3;", "").replace("BRAND", "CAT:3;BRAND"), "not in the order SKI, PIN"),
        (QR.replace("ID:i:12345_u:EVSE-0001;", ""), "ID is missing"),
        ("SHIP;ENDSHIP;", "SKI is missing; ID is missing; BRAND is missing; MODEL is missing"),
    ],
)
def test_order_completeness_and_both_ends_are_rules_too(text, told):
    with pytest.raises(LabelError, match=told):
        rules.check(text)


def test_letters_beyond_ascii_are_utf_8():
    text = qr.write({**FIELDS, "BRAND": "Žižka Ωmega", "MODEL": "Ladesäule"})
    for kind in files.FORMATS:
        assert [found.text for found in scan(picture(text, "50x30", kind, 300))] == [text]


@pytest.mark.parametrize(("dpi", "dots"), [(203, 3), (300, 4), (600, 8)])
def test_a_module_is_the_fewest_whole_dots_of_at_least_0_33_mm(dpi, dots):
    assert dots * 25.4 / dpi >= 0.33 > (dots - 1) * 25.4 / dpi
    label = raster.design_in_dots(QR, SIZES["76x51"], dpi)
    left, top = round(label.x_mm * dpi / 25.4), round(label.y_mm * dpi / 25.4)
    drawn = picture(QR, "76x51", "png", dpi)
    row = drawn.crop((left - 1, top, left + 8 * dots, top + 1)).tobytes()
    # white, the finder pattern's upper edge of seven modules, its white border
    assert row == b"\xff" + bytes(7 * dots) + b"\xff" * dots


def test_the_vector_formats_have_modules_of_exactly_0_33_mm():
    label = design(QR, (50, 30))
    assert label.module_mm == 0.33
    assert b"scale(0.3300)" in vector.svg(label)
    drawn = from_pdf(vector.pdf(label), 2540)  # a dot is 0.01 mm
    side = len(label.modules) * 33
    symbol = drawn.crop((0, 0, round(label.x_mm * 100) + side + 100, drawn.height))
    ink = symbol.point(lambda value: 255 * (value < 128)).getbbox()
    assert 0 <= ink[2] - ink[0] - side <= 2 and 0 <= ink[3] - ink[1] - side <= 2


@pytest.mark.parametrize("size", [*SIZES, "45.7x21.2", "30x50"])
def test_around_the_symbol_four_modules_stay_white(size):
    drawn = picture(QR_WITH_PIN, size, "png", 300)
    label = raster.design_in_dots(QR_WITH_PIN, parse_size(size), 300)
    side = len(label.modules) * 4
    left, top = round(label.x_mm * 300 / 25.4), round(label.y_mm * 300 / 25.4)
    assert left >= 16 and top >= 16
    assert left + side + 16 <= drawn.width and top + side + 16 <= drawn.height
    zone = drawn.crop((left - 16, top - 16, left + side + 16, top + side + 16))
    zone.paste(255, (16, 16, 16 + side, 16 + side))
    assert zone.getextrema() == (255, 255)


def words(text: str, size: str = "50x30") -> list[str]:
    return [line.text for line in design(text, parse_size(size)).texts]


def test_beside_the_symbol_is_what_a_person_types():
    assert words(QR_WITH_PIN, "100x50") == [
        "Acme EVSE22",
        "S/N 0001",
        "PIN 5555 AAAA FF",
        "SKI",
        "B467 A399 9EB5 EFA6 71DE",
        "0032 F08A 9C9E 5EFD A0E1",
    ]
    assert words(QR)[:3] == ["Acme EVSE22", "S/N 0001", "SKI"]
    page = pypdfium2.PdfDocument(files.render(QR_WITH_PIN, (100, 50), "pdf"))[0]
    assert page.get_textpage().get_text_range().split("\r\n") == words(QR_WITH_PIN, "100x50")


def test_on_every_size_the_whole_ski_is_in_groups_of_four():
    for size in SIZES:
        lines = words(QR_WITH_PIN, size)
        groups = " ".join(lines[lines.index("SKI") + 1 :]).split()
        assert "".join(groups).lower() == SKI
        assert {len(group) for group in groups} == {4}


def test_text_stays_on_the_label():
    for size in [*SIZES, "45.7x21.2", "30x50"]:
        drawn = picture(QR_WITH_PIN, size, "png", 300)
        ink = drawn.point(lambda value: 255 - value).getbbox()
        edge = round(0.8 * 300 / 25.4)
        assert ink[0] >= edge and ink[1] >= edge, size
        assert ink[2] <= drawn.width - edge and ink[3] <= drawn.height - edge, size


def test_a_long_model_is_cut_but_not_the_serial_number():
    fields = {**FIELDS, "MODEL": "A model name of 32 letters, long"}
    title, serial = words(qr.write(fields))[:2]
    assert title.startswith("Acme A model") and title.endswith("…")
    assert serial == "S/N 0001"
    with pytest.raises(LabelError, match="no room for text"):
        design(qr.write({**FIELDS, "SERIAL": "S" * 32}), (50, 25))


def test_zpl_prints_the_picture_of_the_png_once():
    zpl = files.render(QR_WITH_PIN, (50, 30), "zpl", 203)
    head = re.fullmatch(
        rb"\^XA\n\^PW(\d+)\n\^LL(\d+)\n\^LH0,0\n"
        rb"\^FO0,0\^GFA,(\d+),(\d+),(\d+),([0-9A-F]+)\^FS\n\^PQ1\n\^XZ\n",
        zpl,
    )
    width, height, total, field, row = (int(head[n]) for n in range(1, 6))
    assert (width, height) == (400, 240)
    assert total == field == row * height == len(head[6]) // 2 and row == 50
    png = picture(QR_WITH_PIN, "50x30", "png", 203)
    assert ImageChops.difference(from_zpl(zpl, 203), png).getbbox() is None


def test_zpl_rows_are_padded_with_white():
    zpl = files.render(QR_WITH_PIN, (50.3, 30), "zpl", 203)
    row, octets = re.search(rb"GFA,\d+,\d+,(\d+),([0-9A-F]+)", zpl).groups()
    octets = bytes.fromhex(octets.decode())
    width = int(re.search(rb"\^PW(\d+)", zpl)[1])
    assert width == 402 and int(row) == 51
    assert all(octets[at] & 0x3F == 0 for at in range(50, len(octets), 51))


@pytest.mark.parametrize("name", SHEETS)
def test_each_label_of_a_sheet_is_read_in_its_place(name):
    sheet = SHEETS[name]
    texts = [qr.write({**FIELDS, "SERIAL": f"{n:04}"}) for n in range(sheet.count + 1)]
    size = (sheet.width_mm, sheet.height_mm)
    octets = vector.sheets([design(text, size) for text in texts], sheet)
    document = pypdfium2.PdfDocument(octets)
    assert len(document) == 2
    assert [round(each) for each in document[0].get_size()] == [595, 842]
    page = from_pdf(octets, 300)
    for number in (0, 1, sheet.columns, sheet.count - 1):
        x, y = sheet.place(number)
        assert 0 <= x and 0 <= y and x + size[0] <= 210.01 and y + size[1] <= 297.01
        edges = (x, y, x + size[0], y + size[1])
        part = page.crop([round(edge * 300 / 25.4) for edge in edges])
        assert scan(part) == [Scan(texts[number], "]Q1", "L")]
    assert sorted(found.text for found in scan(page)) == texts[:-1]
    assert [found.text for found in scan(from_pdf(octets, 300, 1))] == texts[-1:]


def test_a_sheet_that_was_begun_is_used_up_and_a_crooked_printer_corrected():
    sheet = SHEETS["L7160"]
    label = design(QR, (sheet.width_mm, sheet.height_mm))
    octets = vector.sheets([label] * 2, sheet, skip=20, shift_mm=(2, -1), outline=True)
    assert len(pypdfium2.PdfDocument(octets)) == 2
    ink = from_pdf(octets, 254).point(lambda value: 255 - value).getbbox()
    x, y = sheet.place(20)
    assert abs(ink[0] - (x + 2) * 10) < 2 and abs(ink[1] - (y - 1) * 10) < 2
    for skip in (-1, 21):
        with pytest.raises(LabelError, match="skip 0 to 20"):
            vector.sheets([label], sheet, skip=skip)
    with pytest.raises(LabelError, match="no label"):
        vector.sheets([], sheet)
    with pytest.raises(LabelError, match="at most 5000"):
        vector.sheets([label] * 5001, sheet)


@pytest.mark.parametrize(
    ("text", "size", "kind", "dpi", "told"),
    [
        ("SKI:" + SKI, "50x30", "pdf", 300, "no text of a SHIP label"),
        (QR.replace("CAT:3;", ""), "50x30", "pdf", 300, "CAT is missing"),
        (QR, "15x15", "pdf", 300, "needs 17.5 mm each way"),
        (QR, "20x20", "pdf", 300, "no room for text"),
        (QR, "50x30", "png", 150, "dots an inch"),
        (QR, "50x30", "bmp", 300, "formats are pdf, png, svg, zpl"),
        (qr.write({**FIELDS, "BRAND": "充電器"}), "50x30", "png", 300, "--font"),
        (qr.write({**FIELDS, "PKEY": "b" * 2000}), "50x30", "pdf", 300, "each way"),
    ],
)
def test_what_makes_no_label_is_refused_with_the_reason(text, size, kind, dpi, told):
    with pytest.raises(LabelError, match=told):
        files.render(text, parse_size(size), kind, dpi)


@pytest.mark.parametrize("text", ["", "50", "50x", "x30", "4x30", "50x301", "50 x 30", "axb"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(LabelError, match="no label size"):
        parse_size(text)


def test_sizes_are_named_or_given():
    assert parse_size("50x30") == (50, 30)
    assert parse_size("45.7x21.2") == (45.7, 21.2)
    with pytest.raises(LabelError, match="known are L6009"):
        parse_sheet("L1")


def test_a_picture_with_no_or_two_codes_is_no_label(tmp_path):
    path = tmp_path / "label.png"
    path.write_bytes(files.render(QR, (50, 30), "png"))
    assert scan_file(path) == QR
    two = Image.new("L", (1300, 400), 255)
    with Image.open(path) as one:
        two.paste(one, (0, 0))
        two.paste(one, (650, 0))
    two.save(path)
    with pytest.raises(LabelError, match="shows 2 QR codes"):
        scan_file(path)
    Image.new("L", (400, 400), 255).save(path)
    with pytest.raises(LabelError, match="shows 0"):
        scan_file(path)
    path.write_text("no picture")
    with pytest.raises(LabelError, match="cannot be read"):
        scan_file(path)


def test_files_are_for_the_owner_as_a_pin_is_on_them(tmp_path):
    paths = files.write(tmp_path / "new", "0001", {"svg": b"s", "zpl": b"z"})
    assert [path.name for path in paths] == ["0001.svg", "0001.zpl"]
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    for name in ("../0001", "a/b", ".hidden", "/etc/x"):
        (path,) = files.write(tmp_path / "new", name, {"svg": b"s"})
        assert path.parent == tmp_path / "new" and path.exists()


def test_a_job_reaches_a_network_printer_whole():
    job = files.render(QR, (50, 30), "zpl", 300)
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as printer:

        def serve():
            connection, _ = printer.accept()
            with connection:
                while octets := connection.recv(4096):
                    received.extend(octets)

        thread = threading.Thread(target=serve)
        thread.start()
        files.send(f"127.0.0.1:{printer.getsockname()[1]}", job)
        thread.join(10)
    assert received == job
    assert [found.text for found in scan(from_zpl(bytes(received), 300))] == [QR]


def test_a_printer_that_takes_nothing_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        with pytest.raises(LabelError, match=address + ".*is it on"):
            files.send(address, b"^XA^XZ")
    with pytest.raises(LabelError, match="is it on"):
        files.send(str(tmp_path / "lp0"), b"^XA^XZ")
    assert not (tmp_path / "lp0").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LabelError, match="not a printer"):
        files.send(str(tmp_path / "file"), b"^XA^XZ")
    for name in ("printer:lp", "printer:65536"):
        with pytest.raises(LabelError, match="no printer"):
            files.send(name, b"^XA^XZ")


def test_png_tells_its_resolution_to_the_dot():
    octets = files.render(QR, (50, 30), "png", 203)
    at = octets.index(b"pHYs") + 4
    assert struct.unpack(">IIB", octets[at : at + 9]) == (7992, 7992, 1)  # dots a metre


def test_the_picture_in_the_readme_is_a_label():
    with Image.open(Path(files.__file__).with_name("label.png")) as picture:
        (found,) = scan(picture)
    assert rules.check(found.text)["PIN"] == "5555 AAAA FF"
