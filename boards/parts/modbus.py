"""Modbus RTU master on a UART: one request at a time, without waiting.

`poll` sends what is due, collects the answer and checks it: length, address, function, CRC. What
is late, broken or from another device is no answer; what lies in the buffer before a request is
thrown away. The direction pin of an RS-485 driver is released by a timer when the last stop bit is
out, because the answer may begin 4 ms later and the control cycle is longer than that; drivers
that switch by themselves need no pin.
"""

from machine import UART, Pin, Timer
from micropython import const

_TIMEOUT_MS = const(300)
_GAP_MS = const(50)  # silence between an answer and the next request
_REQUEST = const(8)
_HEAD = const(3)  # address, function, number of bytes
_CRC = const(2)
_MAX_REGISTERS = const(64)
_BITS_PER_BYTE = const(10)  # 8N1


def crc16(data: bytes, count: int) -> int:
    """Return the CRC of the first `count` bytes (Modbus over serial line 2.5.1.2)."""
    crc = 0xFFFF
    for i in range(count):
        crc ^= data[i]
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


class ModbusMaster:
    """`good` and `missed` count the exchanges.

    A client's `wants(now)` returns (address, function, first register, count) or None, and its
    `answered(now, registers)` gets a view, valid until it returns, or None for no good answer.
    `direction` is the pin that enables the RS-485 driver, `timer` the one that releases it.
    """

    def __init__(
        self,
        uart: int,
        tx: int,
        rx: int,
        direction: "int | None" = None,
        baudrate: int = 9_600,
        timer: int = 1,
    ):
        self._uart = UART(uart, baudrate=baudrate, tx=Pin(tx), rx=Pin(rx), rxbuf=256)
        self._direction = None if direction is None else Pin(direction, Pin.OUT, value=0)
        self._timer = None if direction is None else Timer(timer)
        self._sending_ms = _REQUEST * _BITS_PER_BYTE * 1000 // baudrate + 1
        self._request = bytearray(_REQUEST)
        self._buffer = bytearray(_HEAD + 2 * _MAX_REGISTERS + _CRC)
        self._view = memoryview(self._buffer)
        self._count = 0  # bytes in the buffer
        self._expected = 0  # 0: nothing is asked
        self._at_ms = None  # of the request, or of the end of the last exchange
        self.good = 0
        self.missed = 0

    def poll(self, now: int, client) -> None:
        """Go on with the exchange, or begin one that the client wants."""
        if self._expected:
            self._receive(now, client)
        elif self._at_ms is None or now - self._at_ms >= _GAP_MS:
            wanted = client.wants(now)
            if wanted:
                self._send(now, wanted)

    def _send(self, now, wanted):
        address, function, first, count = wanted
        if not 0 < count <= _MAX_REGISTERS:
            raise ValueError("a request is for 1 to %d registers" % _MAX_REGISTERS)
        request = self._request
        request[0] = address
        request[1] = function
        request[2] = first >> 8
        request[3] = first & 0xFF
        request[4] = 0
        request[5] = count
        crc = crc16(request, _REQUEST - _CRC)
        request[6] = crc & 0xFF
        request[7] = crc >> 8
        while self._uart.any():  # the rest of an answer that came late
            self._uart.readinto(self._buffer)
        if self._direction:
            self._direction.value(1)
            self._timer.init(mode=Timer.ONE_SHOT, period=self._sending_ms, callback=self._release)
        self._uart.write(request)
        self._count = 0
        self._expected = _HEAD + 2 * count + _CRC
        self._at_ms = now

    def _release(self, _):
        self._direction.value(0)

    def _receive(self, now, client):
        free = len(self._buffer) - self._count
        while self._uart.any() and free:
            read = self._uart.readinto(self._view[self._count :])
            if not read:
                break
            self._count += read
            free -= read
        if self._count >= self._expected:
            good = self._is_good()
        elif now - self._at_ms >= _TIMEOUT_MS:
            good = False
        else:
            return
        registers = self._view[_HEAD : self._expected - _CRC] if good else None
        self._expected = 0
        self._at_ms = now
        if good:
            self.good += 1
        else:
            self.missed += 1
        client.answered(now, registers)

    def _is_good(self):
        """Say whether the buffer holds the answer to the request and nothing else."""
        buffer = self._buffer
        length = self._expected - _CRC
        crc = buffer[length] | buffer[length + 1] << 8
        return (
            self._count == self._expected
            and buffer[0] == self._request[0]
            and buffer[1] == self._request[1]
            and buffer[2] == length - _HEAD
            and crc == crc16(buffer, length)
        )
