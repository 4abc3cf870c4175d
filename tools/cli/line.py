"""Commands of the production line: provision, label, records."""

import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from tools.cli import options
from tools.energy_manager.output import Output
from tools.label import files, rules, vector
from tools.label.design import design
from tools.label.stock import DEFAULT_SIZE, SHEETS, LabelError, parse_sheet, parse_size
from tools.line import DEFAULT_FOLDER, LineError, flash
from tools.line.provision import Provisioning
from tools.line.records import Record, Records
from tools.serial_board import SerialBoard

_RECORDS = Path(DEFAULT_FOLDER) / "records.sqlite"
_LABELS = Path(DEFAULT_FOLDER) / "labels"
_MAX_COUNT = 1_000


def _formats(kinds: "list[str]") -> "list[str]":
    for kind in kinds:
        if kind not in files.FORMATS:
            raise typer.BadParameter(f"{kind!r} is none of {', '.join(files.FORMATS)}")
    return kinds


RecordsFile = Annotated[Path, typer.Option("--records", help="SQLite file of the boards made.")]
Labels = Annotated[Path, typer.Option("--labels", help="Folder for the labels.")]
Formats = Annotated[
    list[str],
    typer.Option(
        "--format",
        help="pdf, png, svg or zpl; may be repeated.",
        callback=_formats,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the host command."""
    for command in (provision, label, records):
        app.command(rich_help_panel="Production line")(command)


def provision(
    serial: Annotated[
        str,
        typer.Option(help="Serial number, of the first board.", callback=options.serial_number),
    ],
    count: Annotated[
        int, typer.Option(min=1, max=_MAX_COUNT, help="Boards, one after the other.")
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave out boards that are finished.")
    ] = False,
    port: options.Port = None,
    simulate: options.Simulate = False,
    state: options.State = None,
    image: Annotated[
        Path | None,
        typer.Option(help="Firmware to write first; without, the board has it already."),
    ] = None,
    records: RecordsFile = _RECORDS,
    labels: Labels = _LABELS,
    kinds: Formats = ["pdf", "png"],  # noqa: B006 - typer copies it
    size: options.Size = DEFAULT_SIZE,
    dpi: options.Dpi = 300,
    font: options.Font = None,
    printer: options.Printer = None,
    json: options.Json = False,
) -> None:
    """Take boards through the line: flash, first start, identity, self-test, record, label.

    A board that was begun goes on where it was cut: just repeat the command. A serial number that
    is finished is refused, and so is a board that is in the records under another number.
    """
    serials = _serials(serial, count)
    port = options.port_or_simulator(port, simulate)
    if image is not None:
        if port is None:
            raise typer.BadParameter("--image is for a real board: --port")
        flash.place(image)
    wanted = _Labels(labels, kinds, size, dpi, font, printer)
    out = Output(json)
    with Records(records) as base, _Progress(out, len(serials)) as progress:
        for number, each in enumerate(serials):
            record = base.get(each)
            if resume and record and record.finished:
                progress.skip(each)
                continue
            if port and number:
                progress.next_board(each)
            work = Provisioning(
                base,
                each,
                lambda each=each: SerialBoard(port) if port else _simulated(each, state),
                wanted.of,
                (lambda report: flash.flash(port, image, report)) if image else None,
                lambda *what, each=each: progress.step(each, *what),
            )
            progress.finished(work.run())


def _simulated(serial: str, state: "Path | None"):
    return options.simulated(serial, state, no_mdns=True)


def _serials(first: str, count: int) -> "list[str]":
    """Return consecutive serial numbers: the digits at the end count."""
    if count == 1:
        return [first]
    digits = re.search(r"\d*$", first)[0]
    if not digits or len(str(int(digits) + count - 1)) > len(digits):
        raise typer.BadParameter(f"{first} does not end in digits that count {count} boards")
    stem = first[: -len(digits)]
    return [f"{stem}{int(digits) + n:0{len(digits)}}" for n in range(count)]


@dataclass(frozen=True)
class _Labels:
    """What was asked for: where, in which formats, on what."""

    folder: Path
    kinds: "list[str]"
    size: str
    dpi: int
    font: "Path | None"
    printer: "str | None"

    def make(self, text: str, name: str) -> "list[str]":
        """Write and print the label of a QR text; return the files' paths. Raises LabelError."""
        paths = files.write(self.folder, name, {kind: self._as(text, kind) for kind in self.kinds})
        if self.printer:
            files.send(self.printer, self._as(text, "zpl"))
        return [str(path) for path in paths]

    def of(self, record: Record) -> str:
        """Make the label of a board; return what was done."""
        where = "label in " + ", ".join(self.make(record.qr, record.serial))
        return where + (", printed" if self.printer else "")

    def _as(self, text: str, kind: str) -> bytes:
        return files.render(text, parse_size(self.size), kind, self.dpi, self.font)


class _Progress:
    """What people see of a run: a bar on the terminal, or a line for each step; or JSON."""

    def __init__(self, out: Output, count: int):
        self._out = out
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[now]}"),
            console=Console(stderr=True),
            disable=out.is_json or not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("boards", total=count, now="")

    def __enter__(self) -> "_Progress":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    def step(self, serial: str, step: str, text: "str | None", percent: "float | None") -> None:
        now = f"{serial}: {step}" + ("" if percent is None else f" {percent:.0f} %")
        self._bar.update(self._task, now=now)
        if text is not None:
            self._out.say(f"{serial}  {text}", event="step", serial=serial, step=step, text=text)

    def skip(self, serial: str) -> None:
        self._bar.advance(self._task)
        self._out.say(f"{serial}  finished before", event="skipped", serial=serial)

    def next_board(self, serial: str) -> None:
        """Wait until somebody has connected the next board."""
        if self._out.is_json or not sys.stdin.isatty():
            raise LineError(f"nobody is there to connect board {serial}; one --serial at a time")
        self._bar.stop()
        typer.confirm(f"Connect board {serial}. Go on?", default=True, abort=True, err=True)
        self._bar.start()

    def finished(self, record: Record) -> None:
        self._bar.advance(self._task)
        told = {name: getattr(record, name) for name in ("serial", "ski", "ship_id", "version")}
        self._out.say(f"{record.serial}  finished", event="finished", **told)


def label(
    serials: Annotated[
        list[str] | None, typer.Argument(help="Serial numbers of finished boards.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All boards in the records.")] = False,
    qr: Annotated[
        str | None, typer.Option(metavar="TEXT", help="This QR text: `id` shows it on a console.")
    ] = None,
    sheet: Annotated[
        str | None,
        typer.Option(
            help="On A4 sheets, as one PDF: " + ", ".join(SHEETS),
            autocompletion=lambda: list(SHEETS),
        ),
    ] = None,
    skip: Annotated[int, typer.Option(min=0, help="Labels gone from the first sheet.")] = 0,
    shift: Annotated[
        str, typer.Option(metavar="MM,MM", help="Move right and down, for a crooked printer.")
    ] = "0,0",
    outline: Annotated[
        bool, typer.Option("--outline", help="Draw the edges, to try on plain paper.")
    ] = False,
    records: RecordsFile = _RECORDS,
    labels: Labels = _LABELS,
    kinds: Formats = ["pdf", "png"],  # noqa: B006 - typer copies it
    size: options.Size = DEFAULT_SIZE,
    dpi: options.Dpi = 300,
    font: options.Font = None,
    printer: options.Printer = None,
    json: options.Json = False,
) -> None:
    """Print labels of boards that are in the records, single ones or on sheets.

    The QR code is the one of SHIP: Model 2, level L, modules of 0.33 mm or the next whole dots of
    the printer; beside it are SKI, serial number and, if the board has one, PIN.
    """
    if not (serials or every or qr):
        raise typer.BadParameter("which label? serial numbers, --all or --qr TEXT")
    texts = [qr] if qr else _texts(records, None if every else serials)
    out = Output(json)
    if sheet:
        path = _print_sheet(texts, sheet, labels, skip, shift, outline, font)
        out.say(f"{path}  {len(texts)} labels", event="sheet", path=str(path), count=len(texts))
        return
    wanted = _Labels(labels, kinds, size, dpi, font, printer)
    for text in texts:
        name = rules.check(text)["SERIAL"]
        paths = wanted.make(text, name)
        out.say("\n".join(paths), event="label", name=name, paths=paths, printed=bool(printer))


def _texts(path: Path, serials: "list[str] | None") -> "list[str]":
    """Return the QR texts of these boards, or of all that have one. Raise LineError."""
    if not path.exists():
        raise LineError(f"no records in {path}; name them by --records, or provision boards first")
    with Records(path) as base:
        found = base.all() if serials is None else [base.get(serial) for serial in serials]
    if serials is not None:
        for serial, record in zip(serials, found, strict=True):
            if record is None or record.qr is None:
                raise LineError(f"{serial} is not in the records, or has no identity yet")
    texts = [record.qr for record in found if record.qr]
    if not texts:
        raise LineError(f"no board in {path} has an identity yet")
    return texts


def _print_sheet(
    texts: "list[str]", name: str, folder: Path, skip: int, shift: str, outline: bool, font
) -> Path:
    match = re.fullmatch(r"(-?\d+(?:\.\d+)?),(-?\d+(?:\.\d+)?)", shift)
    if match is None:
        raise typer.BadParameter("--shift takes two numbers of millimetres, such as 0.5,-1")
    try:
        sheet = parse_sheet(name)
    except LabelError as problem:
        raise typer.BadParameter(str(problem))
    made = [design(text, (sheet.width_mm, sheet.height_mm), font=font) for text in texts]
    shift_mm = (float(match[1]), float(match[2]))
    octets = vector.sheets(made, sheet, skip, shift_mm, outline)
    return files.write(folder, f"sheet-{made[0].name}-{made[-1].name}", {"pdf": octets})[0]


def records(
    serials: Annotated[
        list[str] | None, typer.Argument(help="Serial numbers; all without.")
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove these: the boards were scrapped.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before forgetting.")] = False,
    records: RecordsFile = _RECORDS,
    json: options.Json = False,
) -> None:
    """Show what is recorded of the boards, or forget scrapped ones.

    With --json everything is told, QR text and PIN included.
    """
    if not records.exists():
        raise LineError(f"no records in {records}; name them by --records")
    if forget and not serials:
        raise typer.BadParameter("forget which? Name their serial numbers")
    out = Output(json)
    with Records(records) as base:
        found = [base.get(serial) for serial in serials] if serials else base.all()
        if None in found:
            raise LineError(f"{serials[found.index(None)]} is not in the records")
        if forget and not yes and sys.stdin.isatty():
            typer.confirm(f"Forget {', '.join(serials)}?", abort=True, err=True)
        for record in found:
            if forget:
                base.forget(record.serial)
                text = f"{record.serial}  forgotten; its label is void, and its key stays on it"
                out.say(text, event="forgotten", serial=record.serial)
            else:
                out.say(_line(record), event="record", **asdict(record))


def _line(record: Record) -> str:
    state = "finished " + record.finished if record.finished else f"after {record.done or 'begin'}"
    return "  ".join(filter(None, (record.serial, state, record.ski, record.error)))
