"""Fuse protection: the house takes what it wants, the car gets what the fuse has left (OPEV)."""

import asyncio

from tools.demo.scenario import Curve, Scenario
from tools.demo.timeline import StepMissed

FUSE_A = 25
VOLTAGE_V = 230
# (from second, what the house draws on each phase, A)
HOUSE = ((0, 4), (40, 12), (90, 17), (140, 22), (200, 15), (250, 6), (300, 3))
END_S = 340
SETTLE_S = 7  # a car may take 5 s to follow


class Fuse(Scenario):
    """The energy manager keeps house and car together below the fuse."""

    title = "Fuse protection: the car gets what the house leaves of 25 A"
    for_cars = True

    def steps(self):
        return (
            self.discover,
            self.pair,
            self.control,
            self.plug_in,
            self.protect,
            self.let_go,
            self.part,
        )

    async def plug_in(self):
        """A car is plugged in: its limits are found and bound"""
        await self.recorder.ask("ev plug phases=3 soc_percent=30")
        await self.manager.wait_usable("opev", timeout_s=self.real(30))
        return f"phases {', '.join(self.manager.values()['opev'])}"

    async def protect(self):
        """The house load changes, the current of the car follows; the fuse never blows"""
        house = Curve("house load", "#6a994e")
        total = Curve("house and car together", "#7b2d8b")
        fuse = Curve(f"fuse, {FUSE_A} A on each phase", "#c1121f")
        self.curves += [house, total, fuse]
        start, load, changed, allowed = self.now_s(), None, 0.0, 0.0
        worst = 0.0
        while (at := self.now_s() - start) < END_S:
            wanted = [amps for since, amps in HOUSE if since <= at][-1]
            if wanted != load:
                load, changed = wanted, self.now_s()
                allowed = FUSE_A - load if FUSE_A - load >= 6 else 0
                self.must(await self.manager.limit_currents(allowed))
            sample = self.recorder.samples[-1]
            house.points.append((sample.at_s, load * 3 * VOLTAGE_V / 1000))
            together = sample.power_w / 1000 + house.points[-1][1]
            total.points.append((sample.at_s, together))
            fuse.points.append((sample.at_s, FUSE_A * 3 * VOLTAGE_V / 1000))
            if self.now_s() - changed > SETTLE_S:
                worst = max(worst, together)
            await asyncio.sleep(0.05)
        if worst > FUSE_A * 3 * VOLTAGE_V / 1000 * 1.02:
            raise StepMissed(f"{worst:.1f} kW is more than the fuse carries")
        return f"at most {worst:.1f} kW of {FUSE_A * 3 * VOLTAGE_V / 1000:.1f} kW"

    async def let_go(self):
        """The limits are released: the car takes all it can"""
        self.must(await self.manager.limit_currents(None))
        sample = await self.recorder.wait(lambda s: s.power_w > 9_500, self.real(60))
        return f"{sample.power_w} W"
