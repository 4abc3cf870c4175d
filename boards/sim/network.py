"""A make-believe Wi-Fi, so that commissioning can be tried without a radio.

It is independent of the network of the host, which the simulated charger really uses.
"""

import asyncio

# name → (signal in dBm, password)
_AIR = {
    "Carport": (-48, "sunny side"),
    "Guests": (-61, ""),
    "Next door": (-84, "not for us"),
}
_SCAN_MS = 200


class Network:
    """As `evse.board.Board.network` wants it."""

    def __init__(self):
        self._name = None

    async def scan(self) -> "list[tuple[str, int, bool]]":
        """Return (name, signal in dBm, is open) of each network in reach."""
        await asyncio.sleep_ms(_SCAN_MS)
        return [(name, _AIR[name][0], not _AIR[name][1]) for name in _AIR]

    async def join(self, name: str, password: str) -> None:
        """Join a network; OSError says why that did not work."""
        await asyncio.sleep_ms(_SCAN_MS)
        if name not in _AIR:
            raise OSError("there is no such network in reach")
        if password != _AIR[name][1]:
            raise OSError("wrong password")
        self._name = name

    def leave(self) -> None:
        """Leave the network."""
        self._name = None

    def state(self) -> dict:
        """Return name, address and signal; None where there is nothing."""
        if self._name is None:
            return {"name": None, "address": None, "signal_dbm": None}
        return {"name": self._name, "address": "127.0.0.1", "signal_dbm": _AIR[self._name][0]}
