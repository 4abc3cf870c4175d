"""Samples of the charger's state over time, taken from its console while the demo runs."""

import asyncio
from dataclasses import dataclass

from tools.simulate import Simulator

PERIOD_S = 0.1  # wall time between two samples


@dataclass(frozen=True)
class Sample:
    """One look at the charger; `at_s` is its own clock, `cap_w` None while nothing is capped."""

    at_s: float
    power_w: int
    offered_a: float  # per phase, as the pilot says
    cap_w: int | None
    lpc_state: str


class Recorder:
    """Asks `status` again and again; `samples` grows, the newest is the last."""

    def __init__(self, charger: Simulator):
        self._charger = charger
        self.samples: list[Sample] = []
        self._console = asyncio.Lock()  # one command at a time

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            status = await self.ask("status")
            self.samples.append(
                Sample(
                    at_s=status["uptime_ms"] / 1000,
                    power_w=status["power_w"],
                    offered_a=status["offered_ma"] / 1000,
                    cap_w=status["lpc_cap_w"],
                    lpc_state=status["lpc_state"],
                )
            )
            await asyncio.sleep(PERIOD_S)

    async def ask(self, command: str) -> dict:
        """One console command, without blocking the loop."""
        async with self._console:
            return await asyncio.to_thread(self._charger.command, command)

    async def wait(self, condition, timeout_s: float) -> Sample:
        """The first sample from now on that meets `condition`. Raises TimeoutError."""
        seen = len(self.samples)
        async with asyncio.timeout(timeout_s):
            while True:
                for sample in self.samples[seen:]:
                    if condition(sample):
                        return sample
                seen = len(self.samples)
                await asyncio.sleep(PERIOD_S / 2)
