"""Labels as files, one for each format, and on their way to a label printer."""

import re
import socket
from pathlib import Path

from tools.label import raster, vector
from tools.label.design import design
from tools.label.stock import LabelError

FORMATS = ("pdf", "png", "svg", "zpl")

_PORT = 9100  # raw printing, as label printers have it in the network
_PRINT_S = 10


def render(
    qr_text: str,
    size_mm: "tuple[float, float]",
    kind: str,
    dpi: int = 300,
    font: "Path | None" = None,
) -> bytes:
    """Return a label in one format; `dpi` is that of the printer for png and zpl."""
    if kind in ("png", "zpl"):
        label = raster.design_in_dots(qr_text, size_mm, dpi, font)
        return (raster.png if kind == "png" else raster.zpl)(label, dpi)
    if kind not in FORMATS:
        raise LabelError(f"{kind!r} is no format of labels; formats are {', '.join(FORMATS)}")
    label = design(qr_text, size_mm, font=font)
    return vector.svg(label) if kind == "svg" else vector.pdf(label)


def write(folder: Path, name: str, labels: "dict[str, bytes]") -> "list[Path]":
    """Write `folder/name.format` for each format, readable by the owner: a PIN is on them.

    What a file name should not have is replaced in `name`, which may come from a QR text.
    """
    name = re.sub(r"[^\w.-]|^\.", "_", name)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind, octets in labels.items():
        path = folder / f"{name}.{kind}"
        path.touch(0o600)
        path.write_bytes(octets)
        paths.append(path)
    return paths


def send(printer: str, job: bytes) -> None:
    """Send a ZPL job to a printer: `HOST`, `HOST:PORT` or a device such as /dev/usb/lp0.

    Raise LabelError if the printer does not take it; then it was printed in part at most.
    """
    try:
        if printer.startswith("/"):
            if not Path(printer).is_char_device():
                raise LabelError(f"{printer} is not a printer's device; is it on, and connected?")
            with open(printer, "wb", buffering=0) as device:
                while job:
                    job = job[device.write(job) :]
            return
        host, _, port = printer.partition(":")
        if port and not (port.isdecimal() and int(port) < 1 << 16):
            raise LabelError(f"{printer!r} is no printer: HOST, HOST:PORT or a device")
        with socket.create_connection((host, int(port or _PORT)), _PRINT_S) as connection:
            connection.sendall(job)
    except OSError as problem:
        raise LabelError(f"printer {printer}: {problem}; is it on, and has it labels?")
