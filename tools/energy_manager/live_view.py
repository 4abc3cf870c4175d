"""The live table of `watch` on a terminal, drawn by the package `rich`."""

import asyncio
import time

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .manager import EnergyManager
from .output import event_text, failsafe_text, limit_text, vehicle_text

_REFRESH_S = 0.5
_LINES = 8  # events shown below the table


class LiveView:
    """Redraws the state of the charger twice a second until it is cancelled."""

    def __init__(self, manager: EnergyManager):
        self._manager = manager

    async def run(self) -> None:
        """Show the table until cancelled."""
        with Live(self._draw(), auto_refresh=False) as live:
            while True:
                await asyncio.sleep(_REFRESH_S)
                live.update(self._draw(), refresh=True)

    def _draw(self) -> Group:
        values = self._manager.values()
        table = Table(title=values.get("device") or "charger", show_header=False)
        table.add_column(style="bold")
        table.add_column(min_width=60)
        table.add_row("connection", self._connection(values))
        if "limit" in values:
            table.add_row("limit", limit_text(values["limit"]))
            table.add_row("failsafe", failsafe_text(values))
            table.add_row("nominal maximum", _with_unit(values["nominal_max_w"], "W"))
            beat = values["heartbeat"]
            table.add_row("heartbeat", f"no. {beat['counter']}, {beat['age_s']} s ago")
        table.add_row("power", _with_unit(values.get("power_w"), "W"))
        for name, label, unit in (
            ("power_phase_w", "power per phase", "W"),
            ("current_a", "current", "A"),
            ("voltage_v", "voltage", "V"),
        ):
            if values.get(name):
                phases = sorted(values[name].items())
                table.add_row(label, "   ".join(f"{p} {v} {unit}" for p, v in phases))
        table.add_row("energy", _with_unit(values.get("energy_wh"), "Wh"))
        evse = values.get("evse", {})
        table.add_row("charger", " ".join(filter(None, (evse.get("state"), evse.get("error")))))
        table.add_row("vehicle", vehicle_text(values.get("vehicle", {"is_connected": False})))
        return Group(table, *self._last_events())

    def _connection(self, values: dict) -> str:
        if values["is_connected"]:
            return "in data exchange"
        return self._manager.close_reason

    def _last_events(self) -> list[Text]:
        lines = []
        for event in reversed(self._manager.history):
            text = event_text(event)
            if text is not None and event.kind not in ("measurement", "heartbeat"):
                clock = time.strftime("%H:%M:%S", time.localtime(event.at))
                lines.insert(0, Text(f"{clock}  {text}"))
            if len(lines) == _LINES:
                break
        return lines


def _with_unit(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value} {unit}"
