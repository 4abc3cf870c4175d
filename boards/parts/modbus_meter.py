"""An energy meter on a Modbus: asked in the background, copied when somebody wants to know.

One round asks for each block of the meter's map (boards/parts/meters.py) and takes over all values
when the last block is there, so that power and currents are of one moment. Three rounds in a row
with a missed answer: the values stay, marked as failed, until a round is complete again.
"""

import struct

from micropython import const

from boards.parts.meters import (
    CURRENT,
    EXPORTED,
    FLOAT,
    FREQUENCY,
    IMPORTED,
    INT16,
    POWER,
    ROW,
    TOTAL_POWER,
)
from evse.metering import ERROR, NORMAL

_ROUND_MS = const(500)
_MISSES = const(3)
_QUANTITIES = const(13)


class ModbusMeter:
    """The client of a ModbusMaster: the meter with this `table` of registers at an address."""

    def __init__(self, bus, table: bytes, address: int = 1, is_exporting: bool = False):
        self._bus = bus
        self._table = table
        self._address = address
        self._is_exporting = is_exporting
        self._blocks = table[1]
        self._block = 0  # the one to ask for next, or that is asked for
        self._round_ms = None  # when the round began
        self._misses = 0
        self._fresh = [None] * _QUANTITIES
        self._values = None  # of the last complete round
        self._values_ms = None

    def poll(self, now: int) -> None:
        """Let the bus go on."""
        self._bus.poll(now, self)

    def wants(self, now: int) -> "tuple | None":
        """Return what is to be asked now (boards.parts.modbus)."""
        if self._block == 0:
            if self._round_ms is not None and now - self._round_ms < _ROUND_MS:
                return None
            self._round_ms = now
        first, count = self._bounds()
        return self._address, self._table[0], first, count

    def _bounds(self):
        return struct.unpack_from(">HB", self._table, 2 + 3 * self._block)

    def answered(self, now: int, registers) -> None:
        """Take the registers of the block that was asked for; None: there was no answer."""
        if registers is None or not self._take(registers):
            self._misses = min(_MISSES, self._misses + 1)
            self._block = 0
            return
        self._block += 1
        if self._block == self._blocks:
            self._block = 0
            self._misses = 0
            fresh = self._fresh
            self._fresh = self._values or [None] * _QUANTITIES
            self._values = fresh
            self._values_ms = now

    def _take(self, registers):
        """Decode the rows of this block; say whether all of them are numbers."""
        first, count = self._bounds()
        for at in range(2 + 3 * self._blocks, len(self._table), ROW):
            quantity, register, kind, factor, divisor = struct.unpack_from(
                ">BHBHB", self._table, at
            )
            if first <= register < first + count:
                value = _number(registers, 2 * (register - first), kind)
                if value is None:
                    return False
                self._fresh[quantity] = round(value * factor / divisor)
        return True

    def read(self, meter, now: int) -> None:
        """Fill an evse.metering.Meter."""
        values = self._values
        meter.state = ERROR if values is None or self._misses >= _MISSES else NORMAL
        if meter.state == ERROR:
            return
        for i in range(meter.phases):
            meter.voltage_mv[i] = values[i]
            meter.current_ma[i] = abs(values[CURRENT + i])
            meter.phase_power_w[i] = values[POWER + i]
        meter.power_w = values[TOTAL_POWER]
        meter.frequency_mhz = values[FREQUENCY]
        meter.energy_wh = values[IMPORTED]
        if self._is_exporting:
            meter.produced_wh = values[EXPORTED]
        meter.updated_ms = self._values_ms


def _number(registers, at, kind):
    """The number at a place in the answer, None for what is not one."""
    if kind == FLOAT:
        value = struct.unpack_from(">f", registers, at)[0]
        return value if value - value == 0 else None  # neither NaN nor infinite
    if kind == INT16:
        return struct.unpack_from(">h", registers, at)[0]
    low, high = struct.unpack_from(">Hh", registers, at)
    return high * 65536 + low
