"""A sunny day with clouds: the car charges with what the roof has left (OSCEV)."""

import asyncio
import math

from tools.demo.scenario import Curve, Scenario
from tools.demo.timeline import StepMissed

DAY_S = 36_000  # ten hours, from the first to the last sun
PEAK_KW = 11.5
HOUSE_KW = 0.8
VOLTAGE_V = 230
MINIMUM_A = 6
PERIOD_S = 120


def sun_kw(at: float) -> float:
    """What the roof delivers `at` seconds after sunrise, clouds included."""
    clear = PEAK_KW * max(0.0, math.sin(math.pi * at / DAY_S)) ** 1.3
    cloud = 0.55 if 14_000 < at < 16_500 or 20_500 < at < 21_800 else 1
    return clear * cloud


class Solar(Scenario):
    """The manager recommends the surplus; the user wants nothing else."""

    title = "Solar surplus over a day: the car follows the sun"
    speed = 400
    for_cars = True

    def steps(self):
        return (
            self.discover,
            self.pair,
            self.control,
            self.prefer_sun,
            self.plug_in,
            self.follow,
            self.part,
        )

    async def prefer_sun(self):
        """The user chooses on the charger: nothing but the sun"""
        await self.recorder.ask("set charge_mode 1")

    async def plug_in(self):
        """A car is plugged in before sunrise; it gets nothing yet"""
        await self.recorder.ask("ev plug phases=3 soc_percent=20 battery_wh=77000")
        await self.manager.wait_usable("oscev", timeout_s=self.real(60))
        self.must(await self.manager.limit_currents(0, recommended=True))

    async def follow(self):
        """From sunrise to sunset the charging power follows the surplus"""
        roof = Curve("solar power", "#f4a261")
        surplus = Curve("surplus of the house", "#6a994e")
        self.curves += [roof, surplus]
        before = (await self.recorder.ask("status"))["session_wh"]
        start, due, from_grid_wh, last = self.now_s(), 0.0, 0.0, None
        while (at := self.now_s() - start) < DAY_S:
            left_kw = max(0.0, sun_kw(at) - HOUSE_KW)
            if at >= due:
                due = at + PERIOD_S
                amps = math.floor(left_kw * 10_000 / (3 * VOLTAGE_V)) / 10
                amps = amps if amps >= MINIMUM_A else 0
                self.must(await self.manager.limit_currents(amps, recommended=True))
            sample = self.recorder.samples[-1]
            roof.points.append((sample.at_s, sun_kw(at)))
            surplus.points.append((sample.at_s, left_kw))
            if last is not None:
                hours = (sample.at_s - last) / 3600
                from_grid_wh += max(0.0, sample.power_w - left_kw * 1000) * hours
            last = sample.at_s
            await asyncio.sleep(0.05)
        energy = (await self.recorder.ask("status"))["session_wh"] - before
        if energy < 20_000 or from_grid_wh > energy * 0.05:
            raise StepMissed(f"{energy} Wh charged, {from_grid_wh:.0f} Wh of it from the grid")
        share = 100 - 100 * from_grid_wh / energy
        return f"{energy / 1000:.1f} kWh, {share:.1f} % of it from the roof"
