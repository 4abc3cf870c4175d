"""Records of the boards made on this line: one SQLite file.

PINs are in it, so only its owner can read it. The file is the judge of duplicates: a serial
number, a SHIP ID and an SKI exist once in it, also when two lines work on it at the same time.
Each finished step is written before the next begins.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.line import LineError

STEPS = ("flash", "start", "identify", "test", "label")

_VERSION = 1
_WAIT_S = 10  # for another line that writes just now
_SCHEMA = """
CREATE TABLE boards (
    serial    TEXT PRIMARY KEY,
    ski       TEXT UNIQUE,
    ship_id   TEXT UNIQUE,
    qr        TEXT,
    version   TEXT,
    tests     TEXT,
    done      TEXT,
    error     TEXT,
    begun     TEXT NOT NULL,
    finished  TEXT
) STRICT
"""


@dataclass(frozen=True)
class Record:
    """A board: `done` is the last finished step, `tests` what the self-test answered."""

    serial: str
    ski: "str | None" = None
    ship_id: "str | None" = None
    qr: "str | None" = None
    version: "str | None" = None
    tests: "list[dict] | None" = None
    done: "str | None" = None
    error: "str | None" = None
    begun: str = ""
    finished: "str | None" = None

    def has_done(self, step: str) -> bool:
        """Whether this step needs not be repeated."""
        return self.done is not None and STEPS.index(step) <= STEPS.index(self.done)


class Records:
    """The file of records; it is made if it is missing. A context manager. Raises LineError."""

    def __init__(self, path: Path):
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._base = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
            self._base.row_factory = sqlite3.Row
            self._prepare()
        except (OSError, sqlite3.Error) as problem:
            raise LineError(f"{path} cannot be used for records: {problem}")

    def __enter__(self) -> "Records":
        return self

    def __exit__(self, *_) -> None:
        self._base.close()

    def _prepare(self) -> None:
        with self._writing():
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                self._base.execute(_SCHEMA)
                self._base.execute(f"PRAGMA user_version = {_VERSION}")
            elif version != _VERSION:
                raise LineError(f"{self._path} is of another release (version {version})")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that keeps other lines out from its beginning."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")

    def begin(self, serial: str) -> Record:
        """Return the record of a board that is not finished, a new one if there is none."""
        with self._writing():
            record = self.get(serial)
            if record is None:
                self._base.execute(
                    "INSERT INTO boards (serial, begun) VALUES (?, ?)", (serial, _now())
                )
                record = self.get(serial)
        if record.finished:
            raise LineError(
                f"serial number {serial} was given to a board at {record.finished}: take another. "
                f"Its label again: pilotwire label {serial}"
            )
        return record

    def identify(self, serial: str, ski: str, ship_id: str, qr: str, version: str) -> None:
        """Write who a board is. Raise LineError if it, or the number, is another's."""
        try:
            with self._writing():
                record = self.get(serial)
                if record.ski not in (None, ski):
                    raise LineError(
                        f"another line has given number {serial} to another board just now "
                        f"(SKI {record.ski}): take another number"
                    )
                self._done(
                    serial,
                    "identify",
                    ski=ski,
                    ship_id=ship_id,
                    qr=qr,
                    version=version,
                    error=None,
                )
        except sqlite3.IntegrityError:
            self.refuse_known(ski, ship_id)
            raise

    def refuse_known(self, ski: str, ship_id: "str | None" = None) -> None:
        """Raise LineError if a board with this SKI, or this SHIP ID, is in the records."""
        known = self._base.execute(
            "SELECT serial FROM boards WHERE ski = ? OR ship_id = ?", (ski, ship_id)
        ).fetchone()
        if known:
            raise LineError(
                f"this board is {known['serial']} already: its SKI or SHIP ID is in the records. "
                "Connect another board, or erase a copied one so that it makes a key of its own"
            )

    def finish_step(self, serial: str, step: str, tests: "list[dict] | None" = None) -> None:
        """Write that a step is done; with the last one the board is finished."""
        more = {} if tests is None else {"tests": json.dumps(tests, ensure_ascii=False)}
        if step == STEPS[-1]:
            more["finished"] = _now()
        self._done(serial, step, error=None, **more)

    def fail(self, serial: str, error: str) -> None:
        """Write why a board did not go on."""
        self._base.execute("UPDATE boards SET error = ? WHERE serial = ?", (error, serial))

    def forget(self, serial: str) -> bool:
        """Remove a board that was scrapped; return whether it was there."""
        return self._base.execute("DELETE FROM boards WHERE serial = ?", (serial,)).rowcount > 0

    def get(self, serial: str) -> "Record | None":
        """Return the record of a serial number."""
        row = self._base.execute("SELECT * FROM boards WHERE serial = ?", (serial,)).fetchone()
        return _record(row) if row else None

    def all(self) -> "list[Record]":
        """Return all records by serial number."""
        return [_record(row) for row in self._base.execute("SELECT * FROM boards ORDER BY serial")]

    def _done(self, serial: str, step: str, **columns) -> None:
        columns["done"] = step
        names = ", ".join(f"{name} = ?" for name in columns)
        self._base.execute(
            f"UPDATE boards SET {names} WHERE serial = ?", (*columns.values(), serial)
        )


def _record(row: sqlite3.Row) -> Record:
    fields = dict(row)
    if fields["tests"] is not None:
        fields["tests"] = json.loads(fields["tests"])
    return Record(**fields)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
