"""Charging by price: the car wants energy until the morning, the manager has the prices (CEVC)."""

from itertools import pairwise

from tools.demo.scenario import Curve, Scenario
from tools.demo.timeline import StepMissed

HOUR_S = 3600
WANTED_WH = 22_000
DEPARTURE_S = 8 * HOUR_S
MOST_W = 9_000
PRICES = (0.38, 0.34, 0.22, 0.19, 0.21, 0.27, 0.33, 0.41)  # one each hour, EUR/kWh


class PricePlan(Scenario):
    """A night at changing prices."""

    title = "Charging by price: 22 kWh until the morning, in the cheapest hours"
    speed = 400
    options = {"iso15118": True}
    for_cars = True

    def steps(self):
        return (
            self.discover,
            self.pair,
            self.control,
            self.demand,
            self.answer,
            self.plan,
            self.charge,
            self.part,
        )

    async def demand(self):
        """A car is plugged in and tells what it needs, and until when"""
        await self.recorder.ask("ev plug phases=3 soc_percent=20 battery_wh=60000")
        await self.recorder.ask(f"ev set wanted_wh {WANTED_WH}")
        await self.recorder.ask(f"ev set departure_s {DEPARTURE_S}")
        await self.recorder.ask("ev set iso15118 1")
        await self.manager.wait_usable("cevc", timeout_s=self.real(60))
        told = self.manager.values()["cevc"]
        return f"{told['wanted_wh']} Wh within {told['departure_s'] / HOUR_S:.0f} h"

    async def answer(self):
        """The manager answers with a power curve and the prices of the night"""
        prices = [(HOUR_S, price) for price in PRICES] + [(40 * HOUR_S, 0.4)]
        self.must(await self.manager.plan_charge([(48 * HOUR_S, MOST_W)], prices))
        start = self.now_s()
        curve = Curve("price, EUR/kWh × 10", "#6a994e")
        for hour, price in enumerate(PRICES):
            for edge in (hour, hour + 1):
                curve.points.append((start + edge * HOUR_S, price * 10))
        self.curves.append(curve)

    async def plan(self):
        """The charger tells its plan"""
        # The first hours are dear: a plan that knows the prices begins with a pause.
        await self.until(lambda: self.manager.values()["cevc"]["plan"][0][1] == 0, 600)
        slots = self.manager.values()["cevc"]["plan"]
        return ", ".join(
            f"{start / HOUR_S:.1f} h: {watts / 1000:.1f} kW" for start, watts in slots
        )

    async def charge(self):
        """It charges in the cheapest hours and is done in time"""
        start = self.now_s()
        await self.pause(DEPARTURE_S - 600)
        energy = (await self.recorder.ask("status"))["session_wh"]
        paid = wh = 0.0
        samples = self.recorder.samples
        for one, after in pairwise(samples):
            hour = int(max(0, one.at_s - start) // HOUR_S)
            part = one.power_w * (after.at_s - one.at_s) / HOUR_S
            wh += part
            paid += part / 1000 * PRICES[min(hour, 7)]
        average = paid / wh * 1000 if wh else 1
        if energy < WANTED_WH * 95 // 100 or average > 0.24:
            raise StepMissed(f"{energy} Wh at {average:.3f} EUR/kWh")
        return f"{energy / 1000:.1f} kWh at {average:.3f} EUR/kWh on average"
