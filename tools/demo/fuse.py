"""Fuse protection: the house takes what it wants, the car gets what the fuse has left (OPEV)."""

import asyncio

from tools.demo.scenario import Curve, Scenario
from tools.demo.timeline import StepMissed

FUSE_A = 25
VOLTAGE_V = 230
# (from second, what the house draws on each phase, A)
HOUSE = ((0, 4), (40, 12), (90, 17), (140, 22), (200, 15), (250, 6), (300, 3))
END_S = 340
FOLLOW_S = 7  # 5 s for the car to follow, 2 s for the energy manager and the samples


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
        """The house load changes, and within 7 s the car leaves it room"""
        house = Curve("house load", "#6a994e")
        total = Curve("house and car together", "#7b2d8b")
        fuse = Curve(f"fuse, {FUSE_A} A on each phase", "#c1121f")
        self.curves += [house, total, fuse]
        start, load = self.now_s(), None
        over_since, longest = None, 0.0
        while (at := self.now_s() - start) < END_S:
            wanted = [amps for since, amps in HOUSE if since <= at][-1]
            if wanted != load:
                load = wanted
                allowed = FUSE_A - load if FUSE_A - load >= 6 else 0
                self.must(await self.manager.limit_currents(allowed))
            sample = self.recorder.samples[-1]
            house.points.append((sample.at_s, load * 3 * VOLTAGE_V / 1000))
            together = sample.power_w / 1000 + house.points[-1][1]
            total.points.append((sample.at_s, together))
            fuse.points.append((sample.at_s, FUSE_A * 3 * VOLTAGE_V / 1000))
            if together <= FUSE_A * 3 * VOLTAGE_V / 1000:
                over_since = None
            else:
                over_since = over_since or sample.at_s
                longest = max(longest, sample.at_s - over_since)
            await asyncio.sleep(0.05)
        if longest > FOLLOW_S:
            raise StepMissed(f"more than {FUSE_A} A for {longest:.1f} s")
        return f"more than {FUSE_A} A for {longest:.1f} s at most, while the car followed"

    async def let_go(self):
        """The limits are released: the car takes all it can"""
        self.must(await self.manager.limit_currents(None))
        sample = await self.recorder.wait(lambda s: s.power_w > 9_500, self.real(60))
        return f"{sample.power_w} W"
