"""A board with MicroPython at a serial port, driven by mpremote's transport.

What runs on the board is small and needs no file there. All failures are DeployErrors: those of
the port, of the board, and those that the code on the board raised.
"""

import ast
import contextlib
import io
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial.tools import list_ports

from tools.deploy import DeployError

_BAUD = 115_200
_SILENCE_S = 10
_PATIENCE_S = 5  # for the prompt
_GOODBYE_S = 2  # of our firmware, to its peers
_START_S = 3  # of a board, up to its main.py
_CHUNK = 1024

# A watchdog that the firmware has started goes on in the REPL; it can only be made slower.
_CALM_WATCHDOG = """
import sys
if sys.platform == 'esp32':
 import machine
 machine.WDT(timeout=600000)
"""

_ABOUT = """
import sys, os, gc
gc.collect()
i = sys.implementation
s = os.statvfs('/')
print([i.name, list(i.version[:3]), i._machine, i._mpy, sys.platform, s[0], s[3], gc.mem_free()])
"""

_LIST = """
import os, hashlib, binascii
def _digest(path):
 h = hashlib.sha256()
 b = bytearray(512)
 with open(path, 'rb') as f:
  while 1:
   n = f.readinto(b)
   if not n: break
   h.update(memoryview(b)[:n])
 return str(binascii.hexlify(h.digest()), 'ascii')
def _walk(path):
 for e in os.ilistdir(path):
  p = path + '/' + e[0]
  if e[1] & 0x4000: _walk(p)
  else: print(repr((p, os.stat(p)[6], _digest(p))))
try: os.stat({folder!r})
except OSError: pass
else: _walk({folder!r})
"""

_COPY = """
b = bytearray(512)
with open({source!r}, 'rb') as f, open({target!r}, 'wb') as g:
 while 1:
  n = f.readinto(b)
  if not n: break
  g.write(memoryview(b)[:n])
"""

_FOLDERS = """
import os
for p in {folders!r}:
 try: os.mkdir(p)
 except OSError: pass
"""


@dataclass
class About:
    """What a board says of itself; sizes in octets."""

    name: str
    version: tuple
    machine: str
    mpy: int
    platform: str
    block: int
    free_blocks: int
    free_ram: int

    @property
    def chip(self) -> str:
        """The chip, the last word of "Generic ESP32S3 module with ESP32S3"."""
        return self.machine.rpartition(" with ")[2] or self.machine


class Device:
    """A context manager; the program of the board is interrupted when it is entered."""

    def __init__(self, port: str):
        self.port = port
        self._transport = None

    def __enter__(self) -> "Device":
        with self._told():
            if not os.path.exists(self.port) and "://" not in self.port:
                raise DeployError(f"there is no port {self.port}; {_ports()}")
            if os.path.exists(self.port) and not os.access(self.port, os.R_OK | os.W_OK):
                owner = Path(self.port).group()
                raise DeployError(f"you may not use {self.port}: join the group {owner}")
            self._transport = SerialTransport(self.port, baudrate=_BAUD)
        link = self._transport.serial
        link.timeout = link.write_timeout = _SILENCE_S
        # What runs there: an interpreter, or some program that Ctrl-C ends; our firmware, whose
        # console takes Ctrl-C for itself; or a program that hears nothing, until the board is
        # reset and interrupted before it begins again.
        for wake in (lambda: None, self._shut_down, self._reset_and_interrupt):
            with contextlib.suppress(serial.SerialException, OSError):
                wake()
            if self._enter():
                return self
        self.close()
        raise DeployError(
            f"nothing at {self.port} answers as MicroPython. Is it the right port, is no other "
            "program using it, and is MicroPython on the board? If the console has a password, "
            "login there first. `make flash PORT=... IMAGE=...` writes MicroPython"
        )

    def _enter(self) -> bool:
        try:
            # mpremote prints what it did not expect
            with contextlib.redirect_stdout(io.StringIO()):
                self._transport.enter_raw_repl(timeout_overall=_PATIENCE_S)
                self._transport.exec(_CALM_WATCHDOG)
            return True
        except (TransportError, serial.SerialException, OSError, struct.error):
            return False

    def _shut_down(self) -> None:
        link = self._transport.serial
        link.write(b"\r\x03\rshutdown\r")
        time.sleep(_GOODBYE_S)
        link.reset_input_buffer()

    def _reset_and_interrupt(self) -> None:
        """Most boards have RTS wired to reset; DTR low keeps them out of the bootloader."""
        link = self._transport.serial
        link.dtr = False
        link.rts = True
        time.sleep(0.1)
        link.rts = False
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            link.write(b"\x03")
            time.sleep(0.05)
        link.reset_input_buffer()

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the port; the board stays as it is."""
        with contextlib.suppress(Exception):
            self._transport.close()

    def run(self, code: str) -> str:
        """Run code on the board, return what it printed."""
        with self._told():
            return self._transport.exec(code).decode()

    def about(self) -> About:
        """Ask the board who it is."""
        fields = ast.literal_eval(self.run(_ABOUT).strip())
        return About(fields[0], tuple(fields[1]), *fields[2:])

    def files(self, folder: str) -> "dict[str, tuple[int, str]]":
        """Return size and SHA-256 of each file below a folder, by its name inside of it."""
        found = {}
        for line in self.run(_LIST.format(folder=folder)).splitlines():
            path, size, digest = ast.literal_eval(line)
            found[path[len(folder) + 1 :]] = (size, digest)
        return found

    def read_text(self, path: str) -> "str | None":
        """Return a text, None if there is no such file."""
        code = f"try: print(repr(open({path!r}).read()))\nexcept OSError: print(None)"
        return ast.literal_eval(self.run(code).strip())

    def write(self, path: str, data: bytes, progress=lambda count: None) -> None:
        """Write a file in pieces; `progress` is told the octets of each."""
        done = 0

        def report(written, _):
            nonlocal done
            progress(written - done)
            done = written

        with self._told():
            self._transport.fs_writefile(path, data, _CHUNK, report)

    def copy(self, source: str, target: str) -> None:
        """Copy a file on the board."""
        self.run(_COPY.format(source=source, target=target))

    def make_folders(self, folders: "list[str]") -> None:
        """Make the folders that are not there yet."""
        self.run(_FOLDERS.format(folders=folders))

    def remove(self, path: str) -> None:
        """Remove a file, if it is there."""
        self.run(f"import os\ntry: os.remove({path!r})\nexcept OSError: pass")

    def replace(self, path: str, text: str) -> None:
        """Replace a file in one step: it is always there, the old or the new one."""
        self.write(path + ".new", text.encode())
        if self.read_text(path + ".new") != text:
            raise DeployError(f"{path}.new reads back differently: the flash is damaged")
        self.run(f"import os\nos.rename({path + '.new'!r}, {path!r})")

    def reset(self) -> None:
        """Start the board anew, and with it what main.py says."""
        # A board with USB of its own is gone before it has answered.
        with contextlib.suppress(DeployError), self._told():
            self._transport.exec_raw_no_follow("import machine\nmachine.reset()")

    @contextlib.contextmanager
    def _told(self):
        """Turn what the port and the board raise into sentences."""
        try:
            yield
        except TransportExecError as problem:
            last = problem.error_output.strip().rpartition("\n")[2]
            if "ENOSPC" in last or last.endswith("OSError: 28"):
                last = "its file system is full"
            raise DeployError(f"the board says: {last}") from None
        except serial.SerialException as problem:
            raise DeployError(f"{self.port}: {problem}") from None
        except (TransportError, OSError, struct.error) as problem:
            raise DeployError(f"the connection to {self.port} broke: {problem}") from None


def _ports() -> str:
    found = [port.device for port in list_ports.comports()]
    return f"there are: {', '.join(found)}" if found else "no board is connected to this computer"
