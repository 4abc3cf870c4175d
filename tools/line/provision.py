"""One board through the line: flash, first start, identity, self-test, record, label.

Each step is recorded when it is done; the same call goes on after the last one, wherever a run was
cut. What a cut can cost is the step it fell into: an image is written again, a label may come out
of the printer a second time, but always for the same key.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tools.console_link import ConsoleLink
from tools.energy_manager.identity import WrongCertificate, certificate_ski
from tools.label import rules
from tools.lib import qr
from tools.line import LineError
from tools.line.records import STEPS, Record, Records

_FIRST_START_S = 180  # the board makes its key, in Python
_TEST_S = 60
_NOT_ON_THE_LINE = ("time", "network", "mDNS")  # what only the installation brings


class Provisioning:
    """`run` takes one board through the steps.

    `board` opens its console; `flash(progress)` writes its firmware, None if it has one already;
    `label(record)` makes the label; `report(step, text, percent)` is told what goes on: a text
    when the step is done, None while it is under way, with the percentage where there is one.
    """

    def __init__(
        self,
        records: Records,
        serial: str,
        board: "Callable[[], AbstractContextManager[ConsoleLink]]",
        label: "Callable[[Record], str]",
        flash: "Callable[[Callable[[float], None]], None] | None" = None,
        report: "Callable[[str, str | None, float | None], None]" = lambda *_: None,
    ):
        self._records = records
        self._serial = serial
        self._open = board
        self._make_label = label
        self._write_flash = flash
        self._report = report
        self._opened = ExitStack()
        self._board = None
        self._identity = None

    def run(self) -> Record:
        """Do what is left to do, return the finished record.

        Raises LineError if the board is refused (the reason is recorded), ConsoleError if it does
        not answer, tools.label.stock.LabelError if its label cannot be made.
        """
        record = self._records.begin(self._serial)
        with self._opened:
            for step in STEPS:
                if record.has_done(step):
                    continue
                try:
                    text = getattr(self, "_" + step)(record)
                except LineError as refusal:
                    self._records.fail(self._serial, str(refusal))
                    raise
                record = self._records.get(self._serial)
                self._report(step, text, None)
        return record

    # --- steps: each returns what it did, and writes that it is done --------------------------

    def _flash(self, record: Record) -> str:
        if self._write_flash is None:
            text = "not flashed, the board has its firmware"
        else:
            self._write_flash(lambda percent: self._report("flash", None, percent))
            text = "firmware written"
        self._records.finish_step(self._serial, "flash")
        return text

    def _start(self, record: Record) -> str:
        self._connected(record)
        self._records.finish_step(self._serial, "start")
        return "started, has its key"

    def _identify(self, record: Record) -> str:
        board = self._connected(record)
        status = board.command("status")
        identity = self._identity
        self._records.identify(
            self._serial,
            identity["ski"],
            identity["ship_id"],
            identity["qr"],
            status.get("version", ""),
        )
        return "SKI " + identity["ski"]

    def _test(self, record: Record) -> str:
        tests = self_test(self._connected(record))
        tests = [each for each in tests if each["name"] not in _NOT_ON_THE_LINE]
        wrong = [f"{each['name']}: {each['wrong']}" for each in tests if not each["ok"]]
        if wrong:
            raise LineError(f"self-test of {self._serial} failed. " + "; ".join(wrong))
        self._records.finish_step(self._serial, "test", tests)
        return f"self-test passed, {len(tests)} tests"

    def _label(self, record: Record) -> str:
        text = self._make_label(record)
        self._records.finish_step(self._serial, "label")
        return text

    # --- the board ----------------------------------------------------------------------------

    def _connected(self, record: Record) -> ConsoleLink:
        """Return the board's console; at the first call the board is opened and recognised."""
        if self._board is None:
            self._report("start", None, None)
            board = self._opened.enter_context(self._open())
            identity = self._numbered(board, record)
            check_identity(board, identity, self._serial)
            if record.ski and record.ski != identity["ski"]:
                raise LineError(
                    f"{self._serial} was begun with a board of SKI {record.ski}, this one has "
                    f"{identity['ski']}. Connect that board; if it is scrap or was erased: "
                    f"pilotwire records --forget {self._serial}"
                )
            self._board, self._identity = board, identity
        return self._board

    def _numbered(self, board: ConsoleLink, record: Record) -> dict:
        """Return the answer to `id` of a board that has its serial number; a new one gets it."""
        identity = board.identity(_FIRST_START_S)
        if record.ski is not None:
            return identity
        self._records.refuse_known(identity["ski"])
        if board.command("serial").get("is_given", True):
            return identity
        if board.command("serial " + self._serial)["ok"]:
            end = time.monotonic() + _FIRST_START_S
            while _serial(identity) != self._serial and time.monotonic() < end:
                identity = board.identity(_FIRST_START_S)
        return identity


def _serial(identity: dict) -> str:
    """Return the serial number in an answer to `id`; empty if its text is none of a label."""
    try:
        return qr.read(identity["qr"]).get("SERIAL", "")
    except ValueError:
        return ""


def self_test(board: ConsoleLink) -> "list[dict]":
    """Return the board's tests: `name`, `ok`, `wrong`. Raise LineError if it has none."""
    answer = board.command("test", _TEST_S)
    if not answer["ok"]:
        raise LineError(f"the board cannot test itself: {answer['error']}")
    return answer["tests"]


def check_identity(board: ConsoleLink, identity: dict, serial: str) -> None:
    """Raise LineError unless key, SKI, label text and serial number of a board belong together.

    The SKI is computed anew from the key in the certificate; `identity` is the answer to `id`.
    """
    answer = board.command("certificate")
    try:
        certificate = x509.load_pem_x509_certificate(answer["text"].encode())
        proven = certificate_ski(certificate.public_bytes(Encoding.DER))
        rules.check(identity["qr"])
        fields = qr.read(identity["qr"])
    except (WrongCertificate, KeyError, ValueError) as problem:
        raise LineError(f"the board's identity is not usable: {problem}")
    told = {"SKI": identity["ski"], "ID": identity["ship_id"]}
    if proven != identity["ski"] or any(fields.get(key) != told[key] for key in told):
        raise LineError("the board's certificate, SKI and label text do not belong together")
    if fields.get("SERIAL") != serial:
        raise LineError(
            f"the board says its serial number is {fields.get('SERIAL')}, not {serial}: "
            "connect the right one, or give its number"
        )
