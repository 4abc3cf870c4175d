"""The console of a board on a serial line.

The port may be anything that pyserial opens: a device, `socket://HOST:PORT`, `rfc2217://…`. While
a program talks to it the console neither prompts nor echoes; at the end it is a person's again.
"""

import errno
import threading

import serial
from serial.tools import list_ports

from tools.console_link import ConsoleError, ConsoleLink

BAUD = 115_200
_READ_S = 0.1  # how long a closed board may keep its reader
_WRITE_S = 5
_BEGIN = b"\rjson\r"  # ends what somebody may have begun to type
_LEAVE = b"\x03"  # Ctrl-C


def ports() -> "list[str]":
    """Return the serial ports of this machine that may be a board (USB)."""
    return sorted(port.device for port in list_ports.comports() if port.vid is not None)


def open_port(port: str) -> serial.SerialBase:
    """Open a port without resetting the board. Raise ConsoleError that says what to do."""
    try:
        line = serial.serial_for_url(
            port, BAUD, timeout=_READ_S, write_timeout=_WRITE_S, do_not_open=True
        )
        # On most boards these two lines are wired to reset and boot mode.
        line.dtr = line.rts = False
        if isinstance(line, serial.Serial):
            line.exclusive = True
        line.open()
    except (OSError, ValueError) as problem:  # SerialException is an OSError
        raise ConsoleError(f"{port}: {_advice(problem)}")
    return line


def _advice(problem: Exception) -> str:
    number = getattr(problem, "errno", None)
    if number == errno.ENOENT:
        there = ", ".join(ports()) or "none: is the cable plugged in?"
        return "no such port; there are " + there
    if number == errno.EACCES:
        return "no permission: sudo usermod -aG dialout $USER, then log in again"
    if number in (errno.EAGAIN, errno.EBUSY):
        return "another program uses it; close terminals and mpremote first"
    return str(problem)


class SerialBoard(ConsoleLink):
    """A board on a serial port; a context manager. Raises ConsoleError."""

    def __init__(self, port: str):
        super().__init__()
        self._port = port
        self._line = None
        self._reader = None
        self._is_open = False

    def __enter__(self) -> "SerialBoard":
        self._line = open_port(self._port)
        self._is_open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send(_BEGIN)
        return self

    def __exit__(self, *_) -> None:
        self._send(_LEAVE)
        self._is_open = False
        self._reader.join()
        self._line.close()

    def _read(self) -> None:
        rest = b""
        try:
            while self._is_open:
                *lines, rest = (rest + self._line.read(self._line.in_waiting or 1)).split(b"\n")
                for line in lines:
                    self._take(line.decode(errors="replace").rstrip("\r"))
        except OSError:  # unplugged
            pass
        self._end()

    def _write(self, line: str) -> None:
        self._send(line.encode() + b"\r")

    def _send(self, octets: bytes) -> None:
        try:
            self._line.write(octets)
        except OSError:  # unplugged: the reader notices as well
            pass
