"""The serial protocol of an ESP32's bootloader and of esptool's stub, as far as flashing needs it.

Behind a pseudo-terminal, in a thread; `flash` is what was written. Espressif's documentation of
esptool has the protocol, under "Serial Protocol".
"""

import hashlib
import os
import pty
import struct
import threading
import tty
import zlib

_SYNC = 0x08
_READ_REG = 0x0A
_MEM_END = 0x06
_DEFLATED_BEGIN = 0x10
_DEFLATED_DATA = 0x11
_MD5 = 0x13
_ERASE_ALL = 0xD0
_UNKNOWN_TO_ROM = {0x14}

_MAGIC_REG = 0x40001000  # tells the chip
_MAGIC = 0x00F01D83
_SPI_W0 = 0x3FF42080
_ROM_SYNC = 0x20120707  # what the ROM answers to SYNC; the stub answers 0
_FLASH_IDS = {2: 0x154020, 4: 0x164020, 8: 0x174020}  # MiB: what the flash answers


class EspRom:
    """A chip at `port`; a context manager."""

    def __init__(self, flash_mib: int = 4):
        self.flash = bytearray(flash_mib << 20)
        self._registers = {_MAGIC_REG: _MAGIC, _SPI_W0: _FLASH_IDS[flash_mib]}
        self._is_stub = False
        self._inflate = None
        self._place = 0
        self._ends = ()

    def __enter__(self) -> "EspRom":
        self._ends = pty.openpty()
        for end in self._ends:
            tty.setraw(end)
        self.port = os.ttyname(self._ends[1])
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        for end in self._ends:
            os.close(end)

    def _serve(self) -> None:
        received = b""
        while True:
            try:
                received += os.read(self._ends[0], 65536)
            except OSError:
                return
            *packets, received = received.split(b"\xc0")
            for packet in packets:
                packet = packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
                if len(packet) >= 8 and packet[0] == 0:
                    self._answer(packet)

    def _answer(self, packet: bytes) -> None:
        operation = packet[1]
        data = packet[8:]
        value, content = 0, b""
        if operation in _UNKNOWN_TO_ROM:
            self._send(operation, 0, b"", b"\x01\x05\0\0")
            return
        if operation == _READ_REG:
            value = self._registers.get(struct.unpack("<I", data[:4])[0], 0)
        elif operation == _ERASE_ALL:
            self.flash[:] = b"\xff" * len(self.flash)
        elif operation == _DEFLATED_BEGIN:
            self._inflate = zlib.decompressobj()
            self._place = struct.unpack_from("<I", data, 12)[0]
        elif operation == _DEFLATED_DATA:
            piece = self._inflate.decompress(data[16:])
            self.flash[self._place : self._place + len(piece)] = piece
            self._place += len(piece)
        elif operation == _MD5:
            start, size = struct.unpack_from("<II", data)
            content = hashlib.md5(self.flash[start : start + size]).digest()
        elif operation == _SYNC and not self._is_stub:
            value = _ROM_SYNC
        for _ in range(8 if operation == _SYNC else 1):
            self._send(operation, value, content, b"\0\0" if self._is_stub else b"\0\0\0\0")
        if operation == _MEM_END and not self._is_stub:
            self._is_stub = True
            self._frame(b"OHAI")

    def _send(self, operation: int, value: int, content: bytes, status: bytes) -> None:
        body = content + status
        self._frame(struct.pack("<BBHI", 1, operation, len(body), value) + body)

    def _frame(self, packet: bytes) -> None:
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._ends[0], b"\xc0" + packet + b"\xc0")
