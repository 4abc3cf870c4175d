"""What all scenarios share: the steps of getting to know each other, waiting, parting.

Each step waits for what it names on the side where it can be observed: the limit in the manager's
copy of the charger's data, the power at the charger's own meter.
"""

import asyncio
from dataclasses import dataclass, field

from tools.demo.recorder import Recorder
from tools.demo.timeline import StepMissed, Timeline
from tools.energy_manager.discovery import discover
from tools.energy_manager.lpc import NotUsable
from tools.energy_manager.manager import EnergyManager
from tools.energy_manager.ship_messages import ShipError
from tools.energy_manager.spine import SpineError
from tools.simulate import Simulator


@dataclass
class Curve:
    """A line of the picture that the scenario itself knows: (seconds, kW) points."""

    label: str
    colour: str
    points: list[tuple[float, float]] = field(default_factory=list)


class Scenario:
    """Runs `steps()`; raises StepMissed at the first one that is not observed.

    Class attributes: `title`, `speed` of the charger's clock, `options` of the simulator,
    `for_cars` whether the manager looks after cars. `curves` go into the picture.
    """

    title = ""
    speed = 10
    options: dict = {}
    for_cars = False

    def __init__(self, charger: Simulator, manager: EnergyManager, recorder: Recorder, timeline):
        self.charger = charger
        self.manager = manager
        self.recorder = recorder
        self.timeline: Timeline = timeline
        self.curves: list[Curve] = []
        self.found = None

    def steps(self):
        """The steps: coroutine functions whose docstring is the line in the timeline."""
        raise NotImplementedError

    async def run(self) -> None:
        """All steps in order."""
        for step in self.steps():
            title = step.__doc__.strip().rstrip(".")
            self.timeline.begin(title)
            try:
                detail = await step()
            except TimeoutError:
                raise StepMissed(f"not observed in time; last seen: {self._last()}") from None
            except (ShipError, SpineError, NotUsable) as error:
                raise StepMissed(f"the energy manager: {error}") from None
            self.timeline.met(detail or "")

    def _last(self) -> str:
        samples = self.recorder.samples
        return str(samples[-1]) if samples else "nothing"

    def real(self, seconds: float) -> float:
        """Wall seconds to wait at most for what takes `seconds` on the charger's clock."""
        return seconds / self.timeline.speed + 5

    async def pause(self, seconds: float) -> None:
        """Let `seconds` of the charger's clock pass."""
        await asyncio.sleep(seconds / self.timeline.speed)

    async def until(self, condition, seconds: float) -> None:
        """Wait until `condition()` holds. Raises TimeoutError."""
        async with asyncio.timeout(self.real(seconds)):
            while not condition():  # noqa: ASYNC110 - whatever the scenario looks at
                await asyncio.sleep(0.02)

    def now_s(self) -> float:
        """Time on the charger's clock."""
        return self.timeline.now_s()

    def must(self, result) -> None:
        """Raise StepMissed if the charger refused a write."""
        if not result.ok:
            raise StepMissed(f"refused: {result.error} {result.text}")

    # --- steps: the docstring is the line in the timeline -----------------------------------

    async def discover(self):
        """The energy manager finds the charger by mDNS"""
        ski = (await self.recorder.ask("id"))["ski"]
        found = await discover(10, interface="127.0.0.1", ski=ski)
        matching = [each for each in found if each.ski == ski]
        if not matching:
            raise StepMissed("the charger is not announced")
        self.found = matching[0]
        return f"{self.found.name} at {self.found.host}:{self.found.port}, SKI {ski[:8]}…"

    async def pair(self):
        """They pair: TLS, SHIP, and the user's trust on the charger's console"""
        mark = self.charger.mark()
        connecting = asyncio.create_task(self.connect())
        pending = await asyncio.to_thread(self.charger.wait_event, "pending", 10, mark)
        own = self.manager.identity.ski
        if pending["ski"] != own:
            raise StepMissed(f"another SKI is pending: {pending['ski']}")
        self.timeline.note(f"charger: {own[:8]}… asks to be trusted; console: trust {own[:8]}…")
        await self.recorder.ask(f"trust {own}")
        await connecting
        return f"data exchange after {self.manager.times_ms['data']:.0f} ms, waiting included"

    async def connect(self):
        await self.manager.connect(self.found.host, self.found.port, self.found.ski)

    async def control(self):
        """Heartbeat and an inactive limit: no grid limit applies"""
        await self.manager.wait_usable("lpc", "mpc", timeout_s=10)
        self.must(await self.manager.write_limit(11_000, is_active=False, delete_duration=True))

    async def part(self):
        """Both sides part with a SHIP termination"""
        mark = self.charger.mark()
        await self.manager.close()
        event = await asyncio.to_thread(self.charger.wait_event, "disconnected", 10, mark)
        return f"the charger sees: {event['reason']}"
