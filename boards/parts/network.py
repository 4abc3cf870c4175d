"""Wi-Fi and Ethernet of an ESP32 on MicroPython's `network`.

Whoever calls `join` or `up` has taken UDP port 5353 before (firmware/network.py): the image's own
mDNS responder takes it when the first interface gets an address.

A search for networks keeps the interpreter busy for two seconds, so it is refused while a car may
charge. Power saving of the radio is off: it loses multicast.
"""

import asyncio

import network
from machine import SPI, Pin
from micropython import const

_POLL_MS = const(100)
_JOIN_MS = const(15_000)
_LINK_MS = const(8_000)
_NONE = {"name": None, "address": None, "signal_dbm": None}


class Wifi:
    """The radio, as `evse.board.Board.network` wants it; `is_busy()` forbids to scan."""

    def __init__(self, is_busy):
        self._is_busy = is_busy
        self._wlan = network.WLAN(network.STA_IF)
        self._name = None

    def _on(self):
        self._wlan.active(True)
        self._wlan.config(pm=self._wlan.PM_NONE)

    async def scan(self) -> "list[tuple[str, int, bool]]":
        """Return (name, signal in dBm, is open) of each network in reach."""
        if self._is_busy():
            raise OSError("not while a car is charging: the search takes two seconds")
        self._on()
        await asyncio.sleep_ms(0)
        return [(entry[0].decode(), entry[3], entry[4] == 0) for entry in self._wlan.scan()]

    async def join(self, name: str, password: str) -> None:
        """Join a network; OSError says why that did not work, after 15 s at most."""
        wlan = self._wlan
        self._on()
        if wlan.isconnected() or self._name:
            wlan.disconnect()
        self._name = name
        wlan.connect(name, password)
        for _ in range(_JOIN_MS // _POLL_MS):
            if wlan.isconnected():
                return
            await asyncio.sleep_ms(_POLL_MS)
        status = wlan.status()
        if self._name != name:
            raise OSError("another network was chosen meanwhile")
        self.leave()
        if status == network.STAT_NO_AP_FOUND:
            raise OSError("there is no such network in reach")
        if status == network.STAT_WRONG_PASSWORD:
            raise OSError("wrong password")
        raise OSError("no answer from the network (status %d)" % status)

    def leave(self) -> None:
        """Leave the network and stop looking for it."""
        self._name = None
        if self._wlan.active():
            self._wlan.disconnect()

    def address(self) -> "str | None":
        """Return the IPv4 address, None while not joined."""
        return self._wlan.ifconfig()[0] if self._wlan.isconnected() else None

    def state(self) -> dict:
        """Return name, address and signal; None where there is nothing."""
        address = self.address()
        if address is None:
            return _NONE
        return {
            "name": self._name,
            "address": address,
            "signal_dbm": self._wlan.status("rssi"),
        }


class W5500:
    """Ethernet by a W5500 on SPI; the interrupt pin is needed by the driver."""

    def __init__(self, spi: int, sck: int, mosi: int, miso: int, cs: int, interrupt: int):
        bus = SPI(spi, baudrate=20_000_000, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))
        self._lan = network.LAN(
            spi=bus,
            phy_type=network.PHY_W5500,
            phy_addr=0,
            cs=Pin(cs),
            int=Pin(interrupt),
        )

    async def up(self) -> bool:
        """Return whether a cable brought an address within 8 s."""
        if not self._lan.active():
            self._lan.active(True)
        for _ in range(_LINK_MS // _POLL_MS):
            if self.address():
                return True
            await asyncio.sleep_ms(_POLL_MS)
        return False

    def address(self) -> "str | None":
        """Return the IPv4 address, None without cable or before there is one."""
        if not self._lan.isconnected():
            return None
        address = self._lan.ifconfig()[0]
        return None if address == "0.0.0.0" else address
